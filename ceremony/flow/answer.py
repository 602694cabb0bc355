"""The higher CA's answer to the root's CSR: brought in, weighed, typed back, adopted once."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from ceremony.bundle.contents import ROOT_CHAIN
from ceremony.bundle.media import read_file
from ceremony.bundle.writing import make_folder, write_file
from ceremony.core.findings import Finding, Severity, errors
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.flow.arrival import CAP, prove_words, take
from ceremony.flow.asking import Flow, choose, pick, review
from ceremony.flow.issuing import FOLDER, changed, issued
from ceremony.flow.notes import acknowledge_findings
from ceremony.flow.preflight import issue_time
from ceremony.flow.prompts import (
    Block,
    Choose,
    Facts,
    FindingList,
    Option,
    PickPath,
    Place,
    Review,
    Step,
    Text,
    Tone,
)
from ceremony.flow.room import Room
from ceremony.flow.root import FILE, NAME, root_order
from ceremony.flow.sticks import HIGHER_CA, keep, pull, refuse_wrong
from ceremony.flow.tables import compare_answer
from ceremony.record.chain import sha256_hex
from ceremony.x509.certificate import Certificate, read_certificate, tbs_of
from ceremony.x509.csr import Csr
from ceremony.x509.higher_ca import check_above, check_answer, is_complete
from ceremony.x509.pem import CERTIFICATE, read_pem_list, write_pem

_KEY = f"certificate/{NAME}"
_ENDINGS = frozenset({".pem", ".crt", ".cer", ".der"})
_SHOWN = 16
_NONE, _OTHER = "-none", "-other"  # no file of these names is offered
_HINT = "Bring the right answer; nothing is lost, and this question comes again."


def take_answer(room: Room, csr: Csr) -> Flow[None]:
    """The answer, once both officers have typed its words and accepted it: its intent.

    Raises:
        VerificationError: `typeback.mismatch`; a later sitting may bring another answer.
    """
    yield from take(room, Step.ROOT, partial(_question, room), partial(_receive, room, csr))
    yield from pull(room, Step.ROOT, HIGHER_CA)


def adopted(room: Room) -> Certificate:
    """The root that the higher CA signed, from the ceremony's folder, as the record has it.

    Raises:
        MediaError: `state.certificate`.
    """
    return issued(room, root_order(room))


def chain_above(room: Room) -> tuple[Certificate, ...]:
    """The CAs above it, from the record."""
    return tuple(
        read_certificate(base64.b64decode(text), ROOT_CHAIN)
        for text in room.need("intent", _KEY).data["above"]
    )


def adopt_answer(room: Room) -> None:
    """Writes what the intent holds to the ceremony's folder; does nothing if that was done.

    Raises:
        MediaError: `state.certificate`: something else has that name.
    """
    if room.has("done", _KEY):
        return
    intent = room.need("intent", _KEY)
    der = base64.b64decode(intent.data["der"])
    above = chain_above(room)
    files = {FILE: write_pem(der, CERTIFICATE)}
    if above:
        files[ROOT_CHAIN] = b"".join(write_pem(one.der, CERTIFICATE) for one in above)
    folder = make_folder(room.directory, FOLDER)
    for name, data in files.items():
        path = folder / name
        if path.exists() and path.read_bytes() != data:
            raise changed(name)
        write_file(folder, name, data, private=True)
    room.append(
        Step.ROOT,
        "done",
        _KEY,
        sha256=sha256_hex(der),
        file=FILE,
        chain=[{"subject": one.subject, "sha256": one.fingerprint.hex} for one in above],
    )


# --- in ------------------------------------------------------------------------------


def _question(room: Room, problem: str | None) -> PickPath:
    sticks = room.services.places(room.plan.media.higher_ca, read_only=True)
    files = [path for stick in sticks for path in _certificates(Path(stick.path))]
    there = [Place(path=str(path), label=show(path.name)) for path in files[:_SHOWN]]
    return PickPath(
        key="root.answer",
        step=Step.ROOT,
        title="The higher CA's answer",
        body=(
            Text(
                text="Plug in the stick HIGHER CA and choose the certificate that was signed "
                "over the root CSR: one certificate, PEM or DER. The chain above it is asked for "
                "next."
            ),
            Text(text="No answer yet? Leave: the same command asks again.", tone=Tone.DIM),
        ),
        problem=problem,
        candidates=(*there, *sticks),
        help="It is read once. Its words are typed back from paper that came from the higher CA, "
        "apart from the stick. A wrong one is refused, and nothing is lost.",
    )


def _certificates(folder: Path) -> list[Path]:
    """What may be an answer; a chain comes last."""
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS]
    except OSError:
        return []
    return sorted(found, key=lambda path: ("chain" in path.name.lower(), path.name))


def _receive(room: Room, csr: Csr, text: str) -> Flow[None]:
    path = Path(text)
    refuse_wrong(room, HIGHER_CA, str(path.parent))
    answer = read_certificate(read_file(path, CAP), show(path.name))
    at, days = room.services.clock.now(), room.plan.root.days
    findings = check_answer(answer, csr, factory=room.plan.factory, at=at, days=days)
    _require(findings)
    above = yield from _above(room, path, answer)
    findings += check_above(answer, above)
    _require(findings)
    findings += _linted(room, answer, above)
    paper = "sheet of words of the higher CA's certificate"
    yield from prove_words(room, Step.ROOT, "root-answer", paper, answer.fingerprint)
    if not (yield from review(_review(room, csr, answer, above, findings))):
        raise VerificationError(
            "answer.refused", "the officers refused the higher CA's certificate", hint=_HINT
        )
    yield from acknowledge_findings(room, Step.ROOT, NAME, findings)
    keep(room, Step.ROOT, HIGHER_CA, str(path.parent))
    _intend(room, answer, above, show(text))


def _require(findings: tuple[Finding, ...]) -> None:
    for finding in errors(findings):
        raise VerificationError(finding.code, finding.message, hint=_HINT)


def _linted(room: Room, answer: Certificate, above: Sequence[Certificate]) -> tuple[Finding, ...]:
    """Pkilint's opinion. It stops nothing: another CA's profile is not ours to mend."""
    found = room.services.linter.lint(answer.der, above[0].der if above else None)
    return tuple(
        replace(one, severity=Severity.WARNING) if one.severity is Severity.ERROR else one
        for one in found
    )


def _intend(room: Room, answer: Certificate, above: Sequence[Certificate], source: str) -> None:
    room.append(
        Step.ROOT,
        "intent",
        _KEY,
        role=root_order(room).role.value,
        name=NAME,
        subject=answer.subject,
        serial=str(answer.serial),
        not_before=format_time(answer.not_before),
        not_after=format_time(answer.not_after),
        issuer="external",
        issued_by=answer.issuer,
        source=source,
        sha256=answer.fingerprint.hex,
        tbs_sha256=sha256_hex(tbs_of(answer.der)),
        der=base64.b64encode(answer.der).decode(),
        above=[base64.b64encode(one.der).decode() for one in above],
        accepted_by=list(room.officers),
    )


# --- the chain above -----------------------------------------------------------------


def _above(room: Room, path: Path, answer: Certificate) -> Flow[tuple[Certificate, ...]]:
    """The chain that was brought; none is allowed, and said."""
    beside = [one for one in _certificates(path.parent) if one != path and "chain" in one.name]
    options = [
        Option(value=one.name, label=f"Take {show(one.name)}", detail="beside the answer")
        for one in beside[:_SHOWN]
    ]
    options += [
        Option(value=_NONE, label="There is no chain", detail="the signature is not checked"),
        Option(value=_OTHER, label="Another file", detail="choose it"),
    ]
    chosen = yield from choose(_ask_chain(tuple(options)))
    if chosen == _NONE:
        return ()
    file = path.parent / chosen
    if chosen == _OTHER:
        sticks = room.services.places(room.plan.media.higher_ca, read_only=True)
        file = Path((yield from pick(_ask_file(sticks))))
        refuse_wrong(room, HIGHER_CA, str(file.parent))
    return _read_chain(read_file(file, CAP), show(file.name), answer)


def _read_chain(data: bytes, where: str, answer: Certificate) -> tuple[Certificate, ...]:
    """The CAs above; a file that begins with the answer itself is a chain too."""
    ders = (data,) if data[:1] == b"\x30" else read_pem_list(data, CERTIFICATE, where)
    found = [read_certificate(der, where) for der in ders]
    return tuple(found[1:] if found[0].der == answer.der else found)


def _ask_chain(options: tuple[Option, ...]) -> Choose:
    return Choose(
        key="root.answer.chain",
        step=Step.ROOT,
        title="The chain above the root",
        body=(
            Text(
                text="With the certificates of the higher CAs the signature on the root can be "
                "checked here, and the bundle carries them to everybody who checks later."
            ),
        ),
        options=options,
        help="The root's issuer first, then the CA above that. Several PEM blocks in one file.",
    )


def _ask_file(sticks: tuple[Place, ...]) -> PickPath:
    return PickPath(
        key="root.answer.chain.path",
        step=Step.ROOT,
        title="The file with the chain",
        body=(Text(text="One or several certificates, PEM: the root's issuer first."),),
        candidates=sticks,
    )


# --- what is shown -------------------------------------------------------------------


def _review(
    room: Room,
    csr: Csr,
    answer: Certificate,
    above: Sequence[Certificate],
    findings: tuple[Finding, ...],
) -> Review:
    blocks: list[Block] = [
        compare_answer(FILE, csr, answer),
        *_chain_blocks(above),
        *_clamped(room, answer),
    ]
    if findings:
        blocks.append(FindingList(findings=findings))
    else:
        blocks.append(Text(text="No findings: own rules, pkilint.", tone=Tone.GOOD))
    return Review(
        key="review.root-answer",
        step=Step.ROOT,
        title="The root, as the higher CA signed it",
        body=tuple(blocks),
        irreversible=True,
        accept="Accept this root",
        refuse="Refuse it",
        help="Left: what the CSR asked for. Right: what the certificate says. Refused, nothing is "
        "lost: the higher CA may sign the same CSR again.",
        command="openssl x509 -in FILE.pem -noout -text",
    )


def _chain_blocks(above: Sequence[Certificate]) -> tuple[Block, ...]:
    if not above:
        text = "No chain was brought: who signed the root is not checked here."
        return (Text(text=text, tone=Tone.WARN),)
    rows = tuple((one.subject, one.fingerprint.hex) for one in above)
    end = "" if is_complete(above) else " It does not reach a CA that signed itself."
    return (
        Facts(caption="Above the root, its issuer first: SHA-256", rows=rows),
        Text(text=f"Each signed the one before it, and the first the root.{end}", tone=Tone.GOOD),
    )


def _clamped(room: Room, root: Certificate) -> tuple[Block, ...]:
    names = ending_with_root(room, root)
    if not names:
        return ()
    return (
        Text(
            text=f"The root ends at {format_time(root.not_after)}, earlier than the plan's days "
            f"for {', '.join(names)}: these end with it.",
            tone=Tone.WARN,
        ),
    )


def ending_with_root(room: Room, root: Certificate) -> tuple[str, ...]:
    """Certificates that the root's end cuts short of the plan's days."""
    begin = issue_time(room, root)
    return tuple(
        name for name, days in room.plan.validities if begin + timedelta(days=days) > root.not_after
    )
