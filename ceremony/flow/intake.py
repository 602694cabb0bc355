"""Step 3, import: the request bundle from a stick, checked, typed back, reviewed, kept."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from ceremony.bundle.media import read_directory
from ceremony.bundle.request import RequestBundle, assign, parse_request, read_request
from ceremony.bundle.writing import write_directory
from ceremony.config import Slot
from ceremony.core.findings import Finding, errors
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.times import parse_time
from ceremony.errors import CeremonyError, MediaError, VerificationError
from ceremony.flow.arrival import prove_words, take
from ceremony.flow.asking import Flow, choose, review
from ceremony.flow.current import check_new_keys, check_root_state, current_blocks, type_names
from ceremony.flow.notes import acknowledge_findings
from ceremony.flow.preflight import ceremony_time
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
    Working,
)
from ceremony.flow.room import Room
from ceremony.flow.sticks import CSR_IN, keep, pull, refuse_wrong
from ceremony.record.chain import sha256_hex
from ceremony.x509.csr import Csr, check_csr, rules_of

FOLDER = "request"
_BUNDLE = re.compile(r"[a-z0-9-]{1,64}-request-[0-9]{8}-[0-9]{4}")
_SHOWN = 64
_SKEW = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The request bundle that the officers accepted."""

    bundle: RequestBundle
    csrs: Mapping[Slot, Csr]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """A bundle that was read, checked and typed back, not yet reviewed."""

    path: str
    bundle: RequestBundle
    slots: dict[str, str]
    findings: tuple[Finding, ...]


def take_in(room: Room) -> Flow[Intake]:
    """From the stick to the record; after a resume, from the ceremony's folder."""
    kept = room.find("request", "request")
    if kept is not None:
        return _from_folder(
            room, Fingerprint.from_hex(kept.data["fingerprint"]), kept.data["slots"]
        )
    ask, receive = partial(_question, room), partial(_receive, room)
    problem = None
    while True:
        came = yield from take(room, Step.IMPORT, ask, receive, problem)
        if (yield from _review(room, came.bundle, came.findings)):
            keep(room, Step.IMPORT, CSR_IN, came.path)
            intake = _keep(room, came)
            yield from pull(room, Step.IMPORT, CSR_IN)
            return intake
        problem = "The bundle was refused in the review."


def _receive(room: Room, path: str) -> Flow[_Came]:
    yield Working(step=Step.IMPORT, title="Reading the stick")
    refuse_wrong(room, CSR_IN, path)
    bundle, slots = yield from _assign(read_request(Path(path)))
    findings = _check(room, bundle)
    paper = "sheet of words of the request bundle"
    yield from prove_words(room, Step.IMPORT, "request", paper, bundle.fingerprint)
    return _Came(path=path, bundle=bundle, slots=slots, findings=findings)


def _question(room: Room, problem: str | None) -> PickPath:
    return PickPath(
        key="import.path",
        step=Step.IMPORT,
        title="Import the request bundle",
        body=(
            Text(
                text="Plug in the stick that came from the online machine and choose "
                "the folder of the request bundle, named ...-request-..."
            ),
        ),
        problem=problem,
        candidates=_bundles(room.services.places(room.plan.media.csr_in, read_only=True)),
        help="Also accepted: a folder that holds only the CSR files, or the API's raw "
        "JSON answer. Every file is read once, and those bytes are what is checked, "
        "shown and signed.",
    )


def _bundles(sticks: tuple[Place, ...]) -> tuple[Place, ...]:
    """Request bundles on the sticks first, the newest first, then the sticks themselves."""
    found = []
    for stick in sticks:
        try:
            names = sorted(
                (entry.name for entry in os.scandir(stick.path) if entry.is_dir()), reverse=True
            )
        except OSError:
            continue
        found += [
            Place(path=f"{stick.path}/{name}", label=name)
            for name in names[:_SHOWN]
            if _BUNDLE.fullmatch(name)
        ]
    return (*found, *sticks)


def _assign(bundle: RequestBundle) -> Flow[tuple[RequestBundle, dict[str, str]]]:
    slots: dict[str, str] = {}
    for name in bundle.unnamed:
        slots[name] = yield from choose(
            Choose(
                key="import.slot",
                step=Step.IMPORT,
                title="Whose CSR is this?",
                body=(Text(text=f"The name of {show(name)} does not say what it is for."),),
                options=(
                    Option(value=Slot.TLS.value, label="Gateway TLS"),
                    Option(value=Slot.ONLINE_CA.value, label="Online device CA"),
                    Option(value=Slot.EST_TLS.value, label="EST server TLS"),
                ),
                help="The slot decides the profile. It is never guessed from the content: a CA "
                "certificate for a gateway would be a disaster.",
            )
        )
    if not slots:
        return bundle, slots
    return assign(bundle, {name: Slot(slot) for name, slot in slots.items()}), slots


def _check(room: Room, bundle: RequestBundle) -> tuple[Finding, ...]:
    _check_document(room, bundle)
    check_root_state(room, bundle)
    plan = room.plan
    asked = set(plan.requests)
    if set(bundle.csrs) != asked:
        found = ", ".join(sorted(slot.value for slot in bundle.csrs)) or "none"
        raise VerificationError(
            "request.slots",
            f"the plan asks for {', '.join(sorted(plan.requests))}; the bundle has {found}",
            hint="Fetch again with the approved plan.",
        )
    rules = rules_of(plan)
    findings = [
        finding
        for slot, csr in bundle.csrs.items()
        for finding in check_csr(csr, slot, rules, bundle.current_servers.get(slot))
    ]
    findings += check_new_keys(bundle)
    stopping = errors(findings)
    if stopping:
        raise VerificationError(
            stopping[0].code,
            f"{stopping[0].where}: {stopping[0].message}",
            hint="Do not sign this; find out where the CSR comes from.",
        )
    return tuple(findings)


def _check_document(room: Room, bundle: RequestBundle) -> None:
    document = bundle.document
    if document is None:
        return
    plan = room.plan
    wanted = {
        "factory": plan.factory,
        "user_id": plan.user_id,
        "kind": plan.kind.value,
        "plan_sha256": room.plan_file.fingerprint.hex,
        "rehearsal": plan.rehearsal,
        "api": plan.online.api,
    }
    found = {
        "factory": document.factory,
        "user_id": document.user_id,
        "kind": document.kind.value,
        "plan_sha256": document.plan_sha256,
        "rehearsal": document.rehearsal,
        "api": document.api,
    }
    for name, value in wanted.items():
        if found[name] != value:
            raise VerificationError(
                f"request.{name}",
                f"the bundle's {name} is {show(str(found[name]))}, the plan's is {value}",
                hint="Fetch again with the approved plan.",
            )
    age = ceremony_time(room) - parse_time(document.fetched_at)
    if age > timedelta(days=plan.limits.request_age_days) or age < -_SKEW:
        raise VerificationError(
            "request.age",
            f"the bundle was fetched at {document.fetched_at}, which does not fit the clock",
            hint="Check the clock; fetch again if the bundle is old.",
        )


def _review(room: Room, bundle: RequestBundle, findings: tuple[Finding, ...]) -> Flow[bool]:
    blocks: list[Block] = [_origin(bundle)]
    blocks += [Text(text=noted, tone=Tone.WARN) for noted in bundle.noted]
    blocks += current_blocks(bundle)
    for slot, csr in bundle.csrs.items():
        names = tuple((f"DNS name {i + 1}", show(n)) for i, n in enumerate(csr.dns_names))
        rows = (("Subject", csr.subject), ("Key", csr.key), *names)
        blocks.append(Facts(caption=slot.value, rows=(*rows, ("Key SHA-256", csr.spki_sha256.hex))))
    if findings:
        blocks.append(FindingList(findings=findings))
    accepted = yield from review(
        Review(
            key="import.review",
            step=Step.IMPORT,
            title="What the platform asks us to sign" if bundle.csrs else "What the Factory has",
            body=tuple(blocks),
            accept="Accept these CSRs" if bundle.csrs else "Accept it",
            refuse="Refuse them" if bundle.csrs else "Refuse it",
            help="The words were typed back, so these are the bytes that the online machine "
            "fetched. Whether that machine was honest cannot be seen here: compare names and "
            "key fingerprints by other means where you can.",
        )
    )
    if accepted:
        yield from type_names(room, bundle, findings)
        yield from acknowledge_findings(room, Step.IMPORT, "request", findings)
    else:
        room.append(Step.IMPORT, "review", "request", what="request", accepted=False, by=[])
    return accepted


def _origin(bundle: RequestBundle) -> Facts:
    document = bundle.document
    rows: list[tuple[str, str]] = [
        (
            "Form",
            {"bundle": "request bundle", "csr-files": "CSR files only"}.get(
                bundle.form, "the API's JSON answer"
            ),
        ),
        ("SHA-256", bundle.fingerprint.hex),
    ]
    if document is not None:
        rows += [("Fetched at", document.fetched_at), ("From", show(document.api))]
    return Facts(caption="Where it comes from", rows=tuple(rows))


def _keep(room: Room, came: _Came) -> Intake:
    folder, bundle = room.directory / FOLDER, came.bundle
    if folder.exists():
        if read_directory(folder) != dict(bundle.files):
            raise MediaError(
                "state.request",
                "the ceremony's folder holds another request bundle",
                hint="Look at the record; start a new ceremony if this one cannot be explained.",
            )
    else:
        write_directory(room.directory, FOLDER, bundle.files, private=True)
    files = [{"name": n, "sha256": sha256_hex(d)} for n, d in sorted(bundle.files.items())]
    room.append(
        Step.IMPORT,
        "request",
        "request",
        fingerprint=bundle.fingerprint.hex,
        source=show(came.path),
        form=bundle.form,
        files=files,
        noted=list(bundle.noted),
        slots=came.slots,
        by=list(room.officers),
    )
    return Intake(bundle=bundle, csrs=bundle.csrs)


def _from_folder(room: Room, fingerprint: Fingerprint, slots: Mapping[str, str]) -> Intake:
    try:
        bundle = parse_request(read_directory(room.directory / FOLDER))
        bundle = assign(bundle, {name: Slot(slot) for name, slot in slots.items()})
    except CeremonyError as exc:
        raise MediaError(
            "state.request",
            f"the kept request bundle cannot be read: {exc}",
            hint="Restore the ceremony's folder from a copy.",
        ) from exc
    if bundle.fingerprint != fingerprint:
        raise MediaError(
            "state.request",
            "the kept request bundle is not the one on record",
            hint="Restore the ceremony's folder from a copy.",
        )
    return Intake(bundle=bundle, csrs=bundle.csrs)
