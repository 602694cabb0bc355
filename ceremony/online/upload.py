"""`upload`: an upload bundle to the Factory, and what the Factory has afterwards.

The order is the rule: everything that can be checked here is checked, a person proves that
the bundle is the one on paper, the Factory is asked, only then is anything sent, and the
verdict comes from asking again.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ceremony.bundle.checking import Outcome, check_upload_files, require
from ceremony.bundle.contents import PAYLOAD
from ceremony.bundle.documents import encode
from ceremony.bundle.media import read_directory
from ceremony.bundle.request import RequestBundle, read_request, request_name
from ceremony.bundle.schema import Manifest
from ceremony.bundle.upload import UploadBundle, parse_upload, upload_name
from ceremony.clock import SystemClock
from ceremony.config import Online, Plan, PlanFile
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.ports import Clock
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import CeremonyError, NetworkError, PlanError, VerificationError
from ceremony.kinds import facts_of
from ceremony.online.api import Api, User, require_success
from ceremony.online.comparing import (
    Row,
    Verdict,
    Wanted,
    compare,
    part_of,
    pending,
    require_untouched,
    wanted_of,
)
from ceremony.online.login import Login
from ceremony.online.paper import require_expected, type_back
from ceremony.online.receipts import RECEIPT_SCHEMA, Receipt, ReceiptDocument, Result
from ceremony.online.screen import Screen
from ceremony.online.state import StateFolder
from ceremony.online.transport import Answer, Bounds

Ask = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One upload, once it may begin."""

    bundle: UploadBundle
    request: RequestBundle
    api: Api
    folder: StateFolder
    screen: Screen
    clock: Clock
    started_at: str


def upload(
    bundle: Path,
    *,
    login: Login,
    state: Path,
    expect: Fingerprint | None = None,
    ask: Ask | None = None,
    request: Path | None = None,
    plan_file: PlanFile | None = None,
    dry_run: bool = False,
    screen: Screen | None = None,
    clock: Clock | None = None,
    bounds: Bounds | None = None,
    randbelow: Callable[[int], int] = secrets.randbelow,
) -> Receipt:
    """Uploads a bundle; where the Factory has it already, only says so.

    Args:
        bundle: its directory.
        login: for the API.
        state: folder of the online machine's memory.
        expect: the fingerprint on paper, where no person types words.
        ask: shows a prompt, returns what is typed; needed without `expect`.
        request: the request that is answered, where `state` does not remember it.
        plan_file: tells CA file and proxy, where `state` does not remember it.
        dry_run: nothing is sent but questions.
        screen: where words go; nowhere by default.
        clock: the machine's by default.
        bounds: other than the usual ones.
        randbelow: draws the words to be typed.

    Raises:
        VerificationError: the bundle (`upload.*`, `csr.*`, `certificate.*` ...), the words
            (`upload.words_differ`), the Factory (`upload.root_differs`, `upload.moved`,
            `upload.stale`, `upload.not_as_sent`), `practice.*`.
        NetworkError: `api.*`, `upload.unknown`, `upload.not_applied`.
        MediaError: `media.*`, `state.*`.
        PlanError: `upload.no_words`, `upload.other_plan`, `upload.nothing`.
    """
    screen, clock = screen or Screen(), clock or SystemClock()
    folder = StateFolder(state)
    at = clock.now()
    files = read_directory(bundle)
    parsed = parse_upload(files)
    manifest = parsed.manifest
    answered = _find_request(manifest, request, folder)
    require(check_upload_files(files, answered, None, at))
    api = Api(
        _online(manifest, plan_file or folder.plan(manifest.plan_sha256)),
        manifest.factory,
        login,
        rehearsal=manifest.rehearsal,
        bounds=bounds,
    )
    _prove(parsed.fingerprint, expect, ask, screen, randbelow)
    # Only now may it be said: before the proof, nobody is shown whether paper and bundle agree.
    for check in check_upload_files(files, answered, parsed.fingerprint, at):
        mark = "-" if check.outcome is Outcome.NOT_CHECKED else " "
        screen.out(f"{check.number:>3} {mark} {check.outcome.value}: {check.sentence}")
    job = _Job(
        bundle=parsed,
        request=answered,
        api=api,
        folder=folder,
        screen=screen,
        clock=clock,
        started_at=format_time(at),
    )
    return _run(job, dry_run=dry_run)


# --- before anything is sent -----------------------------------------------------------


def _find_request(manifest: Manifest, given: Path | None, folder: StateFolder) -> RequestBundle:
    if given is not None:
        return read_request(given)
    found = folder.request(manifest.request_sha256)
    if found is None:
        raise VerificationError(
            "upload.request_unknown",
            "the request that this bundle answers was not fetched on this machine: "
            f"SHA-256 {manifest.request_sha256}",
            hint="Give its directory with --request; the CSRs that were posted are in it.",
        )
    return found


def _online(manifest: Manifest, plan_file: PlanFile | None) -> Online:
    """How to reach the API: the bundle says where, the plan says through what."""
    if plan_file is None:
        return Online(api=manifest.api)
    if plan_file.fingerprint.hex != manifest.plan_sha256:
        raise PlanError(
            "upload.other_plan",
            "this plan is not the one that the bundle was made for",
            hint="Name the plan of that ceremony with --plan.",
        )
    if plan_file.plan.online.api != manifest.api:
        raise VerificationError(
            "upload.other_api",
            f"the bundle is for {show(manifest.api)}, its plan says "
            f"{show(plan_file.plan.online.api)}",
            hint="Do not use this bundle; export it again, to another medium.",
        )
    _require_issuer(manifest, plan_file.plan)
    return plan_file.plan.online


def _require_issuer(manifest: Manifest, plan: Plan) -> None:
    """A new root is signed by its own key, or by a higher CA: as the reviewed plan says."""
    external = any(entry.issuer == "external" for entry in manifest.certificates)
    if facts_of(manifest.kind).makes_root and external is not (plan.root.issuer == "external"):
        raise VerificationError(
            "upload.root_issuer",
            f"the plan's root.issuer is {plan.root.issuer}, the bundle says otherwise",
            hint="Do not use this bundle; find out who made it.",
        )


def _prove(
    fingerprint: Fingerprint,
    expect: Fingerprint | None,
    ask: Ask | None,
    screen: Screen,
    randbelow: Callable[[int], int],
) -> None:
    if expect is not None:
        require_expected(fingerprint, expect)
        return
    if ask is None:
        raise PlanError(
            "upload.no_words",
            "there is nobody to type words from the paper",
            hint="Give --expect WORDS|HEX|FILE, or run it in a terminal.",
        )
    screen.out("Take the paper that came out of the room. Type the words at these places.")
    type_back(fingerprint, ask=ask, out=screen.out, randbelow=randbelow)
    screen.out("The words match.")


# --- the Factory -------------------------------------------------------------------------


def _run(job: _Job, *, dry_run: bool) -> Receipt:
    manifest, out = job.bundle.manifest, job.screen.out
    with job.screen.busy("asking the Factory what it has"):
        me, pki = job.api.user(), job.api.pki()
    out(f"Factory {manifest.factory}; you are {show(me.name or me.polis_id)}")
    wanted = wanted_of(job.bundle, job.request.current_device_cas)
    if not wanted.fields:
        raise PlanError(
            "upload.nothing",
            f"a ceremony of the kind {manifest.kind.value} sets nothing at the Factory",
            hint="Give the certificates to those who asked for them; nothing is to be uploaded.",
        )
    rows = compare(wanted, pki)
    fields = pending(rows)
    if not fields:
        out("already there: the Factory has exactly the certificates of this bundle")
        return _receipt(job, me, "already there", rows, keep=not dry_run)
    servers = job.request.current_servers if job.request.current_root is not None else None
    require_untouched(rows, pki, job.request.document, servers)
    _require_latest(job)
    for row in rows:
        out(f"  {row.field}: {row.subject}, serial {row.serial}: {row.verdict.value}")
    if dry_run:
        out(f"dry run: would set {', '.join(fields)}")
        return _receipt(job, me, "dry run", rows, keep=False)
    return _send(job, me, wanted, fields)


def _require_latest(job: _Job) -> None:
    """A later POST made other server keys, so certificates over these serve nobody."""
    ours = job.request.document
    if ours is None:
        return
    for other in job.folder.requests(ours.factory):
        slots = {one.slot for one in other.requests} & {one.slot for one in ours.requests}
        if other.api == ours.api and other.fetched_at > ours.fetched_at and slots:
            raise VerificationError(
                "upload.stale",
                f"this bundle answers CSRs of {ours.fetched_at}; new ones were fetched at "
                f"{other.fetched_at}, so its server keys are gone",
                hint="Hold the ceremony over the last request. Nothing was sent.",
            )
    for name in job.folder.unanswered(ours.factory):
        if name > request_name(ours):
            raise VerificationError(
                "upload.stale",
                f"this bundle answers CSRs of {ours.fetched_at}; new ones were asked for later "
                f"({name}), and did not come into a bundle: its server keys may be gone",
                hint="Fetch again and hold the ceremony over that; or, if the Factory made none, "
                f"remove {name}.raw.json from {show(str(job.folder.path))}. Nothing was sent.",
            )


def _send(job: _Job, me: User, wanted: Wanted, fields: tuple[str, ...]) -> Receipt:
    """PATCH once; whatever comes back, the Factory is asked what it has now."""
    whole = set(fields) == wanted.fields
    body = job.bundle.files[PAYLOAD] if whole else part_of(job.bundle.payload, fields)
    answer: Answer | None = None
    trouble: CeremonyError | None = None
    try:
        with job.screen.busy("sending the certificates"):
            answer = job.api.patch(body)
        require_success(answer, "PATCH certs/")
    except NetworkError as exc:
        trouble = exc
        job.screen.out(f"{exc.message}; asking the Factory what it has now")
    after = _look_again(job, wanted, trouble)
    status = None if answer is None else answer.status
    if not pending(after):
        for row in after:
            job.screen.out(f"  {row.field}: {row.subject}, serial {row.serial}: there")
        return _receipt(job, me, "uploaded", after, sent=fields, status=status)
    if trouble is not None and pending(after) == fields:
        raise NetworkError(
            "upload.not_applied",
            f"{trouble.message}; the Factory has what it had before",
            hint=trouble.hint
            if answer is not None
            else "Wait a minute and run the same command again; it may still take effect late.",
        ) from trouble
    receipt = _receipt(job, me, "not as sent", after, sent=fields, status=status)
    raise VerificationError(
        "upload.not_as_sent",
        f"the Factory does not have what was sent: {_differences(after)}",
        hint=f"Read {show(str(receipt.path))}. Running upload again sends what is missing.",
    ) from trouble


def _look_again(job: _Job, wanted: Wanted, trouble: CeremonyError | None) -> tuple[Row, ...]:
    try:
        with job.screen.busy("asking the Factory what it has now"):
            return compare(wanted, job.api.pki())
    except CeremonyError as exc:
        before = f"{trouble.message}; then " if trouble else ""
        raise NetworkError(
            "upload.unknown",
            f"{before}{exc.message}: nobody knows what the Factory has now",
            hint="Run the same command again: it asks first, and sends only what is missing.",
        ) from exc


def _differences(rows: Sequence[Row]) -> str:
    return "; ".join(
        f"{row.field} {row.subject}, serial {row.serial}: {row.verdict.value}"
        for row in rows
        if row.verdict is not Verdict.THERE
    )


def _receipt(
    job: _Job,
    me: User,
    result: Result,
    rows: tuple[Row, ...],
    *,
    sent: tuple[str, ...] = (),
    status: int | None = None,
    keep: bool = True,
) -> Receipt:
    manifest = job.bundle.manifest
    name = upload_name(manifest.factory, manifest.ceremony_id)
    document = ReceiptDocument(
        schema=RECEIPT_SCHEMA,
        result=result,
        bundle=name,
        bundle_sha256=job.bundle.fingerprint.hex,
        request_sha256=manifest.request_sha256,
        factory=manifest.factory,
        api=manifest.api,
        rehearsal=manifest.rehearsal,
        user=show(f"{me.name or ''} ({me.polis_id})".strip()),
        started_at=job.started_at,
        finished_at=format_time(job.clock.now()),
        sent=sent,
        patch_status=status,
        certificates=rows,
    )
    if not keep:
        return Receipt(document=document, path=None)
    path = job.folder.write_numbered(name, ".receipt.json", encode(document))
    return Receipt(document=document, path=path)
