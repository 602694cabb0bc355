"""The one function through which foreign text reaches a screen, a page, a log or a message."""

_PRINTABLE = range(0x20, 0x7F)


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


def _escape(char: str) -> str:
    point = ord(char)
    if char == "\\":
        return "\\\\"
    if point in _PRINTABLE:
        return char
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
