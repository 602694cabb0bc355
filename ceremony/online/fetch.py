"""`fetch`: new server keys at the Factory, their CSRs into a request bundle."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import structs

from ceremony.bundle.request import FILES, request_files, request_name
from ceremony.bundle.schema import (
    REQUEST_SCHEMA,
    Current,
    DeviceCa,
    Posted,
    Request,
    RequestDocument,
)
from ceremony.bundle.sums import verify_sums
from ceremony.bundle.writing import read_back, write_directory
from ceremony.clock import SystemClock
from ceremony.config import Plan, PlanFile, Slot
from ceremony.core.findings import Finding, errors, warnings
from ceremony.core.ports import Clock
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import MediaError, NetworkError, StoppedError, VerificationError
from ceremony.kinds import facts_of
from ceremony.online.api import Api, Pki, User, read_csrs, require_success
from ceremony.online.login import Login
from ceremony.online.paper import words_sheet
from ceremony.online.screen import Out, Screen
from ceremony.online.state import Reserved, StateFolder
from ceremony.online.transport import Bounds
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr, check_csr, check_keys, read_csr, rules_of
from ceremony.x509.higher_ca import require_issuer
from ceremony.x509.pem import CERTIFICATE, CERTIFICATE_REQUEST, write_pem

Confirm = Callable[[str], str | None]


def fetch(
    plan_file: PlanFile,
    to: Path,
    *,
    login: Login,
    state: Path,
    confirm: Confirm,
    screen: Screen | None = None,
    clock: Clock | None = None,
    bounds: Bounds | None = None,
) -> Path:
    """Fetches a request bundle; on a real Factory only after its name was typed.

    Args:
        plan_file: the reviewed plan.
        to: the folder (stick) that gets the bundle.
        login: for the API.
        state: folder of the online machine's memory.
        confirm: shows what will happen, returns the Factory's name as typed.
        screen: where words go; nowhere by default.
        clock: the machine's by default.
        bounds: other than the usual ones.

    Returns:
        The bundle's directory.

    Raises:
        VerificationError: `fetch.clock`, `fetch.root_set`, `fetch.no_root`, `fetch.user_unknown`,
            `fetch.answer`, `request.root_issuer`, `practice.*`, or a CSR that policy refuses.
        StoppedError: `fetch.not_confirmed`.
        NetworkError: `api.*`, `fetch.unknown`.
        MediaError: `fetch.folder`, `state.*`, `media.*`.
    """
    screen = screen or Screen()
    plan = plan_file.plan
    at = (clock or SystemClock()).now()
    _require_folder(to)
    folder = StateFolder(state)
    _require_clock(plan, at, folder)
    api = Api(plan.online, plan.factory, login, rehearsal=plan.rehearsal, bounds=bounds)
    with screen.busy("asking the Factory what it has"):
        me, users, pki = api.user(), api.users(), api.pki()
    _check_users(plan, me, users, screen.out)
    _require_root_state(plan, pki)
    if plan.requests:
        _confirm(plan, pki, folder, confirm)
    document = _document(plan_file, pki, at)
    name = request_name(document)
    if os.path.lexists(to / name):
        raise MediaError(
            "media.exists",
            f"{show(str(to / name))} is there already",
            hint="Wait a minute and run the command again; nothing is overwritten.",
        )
    csrs: Mapping[Slot, Csr] = {}
    if plan.requests:
        with folder.reserve(f"{name}.raw.json") as raw, screen.busy("the Factory makes its keys"):
            body = _post(api, document.posted, raw)
        if pki.root is not None:
            with screen.busy("asking the Factory what it has now"):
                pki = api.pki()
            document = structs.replace(document, current=_current(pki))
        csrs = _read_csrs(plan, body, pki, screen.out)
    _tell_current(pki, screen.out)
    files = _bundle(document, csrs, pki)
    return _deliver(to, name, files, plan_file, folder, screen)


# --- before the POST -----------------------------------------------------------------


def _require_folder(to: Path) -> None:
    if not os.access(to, os.W_OK | os.X_OK) or not to.is_dir():
        raise MediaError(
            "fetch.folder",
            f"{show(str(to))} is not a folder that can be written to",
            hint="Plug in the stick and name its folder with --to.",
        )


def _require_clock(plan: Plan, at: datetime, folder: StateFolder) -> None:
    """What is fetched later bears a later time: `upload` knows stale CSRs by it."""
    for last in folder.requests(plan.factory)[-1:]:
        if last.fetched_at > format_time(at):
            raise VerificationError(
                "fetch.clock",
                f"this machine's clock says {format_time(at)}, and a request was fetched here at "
                f"{last.fetched_at}: the clock is behind, or it was ahead then",
                hint="Set the clock (UTC). If it was ahead then, take another folder with --state.",
            )


def _check_users(plan: Plan, me: User, users: tuple[User, ...], out: Out) -> None:
    out(f"you are {_named(me)}")
    known = {user.polis_id: user for user in users}
    owners = dict.fromkeys([plan.user_id, *(plan.owner(ca) for ca in plan.local_ca)])
    for owner in owners:
        user = known.get(owner)
        if user is None:
            raise VerificationError(
                "fetch.user_unknown",
                f"the Factory has no user with the id {owner}",
                hint="Correct user_id in the plan: that user owns every device of a local CA.",
            )
        out(f"devices of local CAs will belong to {_named(user)}")


def _named(user: User) -> str:
    name, role = show(user.name or "a user without a name"), show(user.role or "no role told")
    return f"{name}, {role}, user id {show(user.polis_id)}"


def _require_root_state(plan: Plan, pki: Pki) -> None:
    """A first ceremony makes a root, and a Factory takes one root only; others need it."""
    if pki.root is None and not facts_of(plan.kind).makes_root:
        raise VerificationError(
            "fetch.no_root",
            f"the Factory has no root of trust yet, and {plan.kind.value} needs one",
            hint="Hold the first ceremony (kind create) before. Nothing was changed.",
        )
    if pki.root is not None and facts_of(plan.kind).makes_root:
        raise VerificationError(
            "fetch.root_set",
            f"the Factory already has a root of trust: {pki.root.subject}, "
            f"SHA-256 {pki.root.fingerprint.hex}",
            hint="Choose a later kind of ceremony: a root is set once. Nothing was changed.",
        )
    if pki.root is not None:
        require_issuer(pki.root, plan.root.issuer)


def _tell_current(pki: Pki, out: Out) -> None:
    """The list that a later ceremony is held over."""
    if pki.root is None:
        return
    out(f"root: {pki.root.subject}, SHA-256 {pki.root.fingerprint.hex}")
    for ca in pki.device_cas:
        state = "disabled" if str(ca.serial) in pki.disabled_serials else "usable"
        out(f"device CA, {state}: {ca.subject}, serial {ca.serial} (hex {ca.serial_hex})")


def _confirm(plan: Plan, pki: Pki, folder: StateFolder, confirm: Confirm) -> None:
    if plan.rehearsal and not pki.configured:
        return
    lines = [
        f"Factory {plan.factory} at {plan.online.api}",
        "This makes new server keys there. CSRs that were fetched before become stale: what a",
        "ceremony signed for them can no longer be uploaded.",
    ]
    if pki.configured:
        lines.append("The Factory is in use: its present server keys are REPLACED.")
    lines += [
        f"An earlier request was fetched at {document.fetched_at}."
        for document in folder.requests(plan.factory)[-1:]
    ]
    if (confirm("\n".join(lines)) or "").strip() != plan.factory:
        raise StoppedError(
            "fetch.not_confirmed",
            "the Factory's name was not typed; nothing was changed",
            hint="Run the command again and type the name, or leave it.",
        )


# --- the POST, and what it answers -----------------------------------------------------


def _document(plan_file: PlanFile, pki: Pki, at: datetime) -> RequestDocument:
    plan = plan_file.plan
    return RequestDocument(
        schema=REQUEST_SCHEMA,
        factory=plan.factory,
        user_id=plan.user_id,
        api=plan.online.api,
        kind=plan.kind,
        fetched_at=format_time(at),
        plan_sha256=plan_file.fingerprint.hex,
        posted=Posted(
            first_time_init=pki.root is None,
            tls_csr=Slot.TLS in plan.requests,
            ca_csr=Slot.ONLINE_CA in plan.requests,
            est_tls_csr=Slot.EST_TLS in plan.requests,
        ),
        requests=(),
        current=_current(pki),
        rehearsal=plan.rehearsal,
    )


def _current(pki: Pki) -> Current | None:
    if pki.root is None:
        return None
    return Current(
        root_sha256=pki.root.fingerprint.hex,
        device_cas=tuple(
            DeviceCa(subject=one.subject, serial=str(one.serial), sha256=one.fingerprint.hex)
            for one in pki.device_cas
        ),
        disabled_serials=pki.disabled_serials,
        change_meta=pki.change_meta,
    )


def _post(api: Api, posted: Posted, raw: Reserved) -> bytes:
    """Sends it once; the answer is on the disk before anybody looks at it."""
    try:
        answer = api.post(posted)
    except NetworkError as exc:
        raise NetworkError(
            "fetch.unknown",
            f"{exc.message}: nobody knows whether the Factory made new keys",
            hint="Run fetch again: it makes new keys, and only the last ones count.",
        ) from exc
    if 300 <= answer.status < 500:
        raw.drop()
    require_success(answer, "POST certs/")
    raw.write(answer.body)
    return answer.body


def _read_csrs(plan: Plan, body: bytes, pki: Pki, out: Out) -> Mapping[Slot, Csr]:
    found = read_csrs(body)
    if set(found) != set(plan.requests):
        raise VerificationError(
            "fetch.answer",
            f"asked for {_slots(plan.requests)}; the API answered {_slots(found) or 'nothing'}",
            hint="Look at the raw answer in the state folder; run fetch again.",
        )
    csrs = {slot: read_csr(found[slot], f"the API's CSR {slot.value}") for slot in plan.requests}
    findings: list[Finding] = []
    for slot, csr in csrs.items():
        findings += check_csr(csr, slot, rules_of(plan), _servers(pki).get(slot))
        names = ", ".join(csr.dns_names)
        out(f"{slot.value}: {csr.subject}{f'; names {names}' if names else ''}; {csr.key}")
        out(f"  key SHA-256 {csr.spki_sha256.hex}")
    findings += check_keys({slot.value: csr.spki for slot, csr in csrs.items()})
    for finding in warnings(findings):
        out(f"warning: {finding.where}: {finding.message} [{finding.code}]")
    for finding in errors(findings):
        raise VerificationError(
            finding.code,
            f"{finding.where}: {finding.message}",
            hint="Ask why the platform sent such a CSR; the raw answer is in the state folder. "
            "No bundle was written.",
        )
    return csrs


def _servers(pki: Pki) -> dict[Slot, Certificate]:
    found = {Slot.TLS: pki.tls, Slot.EST_TLS: pki.est_tls}
    return {slot: one for slot, one in found.items() if one is not None}


def _slots(slots: Mapping[Slot, bytes] | tuple[Slot, ...]) -> str:
    return ", ".join(sorted(slot.value for slot in slots))


# --- the bundle ------------------------------------------------------------------------


def _bundle(document: RequestDocument, csrs: Mapping[Slot, Csr], pki: Pki) -> Mapping[str, bytes]:
    requests = tuple(
        Request(slot=slot, file=FILES[slot], spki_sha256=csr.spki_sha256.hex)
        for slot, csr in csrs.items()
    )
    complete = structs.replace(document, requests=requests)
    pems = {slot: write_pem(csr.der, CERTIFICATE_REQUEST) for slot, csr in csrs.items()}
    cas = b"".join(write_pem(one.der, CERTIFICATE) for one in pki.device_cas)
    root = write_pem(pki.root.der, CERTIFICATE) if pki.root else None
    if root is None:
        return request_files(complete, pems, None, None)
    servers = {slot: write_pem(one.der, CERTIFICATE) for slot, one in _servers(pki).items()}
    return request_files(complete, pems, root, cas or None, servers)


_CARRY: Final = "Carry the stick and the sheet to the room, apart from each other."


def _deliver(
    to: Path,
    name: str,
    files: Mapping[str, bytes],
    plan_file: PlanFile,
    folder: StateFolder,
    screen: Screen,
) -> Path:
    fingerprint = verify_sums(files)
    copy = folder.remember(fingerprint, files, plan_file)
    try:
        with screen.busy("writing and reading back the bundle"):
            path = write_directory(to, name, files)
            read_back(path, files)
    except MediaError:
        screen.out(f"the bundle is kept in {show(str(copy))}; copy it to {show(name)} elsewhere")
        raise
    sheet = words_sheet(name, fingerprint, rehearsal=plan_file.plan.rehearsal)
    kept = folder.write_numbered(name, ".words.txt", sheet.encode("ascii"))
    screen.out("")
    for line in sheet.splitlines():
        screen.out(line)
    screen.paint(fingerprint)
    screen.out("")
    screen.out(f"sheet of words: {show(str(kept))}")
    screen.out(_CARRY)
    return path
