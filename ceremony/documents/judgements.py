"""What was compared, checked and decided: type-backs, fences, preflight, checks, exceptions."""

from ceremony.core.text import show
from ceremony.documents.course import sentence
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.interruptions import pauses
from ceremony.documents.model import Block, Column, Facts, Heading, Paragraph, Table
from ceremony.documents.parts import numbered
from ceremony.record.chain import Line

_CHECK_COLUMNS = (
    Column(title="Result", share=12),
    Column(title="Code", share=38, mono=True),
    Column(title="What was seen", share=100),
)


def type_backs(entries: Entries) -> tuple[Block, ...]:
    """Who typed which words of what, and the verdicts."""
    rows = tuple(
        (
            e.text("what"),
            e.typed("officer"),
            e.places("positions"),
            e.text("verdict").upper(),
            e.line.at,
        )
        for e in entries.all("type-back")
    )
    columns = (
        Column(title="Words of", share=18),
        Column(title="Typed by", share=30),
        Column(title="Places on the sheet", share=52),
        Column(title="Verdict", share=20),
        Column(title="Time (UTC)", share=33),
    )
    blocks: list[Block] = [
        Heading(text="Type-backs"),
        _table(columns, rows, "No words were typed."),
    ]
    told = tuple(
        ("Time confirmed against watches", f"{e.text('confirmed_at')}, by {e.names()}")
        for e in entries.all("clock")
    )
    if told:
        blocks.append(Facts(rows=told))
    return tuple(blocks)


def fences(entries: Entries) -> tuple[Block, ...]:
    """Steps that needed both officers."""
    rows = tuple((show(e.line.key), e.names(), e.line.at) for e in entries.all("fence"))
    columns = (
        Column(title="Fence", share=30),
        Column(title="Passed by, each with a personal phrase", share=80),
        Column(title="Time (UTC)", share=40),
    )
    return Heading(text="Fences"), _table(columns, rows, "No fence was passed.")


def _table(columns: tuple[Column, ...], rows: tuple[tuple[str, ...], ...], none: str) -> Block:
    return Table(columns=columns, rows=rows) if rows else Paragraph(text=none)


def exceptions(entries: Entries) -> tuple[Block, ...]:
    """Numbered exceptions; then what the program refused, and where it stopped."""
    blocks: list[Block] = [Heading(text="Exceptions")]
    found = tuple(entries.all("exception"))
    if not found:
        blocks.append(Paragraph(text="No exception is on record."))
    blocks += [
        Facts(
            caption=f"{show(entry.line.key)}, {entry.line.at}, step "
            f"{numbered(show(entry.line.step))}",
            rows=(
                ("What", entry.typed("what")),
                ("Why", entry.typed("why")),
                ("Decision", entry.typed("decision")),
                ("Decided by", entry.names()),
            ),
        )
        for entry in found
    ]
    return (*blocks, *pauses(entries), *_refusals(entries), *_findings(entries))


def _refusals(entries: Entries) -> tuple[Block, ...]:
    kinds = {"refused": "refused", "stop": "stopped", "torn": "cut off", "reopen": "resumed"}
    rows = []
    for line in entries.lines:
        if line.type in kinds:
            entry = Entry(line=line, data=line.data)
            code = show(line.key) if line.type in {"refused", "stop"} else ""
            told = f"{entry.text('message')} {_next(entries, line)}".strip()
            rows.append((line.at, kinds[line.type], code, told))
    if not rows:
        return ()
    columns = (
        Column(title="Time (UTC)", share=33),
        Column(title="What", share=18),
        Column(title="Code", share=28, mono=True),
        Column(title="Message, and what followed", share=74),
    )
    officers = [entry.typed("name") for entry in entries.all("officer") if entry.line.key in "AB"]
    return (
        Heading(text="Refusals and interruptions", level=2),
        Paragraph(
            text="Each with the line of the record that followed. At the table: "
            f"{', '.join(officers) or 'nobody who had enrolled'}."
        ),
        Table(columns=columns, rows=tuple(rows)),
    )


def _next(entries: Entries, line: Line) -> str:
    """What came after a refusal: another try, another stick, an exception, the end."""
    later = entries.lines[line.n + 1 : line.n + 2]
    return f"-> line {line.n + 2}: {sentence(later[0])}" if later else ""


def _findings(entries: Entries) -> tuple[Block, ...]:
    rows = [
        (e.text("where"), f.text("severity"), f.text("code"), f.text("message"), e.names())
        for e in entries.all("findings")
        for f in e.items("findings")
    ]
    if not rows:
        return ()
    columns = (
        Column(title="Where", share=20),
        Column(title="Severity", share=16),
        Column(title="Code", share=32, mono=True),
        Column(title="Finding", share=56),
        Column(title="Acknowledged by", share=28),
    )
    return (Heading(text="Findings", level=2), Table(columns=columns, rows=tuple(rows)))


def preflights(entries: Entries) -> tuple[Block, ...]:
    """Every round of preflight, and the notes on its warnings."""
    blocks: list[Block] = [Heading(text="Preflight")]
    rounds = tuple(entries.all("preflight"))
    if not rounds:
        blocks.append(Paragraph(text="No preflight is on record."))
    for entry in rounds:
        caption = f"{entry.line.at}, line {entry.line.n + 1} of the record"
        blocks.append(Table(caption=caption, columns=_CHECK_COLUMNS, rows=_rows(entry)))
    notes = tuple((e.text("code"), e.typed("text")) for e in entries.all("note"))
    if notes:
        blocks.append(Facts(caption="Notes on warnings", rows=notes))
    return tuple(blocks)


def checks(entries: Entries) -> tuple[Block, ...]:
    """The checks of what was issued."""
    blocks: list[Block] = [Heading(text="Checks of what was issued")]
    entry = entries.find("verify")
    if entry is None:
        issued = entries.keys("intent", "certificate/") or entries.keys("intent", "crl/")
        none = "Not verified in this ceremony." if issued else "Nothing was issued."
        return (*blocks, Paragraph(text=none))
    return (*blocks, Table(columns=_CHECK_COLUMNS, rows=_rows(entry)))


def _rows(entry: Entry) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (row.text("status"), row.text("code"), row.text("sentence")) for row in entry.items("rows")
    )
