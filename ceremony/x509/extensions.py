"""Certificate extensions, read from the bytes (RFC 5280 §4.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from ceremony.core.text import show
from ceremony.x509 import der
from ceremony.x509.der import DerError, Element

T = TypeVar("T")

BASIC_CONSTRAINTS: Final = "2.5.29.19"
KEY_USAGE: Final = "2.5.29.15"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
SUBJECT_ALT_NAME: Final = "2.5.29.17"
SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"

_NAMES: Final = {
    BASIC_CONSTRAINTS: "basicConstraints",
    KEY_USAGE: "keyUsage",
    EXTENDED_KEY_USAGE: "extKeyUsage",
    SUBJECT_ALT_NAME: "subjectAltName",
    SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    "2.5.29.18": "issuerAltName",
    "2.5.29.30": "nameConstraints",
    "2.5.29.31": "cRLDistributionPoints",
    "2.5.29.32": "certificatePolicies",
    "2.5.29.36": "policyConstraints",
    "2.5.29.54": "inhibitAnyPolicy",
    "1.3.6.1.5.5.7.1.1": "authorityInfoAccess",
    "1.3.6.1.5.5.7.1.24": "tlsfeature",
    "2.16.840.1.113730.1.1": "nsCertType",
    "2.16.840.1.113730.1.13": "nsComment",
}
_MAX_PATH_LENGTH: Final = 255
_SHOWN: Final = 500
# RFC 5280 §4.2.1.3, bit 0 first.
KEY_USAGES: Final = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
PURPOSES: Final = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
# RFC 5280 §4.2.1.6, by the tag number of GeneralName.
_GENERAL_NAMES: Final = (
    "otherName",
    "email",
    "DNS",
    "x400Address",
    "directoryName",
    "ediPartyName",
    "URI",
    "IP",
    "registeredID",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicConstraints:
    """CA flag and pathLenConstraint (None for none)."""

    ca: bool
    path_length: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One extension.

    Attributes:
        name: the standard's, or dotted decimal.
        value: DER inside the OCTET STRING.
        shown: the value for people; printable ASCII.
    """

    oid: str
    name: str
    critical: bool
    value: bytes
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """All extensions of a certificate or request; a part is None when absent.

    Attributes:
        dns_names: in order; escaped, so a proper name is unchanged.
        other_names: every other GeneralName, e.g. ``IP:10.0.0.1``; escaped.
        authority_key_identifier: its keyIdentifier; None also when it has none.
    """

    all: tuple[Extension, ...] = ()
    basic_constraints: BasicConstraints | None = None
    key_usage: tuple[str, ...] | None = None
    extended_key_usage: tuple[str, ...] | None = None
    dns_names: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    subject_key_identifier: bytes | None = None
    authority_key_identifier: bytes | None = None

    def find(self, oid: str) -> Extension | None:
        """The extension of that OID."""
        return next((one for one in self.all if one.oid == oid), None)

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints says CA:TRUE."""
        return self.basic_constraints is not None and self.basic_constraints.ca


def read_extensions(element: Element) -> Extensions:
    """Reads an Extensions SEQUENCE.

    Raises:
        DerError: broken, repeated, or a known extension with a broken value.
    """
    parts = [_read_header(one) for one in element.expect(der.SEQUENCE, "extensions").children]
    oids = [oid for oid, _, _ in parts]
    if not parts:
        raise DerError("an empty list of extensions")
    if len(set(oids)) != len(oids):
        raise DerError("the same extension twice")
    values = {oid: der.parse(value) for oid, _, value in parts if oid in _READERS}
    known = {oid: _READERS[oid](value) for oid, value in values.items()}
    general = values.get(SUBJECT_ALT_NAME)
    dns, other = _read_general_names(general) if general else ((), ())
    return Extensions(
        all=tuple(
            Extension(
                oid=oid,
                name=_NAMES.get(oid, oid),
                critical=critical,
                value=value,
                shown=_cut(known[oid]) if oid in known else f"#{show(value.hex())}",
            )
            for oid, critical, value in parts
        ),
        basic_constraints=_optional(_read_basic_constraints, values.get(BASIC_CONSTRAINTS)),
        key_usage=_optional(_read_key_usage, values.get(KEY_USAGE)),
        extended_key_usage=_optional(_read_purposes, values.get(EXTENDED_KEY_USAGE)),
        dns_names=dns,
        other_names=other,
        subject_key_identifier=_optional(_read_ski, values.get(SUBJECT_KEY_IDENTIFIER)),
        authority_key_identifier=_optional(_read_aki, values.get(AUTHORITY_KEY_IDENTIFIER)),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _optional(read: Callable[[Element], T | None], value: Element | None) -> T | None:
    return None if value is None else read(value)


def _read_header(element: Element) -> tuple[str, bool, bytes]:
    fields = list(element.expect(der.SEQUENCE, "an extension").children)
    if len(fields) == 3:
        if fields[1].expect(der.BOOLEAN, "an extension's criticality").content != b"\xff":
            raise DerError("an extension whose criticality is an encoded default")
    elif len(fields) != 2:
        raise DerError("an extension is not OID, criticality and value")
    oid = der.oid(fields[0], "an extension's OID")
    value = fields[-1].expect(der.OCTET_STRING, "an extension's value").content
    return oid, len(fields) == 3, value


def _read_basic_constraints(value: Element) -> BasicConstraints:
    fields = list(value.expect(der.SEQUENCE, "basicConstraints").children)
    ca = bool(fields) and fields[0].tag == der.BOOLEAN
    if ca and fields.pop(0).content != b"\xff":
        raise DerError("basicConstraints with an encoded default")
    if len(fields) > 1:
        raise DerError("basicConstraints with too many fields")
    length = der.integer(fields[0], "pathLenConstraint") if fields else None
    if length is not None and not 0 <= length <= _MAX_PATH_LENGTH:
        raise DerError("a negative or absurd pathLenConstraint")
    return BasicConstraints(ca=ca, path_length=length)


def _read_key_usage(value: Element) -> tuple[str, ...]:
    content = value.expect(der.BIT_STRING, "keyUsage").content
    bits = int.from_bytes(content[1:], "big")
    size = 8 * (len(content) - 1)
    if size > 16:
        raise DerError("keyUsage with unknown bits")
    found = tuple(name for i, name in enumerate(KEY_USAGES[:size]) if bits >> (size - 1 - i) & 1)
    if bits.bit_count() != len(found):
        raise DerError("keyUsage with unknown bits")
    return found


def _read_purposes(value: Element) -> tuple[str, ...]:
    oids = [der.oid(one, "a purpose") for one in value.expect(der.SEQUENCE, "extKeyUsage").children]
    if not oids:
        raise DerError("an empty extKeyUsage")
    return tuple(PURPOSES.get(oid, oid) for oid in oids)


def _read_general_names(value: Element) -> tuple[tuple[str, ...], tuple[str, ...]]:
    dns: list[str] = []
    other: list[str] = []
    names = value.expect(der.SEQUENCE, "subjectAltName").children
    if not names:
        raise DerError("an empty subjectAltName")
    for name in names:
        number = name.tag & 0x1F
        if name.tag & 0xC0 != 0x80 or number >= len(_GENERAL_NAMES):
            raise DerError("subjectAltName with an unknown kind of name")
        if name.tag == der.context(2, constructed=False):
            dns.append(_show_host(name.content))
        else:
            other.append(f"{_GENERAL_NAMES[number]}:{_show_general_name(number, name.content)}")
    return tuple(dns), tuple(other)


def _show_host(content: bytes) -> str:
    """An IA5String; where it is none, UTF-8 tells which look-alike it is."""
    try:
        return show(content.decode("utf-8"), 260)
    except UnicodeDecodeError:
        return show(content, 260)


def _show_general_name(number: int, content: bytes) -> str:
    if number == 7 and len(content) == 4:
        return ".".join(str(octet) for octet in content)
    return show(content) if number in {1, 6} else f"#{show(content.hex())}"


def _read_ski(value: Element) -> bytes:
    return value.expect(der.OCTET_STRING, "subjectKeyIdentifier").content


def _read_aki(value: Element) -> bytes | None:
    fields = value.expect(der.SEQUENCE, "authorityKeyIdentifier").children
    wanted = der.context(0, constructed=False)
    return next((field.content for field in fields if field.tag == wanted), None)


def _show_basic_constraints(value: Element) -> str:
    read = _read_basic_constraints(value)
    length = "" if read.path_length is None else f", pathlen:{read.path_length}"
    return f"CA:{str(read.ca).upper()}{length}"


def _show_names(value: Element) -> str:
    dns, other = _read_general_names(value)
    return ", ".join((*(f"DNS:{name}" for name in dns), *other))


_READERS: Final[dict[str, Callable[[Element], str]]] = {
    BASIC_CONSTRAINTS: _show_basic_constraints,
    KEY_USAGE: lambda value: ", ".join(_read_key_usage(value)) or "none",
    EXTENDED_KEY_USAGE: lambda value: ", ".join(_read_purposes(value)),
    SUBJECT_ALT_NAME: _show_names,
    SUBJECT_KEY_IDENTIFIER: lambda value: _read_ski(value).hex(),
    AUTHORITY_KEY_IDENTIFIER: lambda value: (_read_aki(value) or b"").hex(),
}
