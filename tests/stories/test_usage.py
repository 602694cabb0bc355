"""Wrong usage: a sentence and a hint, never a bug; and a rehearsal that people left is kept."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ceremony.errors import ExitStatus
from tests.stories.conftest import BIN, TOP, Kept, Run, run


def shell(line: str, *arguments: Path) -> Run:
    """A line of the shell with both programs on its path, and no terminal."""
    done = subprocess.run(
        ["setsid", "-w", "bash", "-c", line, "bash", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
    )
    return Run(status=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ('ceremony-online show "$1" --token-file "$2"', ExitStatus.USAGE, "login.unreadable"),
        ('ceremony rehearse --auto --keep "$1"', ExitStatus.MEDIA, "practice.unusable"),
        ("ceremony docs >/dev/full", ExitStatus.MEDIA, "usage.full"),
        ("ceremony --help >/dev/full", ExitStatus.MEDIA, "usage.full"),
        ('ceremony run "$1" --dir "$2" --plain <&-', ExitStatus.STOPPED, "stopped.input_ended"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_code(
    tmp_path: Path, line: str, status: ExitStatus, code: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    done = shell(line, TOP / "ceremony.toml", folder)
    assert done.status == status, done.err
    assert f"[{code}]" in done.err
    assert "hint: " in done.err


def test_nobody_is_asked_for_a_passphrase_where_it_could_be_read_along(
    tmp_path: Path, rehearsed: Path
) -> None:
    for name in ("factory_ca.pem", "local_ca-line-1.pem"):
        shutil.copy(Kept(rehearsed).upload / name, tmp_path)
    (key,) = (rehearsed / "custody").glob("*line-1*/*.key")
    shutil.copy(key, tmp_path)
    issue = 'cd "$1" && ceremony devices issue --ca local_ca-line-1.pem --count 1 --out out'
    done = shell(issue, tmp_path)
    assert done.status == ExitStatus.USAGE
    assert "[devices.no_terminal]" in done.err
    assert "Warning" not in done.err
    done = shell(f'{issue} --secret-file "$1"', tmp_path)
    assert done.status == ExitStatus.USAGE
    assert "[devices.secret_file]" in done.err


@pytest.mark.parametrize("group", ["ceremony pki", "ceremony devices", "ceremony-online devices"])
def test_a_group_alone_shows_its_help_and_calls_it_no_error(group: str) -> None:
    done = run(*group.split())
    assert done.status == ExitStatus.USAGE
    assert done.err.startswith(f"Usage: {group}")


def test_a_reader_that_leaves_early_is_no_bug(tmp_path: Path) -> None:
    line = 'ceremony rehearse --auto --key-store file --keep "$1" | true'
    done = shell(line, tmp_path / "kept")
    assert "done" in done.err
    assert "Exception" not in done.err
    assert "bug" not in done.err


def test_a_reader_that_is_gone_gets_the_status_of_output_that_went_nowhere() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    command = [BIN / "ceremony", "docs", "begin"]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (ExitStatus.MEDIA, b"")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, ExitStatus.INTERRUPTED), (signal.SIGTERM, -signal.SIGTERM)],
)
def test_who_ends_a_rehearsal_by_its_number_ends_all_of_it(
    tmp_path: Path, number: int, status: int
) -> None:
    command = [BIN / "ceremony", "rehearse", "--auto", "--key-store", "file"]
    with subprocess.Popen(
        [*command, "--keep", tmp_path / "kept"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        while b"[3/9]" not in process.stdout.readline():
            pass
        process.send_signal(number)
        last = process.stdout.read()  # ends when nobody is left that could write
        assert process.wait() == status
    assert b"[9/9]" not in last


def test_output_to_a_closed_descriptor_goes_nowhere() -> None:
    done = shell("ceremony docs begin >&-")
    assert done.status == ExitStatus.DONE
    assert done.err == ""


def test_a_rehearsal_that_people_left_is_kept_and_goes_on() -> None:
    done = shell("ceremony rehearse --plain --key-store file")
    assert done.status == ExitStatus.STOPPED
    last = done.err.splitlines()
    (command,) = [line.strip() for line in last if "ceremony rehearse --keep " in line]
    folder = Path(command.rpartition(" ")[2])
    try:
        assert list((folder / "state").glob("create-*/record.jsonl"))
        done = shell(f"{command} --plain")
        assert "This ceremony goes on" in done.out + done.err
    finally:
        shutil.rmtree(folder)


def test_a_drill_by_hand_is_told_where_the_words_of_the_root_are(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    assert shell('ceremony rehearse --auto --key-store file --keep "$1"', keep).status == 0
    done = shell('ceremony rehearse --plain --kind check-backup --keep "$1"', keep)
    told = [line.split()[0] for line in done.err.splitlines() if ".txt " in line]
    assert "root-words.txt" in told
    assert (keep / "paper" / "root-words.txt").exists()
