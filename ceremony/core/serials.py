"""Serial numbers as people write them: decimal, or hex as `openssl x509 -serial` prints it."""

import re

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,59})\Z")
_HEX = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{1,42})\Z")
_COLONS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){0,20}\Z")


def parse_serial(text: str) -> int:
    """A serial number.

    Only digits are decimal; hex has a letter, colons, or ``0x`` in front. Groups may stand
    apart, as screens and paper show them.

    Raises:
        ValueError: neither.
    """
    text = "".join(text.split())
    if _DECIMAL.match(text):
        return int(text)
    found = _HEX.match(text)
    if found and not text.isdecimal():
        return int(found.group(1), 16)
    if _COLONS.match(text):
        return int(text.replace(":", ""), 16)
    raise ValueError("neither decimal nor hex")


def serial_hex(serial: int) -> str:
    """Lower case, an even number of digits."""
    digits = f"{serial:x}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"
