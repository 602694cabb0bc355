"""The stock commands that the wizard shows beside its steps do what they say, typed by hand."""

import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import pexpect
import pytest

from ceremony.advice import entries
from ceremony.core.text import show
from tests.stories.conftest import Kept, run

# What the container of a test has not: a laptop's radios, its clock service, a vendor's HSM.
ELSEWHERE = ("rfkill", "timedatectl", "sc-hsm-tool", "umount", "ip")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A rehearsal on a token, to be played with."""
    keep = tmp_path_factory.mktemp("hand") / "keep"
    done = run("ceremony", "rehearse", "--auto", "--key-store", "pkcs11", "--keep", keep)
    assert done.status == 0, done.err
    return Kept(keep)


def folder(kept: Kept, tmp_path: Path) -> Path:
    """All files that the commands name, in one place, under the names that they have there."""
    places = [kept.upload, kept.evidence, *sorted((kept.directory / "custody").iterdir())]
    for place in places:
        shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    shutil.copytree(kept.request, tmp_path / "bundle")
    for name in ("file.csr", "root.csr"):  # any CSR: it is the commands' form that counts
        shutil.copy(kept.request / "tls.csr", tmp_path / name)
    for name in ("file.pem", "answer.pem", "current-root.pem"):
        shutil.copy(kept.upload / "factory_ca.pem", tmp_path / name)
    shutil.copy(kept.directory / "plan.toml", tmp_path / "ceremony.toml")
    return tmp_path


def filled(command: str, kept: Kept) -> str:
    """The command with what stands there in capitals."""
    plan = tomllib.loads((kept.directory / "plan.toml").read_text())
    values = {
        "MODULE": plan["root"]["token"]["module"],
        "LABEL": plan["root"]["label"],
        "ID": plan["root"]["key_id"],
        "local_ca-NAME": "local_ca-line-1",
        "FILE.csr": "file.csr",
        "FILE.pem": "file.pem",
        "BUNDLE": "bundle",
    }
    if "--keypairgen" in command or "--init-" in command:
        values |= {"LABEL": "by-hand", "ID": "77"}
    for name, value in values.items():
        command = re.sub(rf"(?<![A-Z0-9]){re.escape(name)}(?![A-Z0-9])", value, command)
    return command


def typed(command: str, where: Path, kept: Kept) -> tuple[int, str]:
    """Runs it in a shell, and answers what it asks as the officers would."""
    environment = {**os.environ, "SOFTHSM2_CONF": str(kept.directory / "token" / "softhsm2.conf")}
    pin = (kept.directory / "paper" / "token-pin.txt").read_text().strip()
    phrases = json.loads((kept.directory / "paper" / "passphrases.json").read_text())
    child = pexpect.spawn(
        "sh", ["-ec", command], cwd=where, env=environment, encoding="utf-8", timeout=20
    )  # fmt: skip
    said = ""
    while child.expect([r"PIN[^:\n]*: ", r"pass phrase[^:]*:", pexpect.EOF]) < 2:
        said += str(child.before)
        child.sendline(pin if "PIN" in str(child.after) else phrases["line-1"])
    said += str(child.before)
    child.close()
    return int(child.exitstatus or 0), said


def test_every_stock_command_runs_as_it_is_shown(table: Kept, tmp_path: Path) -> None:
    where = folder(table, tmp_path)
    commands = {entry.command.strip() for entry in entries().values() if entry.command}
    ran = 0
    for command in sorted(commands):
        lines = filled(command, table).replace("\\\n", " ").split("\n")
        kept = [line for line in lines if line.split()[0] not in ELSEWHERE]
        kept = [line.removesuffix("; timedatectl") for line in kept]
        if any("--init-" in line for line in kept):
            continue  # It erases: see below.
        status, said = typed("\n".join(kept), where, table)
        assert status == 0, f"{command}\n{show(said)}"
        assert "error" not in said.lower(), said
        ran += bool(kept)
    assert ran > 15


def test_a_token_is_initialised_by_hand(table: Kept, tmp_path: Path) -> None:
    command = entries()["root.initialise.*"].command.strip()
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "token").mkdir()
    (tmp_path / "token" / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\n")
    (tmp_path / "paper").mkdir()
    for name in ("token-pin.txt", "passphrases.json"):
        shutil.copy(table.directory / "paper" / name, tmp_path / "paper" / name)
    lines = filled(command, table)
    status, said = typed(lines, tmp_path, Kept(tmp_path))
    assert status == 0, said
    status, said = typed(filled("pkcs11-tool --module MODULE -T", table), tmp_path, Kept(tmp_path))
    assert "by-hand" in said
    assert "PIN initialized" in said


def test_the_backup_is_proven_by_hand(table: Kept, tmp_path: Path) -> None:
    command = filled(entries()["root.backup.proven"].command.strip(), table)
    status, said = typed(command.replace("\\\n", " "), folder(table, tmp_path), table)
    assert status == 0, said
    assert "Signature Verified Successfully" in said
