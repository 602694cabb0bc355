"""One ceremony held again and again, cut off and gone on with; what must hold at its end."""

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ceremony.bundle.checking import check_upload_files, require
from ceremony.bundle.media import read_directory
from ceremony.bundle.request import read_request
from ceremony.bundle.sums import verify_sums
from ceremony.core.ports import KeyStore
from ceremony.core.times import parse_time
from ceremony.flow.closing import FINISHED
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    Entered,
    EnterText,
    Frame,
    Picked,
    PickPath,
)
from ceremony.offline import store
from ceremony.practice.officers import ScriptedOfficers
from ceremony.record.chain import Line, read_lines, sha256_hex, whole_lines
from ceremony.x509.certificate import read_certificate
from ceremony.x509.csr import read_csr
from ceremony.x509.issuing import tbs_of
from ceremony.x509.root_csr import csr_info_of
from tests.flow.faults import PointedStore, Points
from tests.flow.table import Table

TEXTS = {
    "open.officer.A": {"name": "Ada"},
    "open.officer.B": {"name": "Ben"},
}
_CERTIFICATE = (read_certificate, tbs_of)
Acts = Mapping[str, Callable[[AnyPrompt], Answer]]
CLEARED = ("state", "usb-out", "evidence", "custody")


class Patient(ScriptedOfficers):
    """Officers who try once more where they are asked, or leave."""

    def __init__(self, table: Table, *, again: bool = True) -> None:
        super().__init__(table.papers, quiet=True)
        self._again = again
        self._refused = 0

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self._refused += bool(prompt.problem)
        assert self._refused < 5, f"{prompt.key} is refused again and again: {prompt.problem}"
        if isinstance(prompt, EnterText):
            told = {field.name: f"-, a {field.name}" for field in prompt.fields}
            return Entered(values={**told, **TEXTS.get(prompt.key, {})})
        if isinstance(prompt, PickPath):
            return Picked(path=prompt.candidates[0].path)
        if isinstance(prompt, Choose) and prompt.key == "stopped":
            again = self._again and len(prompt.options) == 2
            self._again = False
            return Chosen(value="again" if again else "leave")
        return super().ask(replace(prompt, problem=None), frame)


class Watched(Patient):
    """Officers who leave at the first refusal; some questions are answered by the test."""

    def __init__(self, table: Table, acts: Acts) -> None:
        super().__init__(table, again=False)
        self.prompts: list[AnyPrompt] = []
        self._acts = acts

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.prompts.append(prompt)
        act = self._acts.get(prompt.key)
        return act(prompt) if act is not None else super().ask(prompt, frame)


@dataclass
class Sittings:
    """A table that is used again and again: everything but the request is cleared between.

    Attributes:
        renew: puts the token back to its beginning, and gives the table new services.
        root_keys: labels of the keys on the token.
    """

    table: Table
    renew: Callable[[Table], None]
    root_keys: Callable[[], list[str]]

    def clear(self) -> None:
        """Everything that a ceremony made is gone."""
        for name in CLEARED:
            shutil.rmtree(self.table.media / name)
            (self.table.media / name).mkdir(mode=0o700)
        self.table.papers.passphrases.clear()
        self.renew(self.table)

    def sit(self, points: Points, *, again: bool = True) -> None:
        """One process: to the end, to a refusal at which the officers leave, or gone."""

        def pointed(key_store: KeyStore) -> KeyStore:
            return PointedStore(key_store, points)

        self.table.services.wrap = pointed
        with points.watch(), store.occupied(self.table.media / "state") as modules:
            self.table.services.modules = modules
            room = self.table.sit_down()
            with room.record:
                assert run(room, Patient(self.table, again=again)) is Outcome.CLOSED

    @property
    def record(self) -> tuple[Line, ...]:
        """What is whole of the one record; nothing if there is none."""
        held = list((self.table.media / "state").glob("*/record.jsonl"))
        if not held:
            return ()
        assert len(held) == 1, "a second ceremony was begun"
        return read_lines(whole_lines(held[0].read_bytes()))

    def intended(self) -> list[tuple[str, ...]]:
        """The certificates, but for what is random in them and when they begin."""
        return sorted(
            (
                line.key,
                str(line.data["role"]),
                str(line.data["subject"]),
                str(parse_time(line.data["not_after"]) - parse_time(line.data["not_before"])),
            )
            for line in self.record
            if line.type == "intent" and line.key.startswith("certificate/")
        )


def certificates(lines: tuple[Line, ...]) -> dict[str, str]:
    """Those that are done, with their fingerprints."""
    return {
        line.key: str(line.data["sha256"])
        for line in lines
        if line.type == "done" and line.key.startswith("certificate/")
    }


def second_tbs(sittings: Sittings) -> int:
    """Certificates that are not of their one intent."""
    lines = sittings.record
    intents = [line for line in lines if line.type == "intent" and "tbs_sha256" in line.data]
    wanted = {line.key: str(line.data["tbs_sha256"]) for line in intents}
    folder = sittings.table.directory / "certificates"
    wrong = len(intents) - len(wanted)
    for line in lines:
        if line.type == "done" and line.key in wanted:
            path = folder / str(line.data["file"])
            read, tbs = (read_csr, csr_info_of) if path.suffix == ".csr" else _CERTIFICATE
            der = read(path.read_bytes(), path.name).der
            assert sha256_hex(der) == line.data["sha256"]
            wrong += sha256_hex(tbs(der)) != wanted[line.key]
    return wrong


def check_end(sittings: Sittings) -> None:
    """One root key, each certificate once, nothing half-written, everything verifies."""
    table, lines = sittings.table, sittings.record
    require(check_upload_files(read_directory(table.upload), read_request(table.request)))
    assert lines[-1].type == "close"
    assert (table.directory / FINISHED).exists()
    (evidence,) = (table.media / "evidence").iterdir()
    verify_sums(read_directory(evidence))
    written = (table.directory / "record.jsonl").read_bytes()
    assert (evidence / "record.jsonl").read_bytes() == written
    made = Counter((line.type, line.key) for line in lines if line.type in {"intent", "done"})
    for (_, key), count in made.items():
        assert count == 1 or key == "export/upload", key
    assert second_tbs(sittings) == 0
    assert sittings.root_keys() == ["root-ca"]
    assert not list(table.media.rglob("*.partial"))
    for path in (table.media / "state").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def lost(before: tuple[Line, ...], after: tuple[Line, ...]) -> int:
    """Certificates that were done before the cut and are not what is there in the end."""
    now = certificates(after)
    return sum(now.get(key) != sha256 for key, sha256 in certificates(before).items())
