"""The restore drill: a backup that works is proven without the root's own key store."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from ceremony import config
from ceremony.bundle.evidence import check_evidence
from ceremony.bundle.media import read_directory
from ceremony.config import Token
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, PlanError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Chosen,
    Command,
    Frame,
    Picked,
    PickPath,
    Working,
)
from ceremony.keys.token import open_token
from ceremony.offline import store
from ceremony.practice.softhsm import create_token
from ceremony.record.chain import Line
from ceremony.x509.certificate import read_certificate
from tests.documents.acts import unscripted
from tests.flow.table import Table, plan_text
from tests.flow.test_backup import PIN, copies_table, import_key, key_pair, tokens_plan
from tests.flow.test_sticks import ONE


class Drillers:
    """Scripted officers of a drill, who choose these paths."""

    def __init__(self, table: Table, paths: dict[str, list[Path]]) -> None:
        self.officers, self.sticks = table.officers(), table.services.sticks
        self.paths = paths
        self.problems: list[str] = []

    def progress(self, working: Working, frame: Frame) -> None:
        pass

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if isinstance(prompt, PickPath):
            if prompt.problem:
                self.problems.append(prompt.problem)
            if self.paths.get(prompt.key):
                return Picked(path=str(self.paths[prompt.key].pop(0)))
            return Picked(path=prompt.candidates[0].path)
        if prompt.key == "stick.pull":
            self.sticks.pop(str(prompt.command).removeprefix("umount "))
            return Chosen(value="pulled")
        return self.officers.ask(prompt, frame)


def drill(table: Table, text: str, drillers: Drillers) -> tuple[Line, ...]:
    """Begins a ceremony of the kind check-backup with that plan, and holds it."""
    plan_file = config.parse(text.replace('kind = "create"', 'kind = "check-backup"').encode())
    table.papers.words["plan.words"] = plan_file.fingerprint
    room = store.begin(table.media / "state", plan_file, table.services)
    with room.record:
        assert run(room, drillers) is Outcome.CLOSED
        return room.record.lines


def without_local_ca(text: str) -> str:
    return text.replace('[[local_ca]]\nname = "line-1"\n', "")


def test_both_copies_of_a_key_file_are_opened_again(tmp_path: Path) -> None:
    table = copies_table(tmp_path / "media", 2)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    room = table.sit_down()
    with room.record:
        first = Drillers(table, {"export.custody.path": [tmp_path / "media/custody", *folders]})
        assert run(room, first) is Outcome.CLOSED
    certificate = next(table.upload.glob("factory_ca.pem"))
    copies = [next(folder.glob("*/root-ca.key")) for folder in folders]
    root = read_certificate(certificate.read_bytes(), "root")
    table.papers.words["root.words"] = root.fingerprint
    text = without_local_ca(table.plan_file.raw.decode())
    wrong = next((tmp_path / "media/custody").glob("*/local_ca-line-1.pem"))
    drillers = Drillers(
        table, {"drill.root": [wrong, certificate], "drill.copy": [copies[0], copies[1]]}
    )
    lines = drill(table, text, drillers)
    proven = [line.key for line in lines if line.type == "backup-check"]
    assert proven == ["root", "root_2"]
    plan = config.parse(text.replace('"create"', '"check-backup"').encode()).plan
    assert unscripted(plan, lines) == []
    assert "is not the root CA of acme" in drillers.problems[0]
    (evidence,) = (table.media / "evidence").glob("*evidence-check-backup*")
    checks = {check.code: check.outcome.value for check in check_evidence(read_directory(evidence))}
    assert "failed" not in checks.values()


def made_on(table: Table, sticks: list[Path]) -> tuple[list[Path], Path]:
    """Two copies of the root's key, on these; the copies, and the root certificate."""
    for stick in sticks:
        stick.mkdir()
    room = table.sit_down()
    with room.record:
        paths = {"export.custody.path": [table.media / "custody", *sticks]}
        assert run(room, Drillers(table, paths)) is Outcome.CLOSED
        doubted = [line.data["what"] for line in room.record.all("exception")]
    assert any("'root' and 'root_2' of the root key are on one file system" in d for d in doubted)
    certificate = next(table.upload.glob("factory_ca.pem"))
    table.papers.words["root.words"] = read_certificate(certificate.read_bytes(), "r").fingerprint
    return [next(stick.glob("*/root-ca.key")) for stick in sticks], certificate


def test_a_copy_counts_once_and_folders_on_one_disk_are_an_exception(tmp_path: Path) -> None:
    table = copies_table(tmp_path / "media", 2)
    copies, certificate = made_on(table, [tmp_path / "one", tmp_path / "two"])
    chosen = {"drill.root": [certificate], "drill.copy": [copies[0], copies[0], copies[1]]}
    drillers = Drillers(table, chosen)
    lines = drill(table, without_local_ca(table.plan_file.raw.decode()), drillers)
    (problem,) = drillers.problems
    assert "[backup.same_medium]" in problem
    (doubt,) = [line.data for line in lines if line.type == "exception"]
    assert "on one file system" in doubt["what"]
    assert (doubt["why"], doubt["by"]) == ("two practice folders", ["Ada Practice"])


def test_two_copies_on_one_stick_are_refused_by_its_serial_number(tmp_path: Path) -> None:
    table = copies_table(tmp_path / "media", 2)
    copies, certificate = made_on(table, [tmp_path / "one", tmp_path / "two"])
    other = tmp_path / "port" / "root-ca.key"
    other.parent.mkdir()
    other.write_bytes(copies[1].read_bytes())
    table.services.sticks = {
        str(copies[0]): ONE,
        str(copies[1]): replace(ONE, device="8:33"),  # the same stick, plugged in again
        str(other): replace(ONE, serial="SER-2"),
    }
    chosen = {"drill.root": [certificate], "drill.copy": [*copies, other]}
    drillers = Drillers(table, chosen)
    lines = drill(table, without_local_ca(table.plan_file.raw.decode()), drillers)
    assert "the copy 'root' is on this medium already" in drillers.problems[0]
    proven = [line.data["on"]["serial"] for line in lines if line.type == "backup-check"]
    assert proven == ["SER-1", "SER-2"]
    (evidence,) = (table.media / "evidence").glob("*evidence-check-backup*")
    report = (evidence / "report.txt").read_text()
    assert "Acme Stick, serial SER-1" in report
    assert "Acme Stick, serial SER-2" in report


@pytest.mark.parametrize("same", [True, False])
def test_a_backup_token_passes_only_with_the_roots_key(tmp_path: Path, same: bool) -> None:
    media = tmp_path / "media"
    media.mkdir()
    table = Table(media)
    folder = tmp_path / "softhsm"
    folder.mkdir()
    tokens = [create_token(folder, name, Secret("87654321"), PIN) for name in ("first", "second")]
    pem, certificate = _root(tmp_path)
    other, _ = key_pair(tmp_path, "other")
    import_key(tokens[1], pem if same else other)
    table.papers.pin = PIN
    asked: list[str | None] = []

    def token_store(token: Token):
        asked.append(token.serial)
        return open_token(token, timeout_s=20, generate_timeout_s=20)

    table.services.token_store = token_store  # type: ignore[method-assign]
    root = read_certificate(certificate.read_bytes(), "root")
    table.papers.words["root.words"] = root.fingerprint
    text = without_local_ca(tokens_plan(media, *tokens).decode())
    drillers = Drillers(table, {"drill.root": [certificate]})
    if same:
        lines = drill(table, text, drillers)
        assert [line.key for line in lines if line.type == "backup-check"] == ["token"]
    else:
        with pytest.raises(CeremonyError) as caught:
            drill(table, text, drillers)
        assert caught.value.code == "backup.key_differs"
    assert set(asked) == {tokens[1].serial}, "the root's own token stays in its bag"


def _root(folder: Path) -> tuple[Path, Path]:
    """A key pair, and a root certificate of it for the Factory acme."""
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    pem, _ = key_pair(folder, "root")
    key = serialization.load_pem_private_key(pem.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Factory-CA"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "acme"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2046, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "factory_ca.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return pem, path


def test_a_plan_without_a_backup_has_nothing_to_drill(tmp_path: Path) -> None:
    text = without_local_ca(plan_text(tmp_path)).replace('"create"', '"check-backup"')
    with pytest.raises(PlanError) as caught:
        config.parse(text.encode())
    assert "root.backup.method" in caught.value.message
