"""The checks of upload bundles: before anything is sent, and for `verify`.

Each function here that is named like a check raises what is wrong, and returns what is
right as a sentence. The order is that of the numbers people see.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from ceremony.bundle import contents, pictures
from ceremony.bundle.documents import read_tree, refuse_field
from ceremony.bundle.manifest import read_manifest
from ceremony.bundle.marks import check_marks
from ceremony.bundle.media import README, SUMS, no_private_key
from ceremony.bundle.request import RequestBundle
from ceremony.bundle.schema import CertificateEntry, Manifest
from ceremony.bundle.sums import verify_sums
from ceremony.bundle.verdicts import (
    Check,
    UncheckedError,
    check_expected,
    refuse_findings,
    run,
)
from ceremony.config import Kind, Slot
from ceremony.core.findings import errors, warnings
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.times import format_time, parse_time
from ceremony.errors import VerificationError
from ceremony.kinds import facts_of
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.checks import check_certificate, check_chain
from ceremony.x509.crls import read_crl, verify_crl
from ceremony.x509.higher_ca import check_above, is_complete
from ceremony.x509.pem import CERTIFICATE, read_pem, read_pem_list
from ceremony.x509.profiles import Role

_HINT: Final = "Do not use this bundle; export it again, to another medium."


@dataclass(kw_only=True)
class _UploadCase:
    files: Mapping[str, bytes]
    request: RequestBundle | None
    expect: Fingerprint | None
    at: datetime | None
    read: Manifest | None = None
    certificates: dict[str, Certificate] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        if self.read is None:
            raise UncheckedError("manifest.json could not be read")
        return self.read

    def each(self) -> Iterator[tuple[CertificateEntry, Certificate]]:
        """The certificates with their entries; all of them or none."""
        entries = self.manifest.certificates
        if len(self.certificates) != len(entries):
            raise UncheckedError("not every certificate could be read")
        for entry in entries:
            yield entry, self.certificates[entry.name]

    @property
    def lists_device_cas(self) -> bool:
        """Whether the bundle sets the list of device CAs."""
        roles = {entry.role for entry in self.manifest.certificates}
        return contents.lists_device_cas(self.manifest.kind, roles)

    @property
    def external(self) -> bool:
        """Whether the manifest says that a higher CA signed the root."""
        return any(entry.issuer == "external" for entry in self.manifest.certificates)

    def role(self, role: str) -> Certificate | None:
        return next((one for entry, one in self.each() if entry.role == role), None)


def check_upload_files(
    files: Mapping[str, bytes],
    request: RequestBundle | None = None,
    expect: Fingerprint | None = None,
    at: datetime | None = None,
) -> tuple[Check, ...]:
    """The checks of an upload bundle.

    Args:
        files: as read from the medium.
        request: the request that it should answer.
        expect: the fingerprint on paper.
        at: the present, aware; dates are not compared with it when None.
    """
    return run(_UploadCase(files=files, request=request, expect=expect, at=at), _UPLOAD_CHECKS)


def _upload_sums(case: _UploadCase) -> str:
    verify_sums(case.files)
    return f"all {len(case.files) - 1} files are listed and have their SHA-256"


def _manifest(case: _UploadCase) -> str:
    found = read_manifest(case.files)
    case.read = found
    count = len(found.certificates)
    return f"{contents.MANIFEST} is as its schema says: {count} certificates, {found.kind.value}"


def _marks(case: _UploadCase) -> str:
    found = case.manifest
    check_marks(
        contents.MANIFEST,
        factory=found.factory,
        api=found.api,
        rehearsal=found.rehearsal,
        time=("created_at", found.created_at),
    )
    return f"factory {found.factory}: {'a rehearsal' if found.rehearsal else 'not a rehearsal'}"


def _file_set(case: _UploadCase) -> str:
    wanted = {contents.MANIFEST, contents.PAYLOAD, pictures.FINGERPRINTS, README, SUMS}
    for entry in case.manifest.certificates:
        wanted |= {entry.file, f"qr-{entry.file}.svg", f"qr-{entry.file}.png"}
    if case.lists_device_cas:
        wanted.add(contents.DEVICE_CA_LIST)
    if case.manifest.crl is not None:
        wanted.add(contents.CRL)
    if case.manifest.root_chain is not None:
        wanted.add(contents.ROOT_CHAIN)
    for name in sorted(wanted - set(case.files)):
        raise _refuse("upload.file_missing", f"there is no {name}")
    for name in sorted(set(case.files) - wanted):
        raise _refuse("upload.file_extra", f"{show(name)} does not belong to the bundle")
    return "the files that the manifest names are there, and no other"


def _entries(case: _UploadCase) -> str:
    for index, entry in enumerate(case.manifest.certificates):
        if entry.file not in case.files:
            raise UncheckedError(f"there is no {entry.file}")
        one = read_certificate(
            read_pem(case.files[entry.file], CERTIFICATE, entry.file), entry.file
        )
        for key, said, found in (
            ("subject", entry.subject, one.subject),
            ("serial", entry.serial, str(one.serial)),
            ("serial_hex", entry.serial_hex, one.serial_hex),
            ("sha256", entry.sha256, one.fingerprint.hex),
            ("spki_sha256", entry.spki_sha256, one.spki_sha256.hex),
            ("not_before", entry.not_before, format_time(one.not_before)),
            ("not_after", entry.not_after, format_time(one.not_after)),
        ):
            if said != found:
                path = f"$.certificates[{index}].{key}"
                refuse_field(contents.MANIFEST, path, f"is not that of {entry.file}")
        case.certificates[entry.name] = one
    return "every certificate is the one that the manifest describes"


def _device_ca_list(case: _UploadCase) -> str:
    wanted = [one.der for entry, one in case.each() if entry.role in contents.DEVICE_CA_ROLES]
    name = contents.DEVICE_CA_LIST
    if not case.lists_device_cas:
        return "no list of device CAs is set"
    if name not in case.files:
        raise _refuse("upload.device_ca_list", f"there is no {name}")
    found = read_pem_list(case.files[name], CERTIFICATE, name)
    if len(set(found)) != len(found) or not set(wanted) <= set(found):
        raise _refuse("upload.device_ca_list", f"{name} lacks or repeats a device CA")
    if case.manifest.kind is Kind.CREATE and set(found) != set(wanted):
        raise _refuse("upload.device_ca_list", f"{name} holds a CA that is not in the manifest")
    return f"{name} holds {len(found)} device CAs, those of the manifest among them"


def _payload(case: _UploadCase) -> str:
    name = contents.PAYLOAD
    if name not in case.files:
        raise _refuse("upload.file_missing", f"there is no {name}")
    found = read_tree(case.files[name], name)
    wanted = msgspec.to_builtins(contents.payload_of(case.files, case.manifest.kind))
    if not isinstance(found, dict):
        refuse_field(name, "$", "expected an object")
    for key in sorted({*found, *wanted}):
        if key not in found or key not in wanted or found[key] != wanted[key]:
            raise _refuse(
                "upload.payload", f"{name}: $.{show(key, 64)} is not exactly the PEM file's text"
            )
    return f"{name} sends exactly the PEM files"


def _chain(case: _UploadCase) -> str:
    root = case.role("root")
    if root is None:
        raise UncheckedError("there is no root in the bundle")
    others = {entry.file: one for entry, one in case.each() if entry.role != "root"}
    refuse_findings(check_chain(root, others))
    told = "all are signed by the root, inside its dates, with their own serials and keys"
    if not case.external:
        if not root.self_signed:
            raise _refuse(
                "chain.root_signature",
                "the root is not signed by its own key, and the manifest names no higher CA",
            )
        return told
    if root.self_signed:
        raise _refuse(
            "chain.root_self_signed", "the manifest names a higher CA; the root signed itself"
        )
    return f"{told}; the root itself is signed by {root.issuer}{_above(case, root)}"


def _above(case: _UploadCase, root: Certificate) -> str:
    told, name = case.manifest.root_chain, contents.ROOT_CHAIN
    if told is None:
        return ", whose certificate is not here"
    if name not in case.files:
        raise UncheckedError(f"there is no {name}")
    found = [
        read_certificate(one, name) for one in read_pem_list(case.files[name], CERTIFICATE, name)
    ]
    if tuple(one.fingerprint.hex for one in found) != told.sha256:
        raise _refuse("upload.root_chain", f"{name} is not the chain that the manifest describes")
    refuse_findings(check_above(root, found))
    end = "to a CA that signed itself" if is_complete(found) else "not to its top"
    return f"; {len(found)} CAs above it, {end}: {found[-1].subject}"


def _crl(case: _UploadCase) -> str:
    told, root = case.manifest.crl, case.role("root")
    if told is None:
        return "no CRL"
    if contents.CRL not in case.files or root is None:
        raise UncheckedError("there is no CRL, or no root")
    crl = read_crl(case.files[contents.CRL], contents.CRL)
    verify_crl(crl, root)
    if contents.crl_entry_of(crl) != told or len(told.entries) != len(crl.entries):
        raise _refuse("upload.crl", f"{contents.CRL} is not the CRL that the manifest describes")
    if case.at is not None and not crl.this_update <= case.at:
        raise _refuse("upload.dates", "the CRL was made later than this machine's clock says")
    if case.at is not None and crl.next_update <= case.at:
        raise _refuse(
            "upload.crl_expired",
            f"the CRL expired at {format_time(crl.next_update)}; the platform would refuse it",
        )
    return (
        f"the root signed the CRL number {crl.number}, valid until {format_time(crl.next_update)}: "
        + ", ".join(f"{entry.reason} {entry.serial}" for entry in told.entries)
    )


def _profiles(case: _UploadCase) -> str:
    doubts: list[str] = []
    for entry, one in case.each():
        factory, external = case.manifest.factory, case.external
        found = check_certificate(one, Role(entry.role), factory=factory, external=external)
        if entry.role == "root" and errors(found):
            found = check_certificate(
                one, Role.ROOT, factory=factory, recipe=True, external=external
            )
        refuse_findings(found)
        doubts += [f"{entry.file}: {doubt.message}" for doubt in warnings(found)]
    told = f"; warnings: {'; '.join(doubts)}" if doubts else ""
    return f"every certificate has the profile of its role{told}"


def _request(case: _UploadCase) -> str:
    if case.request is None:
        raise UncheckedError("the request bundle is not here: keys are not compared with its CSRs")
    manifest, request = case.manifest, case.request
    if manifest.request_sha256 != request.fingerprint.hex:
        raise _refuse("upload.other_request", "the bundle answers another request than this one")
    document = request.document
    if document is not None:
        for key in ("factory", "api", "kind", "plan_sha256", "rehearsal"):
            if getattr(document, key) != getattr(manifest, key):
                raise _refuse("upload.other_request", f"{key} differs from the request's")
    if manifest.kind is not Kind.SIGN_CSR:
        for slot in Slot:
            _compare_csr(slot, request, case.role(slot.value))
    _compare_current(case, request)
    return "the certificates have keys, subjects and names of the CSRs that they answer"


def _compare_current(case: _UploadCase, request: RequestBundle) -> None:
    """The Factory's own root and device CAs are those that the request brought along."""
    if facts_of(case.manifest.kind).makes_root:
        return
    root = case.role("root")
    if request.current_root is None or root is None or request.current_root.der != root.der:
        raise _refuse("upload.other_request", "the root is not the one that the Factory has")
    known = {one.der: one for one in request.current_device_cas}
    if case.lists_device_cas:
        found = read_pem_list(case.files[contents.DEVICE_CA_LIST], CERTIFICATE, "device CAs")
        new = {one.der for entry, one in case.each() if entry.role in contents.DEVICE_CA_ROLES}
        if set(found) != set(known) | new:
            raise _refuse(
                "upload.device_ca_list",
                "the list is not that of the request with the new device CAs",
            )
    if case.manifest.crl is not None:
        serials = {str(one.serial) for one in known.values()}
        for entry in case.manifest.crl.entries:
            if entry.serial not in serials:
                raise _refuse("upload.crl", f"the Factory has no device CA {entry.serial}")


def _compare_csr(slot: Slot, request: RequestBundle, one: Certificate | None) -> None:
    csr = request.csrs.get(slot)
    if csr is None and one is None:
        return
    if csr is None or one is None:
        what = "a CSR has no certificate" if one is None else "a certificate has no CSR"
        raise _refuse("upload.other_request", f"{slot.value}: {what}")
    if one.spki != csr.spki:
        raise _refuse("upload.key_differs", f"{slot.value}: the key is not that of the CSR")
    if one.subject_der != csr.subject_der:
        raise _refuse("upload.subject_differs", f"{slot.value}: the subject is not the CSR's")
    if slot is not Slot.ONLINE_CA and one.dns_names != csr.dns_names:
        raise _refuse("upload.names_differ", f"{slot.value}: the DNS names are not the CSR's")


def _dates(case: _UploadCase) -> str:
    if case.at is None:
        raise UncheckedError("validity today: no time was given")
    if parse_time(case.manifest.created_at) > case.at:
        raise _refuse("upload.dates", "the bundle was made later than this machine's clock says")
    for entry, one in case.each():
        if not one.not_before <= case.at <= one.not_after:
            raise _refuse(
                "upload.dates",
                f"{entry.file} is valid {format_time(one.not_before)} to "
                f"{format_time(one.not_after)}, which {format_time(case.at)} is not in",
            )
    return f"every certificate is valid at {format_time(case.at)}"


def _record(_: _UploadCase) -> str:
    raise UncheckedError("plan and record stay in the room: 'ceremony verify' the evidence there")


def _fingerprint(case: _UploadCase) -> str:
    if SUMS not in case.files:
        raise UncheckedError(f"there is no {SUMS}")
    found = Fingerprint.of(case.files[SUMS])
    return check_expected(found, case.expect, "the fingerprint of the bundle")


def _refuse(code: str, what: str) -> VerificationError:
    return VerificationError(code, what, hint=_HINT)


_UPLOAD_CHECKS: Final[tuple[tuple[str, Callable[[_UploadCase], str]], ...]] = (
    ("media.private_key", lambda case: no_private_key(case.files)),
    ("sums", _upload_sums),
    ("upload.manifest", _manifest),
    ("bundle.rehearsal", _marks),
    ("upload.files", _file_set),
    ("upload.entries", _entries),
    ("upload.device_ca_list", _device_ca_list),
    ("upload.payload", _payload),
    ("upload.chain", _chain),
    ("upload.crl", _crl),
    ("upload.profiles", _profiles),
    ("upload.pictures", lambda case: pictures.check(case.files, _by_file(case))),
    ("upload.request", _request),
    ("upload.dates", _dates),
    ("upload.record", _record),
    ("fingerprint", _fingerprint),
)


def _by_file(case: _UploadCase) -> dict[str, Certificate]:
    return {entry.file: one for entry, one in case.each()}
