"""What a path is, and every check that can be made of it."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from ceremony.bundle.checking import Check, check_request_files, check_upload_files
from ceremony.bundle.contents import MANIFEST, PAYLOAD, ROOT
from ceremony.bundle.evidence import RECORD, check_ceremony, check_evidence, check_record
from ceremony.bundle.lineage import check_years, latest
from ceremony.bundle.media import (
    MAX_PEM_BYTES,
    MAX_RECORD_BYTES,
    SUMS,
    read_directory,
    read_file,
    refuse_archive,
    refuse_private_key,
)
from ceremony.bundle.paperwork import Maker
from ceremony.bundle.request import DOCUMENT
from ceremony.bundle.root_csr import ROOT_CSR, ROOT_CSR_DOCUMENT, check_root_csr_files
from ceremony.bundle.sums import format_sums
from ceremony.bundle.verdicts import UncheckedError, check_expected, refuse_findings, run
from ceremony.core.findings import warnings
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import MediaError, VerificationError
from ceremony.record.chain import whole_lines
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.checks import check_certificate
from ceremony.x509.profiles import LOCAL_CA_PREFIX, ROOT_CN, Role

_CERTIFICATES: Final = "certificates"
_REQUEST: Final = "request"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.I)
# What a local CA issues is for a device, whatever it says of itself.
_ISSUED_BY_LOCAL_CA: Final = re.compile(rf"(\A|,)CN={LOCAL_CA_PREFIX}")


class Subject(StrEnum):
    """What people name on the command line."""

    REQUEST = "request"
    ROOT_CSR = "root CSR for a higher CA"
    UPLOAD = "upload bundle"
    EVIDENCE = "evidence"
    RECORD = "record"
    CEREMONY = "ceremony directory"
    STATE = "state folder"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found, and the checks that were made.

    Attributes:
        fingerprint: of the bundle, the certificate's DER, or the record's last line.
    """

    subject: Subject
    fingerprint: Fingerprint
    checks: tuple[Check, ...]


def inspect(
    path: Path, *, expect: Fingerprint | None, at: datetime, maker: Maker | None = None
) -> Inspection:
    """Recognises what is at `path`, and checks it.

    Args:
        path: a directory, a record, a certificate, a CSR, or the API's answer.
        expect: the fingerprint on paper: of the bundle, the certificate, or the record's head.
        at: the present, aware.
        maker: makes the papers of evidence again, to be compared.

    Raises:
        MediaError: it cannot be read safely, or is nothing that can be checked.
    """
    if not path.is_dir():
        return _inspect_file(path, expect, at)
    if os.path.lexists(path / RECORD) and not os.path.lexists(path / SUMS):
        return _inspect_ceremony(path, expect)
    if any(path.glob(f"*/{RECORD}")) and not os.path.lexists(path / SUMS):
        return _inspect_state(path, expect)
    files = read_directory(path)
    found = _of_sums(files)
    if RECORD in files:
        checks = check_evidence(files, expect, maker)
        return Inspection(subject=Subject.EVIDENCE, fingerprint=found, checks=checks)
    if ROOT_CSR_DOCUMENT in files:
        checks = check_root_csr_files(files, expect)
        return Inspection(subject=Subject.ROOT_CSR, fingerprint=found, checks=checks)
    if DOCUMENT not in files and any(name in files for name in (MANIFEST, PAYLOAD, ROOT)):
        checks = check_upload_files(files, expect=expect, at=at)
        return Inspection(subject=Subject.UPLOAD, fingerprint=found, checks=checks)
    return _inspect_request(files, expect)


def fingerprint_of(path: Path) -> tuple[str, Fingerprint]:
    """The SHA-256 that people compare, and what it is of.

    A certificate's is that of its DER; a bundle's that of its SHA256SUMS; a plain
    directory's that of the SHA256SUMS that would be written; else that of the bytes.

    Raises:
        MediaError: it cannot be read.
    """
    if path.is_dir():
        files = read_directory(path)
        if SUMS in files:
            return "SHA256SUMS", _of_sums(files)
        if len(files) == 1 and next(iter(files.values())).lstrip()[:1] == b"{":
            return "the only file", Fingerprint.of(next(iter(files.values())))
        return "the SHA256SUMS that would be written", _of_sums(files)
    raw = read_file(path, MAX_RECORD_BYTES)
    certificate = _as_certificate(raw)
    if certificate is not None:
        return "the certificate's DER", certificate.fingerprint
    return "the file's bytes", Fingerprint.of(raw)


def _of_sums(files: Mapping[str, bytes]) -> Fingerprint:
    return Fingerprint.of(files[SUMS] if SUMS in files else format_sums(files))


def _inspect_request(files: Mapping[str, bytes], expect: Fingerprint | None) -> Inspection:
    only = next(iter(files.values()), b"")
    answer = len(files) == 1 and only.lstrip()[:1] == b"{"
    return Inspection(
        subject=Subject.REQUEST,
        fingerprint=Fingerprint.of(only) if answer else _of_sums(files),
        checks=check_request_files(files, expect),
    )


def _inspect_ceremony(path: Path, expect: Fingerprint | None) -> Inspection:
    raw = read_file(path / RECORD, MAX_RECORD_BYTES)
    files: dict[str, bytes] = {RECORD: whole_lines(raw)}
    # Not as a whole: a cut of power may have left a partial file beside the finished ones.
    folder = path / _CERTIFICATES
    for certificate in sorted([*folder.glob("*.pem"), *folder.glob(ROOT_CSR)]):
        files[certificate.name] = read_file(certificate, MAX_PEM_BYTES)
    request: Mapping[str, bytes] = {}
    if os.path.lexists(path / _REQUEST):
        request = read_directory(path / _REQUEST)
    return Inspection(
        subject=Subject.CEREMONY,
        fingerprint=_head(files[RECORD]),
        checks=check_ceremony(files, request, expect),
    )


def _inspect_state(path: Path, expect: Fingerprint | None) -> Inspection:
    records = {
        record.parent.name: whole_lines(read_file(record, MAX_RECORD_BYTES))
        for record in sorted(path.glob(f"*/{RECORD}"))
    }
    return Inspection(
        subject=Subject.STATE,
        fingerprint=_head(latest(records)),
        checks=check_years(records, expect),
    )


def _inspect_file(path: Path, expect: Fingerprint | None, at: datetime) -> Inspection:
    raw = read_file(path, MAX_RECORD_BYTES)
    refuse_archive(path, raw)
    refuse_private_key(path.name, raw)
    if path.suffix == ".jsonl" or raw.startswith(b'{"n":'):
        checks = check_record(raw, expect)
        return Inspection(subject=Subject.RECORD, fingerprint=_head(raw), checks=checks)
    if raw.lstrip()[:1] == b"{" or b"CERTIFICATE REQUEST-----" in raw[:64]:
        return _inspect_request({show(path.name): raw}, expect)
    if raw[:1] != b"\x30" and b"-----BEGIN CERTIFICATE-----" not in raw:
        raise MediaError(
            "media.unknown",
            f"{show(path.name)} is nothing that this command can check",
            hint="Name a bundle, an evidence directory, a record, or one certificate.",
        )
    case = _CertificateCase(raw=raw, where=path.name, expect=expect, at=at)
    checks = run(case, _CERTIFICATE_CHECKS)
    found = case.read.fingerprint if case.read else Fingerprint.of(raw)
    return Inspection(subject=Subject.CERTIFICATE, fingerprint=found, checks=checks)


def _head(raw: bytes) -> Fingerprint:
    return Fingerprint.of(raw[raw.rstrip(b"\n").rfind(b"\n") + 1 :])


# --- a single certificate ------------------------------------------------------------


@dataclass(kw_only=True)
class _CertificateCase:
    raw: bytes
    where: str
    expect: Fingerprint | None
    at: datetime
    read: Certificate | None = None

    @property
    def certificate(self) -> Certificate:
        if self.read is None:
            raise UncheckedError("the certificate could not be read")
        return self.read


def _as_certificate(raw: bytes) -> Certificate | None:
    try:
        return read_certificate(raw, "file")
    except VerificationError:
        return None


def _readable(case: _CertificateCase) -> str:
    case.read = read_certificate(case.raw, case.where)
    return f"one certificate: {case.read.subject}, serial {case.read.serial_hex}"


def role_seen(certificate: Certificate) -> Role:
    """The role that a certificate seems made for; a mistake in it must not hide the role."""
    name = certificate.common_name or ""
    if _UUID.match(name) or _ISSUED_BY_LOCAL_CA.search(certificate.issuer):
        return Role.DEVICE
    if name.startswith(LOCAL_CA_PREFIX):
        return Role.LOCAL_CA
    if certificate.subject_der == certificate.issuer_der or name == ROOT_CN:
        return Role.ROOT
    if certificate.dns_names or not certificate.is_ca:
        return Role.TLS
    return Role.ONLINE_CA


def _profile(case: _CertificateCase) -> str:
    role = role_seen(case.certificate)
    one = case.certificate
    external = role is Role.ROOT and one.subject_der != one.issuer_der
    found = check_certificate(one, role, factory=None, external=external)
    refuse_findings(found)
    doubts = "; ".join(doubt.message for doubt in warnings(found))
    higher = f" under a higher CA, {one.issuer}" if external else ""
    return f"looks like {role.value}{higher}, and has its profile" + (
        f"; warnings: {doubts}" if doubts else ""
    )


def _signature(case: _CertificateCase) -> str:
    if case.certificate.subject_der != case.certificate.issuer_der:
        raise UncheckedError("its signature: the issuer's certificate is not here")
    if not case.certificate.self_signed:
        raise VerificationError(
            "chain.root_signature",
            "it names itself as issuer, but its own key does not verify it",
            hint="Do not use this certificate.",
        )
    return "it is signed with its own key"


def _dates(case: _CertificateCase) -> str:
    one = case.certificate
    told = f"{format_time(one.not_before)} to {format_time(one.not_after)}"
    if not one.not_before <= case.at <= one.not_after:
        raise VerificationError(
            "certificate.dates",
            f"valid {told}, which {format_time(case.at)} is not in",
            hint="Check this machine's clock, and which certificate this is.",
        )
    return f"valid {told}"


_CERTIFICATE_CHECKS: Final[tuple[tuple[str, Callable[[_CertificateCase], str]], ...]] = (
    ("certificate.readable", _readable),
    ("certificate.profile", _profile),
    ("certificate.signature", _signature),
    ("certificate.dates", _dates),
    (
        "fingerprint",
        lambda case: check_expected(
            case.certificate.fingerprint, case.expect, "the fingerprint of the certificate"
        ),
    ),
)
