"""A certificate as a frozen view over its bytes (RFC 5280 §4.1)."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ceremony.config import Curve
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.x509 import der, names, pem
from ceremony.x509.der import DerError, Element
from ceremony.x509.extensions import Extensions, read_extensions
from ceremony.x509.public_keys import (
    KeyRefusedError,
    PublicKey,
    digest_of,
    key_bits,
    read_public_key,
    verify,
)

MAX_BYTES: Final = 64 * 1024
_UTC_TIME: Final = re.compile(rb"[0-9]{12}Z")
_GENERALIZED: Final = re.compile(rb"[0-9]{14}Z")
_HINT: Final = "Check the file with 'openssl x509 -text', and ask its author for a new one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate. Texts are printable ASCII, escaped; everything else is exact.

    Attributes:
        der: the whole certificate.
        version: 1 or 3, as people count.
        subject: RFC 4514 text; `subject_der` its bytes.
        common_name: None when absent or repeated; so `organizational_unit`.
        serial: never negative; up to 160 bits.
        serial_hex: lower case, even number of digits.
        spki: DER SubjectPublicKeyInfo.
        key: ``EC P-256`` ..., or why it cannot be used.
        curve: None for keys that no certificate of ours has.
        digest: of the issuer's signature, e.g. ``SHA-256``; None for weak and unknown ones.
        self_signed: subject is issuer, and its own key verifies it.
        ski, aki: key identifiers; None when absent.
        rdns: the subject's parts, in the order of the bytes.
    """

    der: bytes = field(repr=False)
    version: int
    subject: str
    subject_der: bytes = field(repr=False)
    issuer: str
    issuer_der: bytes = field(repr=False)
    common_name: str | None
    organizational_unit: str | None
    rdns: tuple[names.Rdn, ...] = field(repr=False)
    serial: int
    serial_hex: str
    fingerprint: Fingerprint
    spki: bytes = field(repr=False)
    spki_sha256: Fingerprint
    key: str
    curve: Curve | None
    digest: str | None
    not_before: datetime
    not_after: datetime
    extensions: Extensions = field(repr=False)
    self_signed: bool

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The dNSName entries of subjectAltName, in order."""
        return self.extensions.dns_names

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints says CA:TRUE."""
        return self.extensions.is_ca

    @property
    def ski(self) -> bytes | None:
        """SubjectKeyIdentifier."""
        return self.extensions.subject_key_identifier

    @property
    def aki(self) -> bytes | None:
        """The keyIdentifier of authorityKeyIdentifier."""
        return self.extensions.authority_key_identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """The three parts of a signed structure (RFC 5280 §4.1.1)."""

    body: Element
    algorithm: Element
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """TBSCertificate's fields."""

    version: int
    serial: Element
    algorithm: Element
    issuer: Element
    validity: Element
    subject: Element
    spki: Element
    extensions: Extensions


def _split(data: bytes) -> _Signed:
    parts = der.parse(data).expect(der.SEQUENCE, "the certificate").children
    if len(parts) != 3:
        raise DerError("the certificate is not body, algorithm and signature")
    body = parts[0].expect(der.SEQUENCE, "the certificate's body")
    signature = der.octet_bits(parts[2], "the signature")
    return _Signed(body=body, algorithm=parts[1], signature=signature)


def _read_body(body: Element) -> _Body:
    fields = list(body.children)
    version = 1
    if fields and fields[0].tag == der.context(0):
        inner = fields.pop(0).children
        version = 1 + der.integer(inner[0], "the version") if len(inner) == 1 else 0
    if version not in {1, 2, 3} or not 6 <= len(fields) <= 9:
        raise DerError("the certificate's body has an unknown version or odd fields")
    optional = [one.tag for one in fields[6:]]
    allowed = [der.context(1, constructed=False), der.context(2, constructed=False), der.context(3)]
    if optional != [tag for tag in allowed if tag in optional] or (optional and version == 1):
        raise DerError("the certificate's body has odd fields")
    extensions = Extensions()
    if der.context(3) in optional:
        inner = fields[-1].children
        if len(inner) != 1 or version != 3:
            raise DerError("extensions are not one list in a version 3 certificate")
        extensions = read_extensions(inner[0])
    serial, algorithm, issuer, validity, subject, spki = fields[:6]
    return _Body(
        version=version,
        serial=serial,
        algorithm=algorithm,
        issuer=issuer,
        validity=validity,
        subject=subject,
        spki=spki,
        extensions=extensions,
    )


def read_time(element: Element) -> datetime:
    """A UTCTime or GeneralizedTime of RFC 5280 §4.1.2.5: seconds, Z, nothing else.

    Raises:
        DerError: something else.
    """
    content = element.content
    if element.tag == der.UTC_TIME and _UTC_TIME.fullmatch(content):
        # RFC 5280 §4.1.2.5.1: YY of 50 and above is 19YY.
        century = b"19" if content[:2] >= b"50" else b"20"
    elif element.tag == der.GENERALIZED_TIME and _GENERALIZED.fullmatch(content):
        century = b""
    else:
        raise DerError("a date that is neither UTCTime nor GeneralizedTime in seconds and Z")
    text = (century + content).decode("ascii")
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as exc:
        raise DerError("a date that no calendar has") from exc


def _read_serial(element: Element) -> tuple[int, str]:
    serial = der.integer(element, "the serial number")
    if serial < 0 or len(element.content) > 21:
        raise DerError("a serial number that is negative or longer than 160 bits")
    digits = f"{serial:x}"
    return serial, digits if len(digits) % 2 == 0 else f"0{digits}"


def read_certificate(data: bytes, where: str) -> Certificate:
    """Reads one certificate, as PEM (exactly one block) or DER.

    The structure must be right; what the certificate says may be anything, also what no
    profile allows: `checks` weighs that.

    Args:
        data: 64 KiB at most.
        where: file or field, for messages.

    Raises:
        VerificationError: `certificate.too_large`, `certificate.unreadable`, or `pem.*`.
    """
    if len(data) > MAX_BYTES:
        raise VerificationError(
            "certificate.too_large", f"{show(where)} is larger than 64 KiB", hint=_HINT
        )
    raw = data if data[:1] == b"\x30" else pem.read_pem(data, pem.CERTIFICATE, where)
    try:
        return _read(raw)
    except DerError as exc:
        raise VerificationError(
            "certificate.unreadable", f"{show(where)} is no DER certificate: {exc}", hint=_HINT
        ) from exc


def _read(raw: bytes) -> Certificate:
    signed = _split(raw)
    body = _read_body(signed.body)
    if body.algorithm.raw != signed.algorithm.raw:
        raise DerError("the signature's algorithm differs inside and outside")
    validity = body.validity.expect(der.SEQUENCE, "the validity").children
    if len(validity) != 2:
        raise DerError("the validity is not two dates")
    not_before, not_after = (read_time(one) for one in validity)
    serial, serial_hex = _read_serial(body.serial)
    subject, issuer = names.read_name(body.subject), names.read_name(body.issuer)
    key, refused = _read_key(body.spki)
    cn, ou = names.only(subject, names.CN), names.only(subject, names.OU)
    return Certificate(
        der=raw,
        version=body.version,
        subject=names.rfc4514(subject),
        subject_der=body.subject.raw,
        issuer=names.rfc4514(issuer),
        issuer_der=body.issuer.raw,
        common_name=None if cn is None else show(cn),
        organizational_unit=None if ou is None else show(ou),
        rdns=subject,
        serial=serial,
        serial_hex=serial_hex,
        fingerprint=Fingerprint.of(raw),
        spki=body.spki.raw,
        spki_sha256=Fingerprint.of(body.spki.raw),
        key=key.name if key else refused,
        curve=key.curve if key else None,
        digest=_read_digest(signed.algorithm),
        not_before=not_before,
        not_after=not_after,
        extensions=body.extensions,
        self_signed=body.subject.raw == body.issuer.raw and _verifies(signed, key),
    )


def _read_key(spki: Element) -> tuple[PublicKey | None, str]:
    key_bits(spki.raw)  # the structure must be right even where the key is not accepted
    try:
        return read_public_key(spki), ""
    except KeyRefusedError as exc:
        return None, f"refused: {exc}"


def _read_digest(algorithm: Element) -> str | None:
    try:
        return digest_of(algorithm)
    except KeyRefusedError:
        return None


def _verifies(signed: _Signed, key: PublicKey | None) -> bool:
    try:
        if key is not None:
            verify(key, signed.algorithm, signed.body.raw, signed.signature)
    except KeyRefusedError:
        return False
    return key is not None


def tbs_of(data: bytes) -> bytes:
    """The TBSCertificate of a certificate, DER: the bytes that are signed.

    Raises:
        VerificationError: `certificate.unreadable`.
    """
    try:
        return _split(data).body.raw
    except DerError as exc:
        raise VerificationError(
            "certificate.unreadable", f"these bytes are no DER certificate: {exc}", hint=_HINT
        ) from exc


def verify_signed_by(certificate: Certificate, issuer: Certificate) -> None:
    """Checks that `issuer` issued `certificate`: names, key identifiers, signature.

    Names are compared byte for byte, as the issuing is (RFC 5280 §7.1 allows more).

    Raises:
        VerificationError: `certificate.issuer_wrong` or `certificate.signature_wrong`.
    """
    if certificate.issuer_der != issuer.subject_der:
        raise _issuer_wrong(certificate, issuer, "names another issuer than")
    if certificate.aki is not None and issuer.ski is not None and certificate.aki != issuer.ski:
        raise _issuer_wrong(certificate, issuer, "has another authorityKeyIdentifier than")
    signed = _split(certificate.der)
    try:
        key = read_public_key(der.parse(issuer.spki))
        verify(key, signed.algorithm, signed.body.raw, signed.signature)
    except KeyRefusedError as exc:
        raise VerificationError(
            "certificate.signature_wrong",
            f"{certificate.subject} is not signed by {issuer.subject}: {exc}",
            hint="Stop, and find out which key signed it.",
        ) from exc


def _issuer_wrong(certificate: Certificate, issuer: Certificate, what: str) -> VerificationError:
    return VerificationError(
        "certificate.issuer_wrong",
        f"{certificate.subject} {what} {issuer.subject}",
        hint="Check that both certificates belong to the same hierarchy.",
    )
