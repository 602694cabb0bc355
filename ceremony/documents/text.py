"""Documents as plain text, 78 columns: for a serial line or a screen reader.

ASCII, but for letters in what people typed.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import singledispatch

from ceremony.documents import model
from ceremony.documents.model import Block, Document, printable

WIDTH = 78
_GAP = 2
_LONGEST_LEAD = 34
_LONGEST_WORD = 24  # a time has 20; what is longer, as a digest or a path, may be broken
_ASCII = str.maketrans({"\u00a7": "section ", "\u00b7": "-", "\u00d7": "x"})


def render_text(document: Document) -> bytes:
    """The document as text (UTF-8) with LF line ends; QR codes are left out."""
    lines = [f"*** {mark} ***".center(WIDTH).rstrip() for mark in document.marks]
    lines += [*_wrap(document.title.upper()), *_wrap(document.subtitle), "=" * WIDTH]
    for block in document.blocks:
        lines += ["", *_block(block)]
    lines += ["", "-" * WIDTH, *_wrap(document.footer), *(f"*** {m} ***" for m in document.marks)]
    text = "\n".join(_clean(line) for line in lines) + "\n"
    return text.encode()


def _clean(line: str) -> str:
    return _clean_lead(line).rstrip()


def _wrap(text: str, width: int = WIDTH) -> list[str]:
    """Lines of at most `width` columns; a word longer than that is broken."""
    clean = _clean(text)
    return textwrap.wrap(clean, width, break_on_hyphens=False) or [""]


@singledispatch
def _block(block: Block) -> Iterable[str]:
    """The lines of one block."""
    raise TypeError(f"no text for {type(block).__name__}")


def _hang(lead: str, text: str) -> list[str]:
    """`lead`, then `text` indented by its width; below it where `lead` is long."""
    lead = _clean_lead(lead)
    if len(lead) > _LONGEST_LEAD:
        return [*_wrap(lead), *_hang("      ", text)]
    first, *rest = _wrap(text, WIDTH - len(lead))
    return [lead + first, *(" " * len(lead) + line for line in rest)]


def _clean_lead(lead: str) -> str:
    return printable(lead).translate(_ASCII)


@_block.register
def _heading(block: model.Heading) -> list[str]:
    lines = _wrap(block.text)
    if block.level == 3:
        return lines
    rule = "=" if block.level == 1 else "-"
    return [*lines, rule * max(len(line) for line in lines)]


@_block.register
def _paragraph(block: model.Paragraph) -> list[str]:
    text = f"{block.lead} {block.text}" if block.lead else block.text
    return _hang("!! ", text) if block.tone is model.Tone.NOTICE else _wrap(text)


@_block.register
def _facts(block: model.Facts) -> Iterator[str]:
    if block.caption:
        yield from _wrap(block.caption)
    if not block.rows:
        return
    width = min(max(len(label) for label, _ in block.rows), 26)
    for label, value in block.rows:
        names = _wrap(label, width)
        values = _wrap(value, WIDTH - width - _GAP) if value else ["_" * (WIDTH - width - _GAP)]
        yield from _beside((names, width), (values, WIDTH - width - _GAP))


def _beside(*columns: tuple[Sequence[str], int]) -> Iterator[str]:
    """Cells side by side, each with its width."""
    for at in range(max(len(cell) for cell, _ in columns)):
        parts = [
            (cell[at] if at < len(cell) else "").ljust(width + _GAP) for cell, width in columns
        ]
        yield "".join(parts).rstrip()


def _widths(block: model.Table) -> list[int]:
    """Columns by their shares; one that would break its words takes from those that have more."""
    room = WIDTH - _GAP * (len(block.columns) - 1)
    total = sum(column.share for column in block.columns)
    widths = [max(4, room * column.share // total) for column in block.columns]
    widths[widths.index(max(widths))] += room - sum(widths)
    needs = [_need(block, at, width) for at, width in enumerate(widths)]
    for at, need in enumerate(needs):
        while widths[at] < need:
            spare = [width - other for width, other in zip(widths, needs, strict=True)]
            if max(spare) <= 0:
                return widths
            widths[spare.index(max(spare))] -= 1
            widths[at] += 1
    return widths


def _need(block: model.Table, at: int, width: int) -> int:
    """The width at which no word is broken; a column to write in keeps `width`."""
    cells = [row[at] for row in block.rows]
    if any(not cell for cell in cells):
        return width
    words = " ".join([block.columns[at].title, *cells]).split()
    return max((len(word) for word in words if len(word) <= _LONGEST_WORD), default=0)


@_block.register
def _table(block: model.Table) -> Iterator[str]:
    if block.caption:
        yield from _wrap(block.caption)
    widths = _widths(block)
    titles = [
        _wrap(column.title, width) for column, width in zip(block.columns, widths, strict=True)
    ]
    yield from _beside(*zip(titles, widths, strict=True))
    yield (" " * _GAP).join("-" * width for width in widths)
    for row in block.rows:
        cells = [
            _wrap(cell, width) if cell else ["_" * width]
            for cell, width in zip(row, widths, strict=True)
        ]
        yield from _beside(*zip(cells, widths, strict=True))


@_block.register
def _steps(block: model.Steps) -> Iterator[str]:
    for at, step in enumerate(block.rows):
        if at:
            yield ""
        yield from _hang(f"{step.number:<5} {step.who}: ", step.activity)
        if step.expected:
            yield from _hang("      Expected: ", step.expected)
        yield "      Initials A ________   B ________   Time (UTC) ____________"


@_block.register
def _print(block: model.Print) -> Iterator[str]:
    yield from _wrap(block.caption)
    if block.fingerprint is None:
        for letter in "ABCDEFGH":
            yield f"  {letter}  ________  " + "  ".join(["______________"] * 4)
        return
    for letter, digits, spoken in block.fingerprint.lines:
        first, second, third, fourth = spoken
        yield f"  {letter}  {digits}  {first:<12}{second:<15}{third:<12}{fourth}"


@_block.register
def _listing(block: model.Listing) -> Iterator[str]:
    for number, line in enumerate(block.lines, 1):
        yield from _hang_exact(f"{number:>4}  ", line)


def _hang_exact(lead: str, text: str) -> Iterator[str]:
    """As `_hang`, but spaces are kept and lines broken only where they are full."""
    room = WIDTH - len(lead)
    pieces = [text[at : at + room] for at in range(0, len(text), room)] or [""]
    for at, piece in enumerate(pieces):
        yield (lead if at == 0 else " " * len(lead)) + piece


@_block.register
def _signatures(block: model.Signatures) -> Iterator[str]:
    for role, name in block.rows:
        yield from _wrap(f"{role}: {name or '_' * 40}")
        yield ""
        yield "    Signature ______________________________   Date, time (UTC) ______________"
        yield ""


@_block.register
def _checklist(block: model.Checklist) -> list[str]:
    return [line for item in block.items for line in _hang("[ ] ", item)]


@_block.register
def _write_in(block: model.WriteIn) -> list[str]:
    return [*_wrap(f"{block.label}:"), *(["", "_" * WIDTH] * block.lines)]


@_block.register
def _page_break(block: model.PageBreak) -> list[str]:  # noqa: ARG001 - it says nothing
    return ["-" * WIDTH]
