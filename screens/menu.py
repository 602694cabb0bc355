"""A list to choose from, by arrows or digits."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Key, Resize
from textual.widgets import OptionList
from textual.widgets.option_list import Option as Row

from screens.wrapping import wrap

INDENT = 3
UNKNOWN = 70
"""Width until the terminal told its own."""


class Menu(OptionList):
    """Numbered rows: a label, and a quieter line of detail.

    Args:
        rows: label and detail.
        start: the row that is marked at first; None for none.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "cursor_down", show=False)]

    def __init__(self, rows: Sequence[tuple[str, str]], start: int | None = 0) -> None:
        super().__init__(
            *(Row(_row(i, label, detail, UNKNOWN)) for i, (label, detail) in enumerate(rows, 1)),
            id="menu",
            markup=False,
            compact=True,
        )
        self._rows = tuple(rows)
        self._start = start

    def on_mount(self) -> None:
        """Marks the first row, or none."""
        self.highlighted = self._start

    def on_resize(self, event: Resize) -> None:
        """Lays the rows out anew: a long name goes on below itself, not below its number."""
        room = event.size.width - 2
        for index, (label, detail) in enumerate(self._rows):
            self.replace_option_prompt_at_index(index, _row(index + 1, label, detail, room))

    def on_key(self, event: Key) -> None:
        """A digit marks its row; Enter is still needed."""
        if event.character and event.character in "123456789":
            row = int(event.character) - 1
            if row < self.option_count:
                self.highlighted = row
            event.stop()


def _row(number: int, label: str, detail: str, room: int) -> Content:
    names = wrap(label.replace("\n", " "), room - INDENT)
    parts = [(f"{number:<{INDENT}}", "$dim"), (names[0], "bold")]
    parts += [(f"\n{'':<{INDENT}}{line}", "bold") for line in names[1:]]
    lines = wrap(detail, room - INDENT) if detail else ()
    parts += [(f"\n{'':<{INDENT}}{line}", "$dim") for line in lines]
    return Content.assemble(*parts)
