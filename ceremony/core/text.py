"""Text that may reach a screen, a page, a log or a message: what is foreign, and what was typed.

Foreign text comes from a stick, a token or a machine, and only printable ASCII of it stays.
People of the room type names, places and reasons, with the letters of their names.
"""

import unicodedata

from ceremony.errors import PlanError

_PRINTABLE = range(0x20, 0x7F)
# The letters of Latin-1: those that a PDF's own fonts and the Linux console draw. Its
# ordinals, micro sign and signs of arithmetic are none.
LETTERS = frozenset(
    char for char in map(chr, range(0xC0, 0x100)) if unicodedata.category(char) in {"Lu", "Ll"}
)
_PLAIN = LETTERS.union(map(chr, _PRINTABLE))
_BASE = str.maketrans({"\u00f8": "o", "\u00e6": "ae", "\u00f0": "d", "\u00fe": "th"})


def show(text: str | bytes, limit: int = 200) -> str:
    r"""Foreign text made harmless: printable ASCII stays, all else is escaped.

    ESC, C1, bidi and zero-width characters become ``\xNN``, ``\\uNNNN`` or
    ``\\UNNNNNNNN``; a backslash is doubled so that the result is unambiguous.

    Args:
        text: anything that came from outside.
        limit: characters kept; a longer text ends in ``...`` and its length.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    kept = text[:limit]
    shown = "".join(_escape(char) for char in kept)
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def show_typed(text: str, limit: int = 200) -> str:
    """As `show`, but the letters that people may type stay (`LETTERS`)."""
    kept = text[:limit]
    shown = "".join(char if char in LETTERS else _escape(char) for char in kept)
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


def is_plain(text: str) -> bool:
    """Whether it holds nothing but printable ASCII and `LETTERS`."""
    return _PLAIN.issuperset(text)


def written(text: str, what: str) -> str:
    """What somebody in the room typed, composed (Unicode NFC) and without space around it.

    Args:
        what: what was asked for, for the message.

    Raises:
        PlanError: `text.unwritable`: a character that a page or a console cannot show, or that
            is none to see.
    """
    composed = unicodedata.normalize("NFC", text).strip()
    if is_plain(composed):
        return composed
    char = next(char for char in composed if not is_plain(char))
    name = unicodedata.name(char, "a control character")
    raise PlanError(
        "text.unwritable",
        f"{what}: U+{ord(char):04X} ({name}) cannot be shown on every screen and page",
        hint="Write it with letters A to Z and those of Western Europe, as in the last lines of "
        "a passport.",
    )


def alike(text: str) -> str:
    """What two names have in common that people may take for the same.

    Without case, accents, space and punctuation (Unicode NFKD, casefold).
    """
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_BASE))
    return "".join(char for char in apart if char.isalnum())


def _escape(char: str) -> str:
    point = ord(char)
    if char == "\\":
        return "\\\\"
    if point in _PRINTABLE:
        return char
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
