"""`ceremony-online` as a process: exit statuses, stdout and stderr, a person at a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ceremony.core.fingerprints import Fingerprint

PROGRAM = Path(sys.executable).parent / "ceremony-online"


@pytest.fixture
def run(machine: Any, tmp_path: Path) -> Any:
    plan = tmp_path / "ceremony.toml"
    plan.write_bytes(machine.plan_file.raw)

    def call(*argv: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        where = str(machine.factory.token_file) if token is None else token
        return subprocess.run(
            [PROGRAM, *argv, "--token-file", where],
            input=machine.factory.token,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            start_new_session=True,  # no terminal, as in a script
            check=False,
        )

    return call


def test_a_script_goes_from_fetch_to_upload(machine: Any, run: Any, tmp_path: Path) -> None:
    fetched = run("fetch", "--to", "stick", "--state", "memory")
    assert fetched.returncode == 0, fetched.stderr
    request = tmp_path / fetched.stdout.strip()
    assert "SHEET OF WORDS" in fetched.stderr
    assert list((tmp_path / "memory" / "online").glob("*.words.txt"))

    bundle = machine.answer(request)
    paper = tmp_path / "paper.txt"
    paper.write_text(Fingerprint.of((bundle / "SHA256SUMS").read_bytes()).hex)
    sent = run("upload", str(bundle), "--state", "memory", "--expect", "paper.txt", token="-")
    assert sent.returncode == 0, sent.stderr
    receipt = json.loads((tmp_path / sent.stdout.strip()).read_bytes())
    assert receipt["result"] == "uploaded"

    shown = run("show", "--json")
    document = json.loads(shown.stdout)
    assert shown.returncode == 0
    assert document["configured"] is True
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    by_role = {entry["role"]: entry for entry in manifest["certificates"]}
    assert document["root"]["sha256"] == by_role["root"]["sha256"]
    assert document["tls"]["serial"] == by_role["tls"]["serial"]
    assert {ca["sha256"] for ca in document["device_cas"]} == {
        by_role["online-ca"]["sha256"],
        by_role["local-ca"]["sha256"],
    }
    assert "Root of trust" in run("show").stdout


def test_a_factory_without_pki_is_shown_as_not_configured(run: Any) -> None:
    shown = run("show")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "not configured" in shown.stdout
    assert json.loads(run("show", "--json").stdout)["configured"] is False


@pytest.mark.parametrize(
    ("argv", "status", "code"),
    [
        (("fetch",), 2, ""),
        (("fetch", "nowhere.toml", "--to", "stick"), 2, "plan.unreadable"),
        (("fetch", "--to", "nowhere"), 5, "fetch.folder"),
        (("upload", "nowhere"), 5, "media."),
        (("upload", "stick", "--expect", "three little words"), 2, "upload.expect"),
        (("upload", "stick"), 3, ""),
    ],
)
def test_a_refusal_has_its_status_an_error_and_a_hint(
    run: Any, argv: tuple[str, ...], status: int, code: str
) -> None:
    done = run(*argv)
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert code in error
    assert hint.startswith("hint: ")
    assert "Traceback" not in done.stderr


def test_a_dead_api_is_status_6_and_writes_nothing(machine: Any, run: Any, tmp_path: Path) -> None:
    machine.factory.stop()
    done = run("fetch", "--to", "stick", "--state", "memory")
    assert done.returncode == 6
    assert "[api.unreachable]" in done.stderr
    assert list((tmp_path / "stick").iterdir()) == []


def test_words_cannot_be_asked_without_a_terminal(machine: Any, run: Any) -> None:
    bundle = machine.answer()
    done = run("upload", str(bundle), "--state", str(machine.folder))
    assert done.returncode == 2
    assert "[online.no_terminal]" in done.stderr
    assert done.stderr.endswith("or give --expect.\n")
    assert machine.factory.store.certs is None


def start(machine: Any, tmp_path: Path, *argv: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        str(PROGRAM),
        [*argv, "--token-file", str(machine.factory.token_file), "--state", str(tmp_path)],
        cwd=str(tmp_path),
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm-256color"},
        encoding="utf-8",
        timeout=20,
        dimensions=(24, 80),
    )


def test_a_person_types_words_from_paper(machine: Any, tmp_path: Path) -> None:
    bundle = machine.answer()
    value = Fingerprint.of((bundle / "SHA256SUMS").read_bytes())
    terminal = start(machine, tmp_path, "upload", str(bundle))
    first = 0
    for number in range(8):
        terminal.expect(r"word ([A-H])([1-4]): ")
        position = 4 * "ABCDEFGH".index(terminal.match[1]) + int(terminal.match[2]) - 1
        if number == 0:
            terminal.sendline("nosuchword")
            first = position
        else:
            terminal.sendline(value.words[position])
    terminal.expect("no such word in the list of that place")
    terminal.expect(r"word [A-H][1-4]: ")
    terminal.sendline(value.words[first].upper())
    terminal.expect("The words match")
    terminal.expect("uploaded: the Factory has 5 certificates")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert machine.factory.store.certs is not None


def test_ctrl_c_at_a_question_is_status_130_and_sends_nothing(machine: Any, tmp_path: Path) -> None:
    bundle = machine.answer()
    terminal = start(machine, tmp_path, "upload", str(bundle))
    terminal.expect(r"word [A-H][1-4]: ")
    terminal.sendintr()
    terminal.expect("interrupted")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert machine.factory.store.certs is None


def test_the_qr_code_is_painted_black_on_white_for_a_phone(machine: Any, tmp_path: Path) -> None:
    (tmp_path / "ceremony.toml").write_bytes(machine.plan_file.raw)
    terminal = start(machine, tmp_path, "fetch", "--to", "stick")
    terminal.expect_exact("\x1b[38;2;0;0;0;48;2;255;255;255m")
    terminal.expect("sheet of words: ")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
