"""Request bundles: what is carried in, in the three forms that people arrive with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from ceremony.bundle.documents import decode, encode, read_tree, refuse_field
from ceremony.bundle.marks import check_marks
from ceremony.bundle.media import (
    MAX_JSON_BYTES,
    README,
    SUMS,
    is_file,
    is_name,
    read_directory,
    read_file,
    refuse_archive,
    refuse_private_key,
)
from ceremony.bundle.readme import request_readme
from ceremony.bundle.schema import RequestDocument
from ceremony.bundle.sums import format_sums, verify_sums
from ceremony.config import Slot
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.csr import Csr, read_csr
from ceremony.x509.pem import CERTIFICATE, read_pem_list

DOCUMENT: Final = "request.json"
ROOT: Final = "current-root.pem"
DEVICE_CAS: Final = "current-device-cas.pem"
SERVERS: Final[Mapping[Slot, str]] = MappingProxyType(
    {Slot.TLS: "current-tls.pem", Slot.EST_TLS: "current-est-tls.pem"}
)
ANSWER: Final = "answer.json"

FILES: Final[Mapping[Slot, str]] = MappingProxyType(
    {Slot.TLS: "tls.csr", Slot.ONLINE_CA: "online-ca.csr", Slot.EST_TLS: "est-tls.csr"}
)
_NAMED: Final = {
    "tls.csr": Slot.TLS,
    "online_ca.csr": Slot.ONLINE_CA,
    "online-ca.csr": Slot.ONLINE_CA,
    "ca.csr": Slot.ONLINE_CA,
    "est_tls.csr": Slot.EST_TLS,
    "est-tls.csr": Slot.EST_TLS,
}
_ANSWERED: Final = {"tls-csr": Slot.TLS, "ca-csr": Slot.ONLINE_CA, "est-tls-csr": Slot.EST_TLS}
_LACKS: Final = (
    "There is no request.json: factory, user id and API are taken from the plan.",
    "What the Factory has today is not known in this room.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBundle:
    """A request, read and consistent in itself; CSR policy is judged elsewhere.

    Attributes:
        document: None but for our own form.
        fingerprint: of SHA256SUMS; of the one that the tool would write (`csr-files`); of
            the file's bytes (`api-json`).
        files: as read; whatever happens later uses these bytes.
        current_device_cas: in the order of the file.
        current_servers: the TLS and EST certificates that the Factory has.
        unnamed: CSR files whose name tells no slot: it is asked, never guessed.
        noted: what the form lacks, in sentences for the record.
    """

    form: Literal["bundle", "csr-files", "api-json"]
    document: RequestDocument | None
    fingerprint: Fingerprint
    files: Mapping[str, bytes]
    csrs: Mapping[Slot, Csr]
    current_root: Certificate | None = None
    current_device_cas: tuple[Certificate, ...] = ()
    current_servers: Mapping[Slot, Certificate] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()


def read_request(path: Path) -> RequestBundle:
    """Reads a bundle, a directory of CSR files, or the API's raw JSON answer.

    Raises:
        MediaError: the medium refused, or is not to be trusted.
        VerificationError: what is on it does not hold together.
    """
    if not is_file(path):
        return parse_request(read_directory(path))
    raw = read_file(path, MAX_JSON_BYTES)
    refuse_archive(path, raw)
    refuse_private_key(path.name, raw)
    name = path.name if is_name(path.name) and path.name not in {SUMS, README} else ANSWER
    if not _is_answer({name: raw}):
        raise _refuse(
            "request.unknown",
            f"{show(path.name)} is neither a directory nor the API's JSON answer",
            "Name the directory that holds the bundle or the CSR files.",
        )
    return _parse_answer(name, raw)


def parse_request(files: Mapping[str, bytes]) -> RequestBundle:
    """As `read_request`, from the files of a directory.

    Raises:
        VerificationError: `sums.*`, `json.*`, `csr.*`, `pem.*`, `certificate.*`,
            `request.*`, `bundle.*`.
    """
    if not files:
        raise _refuse("request.empty", "the directory is empty", "Name the bundle's directory.")
    if DOCUMENT in files or SUMS in files:
        return _parse_bundle(files)
    if _is_answer(files):
        ((name, raw),) = files.items()
        return _parse_answer(name, raw)
    return _parse_csr_files(files)


def assign(bundle: RequestBundle, slots: Mapping[str, Slot]) -> RequestBundle:
    """Gives the unnamed CSR files the slots that the officers chose.

    Args:
        bundle: with unnamed files.
        slots: one for each unnamed file.

    Raises:
        VerificationError: `request.slot_twice`.
    """
    if set(slots) != set(bundle.unnamed):
        raise ValueError("one slot for each unnamed file")
    csrs = dict(bundle.csrs)
    for name, slot in slots.items():
        _put(csrs, slot, read_csr(bundle.files[name], name), name)
    return replace(bundle, csrs=MappingProxyType(csrs), unnamed=())


def request_name(document: RequestDocument) -> str:
    """Name of the bundle's directory: ``<factory>-request-<YYYYMMDD>-<HHMM>``."""
    at = document.fetched_at
    day, minute = at[:10].replace("-", ""), at[11:16].replace(":", "")
    return f"{document.factory}-request-{day}-{minute}"


def request_files(
    document: RequestDocument,
    csrs: Mapping[Slot, bytes],
    current_root: bytes | None,
    current_device_cas: bytes | None,
    current_servers: Mapping[Slot, bytes] = MappingProxyType({}),
) -> Mapping[str, bytes]:
    """The files of a request bundle; the same input gives the same bytes.

    Args:
        document: says the same as the other arguments.
        csrs: PEM, as the API gave them.
        current_root: PEM; None where the Factory has none.
        current_device_cas: PEM, concatenated; None where the Factory has none.
        current_servers: PEM of the TLS and EST certificates that the Factory has.

    Raises:
        VerificationError: the reader would refuse this bundle.
    """
    files = {FILES[slot]: pem for slot, pem in csrs.items()}
    if current_root is not None:
        files[ROOT] = current_root
    if current_device_cas is not None:
        files[DEVICE_CAS] = current_device_cas
    files |= {SERVERS[slot]: pem for slot, pem in current_servers.items()}
    files[DOCUMENT] = encode(document)
    files[README] = request_readme(document, tuple(files))
    files[SUMS] = format_sums(files)
    parse_request(files)
    return MappingProxyType(dict(sorted(files.items())))


# --- our own form --------------------------------------------------------------------


def _parse_bundle(files: Mapping[str, bytes]) -> RequestBundle:
    fingerprint = verify_sums(files)
    if DOCUMENT not in files:
        raise _refuse("request.no_document", f"there is no {DOCUMENT}", _AGAIN)
    document = decode(files[DOCUMENT], RequestDocument, DOCUMENT)
    check_document(document)
    _check_file_set(document, files)
    csrs: dict[Slot, Csr] = {}
    for index, request in enumerate(document.requests):
        csr = read_csr(files[request.file], request.file)
        if csr.spki_sha256.hex != request.spki_sha256:
            refuse_field(DOCUMENT, f"$.requests[{index}].spki_sha256", "is not that of the CSR")
        csrs[request.slot] = csr
    root, device_cas = _read_current(document, files)
    return RequestBundle(
        form="bundle",
        document=document,
        fingerprint=fingerprint,
        files=MappingProxyType(dict(files)),
        csrs=MappingProxyType(csrs),
        current_root=root,
        current_device_cas=device_cas,
        current_servers=MappingProxyType(
            {
                slot: read_certificate(files[name], name)
                for slot, name in SERVERS.items()
                if name in files
            }
        ),
    )


def check_document(document: RequestDocument) -> None:
    """What the types of `request.json` cannot say.

    Raises:
        VerificationError: `json.value` with the field's path, or `bundle.*`.
    """
    check_marks(
        DOCUMENT,
        factory=document.factory,
        api=document.api,
        rehearsal=document.rehearsal,
        time=("fetched_at", document.fetched_at),
        user_id=document.user_id,
    )
    seen: set[Slot] = set()
    for index, request in enumerate(document.requests):
        if request.slot in seen:
            refuse_field(DOCUMENT, f"$.requests[{index}].slot", "stands there twice")
        if request.file != FILES[request.slot]:
            refuse_field(DOCUMENT, f"$.requests[{index}].file", f"expected {FILES[request.slot]}")
        seen.add(request.slot)
    posted = document.posted
    for key, flag, slot in (
        ("tls-csr", posted.tls_csr, Slot.TLS),
        ("ca-csr", posted.ca_csr, Slot.ONLINE_CA),
        ("est-tls-csr", posted.est_tls_csr, Slot.EST_TLS),
    ):
        if flag is not (slot in seen):
            refuse_field(DOCUMENT, f"$.posted.{key}", "does not agree with $.requests")


def _check_file_set(document: RequestDocument, files: Mapping[str, bytes]) -> None:
    wanted = {DOCUMENT, README, SUMS, *(request.file for request in document.requests)}
    if document.current is not None:
        wanted.add(ROOT)
        if document.current.device_cas:
            wanted.add(DEVICE_CAS)
    for name in sorted(wanted - set(files)):
        raise _refuse("request.file_missing", f"there is no {name}", _AGAIN)
    known = set(SERVERS.values()) if document.current is not None else set()
    for name in sorted(set(files) - wanted - known):
        raise _refuse("request.file_extra", f"{show(name)} does not belong to the bundle", _AGAIN)


def _read_current(
    document: RequestDocument, files: Mapping[str, bytes]
) -> tuple[Certificate | None, tuple[Certificate, ...]]:
    current = document.current
    if current is None:
        return None, ()
    root = read_certificate(files[ROOT], ROOT)
    if root.fingerprint.hex != current.root_sha256:
        refuse_field(DOCUMENT, "$.current.root_sha256", f"is not that of {ROOT}")
    if not current.device_cas:
        return root, ()
    ders = read_pem_list(files[DEVICE_CAS], CERTIFICATE, DEVICE_CAS)
    found = tuple(read_certificate(der, f"{DEVICE_CAS}[{i}]") for i, der in enumerate(ders))
    if len(found) != len(current.device_cas):
        refuse_field(DOCUMENT, "$.current.device_cas", f"{DEVICE_CAS} holds {len(found)}")
    for index, (entry, one) in enumerate(zip(current.device_cas, found, strict=True)):
        for key, said, is_ in (
            ("subject", entry.subject, one.subject),
            ("serial", entry.serial, str(one.serial)),
            ("sha256", entry.sha256, one.fingerprint.hex),
        ):
            if said != is_:
                path = f"$.current.device_cas[{index}].{key}"
                refuse_field(DOCUMENT, path, "is not that of the certificate")
    return root, found


# --- the other forms -----------------------------------------------------------------


def _is_answer(files: Mapping[str, bytes]) -> bool:
    return len(files) == 1 and next(iter(files.values())).lstrip()[:1] == b"{"


def _parse_answer(name: str, raw: bytes) -> RequestBundle:
    tree = read_tree(raw, name)
    csrs: dict[Slot, Csr] = {}
    noted = list(_LACKS)
    for key, value in tree.items():
        if key not in _ANSWERED:
            noted.append(f"The field {show(key, 64)} of the API's answer is not used.")
        elif isinstance(value, str):
            csrs[_ANSWERED[key]] = read_csr(value.encode(), f"{name} $.{key}")
        elif value is not None:
            refuse_field(name, f"$.{key}", "expected PEM text or null")
    if not csrs:
        raise _refuse("request.empty", f"{name} holds no CSR", "Check that the POST succeeded.")
    return RequestBundle(
        form="api-json",
        document=None,
        fingerprint=Fingerprint.of(raw),
        files=MappingProxyType({name: raw}),
        csrs=MappingProxyType(csrs),
        noted=tuple(noted),
    )


def _parse_csr_files(files: Mapping[str, bytes]) -> RequestBundle:
    csrs: dict[Slot, Csr] = {}
    unnamed: list[str] = []
    for name, data in sorted(files.items()):
        csr = read_csr(data, name)
        if name in _NAMED:
            _put(csrs, _NAMED[name], csr, name)
        else:
            unnamed.append(name)
    return RequestBundle(
        form="csr-files",
        document=None,
        fingerprint=Fingerprint.of(format_sums(files)),
        files=MappingProxyType(dict(files)),
        csrs=MappingProxyType(csrs),
        unnamed=tuple(unnamed),
        noted=_LACKS,
    )


def _put(csrs: dict[Slot, Csr], slot: Slot, csr: Csr, name: str) -> None:
    if slot in csrs:
        raise _refuse(
            "request.slot_twice",
            f"{name} is a second CSR for the slot {slot.value}",
            "Leave one CSR for each slot in the directory.",
        )
    csrs[slot] = csr


_AGAIN: Final = "Do not use this bundle; fetch it again, to another medium."


def _refuse(code: str, what: str, hint: str) -> VerificationError:
    return VerificationError(code, what, hint=hint)
