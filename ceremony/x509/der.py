"""Strict DER (X.690 §10, §11): one encoding for each value, everything else refused.

Certificates and CSRs are read with this module, byte for byte, so that what is shown,
kept and signed are the same bytes. Low-tag-number form only: X.509 needs no other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8, NUMERIC, PRINTABLE, TELETEX, IA5 = 0x0C, 0x12, 0x13, 0x14, 0x16
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
UNIVERSAL, BMP = 0x1C, 0x1E
SEQUENCE, SET = 0x30, 0x31

_MAX_DEPTH = 24
_CONSTRUCTED = 0x20
_CLASS = 0xC0


class DerError(ValueError):
    """Not DER, or not the structure that was expected; a door translates it."""


def context(number: int, *, constructed: bool = True) -> int:
    """The identifier octet of a context-specific tag."""
    return 0x80 | number | (_CONSTRUCTED if constructed else 0)


@dataclass(frozen=True, slots=True)
class Element:
    """One tag-length-value.

    Attributes:
        tag: the identifier octet.
        content: the value's octets.
        raw: the whole encoding.
    """

    tag: int
    content: bytes
    raw: bytes

    @property
    def children(self) -> tuple["Element", ...]:
        """The elements inside a constructed one."""
        return tuple(_elements(self.content))

    def expect(self, tag: int, what: str) -> "Element":
        """Itself, if it has this tag.

        Raises:
            DerError: it has another; `what` names it.
        """
        if self.tag != tag:
            raise DerError(f"{what} has tag 0x{self.tag:02x}, expected 0x{tag:02x}")
        return self


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start of the content, end of the content."""
    if len(data) - at < 2:
        raise DerError("the data ends inside a header")
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise DerError("a tag number above 30")
    if length == 0x80:
        raise DerError("an indefinite length, which is BER")
    if length > 0x80:
        octets = data[start : start + length - 0x80]
        start += length - 0x80
        length = int.from_bytes(octets, "big")
        if not octets or len(octets) > 4 or start > len(data):
            raise DerError("a length beyond the data")
        if octets[0] == 0 or length < 0x80:
            raise DerError("a length longer than it needs to be, which is BER")
    if start + length > len(data):
        raise DerError("a length beyond the data")
    return tag, start, start + length


def _elements(data: bytes) -> Iterator[Element]:
    at = 0
    while at < len(data):
        tag, start, end = _header(data, at)
        yield Element(tag, data[start:end], data[at:end])
        at = end


def parse(data: bytes) -> Element:
    """The one element that `data` is, checked to be DER at every depth.

    Values inside OCTET STRINGs and BIT STRINGs are opaque and need a `parse` of their own.

    Raises:
        DerError: BER, broken, or bytes after the end.
    """
    if not data:
        raise DerError("no data")
    tag, start, end = _header(data, 0)
    if end != len(data):
        raise DerError(f"{len(data) - end} bytes after the end")
    element = Element(tag, data[start:end], data)
    _check(element, 0)
    return element


def _check(element: Element, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise DerError("nested too deeply")
    if element.tag & _CONSTRUCTED:
        if not element.tag & _CLASS and element.tag not in {SEQUENCE, SET}:
            raise DerError(f"a constructed string (tag 0x{element.tag:02x}), which is BER")
        children = element.children
        for child in children:
            _check(child, depth + 1)
        if element.tag == SET and [c.raw for c in children] != sorted(c.raw for c in children):
            raise DerError("a SET that is not in DER order")
    else:
        _check_primitive(element.tag, element.content)


def _check_primitive(tag: int, content: bytes) -> None:
    if tag in {SEQUENCE & ~_CONSTRUCTED, SET & ~_CONSTRUCTED, 0x00}:
        raise DerError(f"a primitive element with tag 0x{tag:02x}")
    if tag == BOOLEAN and content not in {b"\x00", b"\xff"}:
        raise DerError("a BOOLEAN other than 00 or FF")
    if tag == INTEGER:
        _check_integer(content)
    if tag == NULL and content:
        raise DerError("a NULL with content")
    if tag == BIT_STRING:
        _check_bits(content)
    if tag == OID:
        dotted(content)


def _check_integer(content: bytes) -> None:
    if not content:
        raise DerError("an INTEGER without content")
    lead = content[:1]
    if len(content) > 1 and lead in {b"\x00", b"\xff"} and (content[1] ^ content[0]) < 0x80:
        raise DerError("an INTEGER longer than it needs to be")


def _check_bits(content: bytes) -> None:
    if not content or content[0] > 7 or (len(content) == 1 and content[0]):
        raise DerError("a broken BIT STRING")
    if content[0] and content[-1] & ((1 << content[0]) - 1):
        raise DerError("a BIT STRING with padding bits set")


def dotted(content: bytes) -> str:
    """An OBJECT IDENTIFIER's content as dotted decimal.

    Raises:
        DerError: it is broken, or not the shortest form.
    """
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise DerError("a broken OBJECT IDENTIFIER")
    arcs: list[int] = []
    value = 0
    fresh = True
    for octet in content:
        if fresh and octet == 0x80:
            raise DerError("an OBJECT IDENTIFIER longer than it needs to be")
        value = value << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def oid(element: Element, what: str) -> str:
    """An OBJECT IDENTIFIER as dotted decimal.

    Raises:
        DerError: `element` is none.
    """
    return dotted(element.expect(OID, what).content)


def integer(element: Element, what: str) -> int:
    """An INTEGER.

    Raises:
        DerError: `element` is none.
    """
    content = element.expect(INTEGER, what).content
    _check_integer(content)
    return int.from_bytes(content, "big", signed=True)


def octet_bits(element: Element, what: str) -> bytes:
    """A BIT STRING of whole octets.

    Raises:
        DerError: `element` is none.
    """
    content = element.expect(BIT_STRING, what).content
    if not content or content[0]:
        raise DerError(f"{what} is not a whole number of octets")
    return content[1:]


def encode(tag: int, content: bytes) -> bytes:
    """One element."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(parts: Iterable[bytes]) -> bytes:
    """A SEQUENCE of encoded elements."""
    return encode(SEQUENCE, b"".join(parts))


def encode_oid(text: str) -> bytes:
    """An OBJECT IDENTIFIER from dotted decimal."""
    first, second, *rest = (int(arc) for arc in text.split("."))
    content = b"".join(_base128(arc) for arc in (40 * first + second, *rest))
    return encode(OID, content)


def _base128(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
