"""A root, a local CA with its key file, and a CSR writer that can be told to write nonsense."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ceremony.config import Curve
from ceremony.core.ports import KeyInfo
from ceremony.core.secret import Secret
from ceremony.devices.authority import Authority, find_ca_key, read_authority
from ceremony.devices.batch import issue
from ceremony.devices.ledger import Ledger
from ceremony.devices.order import Order, Summary
from ceremony.devices.policy import DeviceRules
from ceremony.devices.rendering import Form
from ceremony.keys.file import FileKeyStore
from ceremony.x509 import issuing
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.pem import CERTIFICATE, write_pem

FACTORY = "acme-fleet"
SECRET = "practice-words"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def sign(content: issuing.Content, store: FileKeyStore, key: KeyInfo) -> Certificate:
    tbs = issuing.tbs_of(issuing.twin(content, key.curve))
    return read_certificate(issuing.assemble(tbs, store.sign(key, tbs)), "test")


def make_ca(
    folder: Path,
    *,
    curve: Curve = Curve.P256,
    ca_days: int = 3650,
    ca_spki: bytes | None = None,
) -> None:
    """Writes factory_ca.pem, local_ca.pem, local_ca.key (not that of `ca_spki`) and secret."""
    folder.mkdir(mode=0o700, exist_ok=True)
    begin = now() - timedelta(days=1)
    root_store, ca_store = FileKeyStore(folder / "root.key"), FileKeyStore(folder / "local_ca.key")
    for store in (root_store, ca_store):
        store.login(Secret(SECRET))
    root_key = root_store.generate("root", "01", Curve.P256)
    ca_key = ca_store.generate("local_ca", "01", curve)
    root = sign(
        issuing.root_content(
            factory=FACTORY,
            spki=root_key.spki,
            serial=issuing.new_serial(os.urandom),
            not_before=begin,
            days=7300,
            profile="strict",
        ),
        root_store,
        root_key,
    )
    ca = sign(
        issuing.local_ca_content(
            factory=FACTORY,
            user_id="5e8a2f04c1d7",
            spki=ca_spki or ca_key.spki,
            issuer=issuing.issuer_of(root),
            serial=issuing.new_serial(os.urandom),
            not_before=begin,
            days=ca_days,
            not_past=root.not_after,
        ),
        root_store,
        root_key,
    )
    (folder / "factory_ca.pem").write_bytes(write_pem(root.der, CERTIFICATE))
    (folder / "local_ca.pem").write_bytes(write_pem(ca.der, CERTIFICATE))
    secret = folder / "secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)


@dataclass
class Floor:
    """A CA at work in one folder."""

    folder: Path
    authority: Authority
    store: FileKeyStore
    key: KeyInfo

    @property
    def ledger_path(self) -> Path:
        return self.folder / "local_ca.ledger"

    def ledger(self) -> Ledger:
        ca = self.authority.ca
        return Ledger(self.ledger_path, ca_sha256=ca.fingerprint.hex, factory=FACTORY)

    def order(self, source: Any, out: str, **other: Any) -> Order:
        path = self.folder / out
        form = {".jsonl": Form.JSONL, ".tar": Form.TAR}.get(path.suffix, Form.FOLDERS)
        rules = other.pop("rules", None) or DeviceRules(factory=FACTORY)
        return Order(
            authority=self.authority,
            source=source,
            out=path,
            form=form,
            rules=rules,
            days=other.pop("days", 365),
            **other,
        )

    def issue(self, source: Any, out: str, **other: Any) -> Summary:
        with self.ledger() as ledger:
            return issue(
                self.order(source, out, **other),
                ledger=ledger,
                store=self.store,
                key=self.key,
                at=now(),
            )


def open_floor(folder: Path) -> Floor:
    authority = read_authority(
        (folder / "local_ca.pem").read_bytes(), (folder / "factory_ca.pem").read_bytes(), now()
    )
    store = FileKeyStore(folder / "local_ca.key")
    store.login(Secret(SECRET))
    return Floor(folder, authority, store, find_ca_key(store, authority.ca))


@pytest.fixture(scope="session")
def ca_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ca") / "ca"
    make_ca(folder)
    return folder


@pytest.fixture
def floor(tmp_path: Path, ca_folder: Path) -> Floor:
    import shutil

    folder = tmp_path / "floor"
    shutil.copytree(ca_folder, folder)
    folder.chmod(0o700)
    return open_floor(folder)


@pytest.fixture
def new_floor(tmp_path: Path) -> Callable[..., Floor]:
    def make(**options: Any) -> Floor:
        make_ca(tmp_path / "other", **options)
        return open_floor(tmp_path / "other")

    return make


def write_csr(
    uuid: str,
    *,
    key: Any = None,
    ou: str | None = FACTORY,
    more: tuple[tuple[x509.ObjectIdentifier, str], ...] = (),
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    pem: bool = True,
) -> bytes:
    parts = [(NameOID.COMMON_NAME, uuid), *([(NameOID.ORGANIZATIONAL_UNIT_NAME, ou)] if ou else [])]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(oid, text) for oid, text in (*parts, *more)])
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    csr = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return csr.public_bytes(Encoding.PEM if pem else Encoding.DER)


def spki_of(key: Any) -> bytes:
    raw: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return raw


@pytest.fixture
def tools() -> Any:
    """The functions above, for tests: modules here cannot import each other."""

    class Tools:
        factory, secret = FACTORY, SECRET

    for one in (write_csr, spki_of, now, open_floor):
        setattr(Tools, one.__name__, staticmethod(one))
    return Tools
