"""A list to choose from, by arrows or digits."""

from collections.abc import Sequence
from typing import ClassVar, cast

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key, Resize
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option as Row

from screens.glyphs import HERE
from screens.wrapping import wrap

INDENT = 5
UNKNOWN = 70
"""Width until the terminal told its own."""


class Menu(OptionList):
    """Numbered rows: a label, and a quieter line of detail.

    Args:
        rows: label and detail.
        start: the row that is marked at first; None for none.
    """

    class Unmarked(Message):
        """Enter was pressed, and nothing is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "cursor_down", show=False)]

    def __init__(self, rows: Sequence[tuple[str, str]], start: int | None = 0) -> None:
        self._rows = tuple(rows)
        self._room = UNKNOWN
        self._start = start
        self._marked: int | None = None
        super().__init__(
            *(Row(_row(i, row, UNKNOWN)) for i, row in enumerate(rows)),
            id="menu",
            markup=False,
            compact=True,
        )

    def on_mount(self) -> None:
        """Marks the first row, or none."""
        self.highlighted = self._start

    def on_resize(self, event: Resize) -> None:
        """Lays the rows out anew: a long name goes on below itself, not below its number."""
        self._room = event.size.width - 2
        for index in range(len(self._rows)):
            self._draw_row(index)

    def watch_highlighted(self, highlighted: int | None) -> None:
        """The mark is a sign too, for terminals and eyes without colours."""
        before = self._marked
        self._marked = highlighted
        for index in {before, highlighted} - {None}:
            self._draw_row(cast("int", index))
        super().watch_highlighted(highlighted)

    def _draw_row(self, index: int) -> None:
        row = _row(index, self._rows[index], self._room, marked=index == self._marked)
        self.replace_option_prompt_at_index(index, row)

    def action_select(self) -> None:
        """Enter, once something is marked."""
        if self.highlighted is None:
            self.post_message(self.Unmarked())
        super().action_select()

    def on_key(self, event: Key) -> None:
        """A digit marks its row; Enter is still needed."""
        if event.character and event.character in "123456789":
            row = int(event.character) - 1
            if row < self.option_count:
                self.highlighted = row
            event.stop()


def _row(index: int, row: tuple[str, str], room: int, *, marked: bool = False) -> Content:
    label, detail = row
    quiet = "$here-dim" if marked else "$dim"
    names = wrap(label.replace("\n", " "), room - INDENT)
    mark = f"{HERE} " if marked else "  "
    parts = [(mark, "bold"), (f"{index + 1:<{INDENT - 2}}", quiet), (names[0], "bold")]
    parts += [(f"\n{'':<{INDENT}}{line}", "bold") for line in names[1:]]
    lines = wrap(detail, room - INDENT) if detail else ()
    parts += [(f"\n{'':<{INDENT}}{line}", quiet) for line in lines]
    return Content.assemble(*parts)
