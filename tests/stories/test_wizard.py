"""The wizard in a real terminal by keys alone, 80 by 24, and 120 by 40 after the cut."""

import os
import signal
import subprocess
from pathlib import Path

from tests.stories.conftest import BIN, run
from tests.stories.person import Person
from tests.stories.terminal import Terminal


def _pull_the_plug(keep: Path) -> None:
    """SIGKILL for the room's process; what it started dies with it or by itself."""
    plan = str(keep / "plan.toml")
    listed = subprocess.run(["pgrep", "-f", plan], capture_output=True, text=True, check=True)
    for pid in listed.stdout.split():
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"run" in command:
            os.kill(int(pid), signal.SIGKILL)


def _begin(terminal: Terminal, keep: Path) -> Person:
    terminal.start(str(BIN / "ceremony"), "rehearse", "--keep", str(keep))
    terminal.wait(lambda screen: "Press Enter to open" in screen)
    terminal.keys("Enter")
    return Person(terminal, keep / "paper")


def test_a_ceremony_by_keys_alone_outlives_a_pulled_plug(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    with Terminal(tmp_path) as terminal:
        first = _begin(terminal, keep)
        terminal.wait(lambda screen: "Enter Begin" in screen)  # all of it is on the first page
        first.go(until="Fence: sign")
        _pull_the_plug(keep)
        assert terminal.wait_end() != 0
        assert list((keep / "usb-out").iterdir()) == []

    (tmp_path / "large").mkdir()
    with Terminal(tmp_path / "large", columns=120, rows=40) as terminal:
        second = _begin(terminal, keep)
        second.passphrases = first.passphrases
        second.go(until="The ceremony is closed")
        assert "This ceremony goes on" in second.seen
        assert "The root exists" not in second.seen
        terminal.read_on(lambda screen: "needs a passphrase" in screen)
        terminal.read_on(lambda _: terminal.ended(), first.passphrases["line-1"])
        assert terminal.wait_end() == 0
    upload = next((keep / "usb-out").glob("*-upload-*/"))
    evidence = next((keep / "evidence").glob("*-evidence-*/"))
    for path in (upload, evidence):
        done = run("ceremony", "verify", path)
        assert done.status == 0, done.out
    record = (evidence / "record.jsonl").read_text()
    assert record.count('"type":"intent","key":"key/root"') == 1
    assert record.count('"type":"reopen"') == 1
