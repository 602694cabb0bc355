"""A4 pages to draw on: fonts, wrapping, rows that break over pages, header and footer.

Lengths are millimetres, sizes of type are points. Core fonts only: nothing is embedded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

from ceremony.documents.model import Document, printable

WIDTH, HEIGHT = 210.0, 297.0
LEFT, TOP, BOTTOM = 18.0, 24.0, 277.0
ROOM = WIDTH - 2 * LEFT
_POINT = 25.4 / 72
_PAD = 1.3
_NO_DATE = datetime(1970, 1, 1, tzinfo=UTC)
_ACROSS_SIZE = 84
_BREAKS = "/-=,;"  # a path or a name is broken behind one of these, where it can be
_UNITS = 1000  # a built-in font's widths are given for this size
Stroke = Callable[[Any], object]  # draws on the FPDF that it is given


class Face(Enum):
    """The faces in use: family and style of a PDF core font."""

    SANS = ("Helvetica", "")
    BOLD = ("Helvetica", "B")
    MONO = ("Courier", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A face at a size."""

    face: Face = Face.SANS
    size: float = 9.2

    @property
    def leading(self) -> float:
        """From one line to the next."""
        return self.size * _POINT * 1.34


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Text of one cell, its width, and how it is set."""

    text: str
    width: float
    type: Type = Type()


class _Widths(dict[str, float]):
    """How wide each character of a face is at one point: its font is asked once."""

    def __init__(self, face: Face) -> None:
        from fpdf import FPDF

        self._pdf = FPDF(unit="mm")
        self._pdf.set_font(*face.value, _UNITS)

    def __missing__(self, char: str) -> float:
        self[char] = width = float(self._pdf.get_string_width(char)) / _UNITS
        return width


_widths = cache(_Widths)


def _write(pdf: Any, x: float, baseline: float, text: str, type_: Type) -> None:
    pdf.set_font(*type_.face.value, type_.size)
    if text:
        pdf.text(x, baseline, printable(text))


class Canvas:
    """Pages of one document. They are laid out first and drawn last, when they are counted."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._pages: list[list[Stroke]] = []
        self.y = TOP
        self.new_page()

    @property
    def page(self) -> int:
        """The number of the page that is being laid out, 1 for the first."""
        return len(self._pages)

    def finish(self) -> bytes:
        """The PDF file."""
        from fpdf import FPDF

        pdf = FPDF(format="A4", unit="mm")
        pdf.set_auto_page_break(False)
        # What is packed depends on the packer: other machines must make the same bytes.
        pdf.set_compression(False)
        pdf.set_creation_date(self._document.created or _NO_DATE)
        pdf.set_title(printable(self._document.title))
        pdf.set_creator("ceremony")
        pdf.set_lang("en")
        for strokes in self._pages:
            pdf.add_page()
            for stroke in strokes:
                stroke(pdf)
        return bytes(pdf.output())

    def new_page(self) -> None:
        """Starts a page: the mark across it, its header, its footer."""
        self._pages.append([])
        self._across()
        small = Type(size=7.6)
        bold = Type(face=Face.BOLD, size=7.6)
        marks = "   ".join(self._document.marks)
        room = ROOM - self.width(marks, bold) - 4
        self.text(LEFT, 14, self.wrap(self._document.title, room, small)[0], small)
        self.text(WIDTH - LEFT - self.width(marks, bold), 14, marks, bold)
        self.rule(15.6, 0.25)
        self.rule(283, 0.25)
        footer = self.wrap(self._document.footer, ROOM - 24, small)[:2]
        self.lines(footer, LEFT, 284.4, small)
        self._number(self.page, small)
        self.y = TOP

    def break_page(self) -> None:
        """Starts a page, unless this one is still empty."""
        if self.y > TOP:
            self.new_page()

    def need(self, height: float) -> bool:
        """Starts a page if `height` does not fit any more; tells whether it did."""
        if self.y + height <= BOTTOM or self.y == TOP:
            return False
        self.new_page()
        return True

    def _draw(self, stroke: Stroke) -> None:
        self._pages[-1].append(stroke)

    def _across(self) -> None:
        if not self._document.marks:
            return
        type_ = Type(face=Face.BOLD, size=_ACROSS_SIZE)
        mark = self._document.marks[0]
        x = (WIDTH - self.width(mark, type_)) / 2

        def draw(pdf: Any) -> None:
            pdf.set_text_color(241)
            with pdf.rotation(52, WIDTH / 2, HEIGHT / 2):
                _write(pdf, x, HEIGHT / 2 + 10, mark, type_)
            pdf.set_text_color(0)

        self._draw(draw)

    def _number(self, page: int, type_: Type) -> None:
        def draw(pdf: Any) -> None:
            number = f"Page {page} of {self.page}"
            _write(pdf, WIDTH - LEFT - self.width(number, type_), 287, number, type_)

        self._draw(draw)

    def width(self, text: str, type_: Type) -> float:
        """How wide a line is."""
        return sum(map(_widths(type_.face).__getitem__, printable(text))) * type_.size

    def text(self, x: float, baseline: float, text: str, type_: Type) -> None:
        """One line of text."""
        self._draw(lambda pdf: _write(pdf, x, baseline, text, type_))

    def rule(
        self, y: float, weight: float = 0.2, x: float = LEFT, width: float = ROOM, grey: int = 0
    ) -> None:
        """A horizontal line."""
        self._line(x, y, x + width, y, weight, grey)

    def upright(self, x: float, top: float, bottom: float, grey: int) -> None:
        """A thin vertical line."""
        self._line(x, top, x, bottom, 0.15, grey)

    def _line(self, x: float, y: float, to_x: float, to_y: float, weight: float, grey: int) -> None:
        def draw(pdf: Any) -> None:
            pdf.set_line_width(weight)
            pdf.set_draw_color(grey)
            pdf.line(x, y, to_x, to_y)

        self._draw(draw)

    def frame(self, x: float, y: float, width: float, height: float, weight: float = 0.3) -> None:
        """An empty black rectangle."""

        def draw(pdf: Any) -> None:
            pdf.set_line_width(weight)
            pdf.set_draw_color(0)
            pdf.rect(x, y, width, height)

        self._draw(draw)

    def fill(self, x: float, y: float, width: float, height: float, grey: int = 0) -> None:
        """A filled rectangle, 0 black to 255 white."""

        def draw(pdf: Any) -> None:
            pdf.set_fill_color(grey)
            pdf.rect(x, y, width, height, style="F")

        self._draw(draw)

    def wrap(self, text: str, width: float, type_: Type) -> list[str]:
        """Lines that fit `width`; a word that is longer is broken where it is full."""
        lines: list[str] = []
        line = ""
        for word in printable(text).split(" "):
            longer = f"{line} {word}" if line else word
            if self.width(longer, type_) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            line = word
            while self.width(line, type_) > width:
                fits = self._fitting(line, width, type_)
                lines.append(line[:fits])
                line = line[fits:]
        return [*lines, line]

    def _fitting(self, word: str, width: float, type_: Type) -> int:
        count = 1
        while count < len(word) and self.width(word[: count + 1], type_) <= width:
            count += 1
        broken = max(word.rfind(sign, 0, count) for sign in _BREAKS) + 1
        return broken if 2 * broken > count else count

    def lines(self, lines: Sequence[str], x: float, y: float, type_: Type) -> None:
        """Lines one under the other; `y` is the top of the first."""
        for at, line in enumerate(lines):
            self.text(x, y + at * type_.leading + type_.size * _POINT, line, type_)

    def running(self, text: str, type_: Type) -> None:
        """A paragraph at the cursor, over page ends where it must."""
        for line in self.wrap(text, ROOM, type_):
            self.need(type_.leading)
            self.lines([line], LEFT, self.y, type_)
            self.y += type_.leading

    def row_height(self, cells: Sequence[Cell], least: float) -> float:
        """How high `row` would draw these cells."""
        most = max(len(self._cell_lines(cell)) for cell in cells)
        return max(least, most * max(cell.type.leading for cell in cells) + 2 * _PAD)

    def _cell_lines(self, cell: Cell) -> list[str]:
        return self.wrap(cell.text, cell.width - 2 * _PAD, cell.type)

    def row(
        self,
        cells: Sequence[Cell],
        *,
        least: float = 0,
        grey: int = 150,
        uprights: bool = False,
        header: Callable[[], None] | None = None,
    ) -> None:
        """One row of a table at the cursor, with a rule below.

        Args:
            cells: from left to right.
            least: height of a row with little text.
            grey: of the rule.
            uprights: lines between the cells.
            header: drawn again at the top of each further page.
        """
        wrapped = [self._cell_lines(cell) for cell in cells]
        leading = max(cell.type.leading for cell in cells)
        most = int((BOTTOM - TOP - 20) / leading)
        for start in range(0, max(map(len, wrapped)), most):
            part = [lines[start : start + most] for lines in wrapped]
            height = max(least, max(map(len, part)) * leading + 2 * _PAD)
            if self.need(height) and header is not None:
                header()
            self._row(cells, part, height, uprights)
            self.rule(self.y, 0.15, LEFT, sum(cell.width for cell in cells), grey)

    def _row(
        self, cells: Sequence[Cell], lines: list[list[str]], height: float, uprights: bool
    ) -> None:
        x = LEFT
        for at, (cell, part) in enumerate(zip(cells, lines, strict=True)):
            if uprights and at:
                self.upright(x, self.y, self.y + height, 190)
            self.lines(part, x + _PAD, self.y + _PAD, cell.type)
            x += cell.width
        self.y += height
