"""`export-root-key`: a root key in a file leaves in plain form, behind a fence, once, told."""

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from ceremony import config
from ceremony.bundle.evidence import check_evidence
from ceremony.bundle.media import read_directory
from ceremony.core.ports import Stick
from ceremony.errors import PlanError, VerificationError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Picked, PickPath
from ceremony.offline import store
from ceremony.offline.pki import command
from ceremony.practice.officers import ScriptedOfficers
from ceremony.record.chain import Line
from ceremony.x509.certificate import read_certificate
from tests.documents.acts import unscripted
from tests.flow.table import Table, plan_text


class Owners(ScriptedOfficers):
    """Officers of an export: they choose these paths first, and may lose power at a question."""

    def __init__(self, table: Table, paths: list[Path], cut: str = "") -> None:
        super().__init__(table.papers, quiet=True)
        self.paths, self.cut = paths, cut
        self.problems: list[str] = []

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key == self.cut:
            raise KeyboardInterrupt
        if isinstance(prompt, PickPath):
            self.problems += [prompt.problem] if prompt.problem else []
            wanted = self.paths if prompt.key == "root.key_file" else []
            return Picked(path=str(wanted.pop(0)) if wanted else prompt.candidates[0].path)
        return super().ask(prompt, frame)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """After a first ceremony, with the plan of an export."""
    media = tmp_path / "media"
    media.mkdir()
    table = Table(media)
    room = table.sit_down()
    with room.record:
        assert run(room, table.officers()) is Outcome.CLOSED
    root = read_certificate((table.upload / "factory_ca.pem").read_bytes(), "root")
    text = plan_text(media).replace('[[local_ca]]\nname = "line-1"\n', "")
    table.plan_file = config.parse(text.replace('"create"', '"export-root-key"').encode())
    table.papers.words |= {
        "plan.words": table.plan_file.fingerprint,
        "root.words": root.fingerprint,
    }
    return table


def hold(table: Table, owners: Owners) -> tuple[Line, ...]:
    state, wanted = table.media / "state", table.plan_file.fingerprint.hex
    held = [one for one in store.ceremonies(state) if one.plan_sha256 == wanted]
    if held:
        room = store.resume(held[0].directory, table.plan_file, table.services)
    else:
        room = store.begin(state, table.plan_file, table.services)
    with room.record:
        assert run(room, owners) is Outcome.CLOSED
        return room.record.lines


def exported(table: Table) -> Path:
    (folder,) = (table.media / "custody").glob("acme-key-root-plain-*")
    return folder


def plain_keys(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if b"BEGIN EC PRIVATE KEY" in path.read_bytes()]


def test_the_plain_key_leaves_behind_a_fence_and_nowhere_else(table: Table) -> None:
    lines = hold(table, Owners(table, []))
    assert [line.key for line in lines if line.type == "fence"] == ["root-key"]
    assert unscripted(table.plan_file.plan, lines) == []
    assert plain_keys(table.media) == [str(exported(table) / "factory_ca.key")]
    (evidence,) = (table.media / "evidence").glob("*export-root-key*")
    files = read_directory(evidence)
    assert "failed" not in {check.outcome.value for check in check_evidence(files)}
    told = " ".join(files["report.txt"].decode().split())
    assert "The root key left the room NOT encrypted." in told
    assert "ceremony-online" not in told


def test_fioctl_reads_the_key_and_openssl_finds_it_to_be_the_roots(table: Table) -> None:
    hold(table, Owners(table, []))
    out = table.media / "pki"
    key = exported(table) / "factory_ca.key"
    arguments = ["export", str(table.upload), "--to", str(out), "--root-key", str(key)]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    assert {path.name for path in out.iterdir()} >= {"factory_ca.key", "factory_ca.pem", "tls-crt"}
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o400}
    written = (out / "factory_ca.key").read_bytes()
    # Go's pem.Decode: one block, and nothing behind the newline of its END line.
    assert written.startswith(b"-----BEGIN EC PRIVATE KEY-----\nM")
    assert written.count(b"-----BEGIN ") == 1
    assert written.endswith(b"\n-----END EC PRIVATE KEY-----\n")
    shown = [
        subprocess.run(["openssl", *words], cwd=out, capture_output=True, check=True).stdout
        for words in (
            ("ec", "-in", "factory_ca.key", "-pubout"),
            ("x509", "-in", "factory_ca.pem", "-noout", "-pubkey"),
        )
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("question", ["root-key.phrase.B", "export.custody.path", "close.path"])
def test_28_an_export_that_was_cut_off_ends_with_one_key_on_one_stick(
    table: Table, question: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        hold(table, Owners(table, [], cut=question))
    assert plain_keys(table.media / "state") == []
    assert bool(list((table.media / "custody").glob("*root-plain*"))) == (question == "close.path")
    lines = hold(table, Owners(table, []))
    kept = [(line.type, line.key) for line in lines]
    for act in (("custody", "root-plain"), ("done", "export/root-key"), ("fence", "root-key")):
        assert kept.count(act) == 1
    assert len(plain_keys(table.media)) == 1


@pytest.mark.parametrize("other", [True, False])
def test_28_a_stick_that_a_cut_left_with_the_plain_key_is_told_and_explained(
    table: Table, other: bool
) -> None:
    custody, second = table.media / "custody", table.media / "second"
    second.mkdir()
    known = table.services.stick

    def pulled(path: str) -> Stick | None:
        if plain_keys(custody):
            raise KeyboardInterrupt
        return known(path)

    table.services.stick = pulled  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        hold(table, Owners(table, []))
    table.services.stick = known  # type: ignore[method-assign]
    table.papers.texts["export.custody.left"] = {"why": "burnt by Ada", "by": "Ada and Ben"}
    asked: list[AnyPrompt] = []

    class Back(Owners):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            asked.append(prompt)
            if prompt.key == "export.custody.path" and other:
                return Picked(path=str(second))
            return super().ask(prompt, frame)

    lines = hold(table, Back(table, []))
    (question,) = [prompt for prompt in asked if prompt.key == "export.custody.path"]
    assert f"in {custody}/acme-key-root-plain" in str(question.body)
    told = [line.data["what"] for line in lines if line.type == "exception"]
    left = f"the stick at {exported(table)} may hold a part of the root-plain key, not encrypted"
    assert told == ([left] if other else [])
    (line,) = [line for line in lines if line.type == "custody"]
    assert line.data["path"].startswith(str(second if other else custody))


def test_another_key_file_is_refused_and_stays_encrypted(table: Table) -> None:
    (other,) = (table.media / "custody").glob("*/local_ca-line-1.key")
    wrong = table.media / "custody" / "wrong"
    wrong.mkdir()
    shutil.copy(other, wrong / "root-ca.key")
    table.papers.passphrases["root"] = table.papers.passphrases["line-1"]

    class Then(Owners):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            if prompt.key == "root.key_file" and prompt.problem:
                raise KeyboardInterrupt
            return super().ask(prompt, frame)

    with pytest.raises(KeyboardInterrupt):
        hold(table, Then(table, [wrong / "root-ca.key"]))
    (folder,) = (table.media / "state").glob("export-root-key-*")
    assert "token.key_missing" in (folder / "record.jsonl").read_text()
    assert plain_keys(table.media) == []


def test_the_command_does_not_decrypt_a_root_key(table: Table) -> None:
    key = next((table.media / "state").glob("create-*/keys/root-ca.key"))
    arguments = ["export", str(table.upload), "--to", str(table.media / "pki")]
    with pytest.raises(VerificationError) as caught:
        CliRunner().invoke(command, [*arguments, "--root-key", str(key)], catch_exceptions=False)
    assert caught.value.code == "pki.root_key_fenced"
    assert not (table.media / "pki").exists()


def test_a_key_on_a_token_cannot_be_exported(tmp_path: Path) -> None:
    text = plan_text(tmp_path).replace('[[local_ca]]\nname = "line-1"\n', "")
    text = text.replace('key_store = "file"', 'token = {module = "/m.so", serial = "1"}')
    with pytest.raises(PlanError, match="only cloned"):
        config.parse(text.replace('"create"', '"export-root-key"').encode())
