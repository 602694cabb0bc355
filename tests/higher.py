"""A higher CA of two levels that signs root CSRs, rightly and in every wrong way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

Extensions = Sequence[tuple[x509.ExtensionType, bool]]
_USAGES = (
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


def usage(*named: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in named for name in _USAGES})


CA_USAGE = usage("key_cert_sign", "crl_sign")


@dataclass(frozen=True)
class Level:
    """One CA."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


class Higher:
    """Two levels: `top` signed itself, `issuing` signs roots.

    Args:
        begin: notBefore of both.
        length: pathlen of the issuing one.
    """

    def __init__(self, begin: datetime, *, length: int | None = None) -> None:
        self.begin = begin
        self.top = self._level("Corporate Root", None, None)
        self.issuing = self._level("Corporate Issuing", self.top, length)

    @property
    def chain(self) -> bytes:
        return self.issuing.pem + self.top.pem

    def _level(self, name: str, issuer: Level | None, length: int | None) -> Level:
        key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=True, path_length=length)
        asked = ((constraints, True), (CA_USAGE, True), (_ski(key.public_key()), False))
        own = Level(subject, key, None)  # type: ignore[arg-type]
        made = _issue(issuer or own, subject, key.public_key(), asked, self.begin, 9000)
        return Level(subject, key, made)

    def sign(
        self,
        csr_pem: bytes,
        *,
        days: int = 7300,
        begin: datetime | None = None,
        subject: x509.Name | None = None,
        without: Sequence[type[x509.ExtensionType]] = (),
        more: Extensions = (),
        key: ec.EllipticCurvePublicKey | None = None,
        issuer: Level | None = None,
    ) -> bytes:
        """An answer, PEM: what the CSR asks for, with what is named here in its place.

        Args:
            without: classes of extensions that are left out or given anew by `more`.
        """
        csr = x509.load_pem_x509_csr(csr_pem)
        replaced = (*without, *(type(one) for one, _ in more))
        asked = [(e.value, e.critical) for e in csr.extensions if type(e.value) not in replaced]
        made = _issue(
            issuer or self.issuing,
            subject or csr.subject,
            key or csr.public_key(),
            [*asked, *more],
            begin or self.begin,
            days,
            aki=x509.AuthorityKeyIdentifier not in without,
        )
        return made.public_bytes(Encoding.PEM)


def _ski(key: object) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key)  # type: ignore[arg-type]


def _issue(
    issuer: Level,
    subject: x509.Name,
    key: object,
    extensions: Extensions,
    begin: datetime,
    days: int,
    *,
    aki: bool = True,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name)
        .public_key(key)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    if aki and issuer.name != subject:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(issuer.key, hashes.SHA384())
