"""The checks of a record, of the evidence around it, and of a ceremony's folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ceremony.bundle.contents import CRL, ROOT, ROOT_CHAIN
from ceremony.bundle.media import SUMS, no_private_key
from ceremony.bundle.paperwork import Maker, check_papers
from ceremony.bundle.pictures import shows
from ceremony.bundle.request import parse_request
from ceremony.bundle.root_csr import ROOT_CSR
from ceremony.bundle.sums import verify_sums
from ceremony.bundle.testimony import check_two_people
from ceremony.bundle.verdicts import Check, UncheckedError, refuse_findings, run
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.kinds import EXPORTS_NOTHING
from ceremony.record.chain import Line, verify_chain
from ceremony.x509.certificate import Certificate, read_certificate, tbs_of
from ceremony.x509.checks import check_chain
from ceremony.x509.crls import crl_tbs_of, read_crl, verify_crl
from ceremony.x509.csr import read_csr
from ceremony.x509.higher_ca import check_above
from ceremony.x509.pem import CERTIFICATE, read_pem_list
from ceremony.x509.root_csr import csr_info_of

RECORD: Final = "record.jsonl"
PLAN: Final = "plan.toml"
UPLOAD_FINGERPRINT: Final = "upload-fingerprint.txt"
_UPLOAD_CODES: Final = ("upload-fingerprint.svg", "upload-fingerprint.png")
_UPLOAD: Final = "export/upload"
_ROOT_KEY: Final = ("done", "key/root")
_KNOWN_ROOT: Final = {("root", "root"), ("drill", "root")}  # it was there before


@dataclass(kw_only=True)
class _Case:
    """What is checked.

    Attributes:
        files: of the evidence; for a bare record the record alone.
        finished: the record must be closed.
        request: the files of the ceremony's copy of the request, where it is there.
        maker: makes the papers again; None: they are not checked.
    """

    files: Mapping[str, bytes]
    expect: Fingerprint | None
    finished: bool
    request: Mapping[str, bytes] = field(default_factory=dict)
    maker: Maker | None = None
    read: tuple[Line, ...] | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        if self.read is None:
            raise UncheckedError("the record could not be read")
        return self.read

    def find(self, type_: str, key: str) -> Line:
        """The last line of that type and key."""
        for line in reversed(self.lines):
            if (line.type, line.key) == (type_, key):
                return line
        raise UncheckedError(f"the record has no line '{type_} {key}' (yet)")

    def text(self, type_: str, key: str, name: str) -> str:
        """A text in the data of such a line.

        Raises:
            VerificationError: `record.line`: it is not there.
        """
        line = self.find(type_, key)
        value = line.data.get(name)
        if not isinstance(value, str):
            raise _refuse("record.line", f"line {line.n + 1} does not tell its {name}")
        return value


def check_record(raw: bytes, expect: Fingerprint | None = None) -> tuple[Check, ...]:
    """The checks of a `record.jsonl`, finished or not.

    Args:
        raw: the file's bytes.
        expect: its head, from paper or from a manifest.
    """
    return run(_Case(files={RECORD: raw}, expect=expect, finished=False), _RECORD_CHECKS)


def check_evidence(
    files: Mapping[str, bytes], expect: Fingerprint | None = None, maker: Maker | None = None
) -> tuple[Check, ...]:
    """The checks of an evidence directory.

    Args:
        files: all of it.
        expect: the record's head.
        maker: makes report, script and key inventory again; None: they are not checked.
    """
    case = _Case(files=files, expect=expect, finished=True, maker=maker)
    return run(case, _EVIDENCE_CHECKS)


def check_ceremony(
    files: Mapping[str, bytes],
    request: Mapping[str, bytes],
    expect: Fingerprint | None = None,
) -> tuple[Check, ...]:
    """The checks of a ceremony's folder, finished or not.

    Args:
        files: the record, and the certificates written so far.
        request: files of its copy of the request; empty when there is none yet.
        expect: the record's head.
    """
    case = _Case(files=files, request=request, expect=expect, finished=False)
    return run(case, _CEREMONY_CHECKS)


def _chain(case: _Case) -> str:
    if RECORD not in case.files:
        raise _refuse("record.missing", f"there is no {RECORD}")
    case.read = verify_chain(case.files[RECORD])
    return f"{len(case.read)} lines, each follows from the one before it"


def _intents(case: _Case) -> str:
    intended: set[str] = set()
    done: set[str] = set()
    for line in case.lines:
        if line.type == "intent":
            intended.add(line.key)
        elif line.type == "done":
            if line.key not in intended:
                raise _refuse(
                    "record.no_intent", f"line {line.n + 1}: {show(line.key)} was done unannounced"
                )
            done.add(line.key)
    left = sorted(intended - done)
    if left and _closed(case):
        raise _refuse("record.open_intent", f"closed, but never done: {show(', '.join(left))}")
    waiting = f"; still to be done: {show(', '.join(left))}" if left else ""
    return f"every one of {len(done)} deeds was announced before{waiting}"


def _closed(case: _Case) -> bool:
    return case.lines[-1].type == "close"


def _close(case: _Case) -> str:
    if not _closed(case):
        if case.finished:
            raise _refuse("record.not_closed", "the record does not end with its close line")
        raise UncheckedError("the record is not closed: the ceremony is not finished")
    if case.text("close", "close", "record_head_before") != case.lines[-1].prev:
        raise _refuse("record.close", "the close line names another head than the line before it")
    upload = case.text("close", "close", "upload_fingerprint")
    if _exports_nothing(case):
        return "it ends with its close line; this kind exports nothing"
    if case.text("done", _UPLOAD, "fingerprint") != upload:
        raise _refuse("record.close", "the close line names another upload bundle than was written")
    return f"it ends with its close line; the upload bundle is {upload}"


def _exports_nothing(case: _Case) -> bool:
    return case.text("open", "open", "kind") in EXPORTS_NOTHING


def _export(case: _Case) -> str:
    if _exports_nothing(case):
        raise UncheckedError("this kind exports nothing")
    head, said = case.text("intent", _UPLOAD, "record_head"), case.find("intent", _UPLOAD)
    if all(line.fingerprint.hex != head for line in case.lines[: said.n]):
        raise _refuse("record.export", "the manifest's record_head is none of this record's lines")
    if case.text("done", _UPLOAD, "fingerprint") != case.text("intent", _UPLOAD, "fingerprint"):
        raise _refuse("record.export", "another upload bundle was written than was announced")
    return "the record_head that was announced for the manifest is a line of this record"


def _head(case: _Case) -> str:
    head = case.lines[-1].fingerprint
    if case.expect is None:
        raise UncheckedError(f"complete: not checked. The head is {head.hex} (--expect)")
    verify_chain(case.files[RECORD], case.expect)
    return "complete: the head is as expected"


def _before(case: _Case) -> str:
    before = case.lines[0].data.get("previous_head")
    if before is None:
        return "it names no ceremony before it: the first on its laptop"
    raise UncheckedError(
        f"the ceremony before it ended with the head {show(str(before))}: verify its record with "
        "--expect, or the state folder"
    )


def _sums(case: _Case) -> str:
    verify_sums(case.files)
    return f"all {len(case.files) - 1} files are listed and have their SHA-256"


def _plan(case: _Case) -> str:
    if PLAN not in case.files:
        raise UncheckedError("the plan is not here")
    if Fingerprint.of(case.files[PLAN]).hex != case.text("open", "open", "plan_sha256"):
        raise _refuse("evidence.plan", f"{PLAN} is not the plan that the record names")
    return "the plan is the one that the record names"


def _certificates(case: _Case) -> str:
    told = {
        str(line.data.get("file", ROOT)).rpartition("/")[2]: line.data.get("sha256")
        for line in case.lines
        if (line.type == "done" and line.key.startswith(("certificate/", "crl/", "csr/")))
        or (ROOT in case.files and (line.type, line.key) in _KNOWN_ROOT)
    }
    found = sorted(_signed(case.files) - {ROOT_CHAIN})
    for name in found:
        if name not in told:
            raise _refuse("evidence.certificate", f"{show(name)} is not in the record")
        der = _der_of(case.files[name], name)
        if Fingerprint.of(der).hex != told[name]:
            raise _refuse("evidence.certificate", f"{name} is not the one that the record names")
        _check_intended(case, name, der)
    _check_chain_file(case)
    if missing := sorted(set(told) - set(found)):
        raise UncheckedError(f"certificates that are not here: {show(', '.join(missing))}")
    return f"{len(found)} certificates are those that the record names"


def _signed(files: Mapping[str, bytes]) -> set[str]:
    """Files of what was signed: certificates, the CRL, the root's CSR."""
    return {name for name in files if name.endswith(".pem") or name == ROOT_CSR}


def _der_of(data: bytes, name: str) -> bytes:
    if name == CRL:
        return read_crl(data, name).der
    return (read_csr if name == ROOT_CSR else read_certificate)(data, show(name)).der


def _above(case: _Case) -> tuple[Certificate, ...]:
    """The CAs above the root, as the evidence has them."""
    if ROOT_CHAIN not in case.files:
        return ()
    ders = read_pem_list(case.files[ROOT_CHAIN], CERTIFICATE, ROOT_CHAIN)
    return tuple(read_certificate(der, ROOT_CHAIN) for der in ders)


def _check_chain_file(case: _Case) -> None:
    """The CAs above the root are those that the record names.

    Raises:
        VerificationError: `evidence.certificate`.
    """
    told = [
        [one["sha256"] for one in line.data.get("chain", ())]
        for line in case.lines
        if (line.type, line.key) == ("done", "certificate/root")
    ]
    found = [one.fingerprint.hex for one in _above(case)]
    if found != (told[-1] if told else []):
        raise _refuse("evidence.certificate", f"{ROOT_CHAIN} is not the chain of the record")


def _check_intended(case: _Case, name: str, der: bytes) -> None:
    """What was signed is what both officers had accepted: the bytes in the intent line.

    Raises:
        VerificationError: `evidence.intent`.
    """
    keys = {
        line.key for line in case.lines if line.type == "done" and line.data.get("file") == name
    }
    for line in case.lines:
        if line.type != "intent" or line.key not in keys:
            continue
        tbs = {CRL: crl_tbs_of, ROOT_CSR: csr_info_of}.get(name, tbs_of)(der)
        if line.data.get("tbs_sha256") != Fingerprint.of(tbs).hex:
            raise _refuse("evidence.intent", f"{name} is not what line {line.n + 1} intended")


def _chain_of_certificates(case: _Case) -> str:
    """Signatures, keys and dates of what the record tells to be signed under its root."""
    names = sorted(_signed(case.files) - {CRL, ROOT, ROOT_CHAIN, ROOT_CSR})
    if ROOT not in case.files:
        raise UncheckedError(f"there is no {ROOT} here (yet)")
    root = read_certificate(case.files[ROOT], ROOT)
    others = {name: read_certificate(case.files[name], show(name)) for name in names}
    refuse_findings((*check_chain(root, others), *check_above(root, _above(case))))
    _check_issuer(case, root)
    if CRL in case.files:
        verify_crl(read_crl(case.files[CRL], CRL), root)
    crl = "; so is the CRL" if CRL in case.files else ""
    told = {x.data.get("spki_sha256") for x in case.lines if (x.type, x.key) == _ROOT_KEY}
    if told - {root.spki_sha256.hex}:
        raise _refuse("evidence.root_key", f"{ROOT} has another key than the record tells")
    _check_keys(case, others)
    higher = f"; the root by {root.issuer}, with {len(_above(case))} CAs above it"
    told_higher = "" if root.self_signed else higher
    return f"{len(others)} certificates are signed by the root, inside its dates{crl}{told_higher}"


def _check_keys(case: _Case, others: Mapping[str, Certificate]) -> None:
    """A certificate for a key that was made or taken in here is for that key.

    Raises:
        VerificationError: `evidence.local_key`.
    """
    done = [line for line in case.lines if line.type == "done"]
    made = {line.key: line.data.get("spki_sha256") for line in done if line.key.startswith("key/")}
    for line in done:
        key, file = line.key.replace("certificate/", "key/", 1), str(line.data.get("file"))
        if key in made and file in others and others[file].spki_sha256.hex != made[key]:
            raise _refuse(
                "evidence.local_key", f"{show(file)} has another key than the record tells"
            )


def _check_issuer(case: _Case, root: Certificate) -> None:
    """A root that was made here is signed by whom the record says.

    Raises:
        VerificationError: `evidence.root_issuer`.
    """
    made = [line for line in case.lines if (line.type, line.key) == ("intent", "certificate/root")]
    external = bool(made) and made[-1].data.get("issuer") == "external"
    if made and external is root.self_signed:
        who = "a higher CA" if external else "its own key"
        raise _refuse("evidence.root_issuer", f"{ROOT} is not signed by {who}")


def _upload(case: _Case) -> str:
    if _exports_nothing(case):
        raise UncheckedError("this kind exports nothing")
    if UPLOAD_FINGERPRINT not in case.files:
        raise _refuse("evidence.upload", f"there is no {UPLOAD_FINGERPRINT}")
    wanted = case.text("close", "close", "upload_fingerprint")
    if wanted.encode() not in case.files[UPLOAD_FINGERPRINT].split():
        raise _refuse("evidence.upload", f"{UPLOAD_FINGERPRINT} tells another fingerprint")
    for name in _UPLOAD_CODES:
        if name in case.files and not shows(name, case.files[name], wanted.upper()):
            raise _refuse("evidence.upload", f"{name} does not show the record's fingerprint")
    return f"{UPLOAD_FINGERPRINT} and its QR codes tell the fingerprint that the record tells"


def _request(case: _Case) -> str:
    if not case.request:
        raise UncheckedError("there is no copy of the request (yet)")
    found = parse_request(case.request).fingerprint.hex
    if case.text("request", "request", "fingerprint") != found:
        raise _refuse("ceremony.request", "the copy of the request is not the one that came in")
    return "the copy of the request is the one that came in"


def _documents(case: _Case) -> str:
    if case.maker is None:
        raise UncheckedError("report, script and key inventory: 'ceremony verify' compares them")
    others = frozenset({RECORD, PLAN, SUMS, *_signed(case.files)})
    if PLAN not in case.files:
        raise UncheckedError("report and script cannot be made again without the plan")
    return check_papers(case.files, case.lines, others, case.maker)


def _refuse(code: str, what: str) -> VerificationError:
    return VerificationError(
        code, what, hint="Compare with another copy of the evidence, and with the paper."
    )


_Rows = tuple[tuple[str, Callable[[_Case], str]], ...]

_RECORD_CHECKS: Final[_Rows] = (
    ("record.chain", _chain),
    ("record.intents", _intents),
    ("record.close", _close),
    ("record.export", _export),
    ("record.fences", lambda case: check_two_people(case.lines)),
    ("record.head", _head),
    ("record.before", _before),
)
_EVIDENCE_CHECKS: Final[_Rows] = (
    ("media.private_key", lambda case: no_private_key(case.files)),
    ("sums", _sums),
    *_RECORD_CHECKS,
    ("evidence.plan", _plan),
    ("evidence.certificate", _certificates),
    ("evidence.chain", _chain_of_certificates),
    ("evidence.upload", _upload),
    ("evidence.documents", _documents),
)
_CEREMONY_CHECKS: Final[_Rows] = (
    *_RECORD_CHECKS,
    ("ceremony.request", _request),
    ("evidence.certificate", _certificates),
    ("evidence.chain", _chain_of_certificates),
)
