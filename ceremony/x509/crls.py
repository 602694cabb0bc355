"""CRLs over device CAs (RFC 5280 §5): what one will say, its bytes, and what one says.

A CRL of ours is a command to the platform: it names only the serials that it acts on.
It is written and read with `ceremony.x509.der`, as cryptography's builder refuses the
160-bit serials of device CAs that fioctl made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.config import Curve
from ceremony.core.findings import Finding, Severity
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.kinds import Reason
from ceremony.x509 import der, names, pem
from ceremony.x509.certificate import Certificate, read_time
from ceremony.x509.der import DerError, Element
from ceremony.x509.issuing import Issuer
from ceremony.x509.public_keys import (
    SIGNATURE_ALGORITHMS,
    KeyRefusedError,
    digest_of,
    key_identifier,
    read_public_key,
    verify,
)

X509_CRL: Final = "X509 CRL"
MAX_BYTES: Final = 64 * 1024
MAX_ENTRIES: Final = 64
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
CRL_NUMBER: Final = "2.5.29.20"
CRL_REASON: Final = "2.5.29.21"
_ENUMERATED: Final = 0x0A
_KEY_IDENTIFIER: Final = der.context(0, constructed=False)
_HINT: Final = "Check the file with 'openssl crl -text', and have it signed again."

_SIGNERS: Final[dict[Curve, tuple[ec.EllipticCurve, hashes.SHA256 | hashes.SHA384]]] = {
    Curve.P256: (ec.SECP256R1(), hashes.SHA256()),
    Curve.P384: (ec.SECP384R1(), hashes.SHA384()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlContent:
    """Everything that a CRL says but for the signature.

    Attributes:
        entries: serial and reason, in the order in which they were chosen.
        number: cRLNumber, greater than that of every CRL before.
        this_update: aware, whole seconds, like `next_update`; also every revocationDate.
    """

    issuer: Issuer
    entries: tuple[tuple[int, Reason], ...]
    number: int
    this_update: datetime
    next_update: datetime

    def __post_init__(self) -> None:
        serials = [serial for serial, _ in self.entries]
        if not serials or len(set(serials)) != len(serials) or len(serials) > MAX_ENTRIES:
            raise ValueError("a CRL names at least one serial, and each once")
        # RFC 5280 §5.2.3 asks for 20 octets at most; RFC 5280 §4.1.2.2 for positive serials,
        # of which those made by fioctl take 21 octets.
        if not all(0 < serial < 1 << 160 for serial in serials) or not 0 <= self.number < 1 << 159:
            raise ValueError("a serial or the number does not fit")
        if self.next_update <= self.this_update:
            raise ValueError("nextUpdate is not after thisUpdate")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlEntry:
    """One revoked certificate.

    Attributes:
        reason: number of its CRLReason; None without one.
    """

    serial: int
    reason: int | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """One CRL, as read.

    Attributes:
        number: cRLNumber; None without one.
        aki: keyIdentifier of its authorityKeyIdentifier.
        digest: of the signature, e.g. ``SHA-256``.
    """

    der: bytes = field(repr=False)
    issuer: str
    issuer_der: bytes = field(repr=False)
    number: int | None
    aki: bytes | None
    this_update: datetime
    next_update: datetime
    entries: tuple[CrlEntry, ...]
    digest: str | None
    fingerprint: Fingerprint


# --- writing -------------------------------------------------------------------------


def crl_tbs(content: CrlContent, curve: Curve) -> bytes:
    """The TBSCertList, DER (RFC 5280 §5.1.2), for an issuer's key on that curve."""
    at = _time(content.this_update)
    entries = [_entry(serial, at, reason) for serial, reason in content.entries]
    identifier = content.issuer.ski or key_identifier(content.issuer.spki)
    key = der.sequence((der.encode(_KEY_IDENTIFIER, identifier),))
    extensions = (
        _extension(AUTHORITY_KEY_IDENTIFIER, key),
        _extension(CRL_NUMBER, _integer(content.number)),
    )
    return der.sequence(
        (
            _integer(1),  # version 2
            SIGNATURE_ALGORITHMS[curve],
            content.issuer.subject_der,
            at,
            _time(content.next_update),
            der.sequence(entries),
            der.encode(der.context(0), der.sequence(extensions)),
        )
    )


def _entry(serial: int, at: bytes, reason: Reason) -> bytes:
    code = _extension(CRL_REASON, der.encode(_ENUMERATED, bytes((reason.code,))))
    return der.sequence((_integer(serial), at, der.sequence((code,))))


def _integer(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    return der.encode(der.INTEGER, value.to_bytes(size, "big"))


def _extension(oid: str, value: bytes) -> bytes:
    """Not critical: neither cRLNumber nor reasonCode nor the AKI may be."""
    return der.sequence((der.encode_oid(oid), der.encode(der.OCTET_STRING, value)))


def _time(at: datetime) -> bytes:
    """UTCTime through 2049, then GeneralizedTime (RFC 5280 §5.1.2.4)."""
    if at.tzinfo is None or at.microsecond:
        raise ValueError("a date is aware and in whole seconds")
    at = at.astimezone(UTC)
    if at.year < 2050:
        return der.encode(der.UTC_TIME, at.strftime("%y%m%d%H%M%SZ").encode())
    return der.encode(der.GENERALIZED_TIME, at.strftime("%Y%m%d%H%M%SZ").encode())


def crl_twin(content: CrlContent, curve: Curve) -> bytes:
    """A CRL with this content, DER, signed by a key that nobody keeps."""
    group, digest = _SIGNERS[curve]
    tbs = crl_tbs(content, curve)
    return assemble_crl(tbs, ec.generate_private_key(group).sign(tbs, ec.ECDSA(digest)))


def assemble_crl(tbs: bytes, signature: bytes) -> bytes:
    """The CertificateList around exactly these TBSCertList bytes, DER.

    Args:
        tbs: as `crl_tbs` gave them; the signature's algorithm is the one inside.
        signature: DER ECDSA-Sig-Value.
    """
    algorithm = der.parse(tbs).children[1].raw
    return der.sequence((tbs, algorithm, der.encode(der.BIT_STRING, b"\x00" + signature)))


# --- reading -------------------------------------------------------------------------


def read_crl(data: bytes, where: str) -> RevocationList:
    """Reads one CRL, as PEM (exactly one block) or DER.

    Raises:
        VerificationError: `crl.too_large`, `crl.unreadable`, or `pem.*`.
    """
    if len(data) > MAX_BYTES:
        raise VerificationError("crl.too_large", f"{show(where)} is over 64 KiB", hint=_HINT)
    raw = data if data[:1] == b"\x30" else pem.read_pem(data, X509_CRL, where)
    try:
        return _read(raw)
    except DerError as exc:
        raise VerificationError(
            "crl.unreadable", f"{show(where)} is no CRL: {exc}", hint=_HINT
        ) from exc


def _split(raw: bytes) -> tuple[Element, Element, bytes]:
    parts = der.parse(raw).expect(der.SEQUENCE, "the CRL").children
    if len(parts) != 3:
        raise DerError("the CRL is not body, algorithm and signature")
    body = parts[0].expect(der.SEQUENCE, "the CRL's body")
    return body, parts[1], der.octet_bits(parts[2], "the signature")


def crl_tbs_of(raw: bytes) -> bytes:
    """The TBSCertList of a CRL, DER.

    Raises:
        VerificationError: `crl.unreadable`.
    """
    try:
        return _split(raw)[0].raw
    except DerError as exc:
        raise VerificationError(
            "crl.unreadable", f"these bytes are no CRL: {exc}", hint=_HINT
        ) from exc


def _read(raw: bytes) -> RevocationList:
    body, algorithm, _ = _split(raw)
    fields = list(body.children)
    if not 5 <= len(fields) <= 7 or der.integer(fields[0], "the version") != 1:
        raise DerError("the CRL is not version 2 with nextUpdate")
    if fields[1].raw != algorithm.raw:
        raise DerError("the signature's algorithm differs inside and outside")
    issuer = names.read_name(fields[2])
    rest = fields[5:]
    entries: tuple[CrlEntry, ...] = ()
    if rest and rest[0].tag == der.SEQUENCE:
        entries = tuple(_read_entry(one) for one in rest.pop(0).children)
    found: dict[str, Element] = {}
    if rest:
        inner = rest.pop(0).expect(der.context(0), "the CRL's extensions").children
        if len(inner) != 1:
            raise DerError("the CRL's extensions are not one list")
        found = _extensions(inner[0], {AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER})
    if rest or len(entries) > MAX_ENTRIES:
        raise DerError("the CRL has odd fields, or too many entries")
    return RevocationList(
        der=raw,
        issuer=names.rfc4514(issuer),
        issuer_der=fields[2].raw,
        number=der.integer(found[CRL_NUMBER], "cRLNumber") if CRL_NUMBER in found else None,
        aki=_key_of(found.get(AUTHORITY_KEY_IDENTIFIER)),
        this_update=read_time(fields[3]),
        next_update=read_time(fields[4]),
        entries=entries,
        digest=_digest(algorithm),
        fingerprint=Fingerprint.of(raw),
    )


def _digest(algorithm: Element) -> str | None:
    try:
        return digest_of(algorithm)
    except KeyRefusedError:
        return None


def _key_of(value: Element | None) -> bytes | None:
    if value is None:
        return None
    parts = value.expect(der.SEQUENCE, "authorityKeyIdentifier").children
    return next((part.content for part in parts if part.tag == _KEY_IDENTIFIER), None)


def _extensions(element: Element, known: set[str]) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for one in element.expect(der.SEQUENCE, "the extensions").children:
        parts = one.expect(der.SEQUENCE, "an extension").children
        if len(parts) not in {2, 3}:
            raise DerError("an extension is not name, criticality and value")
        name = der.oid(parts[0], "an extension's name")
        critical = len(parts) == 3
        if critical and parts[1].raw != b"\x01\x01\xff":
            raise DerError("an extension's criticality is not DER")
        if name in found or (critical and name not in known):
            raise DerError(f"extension {name} is repeated, or critical and unknown")
        value = der.parse(parts[-1].expect(der.OCTET_STRING, "an extension's value").content)
        found[name] = value
    return found


def _read_entry(element: Element) -> CrlEntry:
    parts = element.expect(der.SEQUENCE, "an entry").children
    if len(parts) not in {2, 3}:
        raise DerError("an entry is not serial, date and extensions")
    serial = der.integer(parts[0], "a serial number")
    if serial < 0 or serial.bit_length() > 160:
        raise DerError("a serial number that is negative or longer than 160 bits")
    reason = None
    if len(parts) == 3:
        value = _extensions(parts[2], {CRL_REASON}).get(CRL_REASON)
        if value is not None:
            reason = int.from_bytes(value.expect(_ENUMERATED, "a reason").content, "big")
    return CrlEntry(serial=serial, reason=reason, at=read_time(parts[1]))


def verify_crl(crl: RevocationList, issuer: Certificate) -> None:
    """Checks that `issuer` signed it: name, key identifier, signature. Not its keyUsage.

    Raises:
        VerificationError: `crl.issuer_wrong` or `crl.signature_wrong`.
    """
    body, algorithm, signature = _split(crl.der)
    identifier = issuer.ski or key_identifier(issuer.spki)
    if crl.issuer_der != issuer.subject_der or crl.aki not in {None, identifier}:
        raise VerificationError(
            "crl.issuer_wrong",
            f"the CRL names another issuer than {issuer.subject}",
            hint="Check that CRL and root belong to the same Factory.",
        )
    try:
        key = read_public_key(der.parse(issuer.spki))
        verify(key, algorithm, body.raw, signature)
    except KeyRefusedError as exc:
        raise VerificationError(
            "crl.signature_wrong",
            f"the CRL is not signed by {issuer.subject}: {exc}",
            hint="Stop, and find out which key signed it.",
        ) from exc


# --- checks --------------------------------------------------------------------------


def check_crl(crl: RevocationList, content: CrlContent) -> tuple[Finding, ...]:
    """Field by field against the intention, and last the whole TBSCertList.

    The signature is `verify_crl`'s matter.
    """
    rows = list(_differences(crl, content))
    curve = {"SHA-256": Curve.P256, "SHA-384": Curve.P384}.get(crl.digest or "")
    if curve is None:
        rows.append(("crl.digest_differs", "the signature's digest is none of ours"))
    elif not rows and crl_tbs_of(crl.der) != crl_tbs(content, curve):
        rows.append(("crl.tbs_differs", "differs in its bytes from what was intended"))
    return tuple(
        Finding(severity=Severity.ERROR, code=code, where="crl", message=message)
        for code, message in rows
    )


def _differences(crl: RevocationList, content: CrlContent) -> Iterator[tuple[str, str]]:
    wanted = tuple((serial, reason.code) for serial, reason in content.entries)
    found = tuple((entry.serial, entry.reason) for entry in crl.entries)
    if found != wanted:
        yield "crl.entries_differ", f"names {found}, intended was {wanted}"
    if crl.number != content.number:
        yield "crl.number_differs", f"has number {crl.number}, intended was {content.number}"
    if crl.issuer_der != content.issuer.subject_der:
        yield "crl.issuer_differs", f"is issued by {crl.issuer}"
    for name, at, intended in (
        ("thisUpdate", crl.this_update, content.this_update),
        ("nextUpdate", crl.next_update, content.next_update),
    ):
        if at != intended:
            yield (
                "crl.dates_differ",
                f"{name} is {format_time(at)}, intended was {format_time(intended)}",
            )
