"""Upload bundles: what is carried out, written deterministically, read strictly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from ceremony.bundle.checking import check_upload_files, require
from ceremony.bundle.contents import (
    CRL,
    DEVICE_CA_LIST,
    DEVICE_CA_ROLES,
    MANIFEST,
    ORDER,
    PAYLOAD,
    ROOT_CHAIN,
    Issued,
    crl_entry_of,
    entry_of,
    file_of,
    lists_device_cas,
    payload_of,
)
from ceremony.bundle.documents import decode, encode
from ceremony.bundle.media import MAX_ENTRIES, README, SUMS
from ceremony.bundle.pictures import draw
from ceremony.bundle.readme import upload_readme
from ceremony.bundle.schema import UPLOAD_SCHEMA, Manifest, Payload, RootChain
from ceremony.bundle.sums import format_sums
from ceremony.config import Plan
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.times import format_time
from ceremony.kinds import facts_of
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.crls import X509_CRL, RevocationList, read_crl
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import Role

__all__ = ["Issued", "UploadBundle", "parse_upload", "upload_files", "upload_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadBundle:
    """An upload bundle whose every check passed.

    Attributes:
        fingerprint: of SHA256SUMS.
        certificates: by name: the local CA's name; the role for all others.
    """

    manifest: Manifest
    payload: Payload
    fingerprint: Fingerprint
    files: Mapping[str, bytes]
    certificates: Mapping[str, Certificate]
    crl: RevocationList | None = None


def upload_name(factory: str, ceremony_id: str) -> str:
    """Name of the bundle's directory."""
    return f"{factory}-upload-{ceremony_id}"


def upload_files(
    *,
    plan: Plan,
    ceremony_id: str,
    created_at: datetime,
    plan_sha256: str,
    request_sha256: str,
    record_head: str,
    issued: Sequence[Issued],
    existing_device_cas: Sequence[Certificate] = (),
    crl: RevocationList | None = None,
    root_chain: Sequence[Certificate] = (),
) -> Mapping[str, bytes]:
    """The files of an upload bundle; the same input gives the same bytes.

    Args:
        plan: what was reviewed.
        ceremony_id: of the record.
        created_at: aware.
        plan_sha256: hex, like the next two.
        request_sha256: fingerprint of the request that is answered.
        record_head: the record's head before export.
        issued: in any order; names are unique. The root is always among them; it is sent
            by the kind that made it.
        existing_device_cas: those that the Factory has and keeps; the list that is
            uploaded replaces the Factory's.
        crl: of the kinds that sign one.
        root_chain: the CAs above a new root, its issuer first, where they were brought.

    Raises:
        VerificationError: the reader would refuse this bundle.
    """
    ordered = sorted(issued, key=lambda one: (ORDER.index(one.role), one.name))
    pems = {
        file_of(one.role, one.name): write_pem(one.certificate.der, CERTIFICATE) for one in ordered
    }
    files = dict(pems)
    kept = b"".join(write_pem(one.der, CERTIFICATE) for one in existing_device_cas)
    ours = [file_of(one.role, one.name) for one in ordered if one.role.value in DEVICE_CA_ROLES]
    if lists_device_cas(plan.kind, {one.role.value for one in ordered}):
        files[DEVICE_CA_LIST] = kept + b"".join(pems[file] for file in ours)
    if crl is not None:
        files[CRL] = write_pem(crl.der, X509_CRL)
    if root_chain:
        files[ROOT_CHAIN] = b"".join(write_pem(one.der, CERTIFICATE) for one in root_chain)
    root = next((one.certificate for one in ordered if one.role is Role.ROOT), None)
    external = _is_external(plan, root)
    manifest = Manifest(
        schema=UPLOAD_SCHEMA,
        factory=plan.factory,
        api=plan.online.api,
        kind=plan.kind,
        ceremony_id=ceremony_id,
        rehearsal=plan.rehearsal,
        created_at=format_time(created_at),
        plan_sha256=plan_sha256,
        request_sha256=request_sha256,
        record_head=record_head,
        certificates=tuple(entry_of(one, external=external) for one in ordered),
        crl=None if crl is None else crl_entry_of(crl),
        root_chain=_chain_entry(root_chain),
    )
    files[MANIFEST] = encode(manifest)
    files[PAYLOAD] = encode(payload_of(files, plan.kind))
    files.update(draw({file_of(one.role, one.name): one.certificate for one in ordered}))
    files[README] = upload_readme(manifest, root, root_chain)
    files[SUMS] = format_sums(files)
    if len(files) > MAX_ENTRIES:
        raise ValueError(f"a bundle of {len(files)} files; {MAX_ENTRIES} are the most")
    require(check_upload_files(files))
    return MappingProxyType(dict(sorted(files.items())))


def _is_external(plan: Plan, root: Certificate | None) -> bool:
    """What the plan says of a new root, whatever its certificate says; of an old one, that."""
    if facts_of(plan.kind).makes_root:
        return plan.root.issuer == "external"
    return root is not None and not root.self_signed


def _chain_entry(chain: Sequence[Certificate]) -> RootChain | None:
    if not chain:
        return None
    return RootChain(file=ROOT_CHAIN, sha256=tuple(one.fingerprint.hex for one in chain))


def parse_upload(files: Mapping[str, bytes]) -> UploadBundle:
    """Checks the files of an upload bundle, and gives them as values.

    Raises:
        VerificationError: the code of the first check that failed.
    """
    require(check_upload_files(files))
    manifest = decode(files[MANIFEST], Manifest, MANIFEST)
    certificates = {
        entry.name: read_certificate(files[entry.file], entry.file)
        for entry in manifest.certificates
    }
    return UploadBundle(
        manifest=manifest,
        payload=decode(files[PAYLOAD], Payload, PAYLOAD),
        fingerprint=Fingerprint.of(files[SUMS]),
        files=MappingProxyType(dict(files)),
        certificates=MappingProxyType(certificates),
        crl=None if manifest.crl is None else read_crl(files[CRL], CRL),
    )
