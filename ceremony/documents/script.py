"""The script for the day: what is approved beforehand, followed, initialled and signed."""

from ceremony.config import Plan, PlanFile
from ceremony.core.text import show
from ceremony.documents.activities import activities
from ceremony.documents.commands import command_annex
from ceremony.documents.higher_ca import root_csr_sheet
from ceremony.documents.model import (
    REHEARSAL,
    Block,
    Checklist,
    Column,
    Document,
    Facts,
    Heading,
    Listing,
    PageBreak,
    Paragraph,
    Print,
    Signatures,
    Table,
    Tone,
    WriteIn,
)
from ceremony.documents.parts import custody_names, token_name
from ceremony.documents.roles import role_table, roles_of
from ceremony.documents.sheet import travelling_sheet
from ceremony.kinds import Kind, facts_of

_EXCEPTION_SHEETS = 4
_REQUEST_SHEET = "The sheet of words of the request bundle, from the online machine"


def script(plan_file: PlanFile, *, tool_version: str) -> Document:
    """The numbered script of a ceremony, with the words of its plan.

    Print it on another machine than the laptop of the room: the officers type the plan's
    words back from it.
    """
    plan = plan_file.plan
    return Document(
        title="Key ceremony script",
        subtitle=f"{facts_of(plan.kind).title}: Factory {plan.factory}",
        footer=f"Plan SHA-256 {plan_file.fingerprint.hex} - ceremony {show(tool_version)}",
        marks=(REHEARSAL,) if plan.rehearsal else (),
        blocks=(
            *_front(plan_file),
            *_people(plan),
            *activities(plan),
            *_exceptions(),
            *_sign_off(plan),
            *root_csr_sheet(plan),
            *travelling_sheet(plan),
            *command_annex(plan),
            *_plan_text(plan_file),
        ),
    )


def _front(plan_file: PlanFile) -> tuple[Block, ...]:
    plan = plan_file.plan
    rehearsal = Paragraph(
        tone=Tone.NOTICE,
        lead="This is a rehearsal.",
        text="Nothing it makes can be used on a real Factory.",
    )
    return (
        *((rehearsal,) if plan.rehearsal else ()),
        *(backup_notice(plan.root.backup.method) if facts_of(plan.kind).makes_root else ()),
        Facts(rows=plan_rows(plan)),
        Print(caption="The plan: SHA-256 of ceremony.toml", fingerprint=plan_file.fingerprint),
        Facts(rows=(("Approval reference", ""), ("Approved by, date", ""))),
        Heading(text="How to use this script", level=2),
        Paragraph(
            text="Do the steps in order. Read each aloud before it is done. When what was "
            "expected has been seen, officers A and B write their initials and the time (UTC). "
            "Whatever does not go by the script is an exception: fill in an exception sheet, "
            "press F2 in the program, decide, and only then go on. The plan may not be changed on "
            "the day: its words, above, are typed back before anything is made."
        ),
    )


def backup_notice(method: str) -> tuple[Block, ...]:
    """What page 1 says of the root key's backup."""
    if method == "none":
        return (
            Paragraph(
                tone=Tone.NOTICE,
                lead="Root key backup: none.",
                text="The root key is kept once. If it is lost, no certificate of this Factory "
                "can be renewed, and its devices are cut off when the first one ends.",
            ),
        )
    return ()


_BACKUPS = {
    "vendor": "vendor: copied to a second token by the vendor's procedure",
    "file": "file: encrypted copies on sticks of their own",
    "none": "NONE: the key is kept once",
}


def plan_rows(plan: Plan) -> tuple[tuple[str, str], ...]:
    """The plan's decisions, a row each."""
    root = plan.root
    store = "encrypted file"
    if root.key_store == "token" and root.token is not None:
        software = ", SOFTWARE TOKEN" if root.token.software else ""
        store = f"token, {token_name(root.token)}{software}"
    cas = "; ".join(
        f"{ca.name} ({ca.key_store}, {ca.days} days, owner {show(plan.owner(ca))})"
        for ca in plan.local_ca
    )
    policy = {"full": "full: 16 words each", "sample": "sample: 8 words each"}
    facts = facts_of(plan.kind)
    if not facts.makes_root:
        return _later_rows(plan, store, cas, policy)
    return (
        ("Factory", plan.factory),
        ("API", show(plan.online.api)),
        ("Kind", plan.kind.value),
        ("Root key", f"{store}; label {show(root.label)}, id {root.key_id}, {root.curve.value}"),
        ("Root certificate", _root_certificate(plan)),
        ("Root key backup", _BACKUPS[root.backup.method]),
        ("Local device CAs", cas or "none"),
        (
            "CSRs of the platform",
            ", ".join(slot.value for slot in plan.requests)
            + f"; TLS {plan.limits.tls_days} days, CA {plan.limits.online_ca_days} days",
        ),
        ("Type-back", policy[plan.rules.type_back]),
        *_secrets(plan),
    )


def _root_certificate(plan: Plan) -> str:
    if plan.root_below:
        return f"signed by a HIGHER CA, which is asked for {plan.root.days} days, and decides"
    return f"{plan.root.days} days, profile {plan.root.profile}"


def _later_rows(
    plan: Plan, store: str, cas: str, policy: dict[str, str]
) -> tuple[tuple[str, str], ...]:
    """The decisions that a later kind's plan makes; it makes no root."""
    facts, limits = facts_of(plan.kind), plan.limits
    rows = [
        ("Factory", plan.factory),
        ("API", show(plan.online.api)),
        ("Kind", plan.kind.value),
        ("Root key", f"found again: {store}; label {show(plan.root.label)}"),
    ]
    if plan.kind is Kind.CHECK_BACKUP:
        rows[-1] = ("Root key", "stays where it is")
        rows.append(("Backup that is tried", _tried(plan)))
    if plan.kind is Kind.EXPORT_ROOT_KEY:
        rows.append(("What happens to it", "it leaves NOT encrypted, to one named person"))
    if plan.destroy is not None:
        named = ", ".join(show(name) for name in plan.destroy.keys)
        rows.append(("Keys destroyed", f"{named}; made in {show(plan.destroy.ceremony)}"))
    if facts.makes_local_cas:
        rows.append(("New local device CAs", cas or "none"))
    if plan.requests:
        slots = ", ".join(slot.value for slot in plan.requests)
        days = f"TLS {limits.tls_days} days, CA {limits.online_ca_days} days"
        rows.append(("CSRs of the platform", f"{slots}; {days}"))
    if facts.reason is not None:
        chosen = "; ".join(show(ca.serial or str(ca.certificate)) for ca in plan.device_ca)
        rows.append(("Device CAs acted on, by serial", chosen or "picked in the room"))
        rows.append(("CRL", f"{facts.reason.value}, valid {limits.crl_days} days"))
    rows += [
        (f"CSR {one.name}", f"profile {one.profile}, {one.days} days") for one in plan.sign_csr
    ]
    return (*rows, ("Type-back", policy[plan.rules.type_back]), *_secrets(plan))


def _tried(plan: Plan) -> str:
    backup = plan.root.backup
    if backup.method == "vendor":
        named = "named on the day by its serial"
        return f"token, {named if backup.token is None else token_name(backup.token)}"
    return f"{backup.copies} encrypted file(s), each on a stick of its own"


def _secrets(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Who knows PINs and passphrases, where it is not one person."""
    if not plan.rules.split_pin:
        return ()
    return (("PINs and passphrases", "in two parts, one known to each officer"),)


def _people(plan: Plan) -> tuple[Block, ...]:
    roles = [*(name for name, _, _ in roles_of(plan)), "", ""]
    return (
        PageBreak(),
        Heading(text="The day"),
        Facts(rows=tuple((label, "") for label in _DAY)),
        Heading(text="People in the room", level=2),
        Paragraph(
            tone=Tone.SMALL,
            text="Kind of identity document only, never its number. Everybody who enters or "
            "leaves, with the time.",
        ),
        Table(
            tall=True,
            columns=(
                Column(title="Role", share=38),
                Column(title="Name", share=48),
                Column(title="Identity document", share=28),
                Column(title="In", share=14),
                Column(title="Out", share=14),
                Column(title="Signature, initials", share=40),
            ),
            rows=tuple((role, "", "", "", "", "") for role in roles),
        ),
        *_equipment(plan),
        *role_table(plan),
    )


_DAY = ("Date", "Place, room", "Begin, end (UTC)", "Video: medium, held by")


def _equipment(plan: Plan) -> tuple[Block, ...]:
    exports = facts_of(plan.kind).exports
    items = [
        "Laptop without network",
        "Its start medium",
        *(["Stick CSR IN", "Stick SIGNED OUT"] if exports else []),
    ]
    items += ["Stick HIGHER CA"] if plan.root_below else []
    items += ["Stick EVIDENCE", *(f"Stick KEY {name}" for name in custody_names(plan))]
    items += dict.fromkeys(f"Token: {token_name(token)}" for _, token in plan.tokens)
    made = facts_of(plan.kind).makes_root
    if plan.root.backup.method == "vendor" and (made or not (exports or plan.tokens)):
        items.append("Backup token: serial")
    return (
        Heading(text="What is in the room", level=2),
        Checklist(
            items=(
                "This script, approved and signed, printed on another machine",
                *((_REQUEST_SHEET,) if exports else ()),
                "Two watches that do not depend on the laptop",
                "Pens, envelopes, new tamper-evident bags",
            )
        ),
        Table(
            tall=True,
            columns=(
                Column(title="Item", share=52),
                Column(title="Serial, mark", share=34),
                Column(title="Bag in", share=28),
                Column(title="Bag out", share=28),
                Column(title="Held afterwards by, where", share=40),
            ),
            rows=tuple((item, "", "", "", "") for item in items),
        ),
    )


def _certified(plan: Plan) -> tuple[str, ...]:
    """Asked of people where there is a token: PKCS#11 tells nothing of it."""
    tokens = plan.root.key_store == "token" or any(ca.key_store == "token" for ca in plan.local_ca)
    label = "FIPS 140 or Common Criteria certificate of each token, and the mode that it runs in"
    return (label,) if tokens else ()


def _exceptions() -> tuple[Block, ...]:
    blocks: list[Block] = []
    for number in range(1, _EXCEPTION_SHEETS + 1):
        if number % 2:
            blocks += [PageBreak(), Heading(text="Exception sheets")]
        blocks += [
            Heading(text=f"Exception E-__   (sheet {number} of {_EXCEPTION_SHEETS})", level=2),
            WriteIn(label="Step, time (UTC)"),
            WriteIn(label="What happened", lines=3),
            WriteIn(label="Why", lines=2),
            WriteIn(label="Decision: go on or stop; who decided", lines=2),
            WriteIn(label="Initials of both officers"),
        ]
    return tuple(blocks)


def _sign_off(plan: Plan) -> tuple[Block, ...]:
    people = [("Ceremony administrator", ""), ("Officer A", ""), ("Officer B", "")]
    return (
        PageBreak(),
        Heading(text="Sign-off"),
        Checklist(
            items=(
                "Every step has initials and a time, or an exception sheet.",
                "The head of the record is written in part 9.",
                "Exceptions on record: ______   exception sheets: ______   they agree.",
                "Every item of 'What is in the room' has a holder and a bag number.",
            )
        ),
        Paragraph(
            text="We were present, took the steps of this script as initialled, and recorded "
            "every departure from it."
        ),
        Signatures(rows=tuple(people)),
        *(WriteIn(label=label, lines=2) for label in _certified(plan)),
        PageBreak(),
        Heading(text="Statement of the witness"),
        Paragraph(
            text=("The plan names a witness. " if plan.rules.witness else "")
            + "I was present from the step and time below to the step and time below. I saw the "
            "identity documents of both officers, saw them type the words from paper, and saw "
            "the fences passed by both of them. I typed no word, PIN or phrase myself. What I "
            "saw went by this script, except for what the exception sheets tell."
        ),
        WriteIn(label="From step, time (UTC), to step, time (UTC)"),
        WriteIn(label="Remarks", lines=5),
        Signatures(rows=(("Witness", ""), ("Organisation of the witness", ""))),
    )


def _plan_text(plan_file: PlanFile) -> tuple[Block, ...]:
    lines = plan_file.raw.decode("utf-8", "backslashreplace").splitlines()
    return (
        PageBreak(),
        Heading(text="Annex: the plan, as reviewed"),
        Paragraph(
            tone=Tone.SMALL,
            text="The whole of ceremony.toml. Its fingerprint is on page 1; "
            "sha256sum ceremony.toml shows the same digits.",
        ),
        Listing(lines=tuple(show(line, limit=4096) for line in lines)),
    )
