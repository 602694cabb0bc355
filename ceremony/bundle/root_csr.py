"""The root's CSR on its way to a higher CA: written deterministically, checked for `verify`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final, Literal

from msgspec import Meta

from ceremony.bundle.documents import decode, encode, refuse_field
from ceremony.bundle.marks import check_marks
from ceremony.bundle.media import README, SUMS, no_private_key
from ceremony.bundle.readme import root_csr_readme
from ceremony.bundle.schema import Frozen, Sha256, Short, Timestamp
from ceremony.bundle.sums import format_sums, verify_sums
from ceremony.bundle.verdicts import Check, UncheckedError, check_expected, run
from ceremony.config import Plan
from ceremony.core import words
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.x509.csr import Csr, read_csr
from ceremony.x509.pem import CERTIFICATE_REQUEST, write_pem
from ceremony.x509.root_csr import csr_info_of, root_csr_info

ROOT_CSR_SCHEMA: Final = "ceremony-root-csr/1"
ROOT_CSR_DOCUMENT: Final = "root-csr.json"
ROOT_CSR: Final = "root.csr"
WORDS: Final = "pgp-words.txt"
_FILES: Final = frozenset({ROOT_CSR_DOCUMENT, ROOT_CSR, README, WORDS, SUMS})


class RootCsrDocument(Frozen, frozen=True):
    """`root-csr.json`. Field order is the file's order.

    Attributes:
        subject: RFC 4514 text.
        csr_sha256: of the CSR's DER; `spki_sha256` of its DER SubjectPublicKeyInfo.
        asked_days: the validity that the plan asks for; no CSR can say it.
        record_head: the record's head before the CSR was carried out.
    """

    schema: Literal["ceremony-root-csr/1"]
    factory: Short
    ceremony_id: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]
    rehearsal: bool
    created_at: Timestamp
    plan_sha256: Sha256
    subject: Short
    spki_sha256: Sha256
    csr_sha256: Sha256
    asked_days: Annotated[int, Meta(ge=1, le=9131)]
    record_head: Sha256


def root_csr_name(factory: str, ceremony_id: str) -> str:
    """Name of the bundle's directory."""
    return f"{factory}-root-csr-{ceremony_id}"


def root_csr_files(
    *,
    plan: Plan,
    ceremony_id: str,
    created_at: datetime,
    plan_sha256: str,
    record_head: str,
    csr: Csr,
) -> Mapping[str, bytes]:
    """The files of the bundle; the same input gives the same bytes.

    Args:
        plan: what was reviewed.
        ceremony_id: of the record.
        created_at: aware.
        plan_sha256: hex, like the next one.
        record_head: the record's head before.
        csr: the root's.
    """
    document = RootCsrDocument(
        schema=ROOT_CSR_SCHEMA,
        factory=plan.factory,
        ceremony_id=ceremony_id,
        rehearsal=plan.rehearsal,
        created_at=format_time(created_at),
        plan_sha256=plan_sha256,
        subject=csr.subject,
        spki_sha256=csr.spki_sha256.hex,
        csr_sha256=Fingerprint.of(csr.der).hex,
        asked_days=plan.root.days,
        record_head=record_head,
    )
    files = {
        ROOT_CSR: write_pem(csr.der, CERTIFICATE_REQUEST),
        ROOT_CSR_DOCUMENT: encode(document),
        WORDS: words.listing(),
    }
    files[README] = root_csr_readme(
        factory=plan.factory,
        ceremony_id=ceremony_id,
        rehearsal=plan.rehearsal,
        csr=csr,
        days=plan.root.days,
    )
    files[SUMS] = format_sums(files)
    return MappingProxyType(dict(sorted(files.items())))


@dataclass(kw_only=True)
class _Case:
    files: Mapping[str, bytes]
    expect: Fingerprint | None
    read: RootCsrDocument | None = None
    csr: Csr | None = None

    @property
    def document(self) -> RootCsrDocument:
        if self.read is None:
            raise UncheckedError(f"{ROOT_CSR_DOCUMENT} could not be read")
        return self.read


def check_root_csr_files(
    files: Mapping[str, bytes], expect: Fingerprint | None = None
) -> tuple[Check, ...]:
    """The checks of such a bundle.

    Args:
        files: as read from the medium.
        expect: the fingerprint on paper.
    """
    return run(_Case(files=files, expect=expect), _CHECKS)


def _sums(case: _Case) -> str:
    verify_sums(case.files)
    return f"all {len(case.files) - 1} files are listed and have their SHA-256"


def _document(case: _Case) -> str:
    name = ROOT_CSR_DOCUMENT
    if name not in case.files:
        raise _refuse("rootcsr.file_missing", f"there is no {name}")
    read = decode(case.files[name], RootCsrDocument, name)
    check_marks(
        name,
        factory=read.factory,
        rehearsal=read.rehearsal,
        time=("created_at", read.created_at),
    )
    case.read = read
    mark = "a rehearsal" if read.rehearsal else "not a rehearsal"
    return f"{name} is as its schema says: factory {read.factory}, {mark}"


def _file_set(case: _Case) -> str:
    for name in sorted(_FILES ^ set(case.files)):
        code = "rootcsr.file_missing" if name in _FILES else "rootcsr.file_extra"
        raise _refuse(code, f"{show(name)} is missing, or does not belong to the bundle")
    if case.files[WORDS] != words.listing():
        raise _refuse("rootcsr.words", f"{WORDS} is not the PGP word list")
    return "the files are those of a root CSR, and no other"


def _csr(case: _Case) -> str:
    if ROOT_CSR not in case.files:
        raise UncheckedError(f"there is no {ROOT_CSR}")
    csr, told = read_csr(case.files[ROOT_CSR], ROOT_CSR), case.document
    for key, said, found in (
        ("subject", told.subject, csr.subject),
        ("spki_sha256", told.spki_sha256, csr.spki_sha256.hex),
        ("csr_sha256", told.csr_sha256, Fingerprint.of(csr.der).hex),
    ):
        if said != found:
            refuse_field(ROOT_CSR_DOCUMENT, f"$.{key}", f"is not that of {ROOT_CSR}")
    if csr_info_of(csr.der) != root_csr_info(factory=told.factory, spki=csr.spki):
        raise _refuse("rootcsr.content", f"{ROOT_CSR} asks for something else than a root does")
    return f"the CSR is signed with its own key, for {csr.subject}, {csr.key}"


def _refuse(code: str, what: str) -> VerificationError:
    return VerificationError(
        code, what, hint="Do not sign it; ask for the bundle again, on another medium."
    )


def _fingerprint(case: _Case) -> str:
    if SUMS not in case.files:
        raise UncheckedError(f"there is no {SUMS}")
    found = Fingerprint.of(case.files[SUMS])
    return check_expected(found, case.expect, "the fingerprint of the bundle")


_CHECKS: Final[tuple[tuple[str, Callable[[_Case], str]], ...]] = (
    ("media.private_key", lambda case: no_private_key(case.files)),
    ("sums", _sums),
    ("rootcsr.document", _document),
    ("rootcsr.files", _file_set),
    ("rootcsr.request", _csr),
    ("fingerprint", _fingerprint),
)
