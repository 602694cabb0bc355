"""Blocks of a prompt's body as styled lines of a given width: no widget, no state."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from ceremony.bundle.qr import qr_rows
from ceremony.core.findings import Finding, Severity
from ceremony.core.fingerprints import Fingerprint
from ceremony.flow.prompts import (
    Block,
    CheckRow,
    Checks,
    CheckStatus,
    Compare,
    CompareRow,
    Facts,
    FindingList,
    Print,
    Text,
    Tone,
)
from screens.glyphs import RULE, TICK, guard, guard_line
from screens.wrapping import longest, wrap

Part = tuple[str, str]
Line = tuple[Part, ...]

PROSE = 92
WORDS_WIDTH = 61
CODE_WIDTH = 41
GAP = 3
CODE_STYLE = "#000000 on #ffffff"
DIM = "$dim"

_TONES: dict[Tone, tuple[str, str]] = {
    Tone.PLAIN: ("", ""),
    Tone.GOOD: (f"{TICK} ", "$success"),
    Tone.WARN: ("! ", "$warning"),
    Tone.DANGER: ("!! ", "bold $error"),
    Tone.DIM: ("", DIM),
}
_CHIPS = {
    CheckStatus.PASS: "$success",
    CheckStatus.WARN: "$background on $warning",
    CheckStatus.FAIL: "bold $on-error on $error",
}
_SEVERITIES = {
    Severity.ERROR: (" ERROR   ", "bold $on-error on $error"),
    Severity.WARNING: (" WARNING ", "$background on $warning"),
    Severity.NOTE: (" NOTE    ", "$accent"),
}
_MARKS = {
    "same": ("same", DIM, ""),
    "set": ("set by us", "$accent", "$accent"),
    "theirs": ("the CA's", "$accent", "$accent"),
    "ignored": ("left out", DIM, DIM),
    "warn": ("CHECK", "$background on $warning", "bold $warning"),
}


def lay(blocks: Sequence[Block], width: int, *, tall: bool) -> list[Line]:
    """All blocks, a blank line between them.

    Args:
        blocks: of one prompt.
        width: cells.
        tall: there is room for a QR code beside the words.
    """
    lines: list[Line] = []
    for block in blocks:
        if lines:
            lines.append(())
        lines += _lay_block(block, width, tall)
    return lines


def code_fits(width: int, *, tall: bool) -> bool:
    """Whether a QR code goes beside the words of a fingerprint."""
    return tall and width >= WORDS_WIDTH + GAP + CODE_WIDTH


def _lay_block(block: Block, width: int, tall: bool) -> list[Line]:
    match block:
        case Text():
            return _lay_text(block, width)
        case Facts():
            return _lay_facts(block, width)
        case Checks():
            return _lay_checks(block, width)
        case Compare():
            return _lay_compare(block, width)
        case FindingList():
            return _lay_findings(block, width)
        case Print():
            return _lay_print(block, width, tall)


def _lay_text(block: Text, width: int) -> list[Line]:
    mark, style = _TONES[block.tone]
    lines = wrap(block.text, min(width, PROSE) - len(mark))
    indent = " " * len(mark)
    return [((mark if i == 0 else indent, style), (text, style)) for i, text in enumerate(lines)]


def _lay_facts(block: Facts, width: int) -> list[Line]:
    lines: list[Line] = [((guard_line(block.caption), "bold"),)] if block.caption else []
    rows = [(guard_line(label), value) for label, value in block.rows]
    labels = min(max((len(label) for label, _ in rows), default=0), width // 3)
    room = width - labels - 2
    for label, value in rows:
        if longest(value) <= room:
            for name, text in zip_longest(wrap(label, labels), wrap(value, room), fillvalue=""):
                lines.append(((f"{name:<{labels}}  ", DIM), (text, "")))
        else:  # A name that would be cut stands below its label, where it may fit.
            lines += [((text, DIM),) for text in wrap(label, width)]
            lines += [(("  ", ""), (text, "")) for text in wrap(value, width - 2)]
    return lines


def _lay_checks(block: Checks, width: int) -> list[Line]:
    counts = {status: sum(r.status is status for r in block.rows) for status in CheckStatus}
    total: list[Part] = [(f"{len(block.rows)} checks  ", DIM)]
    for status, count in counts.items():
        if count:
            total += [(f" {count} {status.value} ", _CHIPS[status]), ("  ", "")]
    lines: list[Line] = [tuple(total), ()]
    codes = max((len(r.code) for r in block.rows), default=0) if width >= 84 else 0
    for row in block.rows:
        lines += _lay_check(row, width, codes)
    return lines


def _lay_check(row: CheckRow, width: int, codes: int) -> list[Line]:
    room = width - 8 - (codes + 2 if codes else 0)
    style = "" if row.status is CheckStatus.PASS else "bold"
    lines: list[Line] = []
    for i, text in enumerate(wrap(row.sentence, room)):
        chip = (f" {row.status.value} ", _CHIPS[row.status]) if i == 0 else ("      ", "")
        code = f"  {guard_line(row.code)}" if codes and i == 0 else ""
        lines.append((chip, ("  ", ""), (f"{text:<{room}}" if code else text, style), (code, DIM)))
    if row.status is not CheckStatus.PASS:
        note = row.hint if codes else f"{row.code}: {row.hint}".rstrip(": ")
        lines += [(("        ", ""), (text, DIM)) for text in wrap(note, width - 8) if text]
    return lines


def _lay_compare(block: Compare, width: int) -> list[Line]:
    marks = max(len(word) for word, _, _ in _MARKS.values())
    fields = min(max((len(guard_line(r.field)) for r in block.rows), default=5), 18)
    alone = all(row.asked in ("", "-") for row in block.rows)
    room = width - fields - marks - (4 if alone else 6)
    asked = 0 if alone else _asked_width(block.rows, room)
    columns = _Columns(fields, asked, room - asked)
    head = "" if alone else f"{'asked for':<{asked}}  "
    lines: list[Line] = [
        ((guard_line(block.title), "bold $accent"),),
        ((f"{'':<{fields}}  {head}{block.given}", DIM),),
        ((RULE * width, "$rule"),),
    ]
    for row in block.rows:
        lines += _lay_compared(row, columns)
    return lines


def _asked_width(rows: Sequence[CompareRow], room: int) -> int:
    """What was asked for and comes otherwise sets its width: at most half of the room."""
    apart = [row for row in rows if not _as_asked(row)]
    return min(room // 2, max([len("asked for"), *(len(guard(row.asked)) for row in apart)]))


def _as_asked(row: CompareRow) -> bool:
    return row.mark == "same" and row.asked == row.issued


class _Columns(NamedTuple):
    """Widths; `asked` is 0 where nothing was asked for."""

    fields: int
    asked: int
    issued: int


def _lay_compared(row: CompareRow, columns: _Columns) -> list[Line]:
    word, mark_style, value_style = _MARKS[row.mark]
    fields, asked, issued = columns
    name = wrap(row.field, fields)
    if asked and _as_asked(row) and len(row.asked) > asked:
        left, right, asked, issued = [], wrap(row.issued, asked + 2 + issued), 0, asked + 2 + issued
    else:
        left, right = wrap(row.asked, asked) if asked else [], wrap(row.issued, issued)
    rows = max(len(name), len(left), len(right))
    name, left, right = (column + [""] * (rows - len(column)) for column in (name, left, right))
    between = "  " if asked else ""
    return [
        (
            (f"{name[i]:<{fields}}  ", DIM),
            (
                f"{left[i]:<{asked}}{between}",
                DIM if row.mark in ("set", "theirs", "ignored") else "",
            ),
            (f"{right[i]:<{issued}}  ", value_style),
            (word if i == 0 else "", mark_style),
        )
        for i in range(rows)
    ]


def _lay_findings(block: FindingList, width: int) -> list[Line]:
    if not block.findings:
        return [((f"{TICK} No findings.", "$success"),)]
    lines: list[Line] = []
    for finding in block.findings:
        lines += _lay_finding(finding, width)
    return lines


def _lay_finding(finding: Finding, width: int) -> list[Line]:
    word, style = _SEVERITIES[finding.severity]
    where = wrap(f"{guard_line(finding.where)}  {guard_line(finding.code)}", width - 11)
    head: Line = ((word, style), ("  ", ""), (where[0], DIM))
    told = [(text, DIM) for text in where[1:]]
    told += [(text, "") for text in wrap(finding.message, width - 11)]
    return [head, *((("           ", ""), part) for part in told)]


def _lay_print(block: Print, width: int, tall: bool) -> list[Line]:
    lines: list[Line] = [((text, "bold"),) for text in wrap(block.caption, width)]
    words = print_lines(block.fingerprint)
    if not code_fits(width, tall=tall):
        return lines + words
    pad = " " * (WORDS_WIDTH + GAP)
    code = code_lines(block.fingerprint)
    above: list[Line] = [(), *words]
    for i, row in enumerate(code):
        if i < len(above):
            used = sum(len(text) for text, _ in above[i])
            lines.append((*above[i], (" " * (len(pad) - used), ""), *row))
        else:
            lines.append(((pad, ""), *row))
    return lines


def print_lines(fingerprint: Fingerprint) -> list[Line]:
    """Eight lines A to H: letter, eight hex digits, four words. `WORDS_WIDTH` wide."""
    return [
        (
            (f" {letter} ", "bold $accent"),
            (f" {digits}   ", DIM),
            (f"{spoken[0]:<10} {spoken[1]:<12} {spoken[2]:<10} {spoken[3]:<11}", "bold"),
        )
        for letter, digits, spoken in fingerprint.lines
    ]


def code_lines(fingerprint: Fingerprint) -> list[Line]:
    """The QR code of the hex digits, explicit black on white (light-on-dark is not read)."""
    return [((row, CODE_STYLE),) for row in qr_rows(fingerprint.hex.upper())]
