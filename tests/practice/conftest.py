"""A client of the practice API, and a customer's PKI made with cryptography alone."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.practice.factory import PracticeFactory, User
from tests.higher import usage

FACTORY = "rehearsal-acme"
OWNER = "0123456789abcdef01234567"
OTHER = "76543210fedcba9876543210"
USERS = (
    User(polis_id=OWNER, name="Olivia Owner"),
    User(polis_id=OTHER, name="Line Account", role="accessor"),
)
Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def dn(cn: str | None, ou: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, cn)] if cn else []
    if ou:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, ou))
    return x509.Name(parts)


@dataclass(kw_only=True)
class Pki:
    """A root and what it signs."""

    key: Key = field(default_factory=new_key)
    factory: str = FACTORY

    def __post_init__(self) -> None:
        name = dn("Factory-CA", self.factory)
        self.root = (
            self.builder(name, name, self.key.public_key(), days=7300)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )

    @staticmethod
    def builder(
        subject: x509.Name, issuer: x509.Name, key: Any, days: int, serial: int | None = None
    ) -> x509.CertificateBuilder:
        at = datetime.now(UTC).replace(microsecond=0)
        return x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=issuer,
            public_key=key,
            serial_number=serial or x509.random_serial_number(),
            not_valid_before=at,
            not_valid_after=at + timedelta(days=days),
        )

    def device_ca(self, subject: x509.Name, public: Any, serial: int | None = None) -> str:
        certificate = (
            self.builder(subject, self.root.subject, public, 3650, serial)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage("key_cert_sign"), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(self.aki(), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return pem(certificate)

    def local_ca(self, key: Key, user: str = OWNER) -> str:
        return self.device_ca(dn(f"fio-{user}", self.factory), key.public_key())

    def online_ca(self, csr_pem: str) -> str:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        return self.device_ca(csr.subject, csr.public_key())

    def server(self, csr_pem: str, public: Any = None) -> str:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        san = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        server_auth = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = (
            self.builder(csr.subject, self.root.subject, public or csr.public_key(), 3650)
            .add_extension(usage("digital_signature"), critical=True)
            .add_extension(server_auth, critical=False)
            .add_extension(san, critical=False)
            .add_extension(self.aki(), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return pem(certificate)

    def crl(self, serial: int, reason: x509.ReasonFlags, key: Key | None = None) -> str:
        at = datetime.now(UTC).replace(microsecond=0)
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(at)
            .add_extension(x509.CRLReason(reason), critical=False)
            .build()
        )
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.root.subject)
            .last_update(at)
            .next_update(at + timedelta(minutes=15))
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_revoked_certificate(entry)
            .sign(key or self.key, hashes.SHA256())
        )
        return crl.public_bytes(Encoding.PEM).decode()

    def aki(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def serial_of(certificate_pem: str) -> int:
    return x509.load_pem_x509_certificate(certificate_pem.encode()).serial_number


def spki(public: Any) -> bytes:
    raw: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return raw


def device_files(folder: Path, ca_pem: str, ca_key: Key, uuid: str, ou: str = FACTORY) -> str:
    """Writes device/client.pem and device/pkey.pem; returns the certificate."""
    ca, key = x509.load_pem_x509_certificate(ca_pem.encode()), new_key()
    client_auth = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        Pki.builder(dn(uuid, ou), ca.subject, key.public_key(), 365)
        .add_extension(usage("digital_signature"), critical=True)
        .add_extension(client_auth, critical=True)
        .add_extension(aki, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "device").mkdir(parents=True)
    (folder / "device/client.pem").write_text(pem(certificate))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "device/pkey.pem").write_bytes(secret)
    return pem(certificate)


@dataclass(kw_only=True)
class Client:
    """Calls the API as curl would: one request, no retries, no redirects."""

    practice: PracticeFactory
    headers: dict[str, str]
    pool: urllib3.PoolManager

    def __call__(
        self, method: str, path: str, value: Any = None, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        options = {"headers": self.headers, "retries": False, "timeout": 5.0} | options
        if value is not None:
            options["json"] = value
        return self.pool.request(method, self.practice.url + path, **options)

    @property
    def certs_path(self) -> str:
        return f"/ota/factories/{FACTORY}/certs/"

    def post(self, *, first: bool = True, **flags: bool) -> dict[str, str]:
        body = {"first-time-init": first, "tls-csr": True, "ca-csr": True, "est-tls-csr": True}
        body |= {name.replace("_", "-"): flag for name, flag in flags.items()}
        answer = self("POST", self.certs_path, body)
        assert answer.status == 201, answer.data
        csrs: dict[str, str] = answer.json()
        return csrs

    def patch(self, **fields: str) -> urllib3.BaseHTTPResponse:
        return self("PATCH", self.certs_path, {k.replace("_", "-"): v for k, v in fields.items()})

    def certs(self) -> Any:
        return json.loads(self("GET", self.certs_path).data)


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[PracticeFactory]:
    with PracticeFactory(tmp_path / "factory", factory=FACTORY, users=USERS) as running:
        yield running


@pytest.fixture
def call(practice: PracticeFactory) -> Iterator[Client]:
    with urllib3.PoolManager() as pool:
        yield Client(practice=practice, headers={"OSF-TOKEN": practice.token}, pool=pool)


@pytest.fixture
def pki() -> Pki:
    return Pki()


@dataclass(kw_only=True)
class Set:
    """A Factory whose PKI is set."""

    csrs: dict[str, str]
    local_key: Key
    local_ca: str
    online_ca: str


@pytest.fixture
def configure(call: Client, pki: Pki) -> Callable[[], Set]:
    def set_up() -> Set:
        csrs, key = call.post(), new_key()
        local, online = pki.local_ca(key), pki.online_ca(csrs["ca-csr"])
        answer = call.patch(
            root_crt=pem(pki.root),
            tls_crt=pki.server(csrs["tls-csr"]),
            est_tls_crt=pki.server(csrs["est-tls-csr"]),
            ca_crt=online + local,
        )
        assert answer.status == 200, answer.data
        return Set(csrs=csrs, local_key=key, local_ca=local, online_ca=online)

    return set_up


@pytest.fixture
def tools() -> Any:
    """The functions above, for tests: modules here cannot import each other."""

    class Tools:
        pki = Pki
        owner, other, users, factory = OWNER, OTHER, USERS, FACTORY

    for one in (new_key, dn, usage, pem, serial_of, spki, device_files):
        setattr(Tools, one.__name__, staticmethod(one))
    return Tools
