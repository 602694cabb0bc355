"""Documents as PDF: A4, core fonts, black on white; the same document gives the same bytes."""

from collections.abc import Sequence
from functools import singledispatch

from ceremony.bundle.qr import dark_runs, qr_matrix
from ceremony.core.fingerprints import LINES
from ceremony.documents import model
from ceremony.documents.canvas import BOTTOM, LEFT, ROOM, TOP, Canvas, Cell, Face, Type
from ceremony.documents.model import Block, Document, qr_text

_PLAIN = Type()
_BOLD = Type(face=Face.BOLD)
_SMALL = Type(size=7.8)
_TITLES = Type(face=Face.BOLD, size=7.4)
_CELL = Type(size=8.6)
_NUMBER = Type(face=Face.BOLD, size=8.6)
_MONO = Type(face=Face.MONO, size=7.8)
_CODE = Type(face=Face.MONO, size=7.2)
_QR_MODULE = 0.95
_HAND = 9.5
_HEADING = 14.0
_KEPT = 110.0
_KEPT_WHOLE = 235.0
_TOGETHER = 8
_NAME_LINES = 8


def render_pdf(document: Document) -> bytes:
    """The document as PDF."""
    canvas = Canvas(document)
    canvas.y += 2
    for line in canvas.wrap(document.title, ROOM, Type(face=Face.BOLD, size=21)):
        canvas.lines([line], LEFT, canvas.y, Type(face=Face.BOLD, size=21))
        canvas.y += 9.5
    canvas.running(document.subtitle, Type(size=11))
    canvas.y += 1.5
    canvas.rule(canvas.y, 0.7)
    canvas.y += 5
    for at, block in enumerate(document.blocks):
        if isinstance(block, model.Heading):
            canvas.need(_HEADING + _least(document.blocks[at + 1 :], canvas))
            canvas.need(_whole(block, document.blocks[at + 1 :], Canvas(document)))
        _block(block, canvas)
    return canvas.finish()


def _whole(heading: model.Heading, after: Sequence[Block], scratch: Canvas) -> float:
    """Height of a part, laid out on an empty page; 0 where it is too long to be kept on one."""
    part: list[Block] = [heading]
    for block in after:
        ends = isinstance(block, model.Heading) and block.level <= heading.level
        if ends or isinstance(block, model.PageBreak):
            break
        part.append(block)
    for block in part:
        _block(block, scratch)
        if scratch.page > 1 or scratch.y - TOP > _KEPT_WHOLE:
            return 0
    return scratch.y - TOP


def _least(blocks: Sequence[Block], canvas: Canvas) -> float:
    """Room that must be left below a heading, so that neither it nor its lead stands alone."""
    lead = 0.0
    for block in blocks:
        if isinstance(block, model.Facts):
            return lead + min(_facts_height(block, canvas), _KEPT)
        if isinstance(block, model.Print):
            return lead + (75.0 if block.fingerprint is None else 50.0)
        if isinstance(block, model.Paragraph):
            lines = len(canvas.wrap(block.text, ROOM - 8, _PLAIN)) + bool(block.lead)
            lead += min(lines, _TOGETHER) * _PLAIN.leading + 6
        elif not isinstance(block, model.Heading):
            break
    return lead + 28.0


@singledispatch
def _block(block: Block, canvas: Canvas) -> None:  # noqa: ARG001 - for the others
    """Draws one block at the cursor."""
    raise TypeError(f"no PDF for {type(block).__name__}")


@_block.register
def _heading(block: model.Heading, canvas: Canvas) -> None:
    type_ = Type(face=Face.BOLD, size={1: 14.0, 2: 11.0, 3: 9.2}[block.level])
    canvas.y += {1: 4.0, 2: 2.6, 3: 1.4}[block.level]
    canvas.running(block.text, type_)
    if block.level == 1:
        canvas.rule(canvas.y + 0.4, 0.35)
        canvas.y += 2
    canvas.y += 1.2


@_block.register
def _paragraph(block: model.Paragraph, canvas: Canvas) -> None:
    if block.tone is model.Tone.NOTICE:
        _notice(block, canvas)
        return
    type_ = _SMALL if block.tone is model.Tone.SMALL else _PLAIN
    lines = len(canvas.wrap(block.text, ROOM, type_)) + bool(block.lead)
    canvas.need(min(lines, _TOGETHER) * type_.leading)
    if block.lead:
        canvas.running(block.lead, _BOLD)
    canvas.running(block.text, type_)
    canvas.y += 2


def _notice(block: model.Paragraph, canvas: Canvas) -> None:
    inner = ROOM - 8
    lead = canvas.wrap(block.lead, inner, _BOLD) if block.lead else []
    lines = canvas.wrap(block.text, inner, _PLAIN)
    height = (len(lead) + len(lines)) * _PLAIN.leading + 5
    if height > BOTTOM - TOP:
        canvas.running(block.lead, _BOLD)
        canvas.running(block.text, _PLAIN)
        return
    canvas.need(height)
    canvas.frame(LEFT, canvas.y, ROOM, height, 0.6)
    canvas.lines(lead, LEFT + 4, canvas.y + 2.4, _BOLD)
    canvas.lines(lines, LEFT + 4, canvas.y + 2.4 + len(lead) * _PLAIN.leading, _PLAIN)
    canvas.y += height + 3


def _caption(caption: str, canvas: Canvas) -> None:
    if caption:
        canvas.need(20)
        canvas.running(caption, _BOLD)
        canvas.y += 0.8


def _fact_cells(label: str, value: str) -> tuple[Cell, Cell]:
    return (
        Cell(text=label, width=ROOM * 0.3, type=_CELL),
        Cell(text=value, width=ROOM * 0.7, type=_CELL),
    )


def _facts_height(block: model.Facts, canvas: Canvas) -> float:
    rows = sum(
        canvas.row_height(_fact_cells(label, value), _fact_least(value))
        for label, value in block.rows
    )
    return rows + (6.0 if block.caption else 0.0)


def _fact_least(value: str) -> float:
    return 5.8 if value else 7.5


@_block.register
def _facts(block: model.Facts, canvas: Canvas) -> None:
    canvas.need(min(_facts_height(block, canvas), _KEPT))
    _caption(block.caption, canvas)
    for label, value in block.rows:
        grey = 185 if value else 90
        canvas.row(_fact_cells(label, value), least=_fact_least(value), grey=grey)
    canvas.y += 3.5


def _widths(shares: Sequence[int]) -> list[float]:
    return [ROOM * share / sum(shares) for share in shares]


def _header(titles: Sequence[str], widths: Sequence[float], canvas: Canvas) -> None:
    cells = [Cell(text=t, width=w, type=_TITLES) for t, w in zip(titles, widths, strict=True)]
    canvas.fill(LEFT, canvas.y, ROOM, _TITLES.leading + 2.6, 236)
    canvas.rule(canvas.y, 0.3)
    canvas.row(cells, grey=0)


@_block.register
def _table(block: model.Table, canvas: Canvas) -> None:
    _caption(block.caption, canvas)
    widths = _widths([column.share for column in block.columns])

    def header() -> None:
        _header([column.title for column in block.columns], widths, canvas)

    canvas.need(20)
    header()
    for row in block.rows:
        cells = [
            Cell(text=text, width=width, type=_MONO if column.mono else _CELL)
            for text, width, column in zip(row, widths, block.columns, strict=True)
        ]
        least = _HAND if block.tall else 0
        canvas.row(cells, least=least, uprights=block.tall, header=header)
    canvas.y += 3.5


@_block.register
def _steps(block: model.Steps, canvas: Canvas) -> None:
    widths = _widths(model.STEP_SHARES)

    def header() -> None:
        _header(model.STEP_TITLES, widths, canvas)

    canvas.need(26)
    header()
    for step in block.rows:
        texts = (step.number, step.who, step.activity, step.expected, *[""] * model.STEP_BLANKS)
        cells = [
            Cell(text=text, width=width, type=_CELL if at else _NUMBER)
            for at, (text, width) in enumerate(zip(texts, widths, strict=True))
        ]
        canvas.row(cells, least=_HAND, grey=110, uprights=True, header=header)
    canvas.y += 3.5


@_block.register
def _checklist(block: model.Checklist, canvas: Canvas) -> None:
    for item in block.items:
        lines = canvas.wrap(item, ROOM - 7, _PLAIN)
        canvas.need(len(lines) * _PLAIN.leading + 1.6)
        canvas.frame(LEFT + 0.4, canvas.y + 0.2, 3.4, 3.4)
        canvas.lines(lines, LEFT + 7, canvas.y + 0.2, _PLAIN)
        canvas.y += len(lines) * _PLAIN.leading + 1.6
    canvas.y += 2.5


@_block.register
def _print(block: model.Print, canvas: Canvas) -> None:
    if block.fingerprint is None:
        _blank_print(block.caption, canvas)
        return
    text = qr_text(block.fingerprint)
    side = len(qr_matrix(text)) * _QR_MODULE
    caption = canvas.wrap(block.caption, ROOM - 8, _BOLD)
    top_of_lines = 3 + len(caption) * _BOLD.leading + 1
    height = max(side + 6, top_of_lines + 8 * 4.6 + 3)
    canvas.need(height + 3)
    top = canvas.y
    canvas.fill(LEFT, top, ROOM, height, 255)
    canvas.frame(LEFT, top, ROOM, height)
    canvas.lines(caption, LEFT + 4, top + 3, _BOLD)
    for at, (letter, digits, spoken) in enumerate(block.fingerprint.lines):
        baseline = top + top_of_lines + at * 4.6 + 3.2
        canvas.text(LEFT + 4, baseline, letter, _BOLD)
        canvas.text(LEFT + 10, baseline, digits, Type(face=Face.MONO, size=9))
        for column, word in enumerate(spoken):
            x = LEFT + 30 + (0, 22, 49, 71)[column]
            canvas.text(x, baseline, word, _PLAIN)
    _qr(text, LEFT + ROOM - side - 2, top + (height - side) / 2, canvas)
    canvas.y = top + height + 4


def _qr(text: str, x: float, y: float, canvas: Canvas) -> None:
    for column, row, length in dark_runs(text):
        canvas.fill(x + column * _QR_MODULE, y + row * _QR_MODULE, length * _QR_MODULE, _QR_MODULE)


def _blank_print(caption: str, canvas: Canvas) -> None:
    lines = canvas.wrap(caption, ROOM - 8, _BOLD)
    above = 10 + len(lines) * _BOLD.leading
    height = above - 3 + 8 * 7.6
    canvas.need(height + 3)
    top = canvas.y
    canvas.frame(LEFT, top, ROOM, height)
    canvas.lines(lines, LEFT + 4, top + 3, _BOLD)
    for at, letter in enumerate(LINES):
        y = top + above + at * 7.6
        canvas.text(LEFT + 4, y, letter, _BOLD)
        canvas.rule(y, 0.2, LEFT + 11, 24)
        for column in range(4):
            canvas.rule(y, 0.2, LEFT + 40 + column * 33.5, 30)
    canvas.y = top + height + 4


@_block.register
def _listing(block: model.Listing, canvas: Canvas) -> None:
    for number, line in enumerate(block.lines, 1):
        room = int((ROOM - 12) / canvas.width("0", _CODE))
        pieces = [line[at : at + room] for at in range(0, len(line), room)] or [""]
        for at, piece in enumerate(pieces):
            canvas.need(_CODE.leading)
            canvas.lines(["" if at else f"{number:>4}"], LEFT, canvas.y, _CODE)
            canvas.lines([piece], LEFT + 10, canvas.y, _CODE)
            canvas.y += _CODE.leading
    canvas.y += 3


@_block.register
def _write_in(block: model.WriteIn, canvas: Canvas) -> None:
    canvas.need(5 + block.lines * 8.0)
    canvas.running(block.label, _SMALL)
    for _ in range(block.lines):
        canvas.y += 8.0
        canvas.rule(canvas.y)
    canvas.y += 3


@_block.register
def _signatures(block: model.Signatures, canvas: Canvas) -> None:
    columns = (("Name", 0.0, 54.0), ("Signature", 59.0, 70.0), ("Date, time (UTC)", 134.0, 40.0))
    for role, name in block.rows:
        lines = canvas.wrap(name, 54, _PLAIN)[:_NAME_LINES]
        height = 11.4 + len(lines) * _PLAIN.leading
        canvas.need(height + 8)
        canvas.lines([role], LEFT, canvas.y, _BOLD)
        line = canvas.y + height
        canvas.lines(lines, LEFT, line - len(lines) * _PLAIN.leading - 0.6, _PLAIN)
        for title, x, width in columns:
            canvas.rule(line, 0.25, LEFT + x, width)
            canvas.lines([title], LEFT + x, line + 0.8, _SMALL)
        canvas.y = line + 8


@_block.register
def _page_break(block: model.PageBreak, canvas: Canvas) -> None:  # noqa: ARG001 - it says nothing
    canvas.break_page()
