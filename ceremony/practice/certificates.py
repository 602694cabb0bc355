"""Reading certificates that were sent to the practice Factory, with cryptography's parsers."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


class FieldError(Exception):
    """One field of an upload is wrong.

    Args:
        field: its JSON name.
        message: one sentence.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def pem_of(certificate: x509.Certificate) -> str:
    """PEM text, LF at the end."""
    return certificate.public_bytes(Encoding.PEM).decode()


def common_name(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str | None:
    """The subject's only CN."""
    return _only(certificate, NameOID.COMMON_NAME)


def unit_of(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str | None:
    """The subject's only OU."""
    return _only(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME)


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """DNS names of the subjectAltName, in order."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(san.value.get_values_for_type(x509.DNSName))


def _only(
    thing: x509.Certificate | x509.CertificateSigningRequest, oid: x509.ObjectIdentifier
) -> str | None:
    values = thing.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if len(values) == 1 else None


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints says CA:TRUE."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return bool(constraints.value.ca)


def certificates(field: str, pem: str) -> tuple[x509.Certificate, ...]:
    """A PEM list.

    Raises:
        FieldError: not one.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError as exc:
        raise FieldError(field, "not a PEM certificate") from exc


def exactly_one(field: str, pem: str) -> tuple[x509.Certificate, ...]:
    """A PEM list of one.

    Raises:
        FieldError: not one.
    """
    found = certificates(field, pem)
    require(field, len(found) == 1, "expected one certificate")
    return found


def check_issued(field: str, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Checks name and signature.

    Raises:
        FieldError: it is not the issuer's.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature) as exc:
        raise FieldError(field, "it is not signed by the Factory root CA") from exc


def check_dates(field: str, certificate: x509.Certificate) -> None:
    """Checks notBefore and notAfter against the present.

    Raises:
        FieldError: outside of them.
    """
    at = datetime.now(UTC)
    valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    require(field, valid, "it is expired, or not valid yet")


def require(field: str, condition: bool, message: str) -> None:
    """Refuses a field when the condition does not hold.

    Raises:
        FieldError: it does not hold.
    """
    if not condition:
        raise FieldError(field, message)
