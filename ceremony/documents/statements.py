"""What a report states, what it rests on, and what nobody checked."""

from ceremony.core.text import show
from ceremony.documents.entries import Entries
from ceremony.documents.higher_ca import higher_ca_unchecked
from ceremony.documents.model import Block, Facts, Heading, Paragraph, Tone
from ceremony.kinds import Kind, KindFacts, facts_of

_MILESTONES = (
    ("officer", "A", "officer A"),
    ("officer", "B", "officer B"),
    ("place", None, "place and purpose"),
    ("preflight", None, "preflight"),
    ("clock", None, "confirmed time"),
    ("request", None, "request bundle"),
    ("fence", "root", "fence root"),
    ("done", "key/root", "root key"),
    ("done", "certificate/root", "root certificate"),
    ("fence", "sign", "fence sign"),
    ("verify", None, "verification"),
    ("fence", "export", "fence export"),
    ("done", "export/upload", "upload bundle"),
    ("close", None, "close"),
)


COMPARED = "compared with the paper"  # as the flow writes it
_OF_A_FIRST = frozenset({"fence root", "root key", "root certificate"})
_OF_AN_EXPORT = frozenset(
    {"request bundle", "fence sign", "verification", "fence export", "upload bundle"}
)


def _facts(entries: Entries) -> KindFacts:
    kind = str(entries.lines[0].data.get("kind"))
    return facts_of(Kind(kind) if kind in list(Kind) else Kind.CREATE)


def _milestones(entries: Entries) -> tuple[tuple[str, str | None, str], ...]:
    """Those of its kind: later ones make no root, some export nothing."""
    facts = _facts(entries)
    without = frozenset[str]() if facts.makes_root else _OF_A_FIRST
    without |= frozenset() if facts.exports else _OF_AN_EXPORT
    return tuple(row for row in _MILESTONES if row[2] not in without)


def missing(entries: Entries) -> tuple[str, ...]:
    """What an unfinished ceremony lacks, in order."""
    milestones = _milestones(entries)
    found = [name for kind, key, name in milestones if entries.find(kind, key) is None]
    begun = {entry.line.key for entry in entries.all("intent")}
    done = {entry.line.key for entry in entries.all("done")}
    named = {key for _, key, _ in milestones}
    found += [f"{show(key)} (begun, not done)" for key in sorted(begun - done) if key not in named]
    return tuple(found)


_ASSUMPTIONS = (
    (
        "The online machine was honest when it fetched.",
        (
            "Typing words back shows that the request bundle used here is the one whose words "
            "were printed at the online machine. If that machine itself replaced a CSR, words and "
            "bundle agree, and nothing in the room can see it. Therefore every DNS name and every "
            "key fingerprint is in this report: compare them with the platform by other means."
        ),
    ),
    (
        "The laptop and the token do what they say.",
        (
            "Preflight lists what was looked at. Attributes of keys are as the token itself "
            "reported them; no key attestation of a vendor was verified."
        ),
    ),
    (
        "The clock is right because two people said so.",
        "Each officer compared it with a watch. No other source of time was used.",
    ),
    (
        "People are who they said they are.",
        (
            "Names and roles are as typed. Identity documents are checked by people; the kind of "
            "document is on record, its number is not."
        ),
    ),
    (
        "The record is whole if its head is the one on paper.",
        (
            "The chain shows that no line between the first and the last was changed. That no line "
            "is missing at the end is shown only by the head in the officers' handwriting."
        ),
    ),
)


_CHECK_RECORD = (
    "To check the record's head: tail -n 1 record.jsonl | sha256sum. To check a certificate's "
    "fingerprint: openssl x509 -in FILE -noout -fingerprint -sha256."
)
_CHECK_UPLOAD = (
    " To check the upload bundle: sha256sum -c --strict SHA256SUMS && sha256sum SHA256SUMS."
)


def statements(entries: Entries) -> tuple[Block, ...]:
    """Statement of the officers, assumptions, and what was not checked."""
    close = entries.find("close")
    blocks: list[Block] = [Heading(text="Statements")]
    if close is not None:
        blocks.append(Paragraph(text=close.text("statement")))
    blocks.append(Heading(text="What this report rests on", level=2))
    rests_on = _ASSUMPTIONS if _facts(entries).exports else _ASSUMPTIONS[1:]
    blocks += [Paragraph(lead=lead, text=text) for lead, text in rests_on]
    blocks.append(Heading(text="What was not checked", level=2))
    blocks.append(Facts(rows=_unchecked(entries)))
    blocks.append(
        Paragraph(
            tone=Tone.SMALL,
            text=_CHECK_RECORD + (_CHECK_UPLOAD if _facts(entries).exports else ""),
        )
    )
    return tuple(blocks)


def _named_only(entries: Entries) -> bool:
    """Whether somebody is told of who has no phrase on record."""
    people = entries.find("people", "others")
    others = people is not None and any(people.typed(x) for x in ("administrator", "custodian"))
    return others or entries.find("officer", "witness") is not None


def _unchecked(entries: Entries) -> tuple[tuple[str, str], ...]:
    platform = "Whether it accepted the certificates: the receipt of the upload tells."
    rows = [
        *((("The platform", platform),) if _facts(entries).fields else ()),
        ("Room", "Access to the room, and cameras: on the script only."),
        ("Bags", "Their numbers are as typed; seals are looked at by people."),
    ]
    if _named_only(entries):
        told = "Named by the officers; they type nothing, so that their signatures on paper alone "
        rows.append(("Witness and others", told + "show that they were there, and until when."))
    gaps = [e.line.at for e in entries.all("back") if e.text("head") not in {"", COMPARED}]
    if gaps:
        told = "The record went on without a newer head on paper to compare it with: lines that "
        told += f"were taken away before are not seen. At {', '.join(gaps)}."
        rows.append(("Between sittings", told))
    rows += higher_ca_unchecked(entries)
    folders = [e.line.key for e in entries.all("stick") if e.text("kind") != "stick"]
    if folders:
        named = ", ".join(dict.fromkeys(show(name) for name in folders))
        rows.append(("Sticks", f"Folders of the laptop stood for them: {named}."))
    backup = entries.find("backup")
    proven = entries.find("backup-check") is not None
    if backup is not None and backup.text("method") == "vendor" and not proven:
        rows.append(("Backup token", "Copied by the vendor's procedure; its key was not tried."))
    if backup is not None and backup.text("method") == "file" and not proven:
        rows.append(("Copy of the root key", "Read back byte by byte; not opened again."))
    request = entries.find("request")
    if request is not None and request.text("form") != "bundle":
        rows.append(
            ("Origin of the CSRs", "They came without a request bundle: see 'What came in'.")
        )
    if any(entry.flag("software") for entry in entries.all("token")):
        rows.append(("Software token", "Nothing protects its keys but the laptop's disk."))
    verify = entries.find("verify")
    if verify is not None:
        rows += [
            (row.text("code"), row.text("sentence"))
            for row in verify.items("rows")
            if row.text("status") != "PASS"
        ]
    return tuple(rows)
