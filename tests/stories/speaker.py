"""A person at the plain line mode: hears lines, types lines; nothing is ever redrawn."""

import re
import sys
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

import pexpect

from tests.stories.person import words_on

_ASKED = re.compile(
    r"(?:Press Enter[^\r\n]*\.|Type yes: [^\r\n]*\.|Number[^\r\n]*:|Path:"
    r"|[A-H][1-4] \(\d+ of \d+\):|[^\r\n]*\(not shown\):|[^\r\n:]*(?:\([^\r\n]*\))?:) \Z"
)
_TITLE = re.compile(r"Step \d of 9, [^:\r\n]+: ([^\r\n]*)")
_PLACE = re.compile(r"\A([A-H][1-4]) \(")
_MOST = 400  # questions of a whole ceremony
_SHOWN = re.compile(r"shown once; copy it to paper:\s+((?:\d+\. [a-z ]+\s+)+)")


class Speaker:
    """Answers each question from the papers of a rehearsal.

    Args:
        command: the program and its arguments.
        papers: folder with script.txt, request-words.txt, token-pin.txt.
        interrupt: called with title and asked line; text to type instead of the answer, or
            None. It may also kill.
    """

    def __init__(
        self,
        command: list[str],
        papers: Path,
        interrupt: Callable[[str, str], str | None] = lambda _, __: None,
        passphrases: Mapping[str, str] = {},
    ) -> None:
        self.log = StringIO()
        self.titles: list[str] = []
        self.passphrases = dict(passphrases)
        self.upload: dict[str, str] = {}
        self.written: dict[str, str] = {}
        self.head: dict[str, str] = {}
        self.child = pexpect.spawn(
            command[0], command[1:], encoding="utf-8", timeout=90, dimensions=(24, 80)
        )
        self.child.logfile_read = self.log
        self.child.delaybeforesend = None
        self._papers = papers
        self._interrupt = interrupt

    @property
    def heard(self) -> str:
        """All that the program said, and what the terminal echoed."""
        return self.log.getvalue()

    def talk(self) -> int:
        """Answers until the program ends; its exit status, or minus the signal."""
        title, text = "", ""
        for _ in range(_MOST):
            if self.child.expect([_ASKED, pexpect.EOF]) == 1:
                self.child.close()
                status = self.child.exitstatus
                return -int(self.child.signalstatus or 0) if status is None else int(status)
            asked = str(self.child.after).strip()
            said = f"{self.child.before}"
            found = _TITLE.findall(said)
            if found:
                title, text = found[-1], said
                self.titles.append(title)
            else:
                text += said
            self._notice(title, text)
            answer = self._interrupt(title, asked)
            self.child.sendline(self._answer(title, asked, text) if answer is None else answer)
        raise AssertionError(f"no end in sight; last heard:\n{self.heard[-2000:]}")

    def _notice(self, title: str, text: str) -> None:
        shown = _SHOWN.search(text)
        if shown is not None:
            words = re.findall(r"[a-z]+", shown[1])
            self.passphrases[title.split()[3]] = "-".join(words)
        if "upload bundle" in title.lower():
            self.upload |= words_on(text)
        if "for paper" in title:
            self.written |= words_on(text)
        if "head of the record, for paper" in title:
            self.head |= words_on(text)

    def _answer(self, title: str, asked: str, text: str) -> str:
        place = _PLACE.match(asked)
        if place is not None:
            return self._paper(title)[place[1]]
        if "(not shown)" in asked or asked.startswith("Passphrase of the"):
            return self._secret(title, asked)
        if asked.startswith("Type yes"):
            return "yes"
        if asked.startswith("Number, 1"):
            return "1"
        if asked.startswith(("Number", "Path")):
            return "1"
        if "holder" in asked:
            return "-, Person A"
        label = asked.split(" (")[0].rstrip(":")
        return "" if asked.startswith("Press Enter") else f"{label} of {title}"

    def _paper(self, title: str) -> dict[str, str]:
        if "script" in title:
            return words_on((self._papers / "script.txt").read_text())
        if "request" in title:
            return words_on((self._papers / "request-words.txt").read_text())
        if "higher CA" in title:
            return words_on((self._papers / "higher-ca-words.txt").read_text())
        if "head of the record" in title:
            return self.head
        return self.written if "just written" in title else self.upload

    def _secret(self, title: str, asked: str) -> str:
        seat = re.search(r"officer ([AB])", f"{title} {asked}")
        if "hrase" in asked and "assphrase" not in asked and seat is not None:
            return f"phrase of {seat[1]}"
        if "assphrase" in f"{title} {asked}":
            for name, passphrase in self.passphrases.items():
                if f" {name} " in f" {title} {asked} ":
                    return passphrase
        return (self._papers / "token-pin.txt").read_text().strip()


def ceremony(*arguments: str | Path) -> list[str]:
    """The command line of the room, as pexpect takes it."""
    return [str(Path(sys.executable).parent / "ceremony"), *map(str, arguments)]
