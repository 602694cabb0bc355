"""A certification request as a frozen view over its bytes (RFC 2986).

Import it through `ceremony.x509.csr`.
"""

from dataclasses import dataclass, field
from typing import Final

from ceremony.config import Curve
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.x509 import der, names, pem
from ceremony.x509.der import DerError, Element
from ceremony.x509.extensions import Extensions, read_extensions
from ceremony.x509.public_keys import KeyRefusedError, PublicKey, read_public_key, verify

MAX_BYTES: Final = 64 * 1024
EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
_ATTRIBUTES: Final = {
    "1.2.840.113549.1.9.2": "unstructuredName",
    "1.2.840.113549.1.9.7": "challengePassword",
    "1.3.6.1.4.1.311.2.1.14": "Microsoft extension request",
    "1.3.6.1.4.1.311.13.2.3": "Microsoft OS version",
}
_HINT: Final = "Ask for a new CSR; 'openssl req -verify -text' shows what is wrong with this one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Csr:
    """One CSR whose self-signature was verified. Texts are printable ASCII, escaped.

    Attributes:
        der: the whole request.
        subject: RFC 4514 text; `subject_der` its bytes.
        common_name: None when absent or repeated; so `organizational_unit`.
        spki: DER SubjectPublicKeyInfo.
        key: ``EC P-256``, ``RSA 4096`` ...
        key_size: bits of the field or the modulus.
        dns_names: of the requested subjectAltName, in order.
        requested: name and shown value of each requested extension and attribute.
        rdns: the subject's parts, in the order of the bytes.
    """

    der: bytes = field(repr=False)
    subject: str
    subject_der: bytes = field(repr=False)
    common_name: str | None
    organizational_unit: str | None
    rdns: tuple[names.Rdn, ...] = field(repr=False)
    spki: bytes = field(repr=False)
    spki_sha256: Fingerprint
    key: str
    key_size: int
    curve: Curve | None
    extensions: Extensions = field(repr=False)
    requested: tuple[tuple[str, str], ...]

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The dNSName entries asked for, in order."""
        return self.extensions.dns_names


def read_csr(data: bytes, where: str) -> Csr:
    """Reads one CSR, as PEM (exactly one block) or DER, and checks its self-signature.

    Args:
        data: 64 KiB at most.
        where: file or slot, for messages.

    Raises:
        VerificationError: `csr.too_large`, `csr.unreadable`, `csr.key_type`,
            `csr.key_parameters`, `csr.key_curve`, `csr.key_point`, `csr.key_size`,
            `csr.key_exponent`, `csr.digest_weak`, `csr.signature_algorithm`,
            `csr.signature_wrong`, or `pem.*`.
    """
    if len(data) > MAX_BYTES:
        raise VerificationError("csr.too_large", f"{show(where)} is larger than 64 KiB", hint=_HINT)
    raw = data if data[:1] == b"\x30" else pem.read_pem(data, pem.CERTIFICATE_REQUEST, where)
    try:
        return _read(raw)
    except DerError as exc:
        raise VerificationError(
            "csr.unreadable", f"{show(where)} is no DER certification request: {exc}", hint=_HINT
        ) from exc
    except KeyRefusedError as exc:
        raise VerificationError(f"csr.{exc.reason}", f"{show(where)}: {exc}", hint=_HINT) from exc


def _read(raw: bytes) -> Csr:
    parts = der.parse(raw).expect(der.SEQUENCE, "the request").children
    if len(parts) != 3:
        raise DerError("the request is not body, algorithm and signature")
    info = parts[0].expect(der.SEQUENCE, "the request's body").children
    # RFC 2986 §4.1 demands the attributes; some tools leave out an empty set.
    if len(info) not in {3, 4} or der.integer(info[0], "the version") != 0:
        raise DerError("the request's body has another version or odd fields")
    subject, key = names.read_name(info[1]), read_public_key(info[2])
    verify(key, parts[1], parts[0].raw, der.octet_bits(parts[2], "the signature"))
    extensions, others = _read_attributes(info[3]) if len(info) == 4 else (Extensions(), ())
    return _view(raw, info, subject, key, extensions, others)


def _view(
    raw: bytes,
    info: tuple[Element, ...],
    subject: tuple[names.Rdn, ...],
    key: PublicKey,
    extensions: Extensions,
    others: tuple[tuple[str, str], ...],
) -> Csr:
    cn, ou = names.only(subject, names.CN), names.only(subject, names.OU)
    asked = tuple(
        (one.name, f"critical, {one.shown}" if one.critical else one.shown)
        for one in extensions.all
    )
    return Csr(
        der=raw,
        subject=names.rfc4514(subject),
        subject_der=info[1].raw,
        common_name=None if cn is None else show(cn),
        organizational_unit=None if ou is None else show(ou),
        rdns=subject,
        spki=info[2].raw,
        spki_sha256=Fingerprint.of(info[2].raw),
        key=key.name,
        key_size=key.bits,
        curve=key.curve,
        extensions=extensions,
        requested=asked + others,
    )


def _read_attributes(element: Element) -> tuple[Extensions, tuple[tuple[str, str], ...]]:
    """The extension request, and the names of all other attributes."""
    extensions = Extensions()
    others: list[tuple[str, str]] = []
    seen: set[str] = set()
    for attribute in element.expect(der.context(0), "the attributes").children:
        fields = attribute.expect(der.SEQUENCE, "an attribute").children
        if len(fields) != 2:
            raise DerError("an attribute is not type and values")
        oid = der.oid(fields[0], "an attribute's type")
        values = fields[1].expect(der.SET, "an attribute's values").children
        if oid in seen or len(values) != 1:
            raise DerError("an attribute that is repeated or has not one value")
        seen.add(oid)
        if oid == EXTENSION_REQUEST:
            extensions = read_extensions(values[0])
        else:
            others.append((_ATTRIBUTES.get(oid, oid), "(attribute, not shown)"))
    return extensions, tuple(others)
