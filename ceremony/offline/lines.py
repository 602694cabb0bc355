"""Prompts and their blocks as plain lines of text: no colour, no redraws."""

import textwrap
from collections.abc import Iterator, Sequence

from ceremony.flow.prompts import (
    AnyPrompt,
    Block,
    Checks,
    CheckStatus,
    Compare,
    CompareRow,
    Facts,
    FindingList,
    Frame,
    Print,
    Step,
    Text,
    Tone,
)

WIDTH = 78

_TONES = {
    Tone.PLAIN: "",
    Tone.DIM: "",
    Tone.GOOD: "Good: ",
    Tone.WARN: "Warning: ",
    Tone.DANGER: "Danger: ",
}
_MARKS = {
    "same": "the same",
    "set": "set by the profile",
    "theirs": "decided by the higher CA",
    "ignored": "asked for, not given",
    "warn": "warning: they differ",
}


def harmless(text: str) -> str:
    """Control characters but the line feed are escaped: the last guard before a terminal."""
    return "".join(
        char if char == "\n" or char.isprintable() else f"\\x{ord(char):02x}" for char in text
    )


def paragraph(text: str, indent: str = "") -> Iterator[str]:
    """Lines of at most `WIDTH` columns; the text's own line feeds stay."""
    for line in text.splitlines() or [""]:
        yield from textwrap.wrap(
            line,
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent,
            break_on_hyphens=False,
        ) or [""]


def heading(prompt: AnyPrompt, frame: Frame) -> Iterator[str]:
    """Where we are, what it is about, whose turn it is."""
    yield ""
    mark = "REHEARSAL. " if frame.rehearsal else ""
    yield f"{mark}Step {prompt.step.number} of {len(Step)}, {prompt.step.value}: {prompt.title}"
    if prompt.officer is not None:
        yield f"Turn of: {prompt.officer}"
    if prompt.irreversible:
        yield "IRREVERSIBLE: what follows cannot be undone."


def status(frame: Frame) -> Iterator[str]:
    """What the wizard's frame shows all the time."""
    yield f"Factory: {frame.factory}. Kind: {frame.kind}. Ceremony: {frame.ceremony_id or 'new'}."
    yield f"Step {frame.step.number} of {len(Step)}, {frame.step.value}."
    yield f"Exceptions on record: {frame.exceptions}."
    if frame.head is not None:
        yield f"Head of the record: {' '.join(frame.head.groups)}"


def body(blocks: Sequence[Block]) -> Iterator[str]:
    """All blocks, in order."""
    for block in blocks:
        match block:
            case Text():
                yield from paragraph(_TONES[block.tone] + block.text)
            case Facts():
                yield from _facts(block)
            case Checks():
                yield from _checks(block)
            case Compare():
                yield f"{block.title}: asked for, and what {block.given}"
                yield from (line for row in block.rows for line in _compare(row, block.given))
            case FindingList():
                yield from _findings(block)
            case Print():
                yield from _print(block)


def _facts(block: Facts) -> Iterator[str]:
    if block.caption:
        yield f"{block.caption}:"
    for label, value in block.rows:
        yield from paragraph(f"{label}: {value}", "  ")


def _findings(block: FindingList) -> Iterator[str]:
    yield f"Findings: {len(block.findings)}"
    for finding in block.findings:
        told = f"{finding.severity.value.upper()} {finding.where}: {finding.message}"
        yield from paragraph(f"{told} [{finding.code}]", "  ")


def _checks(block: Checks) -> Iterator[str]:
    counts = ", ".join(
        f"{sum(row.status is each for row in block.rows)} {each.value}" for each in CheckStatus
    )
    yield f"Checks: {counts}"
    for row in block.rows:
        yield from paragraph(f"{row.status.value} {row.sentence} [{row.code}]", "  ")
        if row.hint:
            yield from paragraph(f"hint: {row.hint}", "    ")


def _compare(row: CompareRow, given: str) -> Iterator[str]:
    yield from paragraph(f"{row.field} ({_MARKS[row.mark]})", "  ")
    if row.mark == "same":
        yield from paragraph(row.issued, "    ")
        return
    yield from paragraph(f"asked for: {row.asked or 'nothing'}", "    ")
    yield from paragraph(f"{given}: {row.issued or 'nothing'}", "    ")


def _print(block: Print) -> Iterator[str]:
    yield f"{block.caption}, SHA-256 in lines A to H; /qr draws it as a QR code:"
    for letter, digits, words in block.fingerprint.lines:
        yield f"  {letter}  {digits}  {' '.join(words)}"
