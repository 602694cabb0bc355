"""A practice request and upload, made once with real keys."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ceremony.bundle.request import FILES, request_files
from ceremony.bundle.root_csr import root_csr_files
from ceremony.bundle.schema import (
    Current,
    DeviceCa,
    Posted,
    Request,
    RequestDocument,
)
from ceremony.bundle.upload import Issued, upload_files
from ceremony.config import Curve, Kind, Plan, PlanFile, Slot, parse
from ceremony.core.fingerprints import Fingerprint
from ceremony.x509 import issuing
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.csr import read_csr
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import Role
from ceremony.x509.root_csr import assemble_csr, root_csr_info

FACTORY = "acme-fleet"
USER = "5e8a2f04c1d7"
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTS = {Slot.TLS: ["a1.ota-lite.foundries.io", "a1.ostree.foundries.io"]}
HOSTS[Slot.EST_TLS] = ["a1.est.foundries.io"]

PLAN = f"""
schema = "ceremony-plan/1"
factory = "{FACTORY}"
kind = "create"
user_id = "{USER}"
[root]
key_store = "file"
[root.backup]
method = "file"
[[local_ca]]
name = "line-1"
[[local_ca]]
name = "line-2"
"""


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spki_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def make_csr(key: ec.EllipticCurvePrivateKey, slot: Slot, factory: str = FACTORY) -> bytes:
    rdns = [x509.NameAttribute(NameOID.COMMON_NAME, f"{slot.value}.example")]
    if slot is Slot.ONLINE_CA:
        rdns.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, factory))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(rdns))
    if slot in HOSTS:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS[slot]])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def sign(content: issuing.Content, key: ec.EllipticCurvePrivateKey) -> Certificate:
    tbs = issuing.tbs_of(issuing.twin(content, Curve.P256))
    return read_certificate(issuing.assemble(tbs, key.sign(tbs, ec.ECDSA(hashes.SHA256()))), "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    plan_file: PlanFile
    root_key: ec.EllipticCurvePrivateKey
    csrs: Mapping[Slot, bytes]
    issued: tuple[Issued, ...]
    document: RequestDocument
    request: Mapping[str, bytes]
    upload: Mapping[str, bytes]

    @property
    def plan(self) -> Plan:
        return self.plan_file.plan

    def certificate(self, name: str) -> Certificate:
        return next(one.certificate for one in self.issued if one.name == name)

    def write(self, issued: tuple[Issued, ...]) -> Mapping[str, bytes]:
        return write_upload(self.plan_file, Fingerprint.of(self.request["SHA256SUMS"]), issued)


def write_upload(
    plan_file: PlanFile, request: Fingerprint, issued: tuple[Issued, ...]
) -> Mapping[str, bytes]:
    return upload_files(
        plan=plan_file.plan,
        ceremony_id="20260102-acme",
        created_at=BEGIN,
        plan_sha256=plan_file.fingerprint.hex,
        request_sha256=request.hex,
        record_head="ab" * 32,
        issued=issued,
    )


def make_document(csrs: Mapping[Slot, bytes], plan_file: PlanFile) -> RequestDocument:
    return RequestDocument(
        schema="ceremony-request/1",
        factory=plan_file.plan.factory,
        user_id=plan_file.plan.user_id,
        api=plan_file.plan.online.api,
        kind=Kind.CREATE,
        fetched_at="2026-01-01T12:34:56Z",
        plan_sha256=plan_file.fingerprint.hex,
        posted=Posted(
            first_time_init=True,
            tls_csr=Slot.TLS in csrs,
            ca_csr=Slot.ONLINE_CA in csrs,
            est_tls_csr=Slot.EST_TLS in csrs,
        ),
        requests=tuple(
            Request(slot=slot, file=FILES[slot], spki_sha256=read_csr(pem, "t").spki_sha256.hex)
            for slot, pem in csrs.items()
        ),
        current=None,
        rehearsal=plan_file.plan.rehearsal,
    )


def make_current(root: Certificate, device_cas: tuple[Certificate, ...]) -> Current:
    return Current(
        root_sha256=root.fingerprint.hex,
        device_cas=tuple(
            DeviceCa(subject=ca.subject, serial=str(ca.serial), sha256=ca.fingerprint.hex)
            for ca in device_cas
        ),
        disabled_serials=(),
        change_meta=None,
    )


def pem_of(*certificates: Certificate) -> bytes:
    return b"".join(write_pem(one.der, CERTIFICATE) for one in certificates)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


def make_world(rehearsal: bool = False) -> World:
    text = PLAN.replace(FACTORY, f"rehearsal-{FACTORY}") if rehearsal else PLAN
    plan_file = parse((f"rehearsal = {str(rehearsal).lower()}\n" + text).encode())
    factory = plan_file.plan.factory
    csrs = {slot: make_csr(new_key(), slot, factory) for slot in Slot}
    root_key = new_key()
    serial = lambda: issuing.new_serial(os.urandom)  # noqa: E731
    content = issuing.root_content(
        factory=factory,
        spki=spki_of(root_key),
        serial=serial(),
        not_before=BEGIN,
        days=7300,
        profile="strict",
    )
    root = sign(content, root_key)
    issued = [Issued(role=Role.ROOT, name="root", certificate=root)]
    ours = {
        "issuer": issuing.issuer_of(root),
        "not_before": BEGIN,
        "days": 3650,
        "not_past": root.not_after,
    }
    for slot, pem in csrs.items():
        answer = issuing.csr_content(csr=read_csr(pem, "t"), slot=slot, serial=serial(), **ours)
        one = sign(answer, root_key)
        issued.append(Issued(role=Role(slot.value), name=slot.value, certificate=one))
    for name in ("line-2", "line-1"):
        local = issuing.local_ca_content(
            factory=factory, user_id=USER, spki=spki_of(new_key()), serial=serial(), **ours
        )
        issued.append(Issued(role=Role.LOCAL_CA, name=name, certificate=sign(local, root_key)))
    document = make_document(csrs, plan_file)
    request = request_files(document, csrs, None, None)
    return World(
        plan_file=plan_file,
        root_key=root_key,
        csrs=csrs,
        issued=tuple(issued),
        document=document,
        request=request,
        upload=write_upload(plan_file, Fingerprint.of(request["SHA256SUMS"]), tuple(issued)),
    )


def make_signed_root(world: World) -> Certificate:
    """The same root key under a higher CA."""
    higher = new_key()
    name = world.certificate("line-1").subject_der
    content = issuing.root_content(
        factory=world.plan.factory,
        spki=spki_of(world.root_key),
        serial=issuing.new_serial(os.urandom),
        not_before=BEGIN,
        days=7300,
        profile="strict",
    )
    issuer = issuing.Issuer(subject_der=name, spki=spki_of(higher))
    return sign(replace(content, issuer=issuer), higher)


def make_local_ca(world: World, name: str) -> Issued:
    root = world.certificate("root")
    content = issuing.local_ca_content(
        factory=world.plan.factory,
        user_id=USER,
        spki=spki_of(new_key()),
        issuer=issuing.issuer_of(root),
        serial=issuing.new_serial(os.urandom),
        not_before=BEGIN,
        days=3650,
        not_past=root.not_after,
    )
    return Issued(role=Role.LOCAL_CA, name=name, certificate=sign(content, world.root_key))


def make_root_csr(world: World) -> Mapping[str, bytes]:
    """The folder with the root's CSR, as it goes to a higher CA."""
    info = root_csr_info(factory=world.plan.factory, spki=spki_of(world.root_key))
    signed = assemble_csr(info, world.root_key.sign(info, ec.ECDSA(hashes.SHA256())))
    return root_csr_files(
        plan=world.plan,
        ceremony_id="create-20260102-0000",
        created_at=BEGIN,
        plan_sha256=world.plan_file.fingerprint.hex,
        record_head="ab" * 32,
        csr=read_csr(signed, "root.csr"),
    )


class Making:
    """The writers of this file, for tests."""

    key = staticmethod(new_key)
    spki = staticmethod(spki_of)
    csr = staticmethod(make_csr)
    sign = staticmethod(sign)
    world = staticmethod(make_world)
    document = staticmethod(make_document)
    current = staticmethod(make_current)
    pem = staticmethod(pem_of)
    local_ca = staticmethod(make_local_ca)
    signed_root = staticmethod(make_signed_root)
    root_csr = staticmethod(make_root_csr)
    begin = BEGIN


@pytest.fixture
def make() -> type[Making]:
    return Making
