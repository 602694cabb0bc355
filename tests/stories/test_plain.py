"""The plain line mode from start to end, on a real terminal, with all that may go wrong."""

import os
import re
import signal
import subprocess
from pathlib import Path

from tests.stories.conftest import run
from tests.stories.person import words_on
from tests.stories.speaker import Speaker, ceremony

# The one thing that is ever redrawn: a passphrase is gone when the next officer sits down.
_ERASED = re.compile(r"(?<=on paper\.\s\r\n)\x1b\[H\x1b\[2J\x1b\[3J")
_ESCAPES = re.compile(r"\x1b|\x08|\r(?!\n)")


class _BadDay:
    """A wrong word, an exception and a pause; then the plug is pulled before the signatures."""

    def __init__(self, keep: Path) -> None:
        self._keep = keep
        self._done: set[str] = set()

    def __call__(self, title: str, asked: str) -> str | None:
        if title.startswith("Type back") and asked.startswith("A1 (1") and self._first("word"):
            paper = words_on((self._keep / "paper" / "script.txt").read_text())
            return next(paper[f"{line}3"] for line in "ABCD" if paper[f"{line}3"] != paper["A1"])
        if title == "The time" and self._first("exception"):
            return "/exception"
        if title.startswith("Fence: the root") and self._first("pause"):
            return "/pause"
        if title.startswith("Fence: sign") and self._first("kill"):
            _pull_the_plug(self._keep)
            return ""
        return None

    def _first(self, what: str) -> bool:
        first = what not in self._done
        self._done.add(what)
        return first


def _pull_the_plug(keep: Path) -> None:
    plan = str(keep / "plan.toml")
    listed = subprocess.run(["pgrep", "-f", plan], capture_output=True, text=True, check=True)
    for pid in listed.stdout.split():
        if b"run" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            os.kill(int(pid), signal.SIGKILL)


def test_a_bad_day_told_in_plain_lines_to_the_end(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    command = ceremony("rehearse", "--plain", "--key-store", "file", "--keep", keep)
    first = Speaker(command, keep / "paper", _BadDay(keep))
    assert first.talk() != 0
    assert any(title.startswith("Fence: sign") for title in first.titles)

    second = Speaker(command, keep / "paper", passphrases=first.passphrases)
    second.upload = first.upload
    assert second.talk() == 8, second.heard[-3000:]
    assert "This ceremony goes on" in second.titles
    assert not any(title.startswith("Fence: the root") for title in second.titles)

    for heard in (first.heard, second.heard):
        assert not _ESCAPES.search(_ERASED.sub("", heard))
    for secret in first.passphrases.values():
        row = " ".join(secret.split("-")[:4])
        assert (first.heard + second.heard).count(row) == 1
        assert secret not in first.heard + second.heard
    assert "phrase of A" not in first.heard + second.heard

    (evidence,) = (keep / "evidence").glob("*-evidence-*/")
    record = (evidence / "record.jsonl").read_text()
    for told in ('"type":"pause"', '"type":"reopen"', '"key":"E-1"', '"key":"E-2"'):
        assert record.count(told) >= 1
    assert record.count('"type":"intent","key":"key/root"') == 1
    checked = run("ceremony", "verify", evidence)
    assert checked.status == 0, checked.out
    report = run("ceremony", "report", evidence).out
    assert "Pause, " in report
    assert "E-2" in report
