"""A practice hierarchy made once, and a CSR writer that can be told to write nonsense."""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.config import Curve, Slot
from ceremony.x509 import der, issuing, names
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.csr import Csr, CsrRules, read_csr

FACTORY = "acme-fleet"
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALGORITHMS = {
    Curve.P256: der.sequence((der.encode_oid("1.2.840.10045.4.3.2"),)),
    Curve.P384: der.sequence((der.encode_oid("1.2.840.10045.4.3.3"),)),
}
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
CURVES = {Curve.P256: ec.SECP256R1(), Curve.P384: ec.SECP384R1()}
DIGESTS = {Curve.P256: hashes.SHA256(), Curve.P384: hashes.SHA384()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    private: ec.EllipticCurvePrivateKey
    curve: Curve

    @classmethod
    def make(cls, curve: Curve = Curve.P256) -> "Key":
        return cls(private=ec.generate_private_key(CURVES[curve]), curve=curve)

    @property
    def spki(self) -> bytes:
        return self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data, ec.ECDSA(DIGESTS[self.curve]))


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = (b"\x01\x01\xff",) if critical else ()
    return der.sequence((der.encode_oid(oid), *flag, der.encode(der.OCTET_STRING, value)))


def san(*names_: tuple[int, bytes]) -> bytes:
    value = der.sequence(der.encode(0x80 | number, octets) for number, octets in names_)
    return extension("2.5.29.17", value)


def attribute(oid: str, tag: int, octets: bytes) -> bytes:
    return der.sequence((der.encode_oid(oid), der.encode(tag, octets)))


def rdn(*attributes: bytes) -> bytes:
    return der.encode(der.SET, b"".join(sorted(attributes)))


def write_csr(
    key: Key,
    subject: bytes,
    extensions: tuple[bytes, ...] = (),
    *,
    spki: bytes | None = None,
    more: tuple[bytes, ...] = (),
    version: bytes = b"\x02\x01\x00",
) -> bytes:
    attributes = more
    if extensions:
        asked = der.encode(der.SET, der.sequence(extensions))
        attributes = (der.sequence((der.encode_oid(EXTENSION_REQUEST), asked)), *more)
    body = der.sequence(
        (version, subject, spki or key.spki, der.encode(der.context(0), b"".join(attributes)))
    )
    signature = der.encode(der.BIT_STRING, b"\x00" + key.sign(body))
    return der.sequence((body, ALGORITHMS[key.curve], signature))


def issue(content: issuing.Content, key: Key) -> Certificate:
    tbs = issuing.tbs_of(issuing.twin(content, key.curve))
    return read_certificate(issuing.assemble(tbs, key.sign(tbs)), "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    keys: Mapping[str, Key]
    contents: Mapping[str, issuing.Content]
    certificates: Mapping[str, Certificate]
    csrs: Mapping[Slot, Csr]

    @property
    def root(self) -> Certificate:
        return self.certificates["root"]

    @property
    def others(self) -> dict[str, Certificate]:
        return {k: v for k, v in self.certificates.items() if k not in {"root", "device"}}


def make_hierarchy(curve: Curve = Curve.P256, profile: str = "strict") -> Hierarchy:
    keys = {name: Key.make() for name in ("tls", "est-tls", "online-ca", "line-1", "device")}
    keys["root"] = Key.make(curve)
    serial = lambda: issuing.new_serial(os.urandom)  # noqa: E731
    root = issuing.root_content(
        factory=FACTORY,
        spki=keys["root"].spki,
        serial=serial(),
        not_before=BEGIN,
        days=7300,
        profile=profile,
    )
    contents = {"root": root}
    certificates = {"root": issue(root, keys["root"])}
    ours = {
        "issuer": issuing.issuer_of(certificates["root"]),
        "not_before": BEGIN,
        "days": 3650,
        "not_past": root.not_after,
    }
    csrs = _csrs(keys)
    for slot, csr in csrs.items():
        contents[slot.value] = issuing.csr_content(csr=csr, slot=slot, serial=serial(), **ours)
    contents["line-1"] = issuing.local_ca_content(
        factory=FACTORY, user_id="5e8a2f04c1d7", spki=keys["line-1"].spki, serial=serial(), **ours
    )
    for name in ("tls", "est-tls", "online-ca", "line-1"):
        certificates[name] = issue(contents[name], keys["root"])
    local = certificates["line-1"]
    contents["device"] = issuing.device_content(
        factory=FACTORY,
        uuid="0b5a2c6e-3f0f-4e0e-9a53-7a2b8f6f1a11",
        spki=keys["device"].spki,
        issuer=issuing.issuer_of(local),
        serial=serial(),
        not_before=BEGIN,
        days=3650,
        not_past=local.not_after,
        production=True,
    )
    certificates["device"] = issue(contents["device"], keys["line-1"])
    return Hierarchy(keys=keys, contents=contents, certificates=certificates, csrs=csrs)


def _csrs(keys: Mapping[str, Key]) -> dict[Slot, Csr]:
    host = lambda name: san((2, name.encode()))  # noqa: E731
    asked = {
        Slot.TLS: (
            names.encode_name((names.CN, "gateway")),
            (san((2, b"a1.ota-lite.foundries.io"), (2, b"a1.ostree.foundries.io")),),
        ),
        Slot.EST_TLS: (names.encode_name((names.CN, "est")), (host("a1.est.foundries.io"),)),
        Slot.ONLINE_CA: (names.encode_name((names.CN, "online"), (names.OU, FACTORY)), ()),
    }
    return {
        slot: read_csr(write_csr(keys[slot.value], subject, extensions), slot.value)
        for slot, (subject, extensions) in asked.items()
    }


@pytest.fixture(scope="session")
def hierarchy() -> Hierarchy:
    return make_hierarchy()


@pytest.fixture
def rules() -> CsrRules:
    return CsrRules(
        factory=FACTORY,
        host_suffixes=("foundries.io",),
        punycode=False,
        curves=(Curve.P256,),
        rsa=False,
    )


@pytest.fixture
def openssl(tmp_path: Path) -> Callable[..., bytes]:
    """Runs openssl in a directory of its own; stdout is returned."""

    def run(*argv: str, data: bytes | None = None, code: int = 0) -> bytes:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run(
            ["openssl", *argv],
            input=data,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            check=False,
        )
        assert done.returncode == code, done.stderr.decode() + done.stdout.decode()
        return done.stdout

    return run


@pytest.fixture
def make() -> type:
    """The writers of this file, for tests that need nonsense."""

    class Make:
        key = staticmethod(Key.make)
        csr = staticmethod(write_csr)
        san = staticmethod(san)
        extension = staticmethod(extension)
        attribute = staticmethod(attribute)
        rdn = staticmethod(rdn)
        issue = staticmethod(issue)
        hierarchy = staticmethod(make_hierarchy)
        begin = BEGIN
        factory = FACTORY

    return Make
