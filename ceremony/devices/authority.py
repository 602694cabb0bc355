"""The local device CA that a batch is issued from, checked before anything is signed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ceremony.config import Curve
from ceremony.core.findings import Finding, Severity
from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import KeyStoreError, VerificationError
from ceremony.x509.certificate import Certificate, read_certificate, verify_signed_by
from ceremony.x509.checks import check_certificate
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A local CA and the root above it.

    Attributes:
        factory: the OU of both, and of every device.
        curve: of the CA's key.
    """

    ca: Certificate
    root: Certificate
    factory: str
    curve: Curve

    @property
    def ca_pem(self) -> bytes:
        """PEM of the CA."""
        return write_pem(self.ca.der, CERTIFICATE)

    @property
    def root_pem(self) -> bytes:
        """PEM of the root."""
        return write_pem(self.root.der, CERTIFICATE)


def read_authority(ca: bytes, root: bytes, at: datetime) -> Authority:
    """Reads and checks the two certificates.

    Args:
        ca: PEM or DER of the local CA.
        root: of the Factory's root.
        at: the present.

    Raises:
        VerificationError: `devices.ca_profile`, `devices.ca_dates`, `devices.ca_key`, or
            `certificate.*`: it is not the CA's, or not this root's.
    """
    certificate = read_certificate(ca, "the device CA's certificate")
    anchor = read_certificate(root, "the root's certificate")
    factory = certificate.organizational_unit or ""
    found = check_certificate(certificate, Role.LOCAL_CA, factory=anchor.organizational_unit)
    _refuse_errors(found)
    verify_signed_by(certificate, anchor)
    if not certificate.not_before <= at < certificate.not_after:
        raise VerificationError(
            "devices.ca_dates",
            f"the device CA is valid {format_time(certificate.not_before)} to"
            f" {format_time(certificate.not_after)}, and it is {format_time(at)}",
            hint="Check this machine's clock, and which CA this is.",
        )
    if certificate.curve is None:
        raise VerificationError(
            "devices.ca_key",
            f"the device CA's key is {certificate.key}",
            hint="Use a device CA with a key on P-256 or P-384.",
        )
    return Authority(ca=certificate, root=anchor, factory=factory, curve=certificate.curve)


def _refuse_errors(found: tuple[Finding, ...]) -> None:
    wrong = [one for one in found if one.severity is Severity.ERROR]
    if wrong:
        raise VerificationError(
            "devices.ca_profile",
            f"this is no local device CA: {'; '.join(one.message for one in wrong)}",
            hint="Name the certificate of a local CA with --ca, e.g. local_ca-line-1.pem.",
        )


def find_ca_key(store: KeyStore, ca: Certificate) -> KeyInfo:
    """The CA's private key, chosen by its public half and nothing else.

    Raises:
        KeyStoreError: `devices.key_missing`, or the store's own.
    """
    inventory = store.keys()
    for key in inventory:
        if key.spki == ca.spki:
            return key
    raise KeyStoreError(
        "devices.key_missing",
        f"the key store {show(store.info().name)} has no key of {ca.subject}",
        hint="Name the key file or token that belongs to this CA's certificate.",
    )


def validity(authority: Authority, at: datetime, days: int) -> tuple[datetime, bool]:
    """The notAfter of a batch, and whether it was clamped to the CA's own end."""
    wanted = at + timedelta(days=days)
    end = authority.ca.not_after
    return (end, True) if wanted > end else (wanted, False)
