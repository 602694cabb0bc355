"""Upload bundles: what is carried out, written deterministically, read strictly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from ceremony.bundle.documents import decode, encode
from ceremony.bundle.media import MAX_ENTRIES, README, SUMS, read_directory
from ceremony.bundle.qr import qr_png, qr_svg
from ceremony.bundle.readme import fingerprints_text, upload_readme
from ceremony.bundle.schema import UPLOAD_SCHEMA, CertificateEntry, Manifest, Payload
from ceremony.bundle.schema import Role as RoleText
from ceremony.bundle.sums import format_sums
from ceremony.config import Plan
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.times import format_time
from ceremony.x509.certificate import Certificate
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import Role

MANIFEST: Final = "manifest.json"
PAYLOAD: Final = "payload.json"
FINGERPRINTS: Final = "fingerprints.txt"
ROOT: Final = "factory_ca.pem"
DEVICE_CA_LIST: Final = "device_ca_list.pem"
CRL: Final = "crl.pem"

_FILES: Final = {
    Role.ROOT: ROOT,
    Role.TLS: "tls.pem",
    Role.EST_TLS: "est-tls.pem",
    Role.ONLINE_CA: "online_ca.pem",
}
_ORDER: Final = (Role.ROOT, Role.TLS, Role.EST_TLS, Role.ONLINE_CA, Role.LOCAL_CA)
DEVICE_CA_ROLES: Final = frozenset({"online-ca", "local-ca"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """One certificate of the ceremony.

    Attributes:
        name: the local CA's name; the role for all others.
    """

    role: Role
    name: str
    certificate: Certificate


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


def file_of(role: str, name: str) -> str:
    """The certificate's file in the bundle, e.g. ``local_ca-line-1.pem``."""
    return _FILES.get(Role(role), f"local_ca-{name}.pem")


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
) -> Mapping[str, bytes]:
    """The files of an upload bundle; the same input gives the same bytes.

    Args:
        plan: what was reviewed.
        ceremony_id: of the record.
        created_at: aware.
        plan_sha256: hex, like the next two.
        request_sha256: fingerprint of the request that is answered.
        record_head: the record's head before export.
        issued: in any order; names are unique.
        existing_device_cas: those that the Factory has and keeps; the list that is
            uploaded replaces the Factory's.

    Raises:
        VerificationError: the reader would refuse this bundle.
    """
    from ceremony.bundle.checking import check_upload_files, require

    ordered = sorted(issued, key=lambda one: (_ORDER.index(one.role), one.name))
    pems = {
        file_of(one.role, one.name): write_pem(one.certificate.der, CERTIFICATE) for one in ordered
    }
    files = dict(pems)
    kept = b"".join(write_pem(one.der, CERTIFICATE) for one in existing_device_cas)
    ours = [file_of(one.role, one.name) for one in ordered if one.role.value in DEVICE_CA_ROLES]
    if ours:
        files[DEVICE_CA_LIST] = kept + b"".join(pems[file] for file in ours)
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
        certificates=tuple(entry_of(one) for one in ordered),
        crl=None,
    )
    files[MANIFEST] = encode(manifest)
    files[PAYLOAD] = encode(payload_of(files))
    files.update(pictures({file_of(one.role, one.name): one.certificate for one in ordered}))
    files[README] = upload_readme(manifest, strict=plan.root.profile == "strict")
    files[SUMS] = format_sums(files)
    if len(files) > MAX_ENTRIES:
        raise ValueError(f"a bundle of {len(files)} files; {MAX_ENTRIES} are the most")
    require(check_upload_files(files))
    return MappingProxyType(dict(sorted(files.items())))


def entry_of(one: Issued) -> CertificateEntry:
    """What the manifest says of a certificate."""
    certificate = one.certificate
    return CertificateEntry(
        role=cast("RoleText", one.role.value),
        name=one.name,
        file=file_of(one.role, one.name),
        subject=certificate.subject,
        serial=str(certificate.serial),
        serial_hex=certificate.serial_hex,
        sha256=certificate.fingerprint.hex,
        spki_sha256=certificate.spki_sha256.hex,
        not_before=format_time(certificate.not_before),
        not_after=format_time(certificate.not_after),
    )


def payload_of(files: Mapping[str, bytes]) -> Payload:
    """The PATCH body that follows from the PEM files; a file that is absent is not sent."""

    def text(file: str) -> str | None:
        return files[file].decode("ascii") if file in files else None

    return Payload(
        root_crt=text(ROOT),
        tls_crt=text(_FILES[Role.TLS]),
        ca_crt=text(DEVICE_CA_LIST),
        est_tls_crt=text(_FILES[Role.EST_TLS]),
        ca_revoke_crl=text(CRL),
    )


def pictures(certificates: Mapping[str, Certificate]) -> dict[str, bytes]:
    """fingerprints.txt and the QR codes.

    Args:
        certificates: by file name, in the manifest's order.
    """
    found = {FINGERPRINTS: fingerprints_text(tuple(certificates.items()))}
    for file, certificate in certificates.items():
        text = certificate.fingerprint.hex.upper()
        found[f"qr-{file}.svg"] = qr_svg(text)
        found[f"qr-{file}.png"] = qr_png(text)
    return found


def parse_upload(files: Mapping[str, bytes]) -> UploadBundle:
    """Checks the files of an upload bundle, and gives them as values.

    Raises:
        VerificationError: the code of the first check that failed.
    """
    from ceremony.bundle.checking import check_upload_files, require
    from ceremony.x509.certificate import read_certificate

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
    )


def read_upload(path: Path) -> UploadBundle:
    """Reads and checks an upload bundle from a medium.

    Raises:
        MediaError: the medium refused, or is not to be trusted.
        VerificationError: the code of the first check that failed.
    """
    return parse_upload(read_directory(path))
