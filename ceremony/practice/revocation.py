"""What a CRL over device CAs asks of the Factory (RFC 5280 §5.3.1).

A CRL names only the serials that it acts on: certificateHold disables a device CA,
removeFromCRL enables it again, any other reason revokes it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The device CAs after a CRL.

    Attributes:
        trusted: those that the gateway trusts.
        disabled: serials of those among them that may register nothing new.
        revoked: serials that this CRL revoked.
    """

    trusted: tuple[x509.Certificate, ...]
    disabled: tuple[int, ...]
    revoked: tuple[int, ...]


def apply_crl(
    pem: str, root: x509.Certificate, cas: Sequence[x509.Certificate], disabled: Collection[int]
) -> Change:
    """Checks a CRL and works out what follows from it.

    Raises:
        ValueError: not a CRL, not the root's, out of its time, or an unknown serial.
    """
    try:
        crl = x509.load_pem_x509_crl(pem.encode())
    except ValueError as exc:
        raise ValueError("not a PEM CRL") from exc
    _check(crl, root)
    known = {ca.serial_number for ca in cas}
    now_disabled, revoked = set(disabled), set[int]()
    for entry in crl:
        serial = entry.serial_number
        if serial not in known:
            raise ValueError(f"no device CA has serial {serial}")
        match _reason(entry):
            case x509.ReasonFlags.certificate_hold:
                now_disabled.add(serial)
            case x509.ReasonFlags.remove_from_crl:
                now_disabled.discard(serial)
            case _:
                now_disabled.discard(serial)
                revoked.add(serial)
    return Change(
        trusted=tuple(ca for ca in cas if ca.serial_number not in revoked),
        disabled=tuple(sorted(now_disabled)),
        revoked=tuple(sorted(revoked)),
    )


def _check(crl: x509.CertificateRevocationList, root: x509.Certificate) -> None:
    key = root.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise ValueError("the root's key cannot sign a CRL")
    if crl.issuer != root.subject or not crl.is_signature_valid(key):
        raise ValueError("it is not signed by the Factory root CA")
    at = datetime.now(UTC)
    if crl.last_update_utc > at or (crl.next_update_utc is not None and crl.next_update_utc < at):
        raise ValueError("it is expired, or not valid yet")


def _reason(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    try:
        extension = entry.extensions.get_extension_for_class(x509.CRLReason)
    except x509.ExtensionNotFound:
        return None
    return extension.value.reason
