"""What a certificate will say, the bytes to be signed, and the certificate around them.

`Content` is the intention. `twin` is a whole certificate with that content, signed by a
throw-away key on the issuer's curve, for checking and showing. Its TBSCertificate, and no
other bytes, is what the real key signs; `assemble` puts the signature beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ceremony.config import Curve, Slot
from ceremony.errors import VerificationError
from ceremony.x509 import der, names
from ceremony.x509.certificate import Certificate, tbs_of
from ceremony.x509.csr import Csr
from ceremony.x509.extensions import PURPOSES
from ceremony.x509.hosts import is_host
from ceremony.x509.profiles import (
    LOCAL_CA_PREFIX,
    PRODUCTION,
    PROFILES,
    ROOT_CN,
    ROOT_OPENSSL_RECIPE,
    Profile,
    Role,
    role_of,
)
from ceremony.x509.public_keys import key_identifier

_CURVES: Final[dict[Curve, tuple[ec.EllipticCurve, hashes.SHA256 | hashes.SHA384]]] = {
    Curve.P256: (ec.SECP256R1(), hashes.SHA256()),
    Curve.P384: (ec.SECP384R1(), hashes.SHA384()),
}
_USAGES: Final = {
    "digitalSignature": "digital_signature",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}
_PURPOSE_OIDS: Final = {name: x509.ObjectIdentifier(oid) for oid, name in PURPOSES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """The issuing CA.

    Attributes:
        subject_der: its name, kept byte for byte.
        spki: its key; RFC 5280 method 1 over it is the authorityKeyIdentifier,
        ski: unless its own certificate carries another subjectKeyIdentifier.
    """

    subject_der: bytes
    spki: bytes
    ski: bytes | None = None


def issuer_of(certificate: Certificate) -> Issuer:
    """The issuing CA whose certificate this is."""
    return Issuer(subject_der=certificate.subject_der, spki=certificate.spki, ski=certificate.ski)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything that a certificate says but for the signature.

    Attributes:
        serial: positive, 159 bits at most (RFC 5280 §4.1.2.2).
        not_before: aware, whole seconds; so `not_after`.
        dns_names: in the order of the CSR.
    """

    role: Role
    profile: Profile
    subject_der: bytes
    spki: bytes
    issuer: Issuer
    serial: int
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.serial < 1 << 159:
            raise ValueError("a serial number is positive and has 159 bits at most")
        if not all(is_host(name) for name in self.dns_names):
            raise ValueError("a DNS name is no host name")
        for at in (self.not_before, self.not_after):
            if at.tzinfo is None or at.microsecond:
                raise ValueError("a date is aware and in whole seconds")


def new_serial(randbytes: Callable[[int], bytes]) -> int:
    """A random serial number: 159 bits, so 20 DER octets at most (RFC 5280 §4.1.2.2).

    Args:
        randbytes: that many octets from a secure source.
    """
    serial = int.from_bytes(randbytes(20), "big") >> 1
    if serial.bit_length() < 64:
        raise ValueError("the source of randomness gives no random octets")
    return serial


def _until(not_before: datetime, days: int, not_past: datetime | None) -> datetime:
    """`days` later as OpenSSL counts, clamped to the issuer's notAfter.

    Raises:
        VerificationError: `issuing.issuer_expired`.
    """
    end = not_before + timedelta(days=days)
    end = end if not_past is None else min(end, not_past)
    if end <= not_before:
        raise VerificationError(
            "issuing.issuer_expired",
            "the issuing CA's certificate ends before this one would begin",
            hint="Check the clock, and which CA is used.",
        )
    return end


def root_content(
    *,
    factory: str,
    spki: bytes,
    serial: int,
    not_before: datetime,
    days: int,
    profile: Literal["strict", "openssl-recipe"],
) -> Content:
    """The self-signed root: ``CN=Factory-CA, OU=<factory>``."""
    subject = names.encode_name((names.CN, ROOT_CN), (names.OU, factory))
    return Content(
        role=Role.ROOT,
        profile=PROFILES[Role.ROOT] if profile == "strict" else ROOT_OPENSSL_RECIPE,
        subject_der=subject,
        spki=spki,
        issuer=Issuer(subject_der=subject, spki=spki),
        serial=serial,
        not_before=not_before,
        not_after=_until(not_before, days, None),
    )


def csr_content(
    *,
    csr: Csr,
    slot: Slot,
    issuer: Issuer,
    serial: int,
    not_before: datetime,
    days: int,
    not_past: datetime,
) -> Content:
    """The answer to a slot's CSR, which `check_csr` passed: subject bytes and key kept.

    It ends at `not_past`, the issuer's notAfter, at the latest; so do the others.

    Raises:
        VerificationError: `issuing.issuer_expired`.
    """
    profile = PROFILES[role_of(slot)]
    return Content(
        role=profile.role,
        profile=profile,
        subject_der=csr.subject_der,
        spki=csr.spki,
        issuer=issuer,
        serial=serial,
        not_before=not_before,
        not_after=_until(not_before, days, not_past),
        dns_names=() if profile.dns_names == "none" else csr.dns_names,
    )


def local_ca_content(
    *,
    factory: str,
    user_id: str,
    spki: bytes,
    issuer: Issuer,
    serial: int,
    not_before: datetime,
    days: int,
    not_past: datetime,
) -> Content:
    """A local device CA: ``CN=fio-<user id>, OU=<factory>``.

    Raises:
        VerificationError: `issuing.issuer_expired`.
    """
    cn = f"{LOCAL_CA_PREFIX}{user_id}"
    return Content(
        role=Role.LOCAL_CA,
        profile=PROFILES[Role.LOCAL_CA],
        subject_der=names.encode_name((names.CN, cn), (names.OU, factory)),
        spki=spki,
        issuer=issuer,
        serial=serial,
        not_before=not_before,
        not_after=_until(not_before, days, not_past),
    )


def device_content(
    *,
    factory: str,
    uuid: str,
    spki: bytes,
    issuer: Issuer,
    serial: int,
    not_before: datetime,
    days: int,
    not_past: datetime,
    production: bool = False,
) -> Content:
    """A device's client certificate: ``CN=<uuid>, OU=<factory>``.

    `production` adds ``businessCategory=production``.

    Raises:
        VerificationError: `issuing.issuer_expired`.
    """
    extra = ((names.BUSINESS_CATEGORY, PRODUCTION),) if production else ()
    return Content(
        role=Role.DEVICE,
        profile=PROFILES[Role.DEVICE],
        subject_der=names.encode_name((names.CN, uuid), (names.OU, factory), *extra),
        spki=spki,
        issuer=issuer,
        serial=serial,
        not_before=not_before,
        not_after=_until(not_before, days, not_past),
    )


def twin(content: Content, curve: Curve) -> bytes:
    """A certificate with this content, DER, signed by a key that nobody keeps.

    The subject's, issuer's and key's bytes are put in as they are: the builder would write
    names of its own making. `curve` is the issuer's; the digest follows (P-256 SHA-256,
    P-384 SHA-384).
    """
    group, digest = _CURVES[curve]
    key = ec.generate_private_key(group)
    built = _builder(content).sign(key, digest).tbs_certificate_bytes
    fields = [field.raw for field in der.parse(built).children]
    # version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    fields[3], fields[5], fields[6] = content.issuer.subject_der, content.subject_der, content.spki
    tbs = der.sequence(fields)
    return assemble(tbs, key.sign(tbs, ec.ECDSA(digest)))


def _builder(content: Content) -> x509.CertificateBuilder:
    placeholder = x509.Name([])
    builder = (
        x509.CertificateBuilder(subject_name=placeholder, issuer_name=placeholder)
        .public_key(_native(content.spki))
        .serial_number(content.serial)
        .not_valid_before(content.not_before)
        .not_valid_after(content.not_after)
    )
    for extension, critical in _extensions(content):
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _native(spki: bytes) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    key = load_der_public_key(spki)
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise TypeError("a certificate's key is EC or RSA")
    return key


def _extensions(content: Content) -> list[tuple[x509.ExtensionType, bool]]:
    profile, issuer = content.profile, content.issuer
    rows: list[tuple[x509.ExtensionType, bool]] = []
    if profile.ca:
        constraints = x509.BasicConstraints(ca=True, path_length=profile.path_length)
        rows.append((constraints, profile.basic_constraints_critical))
    rows.append((key_usage_of(profile), profile.key_usage_critical))
    if profile.extended_key_usage:
        purposes = [_PURPOSE_OIDS[name] for name in profile.extended_key_usage]
        rows.append((x509.ExtendedKeyUsage(purposes), profile.extended_key_usage_critical))
    if content.dns_names:
        # RFC 5280 §4.2.1.6: critical when the subject is empty.
        alternative = x509.SubjectAlternativeName([x509.DNSName(n) for n in content.dns_names])
        rows.append((alternative, content.subject_der == names.EMPTY_NAME))
    rows.append((x509.SubjectKeyIdentifier(key_identifier(content.spki)), False))
    if profile.authority_key_identifier:
        identifier = issuer.ski or key_identifier(issuer.spki)
        rows.append((x509.AuthorityKeyIdentifier(identifier, None, None), False))
    return rows


def key_usage_of(profile: Profile) -> x509.KeyUsage:
    """A profile's keyUsage, as an extension."""
    wanted = {_USAGES[usage] for usage in profile.key_usage}
    flags = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{flag: flag in wanted for flag in flags})


def assemble(tbs: bytes, signature: bytes) -> bytes:
    """The certificate around exactly these TBSCertificate bytes, DER.

    Args:
        tbs: as `tbs_of` gave them; the signature's algorithm is the one inside.
        signature: DER ECDSA-Sig-Value.
    """
    algorithm = der.parse(tbs).children[2].raw
    return der.sequence((tbs, algorithm, der.encode(der.BIT_STRING, b"\x00" + signature)))


__all__ = [
    "Content",
    "Issuer",
    "assemble",
    "csr_content",
    "device_content",
    "issuer_of",
    "key_usage_of",
    "local_ca_content",
    "new_serial",
    "root_content",
    "tbs_of",
    "twin",
]
