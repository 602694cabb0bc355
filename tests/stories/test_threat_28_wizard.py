"""Kill -9 in key generation, in signing and in export; the wizard says what it found."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.stories.conftest import BIN, run
from tests.stories.person import Person
from tests.stories.terminal import Terminal

_POINTS = (
    b'"type":"intent","key":"key/root"',
    b'"type":"done","key":"certificate/online-ca"',
    b'"type":"intent","key":"export/upload"',
)


class Killer(threading.Thread):
    """Kills the room's process at the moment that its record has a line."""

    def __init__(self, keep: Path, line: bytes) -> None:
        super().__init__(daemon=True)
        self._keep, self._line = keep, line
        self.killed = False

    def run(self) -> None:
        """Until the line is there."""
        room = 0
        while not self.killed:
            room = room or self._room()
            for record in (self._keep / "state").glob("*/record.jsonl"):
                if room and self._line in record.read_bytes():
                    os.kill(room, signal.SIGKILL)
                    self.killed = True
            time.sleep(0.0005 if room else 0.05)

    def _room(self) -> int:
        plan = str(self._keep / "plan.toml")
        listed = subprocess.run(["pgrep", "-f", plan], capture_output=True, text=True)
        for pid in listed.stdout.split():
            try:
                if b"run" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    return int(pid)
            except FileNotFoundError:
                continue
        return 0


_TITLES = ("This ceremony goes on", "A key was found", "Nothing was made")


def _take(
    terminal: Terminal, screens: list[str], passphrases: dict[str, str]
) -> Callable[[str], bool]:
    def before(screen: str) -> bool:
        asked = re.search(r"Type the passphrase of the (\S+) key", screen)
        if asked and asked[1] not in passphrases:
            terminal.keys("Escape")  # a person who was too slow to copy it has another shown
            return True
        screens.extend([screen] if any(title in screen for title in _TITLES) else [])
        if "A key was found" in screen and "Enter read on" not in screen:
            terminal.keys("2", "Enter")
            return True
        return False

    return before


def _sit(terminal: Terminal, keep: Path, screens: list[str], passphrases: dict[str, str]) -> Person:
    terminal.start(str(BIN / "ceremony"), "rehearse", "--keep", str(keep))
    terminal.wait(lambda screen: "Press Enter to open" in screen)
    terminal.keys("Enter")
    person = Person(terminal, keep / "paper", _take(terminal, screens, passphrases))
    person.passphrases = passphrases
    return person


def test_28_the_wizard_goes_on_after_three_kills_and_says_what_it_found(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    told: list[list[str]] = []
    passphrases: dict[str, str] = {}
    for number, line in enumerate((*_POINTS, b"")):
        screens: list[str] = []
        folder = tmp_path / str(number)
        folder.mkdir()
        killer = Killer(keep, line)
        with Terminal(folder) as terminal:
            if line:
                killer.start()
            person = _sit(terminal, keep, screens, passphrases)
            person.go(until="The ceremony is closed")
            told.append(screens)
            if line:
                assert terminal.wait_end() != 0
                assert killer.killed
                continue
            terminal.read_on(lambda _: terminal.ended(), passphrases["line-1"])
            assert terminal.wait_end() == 0

    assert told[0] == []
    after_generation, after_signing, after_export = (
        re.sub(r"\s+", "", "".join(each)) for each in told[1:]
    )
    assert "lookedupwhentoken" in after_generation
    assert re.search("Akeywasfound|Nothingwasmade", after_generation)
    assert "certificate/online-ca" in after_signing
    assert re.search(r"export/upload.*-upload-.*is(not)?there", after_export)
    upload = next((keep / "usb-out").glob("*-upload-*/"))
    evidence = next((keep / "evidence").glob("*-evidence-*/"))
    for path in (upload, evidence):
        done = run("ceremony", "verify", path)
        assert done.status == 0, done.out
    record = (evidence / "record.jsonl").read_text()
    assert record.count('"type":"intent","key":"key/root"') == 1
    assert record.count('"type":"reopen"') == 3
    for name in ("root", "tls", "online-ca", "est-tls", "line-1"):
        assert record.count(f'"type":"intent","key":"certificate/{name}"') == 1
