"""The root's own CSR (RFC 2986), for a root that a higher CA signs.

It asks for what the root's profile has and no CA can know better: basicConstraints,
keyUsage, subjectKeyIdentifier. Validity, authorityKeyIdentifier and everything else are
the higher CA's.
"""

from typing import Final

from cryptography import x509

from ceremony.config import Curve
from ceremony.errors import VerificationError
from ceremony.x509 import der, extensions, names
from ceremony.x509.der import DerError, Element
from ceremony.x509.issuing import key_usage_of
from ceremony.x509.profiles import PROFILES, ROOT_CN, Role
from ceremony.x509.public_keys import SIGNATURE_ALGORITHMS, key_identifier, read_public_key
from ceremony.x509.request import EXTENSION_REQUEST

_VERSION: Final = b"\x02\x01\x00"  # v1


def root_csr_info(*, factory: str, spki: bytes) -> bytes:
    """The CertificationRequestInfo, DER: the bytes that the root's key signs.

    Args:
        factory: becomes the OU.
        spki: the root's key, DER SubjectPublicKeyInfo.
    """
    profile = PROFILES[Role.ROOT]
    asked: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=True, path_length=None), profile.basic_constraints_critical),
        (key_usage_of(profile), profile.key_usage_critical),
        (x509.SubjectKeyIdentifier(key_identifier(spki)), False),
    ]
    request = der.sequence(_extension(one, critical) for one, critical in asked)
    attribute = der.sequence((der.encode_oid(EXTENSION_REQUEST), der.encode(der.SET, request)))
    subject = names.encode_name((names.CN, ROOT_CN), (names.OU, factory))
    return der.sequence((_VERSION, subject, spki, der.encode(der.context(0), attribute)))


def _extension(one: x509.ExtensionType, critical: bool) -> bytes:
    flag = (b"\x01\x01\xff",) if critical else ()
    value = der.encode(der.OCTET_STRING, one.public_bytes())
    return der.sequence((der.encode_oid(one.oid.dotted_string), *flag, value))


def assemble_csr(info: bytes, signature: bytes) -> bytes:
    """The CertificationRequest around exactly these bytes, DER.

    Args:
        info: as `root_csr_info` gave them; the digest follows from the key's curve.
        signature: DER ECDSA-Sig-Value.
    """
    algorithm = SIGNATURE_ALGORITHMS[_curve(der.parse(info).children[2])]
    return der.sequence((info, algorithm, der.encode(der.BIT_STRING, b"\x00" + signature)))


def _curve(spki: Element) -> Curve:
    curve = read_public_key(spki).curve
    if curve is None:
        raise TypeError("a root's key is on P-256 or P-384")
    return curve


def csr_info_of(data: bytes) -> bytes:
    """The CertificationRequestInfo of a CSR, DER.

    Raises:
        VerificationError: `csr.unreadable`.
    """
    try:
        parts = der.parse(data).expect(der.SEQUENCE, "the request").children
        if len(parts) != 3:
            raise DerError("the request is not body, algorithm and signature")
        return parts[0].raw
    except DerError as exc:
        raise VerificationError(
            "csr.unreadable",
            f"these bytes are no DER certification request: {exc}",
            hint="Restore the file from a copy.",
        ) from exc


def shown_requests(info: bytes) -> tuple[tuple[str, str], ...]:
    """Subject and requested extensions of such bytes, for people: name and value."""
    _, subject, _, attributes = der.parse(info).children
    request = attributes.children[0].children[1].children[0]
    return (
        ("Subject", names.rfc4514(names.read_name(subject))),
        *(
            (one.name, f"critical, {one.shown}" if one.critical else one.shown)
            for one in extensions.read_extensions(request).all
        ),
    )
