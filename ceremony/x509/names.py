"""Distinguished names, read from and written to the bytes (RFC 5280 §4.1.2.4, RFC 4514)."""

from dataclasses import dataclass
from typing import Final

from ceremony.x509 import der
from ceremony.x509.der import DerError, Element

CN: Final = "2.5.4.3"
OU: Final = "2.5.4.11"
BUSINESS_CATEGORY: Final = "2.5.4.15"
EMPTY_NAME: Final = b"\x30\x00"

# RFC 4514 §3, then descriptors of RFC 4519 and RFC 2985.
_SHORT: Final = {
    CN: "CN",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    OU: "OU",
    "2.5.4.6": "C",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.12": "title",
    BUSINESS_CATEGORY: "businessCategory",
    "2.5.4.42": "GN",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_CODECS: Final = {
    der.UTF8: "utf-8",
    der.NUMERIC: "ascii",
    der.PRINTABLE: "ascii",
    der.IA5: "ascii",
    der.TELETEX: "latin-1",
    der.BMP: "utf-16-be",
    der.UNIVERSAL: "utf-32-be",
}
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One AttributeTypeAndValue.

    Attributes:
        oid: dotted decimal.
        tag: identifier octet of the value, e.g. `der.UTF8`.
        text: the value; None when its octets are no text of that type.
        raw: DER of the value.
    """

    oid: str
    tag: int
    text: str | None
    raw: bytes

    @property
    def label(self) -> str:
        """Short name, or dotted decimal."""
        return _SHORT.get(self.oid, self.oid)

    def __str__(self) -> str:
        if self.text is None or self.oid not in _SHORT:
            return f"{self.label}=#{self.raw.hex()}"
        return f"{self.label}={_escape(self.text)}"


Rdn = tuple[Attribute, ...]


def read_name(name: Element) -> tuple[Rdn, ...]:
    """The RDNs in the order of the bytes.

    Raises:
        DerError: not a Name.
    """
    return tuple(_read_rdn(rdn) for rdn in name.expect(der.SEQUENCE, "the name").children)


def _read_rdn(rdn: Element) -> Rdn:
    attributes = tuple(
        _read_attribute(one) for one in rdn.expect(der.SET, "a name's part").children
    )
    if not attributes:
        raise DerError("a name with an empty part")
    return attributes


def _read_attribute(element: Element) -> Attribute:
    parts = element.expect(der.SEQUENCE, "a name's attribute").children
    if len(parts) != 2:
        raise DerError("a name's attribute is not type and value")
    oid, value = der.oid(parts[0], "a name's attribute type"), parts[1]
    return Attribute(oid=oid, tag=value.tag, text=_text(value), raw=value.raw)


def _text(value: Element) -> str | None:
    codec = _CODECS.get(value.tag)
    if codec is None:
        return None
    try:
        return value.content.decode(codec)
    except UnicodeDecodeError:
        return None


def only(rdns: tuple[Rdn, ...], oid: str) -> str | None:
    """The text of the one attribute of that type; None when absent, repeated or no text."""
    values = [attribute.text for rdn in rdns for attribute in rdn if attribute.oid == oid]
    return values[0] if len(values) == 1 else None


def rfc4514(rdns: tuple[Rdn, ...]) -> str:
    r"""A name as text: last RDN first, as RFC 4514 §2.1 has it.

    Printable ASCII only: whatever else is in it stands as ``\XX`` octets of its UTF-8
    (RFC 4514 §2.4), so the text is harmless on a screen and unambiguous. A text over
    500 characters is cut and ends in its length.
    """
    text = ",".join("+".join(str(one) for one in rdn) for rdn in reversed(rdns))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 40]}... ({len(text)} characters)"


def _escape(text: str) -> str:
    last = len(text) - 1
    return "".join(_escape_char(char, i == 0, i == last) for i, char in enumerate(text))


def _escape_char(char: str, first: bool, last: bool) -> str:
    if char in ',+"\\<>;' or (char == "#" and first) or (char == " " and (first or last)):
        return f"\\{char}"
    if 0x20 <= ord(char) < 0x7F:
        return char
    return "".join(f"\\{octet:02X}" for octet in char.encode("utf-8", "surrogatepass"))


def encode_name(*attributes: tuple[str, str]) -> bytes:
    """DER of a name from (OID, text) in that order, each an RDN of its own, UTF8String.

    UTF8String is what fioctl and the OpenSSL recipe write (RFC 5280 §4.1.2.4).
    """
    return der.sequence(
        der.encode(
            der.SET,
            der.sequence((der.encode_oid(oid), der.encode(der.UTF8, text.encode()))),
        )
        for oid, text in attributes
    )
