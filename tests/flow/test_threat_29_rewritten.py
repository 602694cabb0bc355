"""The ceremony's folder lies with others between two sittings: its record rewritten, chain and all.

After a cut of power there is no newer head on paper to find that by.
"""

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.bundle.evidence import check_evidence
from ceremony.bundle.media import read_directory
from ceremony.bundle.verdicts import Outcome as Outcomes
from ceremony.errors import CeremonyError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame
from ceremony.record.chain import FIRST, Line, format_line, read_lines
from tests.flow.sittings import Patient
from tests.flow.table import Table

Data = dict[str, Any]


class Cut(BaseException):
    """The power is gone."""


class Watched(Patient):
    """Officers who lose power the last time that this is asked, or meet somebody at it."""

    def __init__(
        self, table: Table, at: str = "", *, times: int = 1, then: Callable[[], None] | None = None
    ) -> None:
        super().__init__(table, again=False)
        self._at, self._left, self._then = at, times, then
        self.asked: list[AnyPrompt] = []

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt)
        if prompt.key == self._at:
            self._left -= 1
            if self._left == 0:
                if self._then is None:
                    raise Cut
                self._then()
        return super().ask(prompt, frame)

    @property
    def keys(self) -> list[str]:
        return [prompt.key for prompt in self.asked]


def sit(table: Table, officers: Watched) -> Outcome:
    room = table.sit_down()
    with room.record:
        return run(room, officers)


def cut_before_signing(table: Table) -> None:
    """Every certificate is accepted, and none below the root is signed."""
    with pytest.raises(Cut):
        sit(table, Watched(table, "root.pin"))


def rewrite(table: Table, kind: str, key: str, change: Callable[[Data], Data]) -> None:
    """That line says something else, and every line after it follows from it."""
    path = table.directory / "record.jsonl"
    previous, raw = FIRST, b""
    for line in read_lines(path.read_bytes()):
        data = change(dict(line.data)) if (line.type, line.key) == (kind, key) else line.data
        written = format_line(
            n=line.n,
            prev=previous,
            at=line.at,
            step=line.step,
            type_=line.type,
            key=line.key,
            data=data,
        )
        previous, raw = written.fingerprint.hex, raw + written.raw
    path.write_bytes(raw)


def refusal(table: Table) -> str:
    with pytest.raises(CeremonyError) as caught:
        sit(table, Watched(table))
    return caught.value.code


def done(lines: tuple[Line, ...], kind: str) -> list[str]:
    return [line.key for line in lines if line.type == "done" and line.key.startswith(kind)]


def other_key(tbs: bytes) -> bytes:
    """The same, for the key of somebody else; key identifier and all."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    start = spki[:26]
    assert tbs.count(start) == 1
    at = tbs.index(start)
    mine = tbs[at : at + len(spki)]
    changed = tbs.replace(mine, spki)
    return changed.replace(hashlib.sha1(mine[26:]).digest(), hashlib.sha1(spki[26:]).digest())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("line-1", other_key),
        ("line-1", lambda tbs: tbs.replace(b"fio-5e8a2f04", b"fio-5e8a2f99")),
        ("tls", other_key),
        ("tls", lambda tbs: tbs.replace(b"abc.ostree.foundries.io", b"abc.ostree.attacker.io")),
    ],
)
def test_29_what_was_accepted_and_then_rewritten_is_not_signed(
    tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    table = Table(tmp_path)
    cut_before_signing(table)

    def rewritten(told: Data) -> Data:
        tbs = change(base64.b64decode(told["tbs"]))
        assert base64.b64encode(tbs).decode() != told["tbs"]
        digest = hashlib.sha256(tbs).hexdigest()
        return {**told, "tbs": base64.b64encode(tbs).decode(), "tbs_sha256": digest}

    rewrite(table, "intent", f"certificate/{name}", rewritten)
    assert refusal(table) == "state.intent"
    lines = read_lines((table.directory / "record.jsonl").read_bytes())
    assert f"certificate/{name}" not in done(lines, "certificate/")


@pytest.mark.parametrize("change", [{"serial": "x"}, {"serial": "-1"}, {"tbs_sha256": "00" * 32}])
def test_29_an_intent_whose_members_disagree_is_not_signed(tmp_path: Path, change: Data) -> None:
    table = Table(tmp_path)
    cut_before_signing(table)
    rewrite(table, "intent", "certificate/line-1", lambda told: {**told, **change})
    assert refusal(table) == "state.intent"


def test_29_a_key_beside_the_digest_of_another_is_not_used(tmp_path: Path) -> None:
    table = Table(tmp_path)
    cut_before_signing(table)
    rewrite(table, "done", "key/line-1", lambda told: {**told, "spki": ""})
    assert refusal(table) == "record.line"


# --- files beside the record ----------------------------------------------------------


def meet(table: Table, at: str, then: Callable[[], None]) -> str:
    """Somebody was at the folder when this is asked: the code of the refusal."""
    with pytest.raises(CeremonyError) as caught:
        sit(table, Watched(table, at, then=then))
    assert read_lines((table.directory / "record.jsonl").read_bytes())[-1].type != "close"
    return caught.value.code


def test_29_another_key_file_in_the_place_of_one_does_not_leave(tmp_path: Path) -> None:
    table = Table(tmp_path)

    def swap() -> None:
        keys = table.directory / "keys"
        (keys / "local_ca-line-1.key").write_bytes((keys / "root-ca.key").read_bytes())

    assert meet(table, "export.custody", swap) == "file.changed"
    assert list((table.media / "custody").iterdir()) == []


def test_29_another_certificate_goes_neither_with_a_key_nor_to_the_safe(tmp_path: Path) -> None:
    table = Table(tmp_path)

    def swap() -> None:
        folder = table.directory / "certificates"
        (folder / "local_ca-line-1.pem").write_bytes((folder / "tls.pem").read_bytes())

    assert meet(table, "export.custody", swap) == "file.unreadable"
    assert list((table.media / "custody").iterdir()) == []


def test_29_a_certificate_changed_before_the_end_keeps_the_record_open(tmp_path: Path) -> None:
    table, kept = Table(tmp_path), b""

    def swap() -> None:
        nonlocal kept
        folder = table.directory / "certificates"
        kept = (folder / "est-tls.pem").read_bytes()
        (folder / "est-tls.pem").write_bytes((folder / "tls.pem").read_bytes())

    officers = Watched(table, "close.path", then=swap)
    asked = officers.ask

    def ask(prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.problem and "state.certificate" in prompt.problem:
            raise Cut
        return asked(prompt, frame)

    officers.ask = ask  # type: ignore[method-assign]
    with pytest.raises(Cut):
        sit(table, officers)
    assert read_lines((table.directory / "record.jsonl").read_bytes())[-1].type == "refused"
    (table.directory / "certificates" / "est-tls.pem").write_bytes(kept)
    assert sit(table, Watched(table)) is Outcome.CLOSED


def test_29_what_was_put_beside_the_certificates_is_no_evidence(tmp_path: Path) -> None:
    table = Table(tmp_path)

    def plant() -> None:
        folder = table.directory / "certificates"
        key = (table.directory / "keys" / "root-ca.key").read_bytes()
        for name in ("other.pem", "other.csr", "\x1b[31mred.pem"):
            (folder / name).write_bytes(key)
        os.mkfifo(folder / "pipe.pem")

    assert sit(table, Watched(table, "close.path", then=plant)) is Outcome.CLOSED
    (evidence,) = (table.media / "evidence").iterdir()
    files = read_directory(evidence)
    assert {name for name in files if name.endswith((".pem", ".csr"))} == {
        "factory_ca.pem",
        "tls.pem",
        "online_ca.pem",
        "est-tls.pem",
        "local_ca-line-1.pem",
    }
    failed = [c.sentence for c in check_evidence(files) if c.outcome is Outcomes.FAILED]
    assert failed == []
