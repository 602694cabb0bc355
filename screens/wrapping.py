"""Text in lines of a given width: long digits in groups, long names cut where they join."""

import re
import textwrap

from screens.glyphs import guard

NARROWEST = 8
GROUP = 8
_DIGITS = re.compile(r"(?<![0-9A-Za-z])(?=[a-f]*[0-9])[0-9a-f]{32,}(?![0-9A-Za-z])")
_JOINTS = ("/", ",", ".", "-")


def wrap(text: str, width: int) -> list[str]:
    """Guarded lines of at most `width` cells; newlines of the text stay.

    Hex digits of 32 and more stand in groups of eight, so that two people can read them
    to each other. No line ends at a hyphen that is part of a name, unless the name alone
    is longer than a line.
    """
    room = max(NARROWEST, width)
    lines: list[str] = []
    for paragraph in guard(text).split("\n"):
        if _DIGITS.fullmatch(paragraph):
            lines += _columns(paragraph, room)
        else:
            spaced = _DIGITS.sub(lambda found: " ".join(_groups(found[0])), paragraph)
            cut = " ".join(piece for word in spaced.split(" ") for piece in _cut(word, room))
            lines += textwrap.wrap(cut, room, break_on_hyphens=False) or [""]
    return lines


def longest(text: str) -> int:
    """Cells of the longest piece that `wrap` cuts only where there is no other way.

    A path is cut after its slashes, long digits between their groups.
    """
    pieces = re.split(r"(?<=/)|\s", _DIGITS.sub("", guard(text)))
    return max(map(len, pieces))


def _groups(digits: str) -> list[str]:
    return [digits[i : i + GROUP] for i in range(0, len(digits), GROUP)]


def _columns(digits: str, width: int) -> list[str]:
    """All groups on one line, or four on each, or what there is room for."""
    groups = _groups(digits)
    fits = (width + 1) // (GROUP + 1)
    each = next((n for n in (len(groups), 4, 2) if n <= fits), 1)
    return [" ".join(groups[i : i + each]) for i in range(0, len(groups), each)]


def _cut(word: str, width: int) -> list[str]:
    """Pieces of a word that is longer than a line, each ending where the name joins."""
    pieces: list[str] = []
    while len(word) > width:
        joints = (word.rfind(joint, 0, width) + 1 for joint in _JOINTS)
        at = next((joint for joint in joints if joint > width // 3), width)
        pieces.append(word[:at])
        word = word[at:]
    return [*pieces, word]
