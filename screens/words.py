"""Typing words back from paper, in a grid like the sheet's own."""

from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.events import Key as KeyEvent
from textual.events import Paste
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from ceremony.core import words
from ceremony.core.fingerprints import LINES, place
from ceremony.flow.prompts import TypeBack, Typed
from screens.body import TALL, content_of
from screens.glyphs import COMING, guard_line
from screens.layout import Line, Part
from screens.prompt import PromptScreen
from screens.surround import Key

CELL = 12
KEEP = 16
PREFIX = 2


class WordGrid(Widget, can_focus=True):
    """Eight lines A to H of four places; those asked for are fields.

    A word is completed as soon as only one word of its place's list begins as typed;
    that reveals the list, never the value.

    Args:
        positions: asked for, 0 to 31, ascending.
        typed: filled in at first, or empty.
        slips: positions of words that their list lacks.
    """

    here: reactive[int] = reactive(0)

    class Finished(Message):
        """Enter was pressed and no field is empty."""

    class Asked(Message):
        """`?` was pressed."""

    class Moved(Message):
        """Another field, or another text in it."""

    def __init__(
        self, positions: Sequence[int], typed: Sequence[str], slips: Sequence[int]
    ) -> None:
        super().__init__(id="words")
        self.positions = tuple(positions)
        self.typed = [guard_line(word)[:KEEP] for word in typed] or [""] * len(positions)
        first = next((i for i, at in enumerate(positions) if at in slips), 0)
        self.set_reactive(WordGrid.here, first)

    # --- drawing ---------------------------------------------------------------------

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Eight lines, with gaps where there is room."""
        return 2 * len(LINES) - 1 if self._roomy else len(LINES)

    @property
    def _roomy(self) -> bool:
        return self.app.size.height >= TALL

    def render(self) -> Content:
        """The sheet."""
        gap: list[Line] = [()] if self._roomy else []
        rows = [[self._row(row), *gap] for row in range(len(LINES))]
        return content_of([line for row in rows for line in row])

    def _row(self, row: int) -> Line:
        parts: list[Part] = [(f" {LINES[row]} ", "bold $accent")]
        for at in range(4 * row, 4 * row + 4):
            parts += self._cell(at)
        return tuple(parts)

    def _cell(self, at: int) -> list[Part]:
        if at not in self.positions:
            return [
                (f" {place(at)} ", "$rule"),
                (f"{COMING * 3:<{CELL}}", "$rule"),
                ("  ", ""),
            ]
        index = self.positions.index(at)
        word, here = self.typed[index], index == self.here and self.has_focus
        label = (f" {place(at)} ", "$background on $accent" if here else "bold")
        ghost = self.completion(index)[len(word) :] if here else ""
        room = CELL - len(word) - len(ghost)
        field = "on $field-here" if here else "on $field"
        ink = "bold underline $warning" if self.is_slip(index) and not here else "bold"
        ink = "bold $here-ink" if here else ink
        cursor = [(ghost[:1] or " ", f"reverse {field}"), (ghost[1:], f"$here-dim {field}")]
        used = room - (0 if ghost else 1)
        tail = [*cursor, (" " * max(0, used), field)] if here else [(" " * max(0, room), field)]
        flag = ("! ", "bold $warning") if self.is_slip(index) and not here else ("  ", "")
        return [label, (word, f"{ink} {field}"), *tail, flag]

    def is_slip(self, index: int) -> bool:
        """Whether the word there is none of its place's list."""
        word = self.typed[index]
        return bool(word) and words.value_at(self.positions[index], word) is None

    def completion(self, index: int) -> str:
        """The only word that begins as typed, or what was typed."""
        word = self.typed[index]
        if len(word) < PREFIX:
            return word
        found = words.candidates(self.positions[index], word)
        return word + found[0][len(word) :] if len(found) == 1 else word

    # --- typing ----------------------------------------------------------------------

    def on_key(self, event: KeyEvent) -> None:
        """Letters type; Enter and Space go on; arrows move."""
        moves = {"left": -1, "up": -1, "shift+tab": -1, "right": 1, "down": 1}
        if event.character and event.character.isascii() and event.character.isalpha():
            self._type(event.character)
        elif event.key == "backspace":
            self._erase()
        elif event.key in ("enter", "space", "tab"):
            self._next(finish=event.key == "enter")
        elif event.key in moves:
            self._settle()
            self.here = (self.here + moves[event.key]) % len(self.positions)
        elif event.key == "question_mark":
            self.post_message(self.Asked())
        else:
            return
        event.stop()
        event.prevent_default()
        self._moved()

    def on_paste(self, event: Paste) -> None:
        """Words from a paste, letters only, one a field."""
        for word in event.text.split():
            self.typed[self.here] = "".join(c for c in word if c.isascii() and c.isalpha())[:KEEP]
            self.here = min(self.here + 1, len(self.positions) - 1)
        event.stop()
        self._moved()

    def _moved(self) -> None:
        self.refresh()
        self.post_message(self.Moved())

    def _type(self, letter: str) -> None:
        if len(self.typed[self.here]) < KEEP:
            self.typed[self.here] += letter

    def _erase(self) -> None:
        if self.typed[self.here]:
            self.typed[self.here] = self.typed[self.here][:-1]
        else:
            self.here = max(0, self.here - 1)

    def _settle(self) -> None:
        self.typed[self.here] = self.completion(self.here)

    def _next(self, *, finish: bool) -> None:
        self._settle()
        if not self.typed[self.here]:
            return
        if self.here + 1 < len(self.positions):
            self.here += 1
        elif "" in self.typed:
            self.here = self.typed.index("")
        elif finish:
            self.post_message(self.Finished())

    def clear(self) -> None:
        """Forgets the words."""
        self.typed = [""] * len(self.positions)
        self.refresh()


class TypeBackScreen(PromptScreen[TypeBack]):
    """Word by word; the flow alone judges."""

    reads_first = False
    follows = True

    def compose_input(self) -> Iterable[Widget]:
        """The grid."""
        yield WordGrid(self.prompt.positions, self.prompt.typed, self.prompt.slips)

    def on_mount(self) -> None:
        """The grid has the keys."""
        super().on_mount()
        self.query_one(WordGrid).focus()

    def actions(self) -> tuple[Key, ...]:
        """Next word, and where we are."""
        grid = self.query_one(WordGrid)
        last = grid.here + 1 == len(grid.positions)
        what = "give the words" if last and "" not in grid.typed else "next word"
        done = sum(bool(word) for word in grid.typed)
        return (("Enter", what), ("Arrows", f"move    {done} of {len(grid.positions)} words"))

    def on_word_grid_moved(self) -> None:
        """Tells of a word that its list lacks; the footer follows."""
        grid = self.query_one(WordGrid)
        slips = [
            place(at) for i, at in enumerate(grid.positions) if grid.is_slip(i) and i != grid.here
        ]
        what = (
            "is not in the list of its place"
            if len(slips) == 1
            else "are not in the lists of their places"
        )
        self.note(f"{', '.join(slips)} {what}: look again." if slips else "")
        self.refresh_keys()

    def on_word_grid_asked(self) -> None:
        """Help."""
        self.action_help()

    def on_word_grid_finished(self) -> None:
        """The answer."""
        if not self.read_on():
            self.answer(Typed(words=tuple(self.query_one(WordGrid).typed)))

    def forget(self) -> None:
        """Empties the grid."""
        super().forget()
        self.query_one(WordGrid).clear()
