"""The last guard before the terminal, and the few glyphs that every terminal has.

Glyphs are from code page 437, so that the Linux console's own font draws them too.
"""

from ceremony.core.text import show

DONE = "■"
HERE = "►"
COMING = "·"
UP = "▲"
DOWN = "▼"
RULE = "─"
TICK = "√"
OWN = frozenset("–—‘’“”·•…←→↑↓►◄▲▼■√─│═")  # noqa: RUF001
_SOFT_HYPHEN = 0xAD


def guard(text: str) -> str:
    r"""Text that cannot steer a terminal, each character one cell wide.

    Foreign text was escaped before it came here; this holds even if it was not. ASCII,
    Latin-1 letters and our own typography stay; anything else is escaped as
    `ceremony.core.text.show` does. A newline stays, a tab becomes a space.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_harmless(char) for char in text)


def guard_line(text: str) -> str:
    """As `guard`, on one line."""
    return guard(text.replace("\n", " "))


def _harmless(char: str) -> str:
    point = ord(char)
    latin = 0xA1 <= point <= 0xFF and point != _SOFT_HYPHEN
    if 0x20 <= point < 0x7F or latin or char in OWN or char == "\n":
        return char
    return " " if char == "\t" else show(char)


def shorten(text: str, width: int) -> str:
    """Cut to `width` cells, with two dots where something is missing."""
    return text if len(text) <= width else text[: max(0, width - 2)] + ".."
