"""Pictures of the wizard: `make screenshots`.

A whole rehearsal in a real terminal (tmux, 80 by 24), keys only. Where one of the wanted
screens stands, its cells are read back from the terminal, colours and all, and drawn.
"""

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP))

from tests.stories.person import Person, title_of  # noqa: E402
from tests.stories.terminal import Terminal  # noqa: E402

OUT = TOP / "assets" / "screenshots"
COLUMNS, ROWS = 80, 24
WIDE = (120, 40)
CELL = (18, 36)
FONT_SIZE = 30
MARGIN = 36
COLOURS = 64
SETTLE_S = 0.5
FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf",
)
# How a title begins, and the picture's name.
WANTED = {
    "A new root of trust": "welcome",
    "Preflight": "preflight",
    "Fence: the root key": "fence",
    "Will be signed: tls": "review",
    "Words of the upload bundle": "words",
}
LAST = "The ceremony is closed"
HALVES = {"▀": (0, 0, 1, 0.5), "▄": (0, 0.5, 1, 1), "█": (0, 0, 1, 1)}

LINES = {
    "─": "lr",
    "│": "ud",
    "═": "lr",
    "║": "ud",
    "━": "lr",
    "┃": "ud",
    "╔": "rd",
    "╗": "ld",
    "╚": "ru",
    "╝": "lu",
    "┌": "rd",
    "┐": "ld",
    "└": "ru",
    "┘": "lu",
}
DOUBLE = "═║╔╗╚╝"

Cell = tuple[str, str, str, bool]


class Photographed(Terminal):
    """A terminal that stops in the middle of typed words for a picture."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, columns=COLUMNS, rows=ROWS)
        self.taken: dict[str, list[list[Cell]]] = {}

    def take(self, name: str, columns: int = COLUMNS) -> None:
        """Keeps the screen as it is, the first time."""
        if name not in self.taken:
            time.sleep(SETTLE_S)
            self.taken[name] = cells(self._tmux("capture-pane", "-e", "-p", "-N"), columns)

    def take_wide(self, name: str) -> None:
        """The same screen in a large terminal."""
        if name not in self.taken:
            self._size(*WIDE)
            self.take(name, WIDE[0])
            self._size(COLUMNS, ROWS)
            time.sleep(SETTLE_S)

    def _size(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def type(self, text: str) -> None:
        words = text.split()
        if len(words) == 16 and "type-back" not in self.taken:
            typed = " ".join(words[:9])[:-2]
            super().type(typed)
            self.take("type-back")
            text = text[len(typed) :]
        super().type(text)

    def look(self, screen: str) -> bool:
        """Takes what is wanted, and presses nothing that answers."""
        title = title_of(screen)
        for beginning, name in WANTED.items():
            if title.startswith(beginning):
                self.take(name)
                if name == "review":
                    self.take_wide("wide")
        if title.startswith("Words of the upload bundle") and "code" not in self.taken:
            self.keys("F5")
            self.take("code")
            self.keys("Escape")
            time.sleep(SETTLE_S)
        return False


def cells(captured: str, columns: int) -> list[list[Cell]]:
    """Character, foreground, background and boldness of each cell."""
    console = Console(width=columns, color_system="truecolor", legacy_windows=False)
    lines = []
    for text in AnsiDecoder().decode(captured):
        line: list[Cell] = []
        for segment in text.render(console):
            style = segment.style or Style.null()
            line += [
                (char, *_colours(style), bool(style.bold)) for char in segment.text.strip("\n")
            ]
        lines.append(line)
    return lines


def _colours(style: Style) -> tuple[str, str]:
    front = style.color.get_truecolor(MONOKAI).hex if style.color else "#cccccc"
    back = (
        style.bgcolor.get_truecolor(MONOKAI, foreground=False).hex if style.bgcolor else "#000000"
    )
    return (back, front) if style.reverse else (front, back)


def draw(lines: list[list[Cell]]) -> Image.Image:
    """The screen as a terminal draws it; blocks fill their cells exactly."""
    width, height = CELL
    size = (len(lines[0]) * width + 2 * MARGIN, len(lines) * height + 2 * MARGIN)
    image = Image.new("RGB", size, lines[2][0][2])
    pen = ImageDraw.Draw(image)
    fonts = [ImageFont.truetype(path, FONT_SIZE) for path in FONTS]
    for y, line in enumerate(lines):
        for x, (char, front, back, bold) in enumerate(line):
            left, top = MARGIN + x * width, MARGIN + y * height
            pen.rectangle((left, top, left + width - 1, top + height - 1), fill=back)
            if char in HALVES:
                x0, y0, x1, y1 = HALVES[char]
                box = (left + x0 * width, top + y0 * height)
                pen.rectangle((*box, left + x1 * width - 1, top + y1 * height - 1), fill=front)
            elif char in LINES:
                _line(pen, char, (left, top), front)
            elif char != " ":
                pen.text((left, top), char, font=fonts[bold], fill=front)
    return image.quantize(COLOURS, dither=Image.Dither.NONE)


def _line(pen: ImageDraw.ImageDraw, char: str, at: tuple[int, int], colour: str) -> None:
    """A single or double rule, across the cell or from its middle."""
    (left, top), (width, height) = at, CELL
    x, y = left + width // 2, top + height // 2
    sides = LINES[char]
    for inner in (False, True) if char in DOUBLE else (None,):
        offset = 0 if inner is None else 4
        # The outer rule of a corner lies away from where the sides lead, the inner one towards.
        across = offset if ("d" in sides) == bool(inner) else -offset
        along = offset if ("r" in sides) == bool(inner) else -offset
        if "l" in sides or "r" in sides:
            begin = left if "l" in sides else x + along
            end = left + width if "r" in sides else x + along
            pen.rectangle((begin, y + across, end, y + across + 1), fill=colour)
        if "u" in sides or "d" in sides:
            begin = top if "u" in sides else y + across
            end = top + height if "d" in sides else y + across
            pen.rectangle((x + along, begin, x + along + 1, end), fill=colour)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="tmux-") as sockets,
        tempfile.TemporaryDirectory(prefix="demo-") as name,
        Photographed(Path(sockets)) as terminal,
    ):
        ceremony = str(Path(sys.executable).with_name("ceremony"))
        terminal.start(ceremony, "rehearse", "--keep", name)
        terminal.wait(lambda screen: "Press Enter" in screen)
        terminal.keys("Enter")
        Person(terminal, Path(name) / "paper", terminal.look).go(until=LAST, timeout_s=240)
    for name, lines in terminal.taken.items():
        path = OUT / f"{name}.png"
        draw(lines).save(path, optimize=True)
        print(f"{path.relative_to(TOP)}  {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
