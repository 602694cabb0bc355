"""A person at the wizard: reads titles from the screen, words from paper, presses keys.

What they know is on the papers of a rehearsal, and what the screen showed them.
"""

import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.stories.terminal import Terminal

_PLACE = re.compile(r"\b([A-H][1-4])\b(?! ···)")
_ROW = re.compile(r"\s+([A-H])\s+\1[1-4]")
_GLANCE_S = 0.3  # before a letter that decides; the wizard takes none that comes earlier
_REST_S = 0.5
_TOO_EARLY = "Keys from before this screen do not count"
_LINE = re.compile(r"\b([A-H])\s+([0-9a-f]{8})\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)")


def words_on(text: str) -> dict[str, str]:
    """Word at each place, A1 to H4, of a sheet or screen."""
    return {
        f"{letter}{column + 1}": words[column]
        for letter, _, *words in _LINE.findall(text)
        for column in range(4)
    }


class Person:
    """Answers every screen of a ceremony as the script says.

    Args:
        papers: folder with script.txt, request-words.txt, token-pin.txt.
        before: called with each new screen; may press keys itself and return True, or
            raise to stop.
    """

    def __init__(
        self, terminal: Terminal, papers: Path, before: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.terminal = terminal
        self.seen: list[str] = []
        self.upload: dict[str, str] = {}
        self.head: dict[str, str] = {}
        self.written: dict[str, str] = {}
        self.passphrases: dict[str, str] = {}
        self._papers = papers
        self._before = before
        self._typed = False

    def go(self, *, until: str, timeout_s: float = 120) -> str:
        """Answers screens until one shows `until`."""
        deadline = time.monotonic() + timeout_s
        last = ""
        while time.monotonic() < deadline:
            screen = self._settled(last)
            if until in screen or self.terminal.ended():
                return screen
            last = screen
            self._typed = False
            if " gone by" not in screen and not self._before(screen):
                self._answer(screen)
        raise AssertionError(f"{until!r} did not come; last seen:\n{self.terminal.screen()}")

    def _settled(self, last: str) -> str:
        before = self.terminal.screen()
        began = time.monotonic()
        while True:
            time.sleep(0.06)
            screen = self.terminal.screen()
            steady = _still(screen) == _still(before)
            seen = _frame if self._typed else _still
            moved = seen(screen) != seen(last) or time.monotonic() - began > 15
            if steady and moved and screen.strip():
                return screen
            if self.terminal.ended():
                return screen
            if _TOO_EARLY in screen:
                time.sleep(_REST_S)
                if _TOO_EARLY in self.terminal.screen():
                    return screen
            before = screen

    def _answer(self, screen: str) -> None:
        title = title_of(screen)
        self.seen.append(title)
        if "upload bundle" in title:
            self.upload |= words_on(screen)
        if title.startswith("Words of the"):
            self.written |= words_on(screen)
        if "head of the record, for paper" in title:
            self.head |= words_on(screen)
        if "Enter read on" in screen:
            self.terminal.keys("Enter")
            return
        seat = re.search(r"Phrase of officer ([AB])", screen)
        if seat:
            self.fill(f"phrase of {seat[1]}")
            return
        for beginning, act in self._acts.items():
            if title.startswith(beginning):
                act(screen, title)
                return
        irreversible = "IRREVERSIBLE" in screen
        if "stick" in title:
            self.terminal.keys(*["1"] * irreversible, "Enter")
        elif irreversible:
            self._decide()
        else:
            self.terminal.keys("Enter")

    def _decide(self) -> None:
        time.sleep(_GLANCE_S)
        self.terminal.keys("a")

    @property
    def _acts(self) -> dict[str, Callable[[str, str], None]]:
        pin = self._papers / "token-pin.txt"
        return {
            "Type back": self._type_words,
            "Place and purpose": lambda _, __: self.fill("a lab", "to try it", "TRY-1"),
            "Officer ": lambda _, title: self.fill(f"Person {title[-1]}", "officer", "card"),
            "The others in the room": lambda _, __: self.terminal.keys(*["Enter"] * 4),
            "Bags that are opened": lambda screen, _: self.terminal.keys(
                *["Enter"] * screen.count("(optional)")
            ),
            "Where everything goes": lambda screen, _: self.fill(
                *["-, Person A"] * screen.count("bag number, holder")
            ),
            "A phrase for": lambda _, title: self.fill(*[f"phrase of {title[-1]}"] * 2),
            "The time": lambda _, __: self.terminal.keys("1", "Enter"),
            "The PIN of token": lambda _, __: self.fill(pin.read_text().strip()),
            "Passphrase of the": self._copy_passphrase,
            "The passphrase of": lambda _, title: self.fill(self.passphrases[title.split()[4]]),
            "Type the passphrase": lambda _, title: self.fill(self.passphrases[title.split()[5]]),
            "Will be signed": lambda _, __: self._decide(),
            "What the platform": lambda _, __: self._decide(),
            "What the Factory": lambda _, __: self._decide(),
            "The root, as the higher CA": lambda _, __: self._decide(),
            "Clone the root key": lambda _, __: self._clone(),
            "Custody of": lambda _, __: self.fill("Person A", "stick 7"),
        }

    def _clone(self) -> None:
        procedure = (self._papers / "backup-procedure.txt").read_text().splitlines()[-1]
        subprocess.run(shlex.split(procedure), check=True, capture_output=True)
        self.terminal.keys("Enter")

    def fill(self, *texts: str) -> None:
        """Types each text, and Enter behind it."""
        self._typed = True
        for text in texts:
            self.terminal.type(text)
            self.terminal.keys("Enter")

    def _type_words(self, screen: str, title: str) -> None:
        if "script" in title:
            paper = words_on((self._papers / "script.txt").read_text())
        elif "request" in title:
            paper = words_on((self._papers / "request-words.txt").read_text())
        elif "higher CA" in title:
            paper = words_on((self._papers / "higher-ca-words.txt").read_text())
        elif "just written" in title:
            paper = self.written
        else:
            paper = self.head if "head" in title else self.upload
        grid = [line for line in stage_of(screen).splitlines() if _ROW.match(line)]
        places = _PLACE.findall("\n".join(grid))
        self._typed = True
        self.terminal.type(" ".join(paper[place] for place in places))
        self.terminal.keys("Enter")

    def _copy_passphrase(self, screen: str, title: str) -> None:
        rows = re.findall(r"^ +\d+((?: +[a-z]+)+) *$", stage_of(screen), re.MULTILINE)
        if rows:
            self.passphrases[title.split()[3]] = "-".join(" ".join(rows).split())
        self.terminal.keys("Enter")


def _still(screen: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d", "", screen)


def _frame(screen: str) -> str:
    """Head of the record, step, turn and title: what changes when an answer was taken."""
    lines = _still(screen).splitlines()
    return "\n".join([*lines[:3], title_of(screen)])


def title_of(screen: str) -> str:
    """The prompt's title: the first line of text below the steps."""
    lines = [line.strip() for line in stage_of(screen).splitlines()]
    steps = next((i for i, line in enumerate(lines) if " of 9 " in line), len(lines))
    texts = (line for line in lines[steps + 1 :] if line and "IRREVERSIBLE" not in line)
    return next(texts, "")


def stage_of(screen: str) -> str:
    """The screen without its frame, and without what a wide terminal shows beside it."""
    beside = (re.match(r"[^│]*│ [■►·] Open$", line.rstrip()) for line in screen.splitlines())
    width = next((found[0].index("│") for found in beside if found), None)
    return "\n".join(line[:width].replace("║", " ") for line in screen.splitlines())
