"""Step 1, open: place and purpose, officers, and the plan's words from the approved script."""

from ceremony.core.text import show
from ceremony.core.typeback import Policy
from ceremony.flow.asking import Flow, acknowledge, enter
from ceremony.flow.bags import open_bags, reopen_bags
from ceremony.flow.officers import enrol
from ceremony.flow.people import enrol_others
from ceremony.flow.prompts import Acknowledge, EnterText, Facts, Field, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.flow.words import type_back
from ceremony.kinds import Kind, facts_of


def open_ceremony(room: Room) -> Flow[None]:
    """Everything before the laptop itself is looked at."""
    if not room.has("place", "place"):
        yield from _welcome(room)
        yield from _place(room)
    yield from enrol(room)
    if not room.record.closed:
        yield from enrol_others(room)
        yield from open_bags(room)
        yield from reopen_bags(room)
    yield from type_back(
        room,
        step=Step.OPEN,
        what="plan",
        paper="approved script",
        value=room.plan_file.fingerprint,
        policy=Policy(room.plan.rules.type_back),
    )


def _welcome(room: Room) -> Flow[None]:
    facts = facts_of(room.plan.kind)
    yield from acknowledge(
        Acknowledge(
            key="open.welcome",
            step=Step.OPEN,
            title=facts.title,
            body=(
                Text(
                    text=f"{facts.purpose} Two officers go through nine steps; each is "
                    "recorded, and the ceremony can be resumed after any interruption."
                ),
                plan_facts(room),
                Text(text=f"Have at hand: {_at_hand(room)}.", tone=Tone.DIM),
            ),
            action="Begin",
            help="Nothing is made before the first fence. Esc goes back where nothing was "
            "recorded; F2 records an exception; F3 pauses; Ctrl+Q leaves, and the same command "
            "resumes.",
        )
    )


def _at_hand(room: Room) -> str:
    facts, root = facts_of(room.plan.kind), room.plan.root
    things = ["the approved script"]
    if facts.exports:
        things.append("the sheet of words from the online machine")
    if room.plan.kind is Kind.CHECK_BACKUP:
        things.append("the backup of the root key, and what opens it")
    elif root.key_store == "token":
        things.append("the token and its PIN")
    elif not facts.makes_root:
        things.append("the root key's file and its passphrase")
    return ", ".join([*things, "the sticks"])


def plan_facts(room: Room) -> Facts:
    """The plan on one table."""
    plan = room.plan
    cas = ", ".join(f"{ca.name} ({ca.key_store})" for ca in plan.local_ca) or "none"
    token = plan.root.token
    where = "encrypted file"
    if plan.root.key_store == "token" and token is not None:
        where = f"token {show(token.serial or token.label or '')}"
    facts = facts_of(plan.kind)
    rows = [("Kind", plan.kind.value), ("Factory", plan.factory), ("API", show(plan.online.api))]
    if facts.makes_root:
        rows.append(("Root key", f"{where}, {plan.root.curve.value}, {plan.root.days} days"))
        if plan.root_below:
            rows.append(("Root certificate", "signed by a higher CA; the ceremony waits for it"))
        rows.append(("Backup of the root key", plan.root.backup.method))
    else:
        rows.append(("Root key", f"{where}, label {show(plan.root.label)}, found again"))
    if facts.makes_local_cas:
        rows.append(("Local device CAs", cas))
        rows.append(("Owner of devices", f"user {show(plan.user_id)}"))
    if facts.reason is not None:
        chosen = [show(one.serial or str(one.certificate)) for one in plan.device_ca]
        rows.append(("Device CAs", ", ".join(chosen) or "picked in the room"))
        rows.append(("The CRL is valid", f"{plan.limits.crl_days} days"))
    if plan.requests:
        rows.append(("CSRs to be signed", ", ".join(slot.value for slot in plan.requests)))
    rows.append(("SHA-256 of the plan", room.plan_file.fingerprint.hex[:16] + " ..."))
    return Facts(rows=tuple(rows))


def _place(room: Room) -> Flow[None]:
    values = yield from enter(
        EnterText(
            key="open.place",
            step=Step.OPEN,
            title="Place and purpose",
            body=(Text(text="These lines open the report; an auditor reads them first."),),
            fields=(
                Field(name="place", label="Place", placeholder="building, room"),
                Field(name="purpose", label="Purpose", placeholder="why this ceremony is held"),
                Field(
                    name="approval",
                    label="Approval reference",
                    placeholder="ticket or document that approved the plan",
                ),
            ),
            help="They stand on the report's first page, as they are typed here.",
        )
    )
    room.append(Step.OPEN, "place", "place", **values)
