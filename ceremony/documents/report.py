"""The key generation report: what a record tells, as a document for an auditor."""

from collections.abc import Mapping, Sequence

from ceremony.config import Plan
from ceremony.core.text import show
from ceremony.core.times import parse_time
from ceremony.documents.artefacts import certificates as certificate_blocks
from ceremony.documents.artefacts import hardware, keys, outgoing, request
from ceremony.documents.changes import changes, destroyed, existing_root
from ceremony.documents.commands import EVIDENCE_PLAN, command_annex
from ceremony.documents.course import course
from ceremony.documents.departure import what_next
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.higher_ca import higher_ca_front
from ceremony.documents.judgements import checks, exceptions, fences, preflights, type_backs
from ceremony.documents.model import (
    REHEARSAL,
    UNFINISHED,
    Block,
    Column,
    Document,
    Facts,
    Heading,
    PageBreak,
    Paragraph,
    Print,
    Signatures,
    Table,
    Tone,
)
from ceremony.documents.possession import backups, bags, others, sticks
from ceremony.documents.script import backup_notice, plan_rows
from ceremony.documents.statements import missing, statements
from ceremony.record.chain import Line
from ceremony.x509.certificate import Certificate


def report(
    lines: Sequence[Line], *, plan: Plan | None, certificates: Mapping[str, Certificate]
) -> Document:
    """The report of a finished or unfinished ceremony; a function of its arguments alone.

    Args:
        lines: a record whose chain was verified.
        plan: the ceremony's plan, where it is at hand.
        certificates: by name (`root`, a slot, or a local CA's name), those at hand.

    Raises:
        VerificationError: `record.line`, or `report.certificate`.
    """
    entries = Entries(lines)
    opened = Entry(line=lines[0], data=lines[0].data)
    marks = [REHEARSAL] if opened.flag("rehearsal") else []
    if entries.find("close") is None:
        marks.append(UNFINISHED)
    return Document(
        title="Key generation report" if entries.keys("done", "key/") else "Key ceremony report",
        subtitle=f"Factory {opened.text('factory')}, ceremony {opened.text('ceremony_id')}",
        footer=f"Plan SHA-256 {opened.text('plan_sha256')} - {opened.text('ceremony_id')}",
        marks=tuple(marks),
        created=parse_time(lines[-1].at),
        blocks=(
            *_front(entries, opened, plan),
            *_people(entries),
            *type_backs(entries),
            *fences(entries),
            *exceptions(entries),
            *hardware(entries),
            *sticks(entries),
            *preflights(entries),
            *request(entries),
            *existing_root(entries),
            *changes(entries),
            *destroyed(entries),
            *keys(entries),
            *backups(entries),
            *certificate_blocks(entries, certificates),
            *checks(entries),
            *outgoing(entries),
            *bags(entries),
            *_next(entries, plan),
            *course(entries),
            *_plan(opened, plan),
            *statements(entries),
            *(() if plan is None else command_annex(plan, file=EVIDENCE_PLAN)),
            *_sign_off(entries),
        ),
    )


def _front(entries: Entries, opened: Entry, plan: Plan | None) -> tuple[Block, ...]:
    place = entries.find("place")
    close = entries.find("close")
    last = entries.lines[-1]
    method = _backup(entries, plan)
    rows = [
        ("Factory", opened.text("factory")),
        ("Kind", opened.text("kind")),
        ("Ceremony", opened.text("ceremony_id")),
        ("Began", opened.line.at),
        ("Closed", "NOT CLOSED" if close is None else close.line.at),
        ("Place", place.typed("place") if place else "not on record"),
        ("Purpose", place.typed("purpose") if place else "not on record"),
        ("Approval", place.typed("approval") if place else "not on record"),
        ("Script", f"of this plan, made by ceremony {opened.text('tool_version')}"),
        ("Root key backup", _backup_told(entries, method)),
        *higher_ca_front(entries, plan),
        ("Exceptions", str(len(tuple(entries.all("exception")))) + " on record"),
        ("Record of the ceremony before", opened.text("previous_head") or "none on this laptop"),
    ]
    caption = f"Head of the record: SHA-256 of its last line, number {last.n + 1}"
    return (
        *_notices(entries, opened, method),
        Facts(rows=tuple(rows)),
        Print(caption=caption, fingerprint=last.fingerprint),
    )


def _backup(entries: Entries, plan: Plan | None) -> str:
    entry = entries.find("backup")
    if entry is not None:
        return entry.text("method")
    return plan.root.backup.method if plan is not None else "not on record"


def _backup_told(entries: Entries, method: str) -> str:
    """What this record shows of the backup; the plan's word for it is no proof."""
    if method == "none":
        return "NONE: the key is kept once"
    proofs = len({entry.line.key for entry in entries.all("backup-check")})
    if proofs:
        each = "each medium" if proofs > 1 else "the medium"
        return f"{method}: proven in this ceremony, {each} signed a challenge ({proofs})"
    if entries.find("backup") is not None:
        return f"{method}: not proven in this ceremony"
    return f"{method}, says the plan; not looked at in this ceremony"


def _notices(entries: Entries, opened: Entry, method: str) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if opened.flag("rehearsal"):
        blocks.append(
            Paragraph(
                tone=Tone.NOTICE,
                lead="This was a rehearsal.",
                text="Nothing it made can be used on a real Factory.",
            )
        )
    if entries.find("close") is None:
        blocks.append(
            Paragraph(
                tone=Tone.NOTICE,
                lead="This ceremony is not finished.",
                text="Missing: " + "; ".join(missing(entries)) + ".",
            )
        )
    if (plain := entries.find("done", "export/root-key")) is not None:
        text = f"At {plain.line.at}, to the stick and the person named under 'What went out'."
        lead = "The root key left the room NOT encrypted."
        blocks.append(Paragraph(tone=Tone.NOTICE, lead=lead, text=text))
    return (*blocks, *backup_notice(method))


def _people(entries: Entries) -> tuple[Block, ...]:
    rows: list[tuple[str, ...]] = []
    for entry in entries.all("officer"):
        part = _part(entry)
        identity = entry.typed("identity") or "not on record"
        rows.append((part, entry.typed("name"), entry.typed("role"), identity, entry.line.at))
    rows += others(entries)
    for entry in entries.all("custody"):
        name = entry.typed("receiver")
        rows.append(("Receiver", name, f"key {show(entry.line.key)}", "-", entry.line.at))
    return (
        Heading(text="People"),
        Table(
            columns=(
                Column(title="Part", share=22),
                Column(title="Name", share=36),
                Column(title="Role", share=34),
                Column(title="Identity checked with", share=27),
                Column(title="On record since (UTC)", share=33),
            ),
            rows=tuple(rows),
        ),
    )


def _next(entries: Entries, plan: Plan | None) -> tuple[Block, ...]:
    if plan is None:
        return ()
    done = entries.find("done", "export/upload")
    bundle = done.text("path").rpartition("/")[2] if done is not None else "BUNDLE"
    return Heading(text="What comes next"), Facts(rows=what_next(plan, bundle))


def _part(entry: Entry) -> str:
    seat = show(entry.line.key)
    return "Witness" if seat == "witness" else f"Officer {seat}"


def _plan(opened: Entry, plan: Plan | None) -> tuple[Block, ...]:
    blocks: list[Block] = [Heading(text="The plan")]
    if plan is None:
        blocks.append(Paragraph(text="The plan was not at hand when this report was made."))
    else:
        blocks.append(Facts(rows=plan_rows(plan)))
    fingerprint = opened.fingerprint("plan_sha256")
    if fingerprint is not None:
        blocks.append(Print(caption="The plan: SHA-256 of its file", fingerprint=fingerprint))
    return tuple(blocks)


_ATTENDED = (
    Column(title="Name", share=50),
    Column(title="Part", share=34),
    Column(title="Since, or before (UTC)", share=40),
    Column(title="Until (UTC), by hand", share=40),
)


def _receipts(entries: Entries) -> tuple[Block, ...]:
    """A line to sign for each person who took a key with them."""
    names = dict.fromkeys(entry.typed("receiver") for entry in entries.all("custody"))
    if not names:
        return ()
    return (
        Paragraph(text="I have received the keys that stand with my name under 'What went out'."),
        Signatures(rows=tuple(("Receiver", name) for name in names)),
    )


def _sign_off(entries: Entries) -> tuple[Block, ...]:
    people = {entry.line.key: entry.typed("name") for entry in entries.all("officer")}
    rows = [("Officer A", people.get("A", "")), ("Officer B", people.get("B", ""))]
    if "witness" in people:
        rows.append(("Witness", people["witness"]))
    since = [
        (entry.typed("name"), _part(entry), entry.line.at, "") for entry in entries.all("officer")
    ]
    since += [(name, part, at, "") for part, name, _, _, at in others(entries)]
    return (
        PageBreak(),
        Heading(text="Sign-off"),
        Table(tall=True, caption="Who attended", columns=_ATTENDED, rows=tuple(since)),
        Paragraph(
            text="This report tells the ceremony as it was. It was held by the script of this "
            "plan, but for the exceptions that are told. The private keys named here were made "
            "or used before two officers; they are where this report says, and I know of no "
            "other copy. The head of the record on the first page is the one that I saw on the "
            "screen and that stands on paper."
        ),
        Signatures(rows=tuple(rows)),
        *_receipts(entries),
        Paragraph(
            text="I am independent of those who hold these keys. I have compared this report "
            "with the record, whose head I have from paper (ceremony verify --expect)."
        ),
        Signatures(rows=(("Auditor", ""),)),
    )
