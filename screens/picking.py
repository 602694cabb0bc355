"""A stick or a folder, from a list or typed."""

from collections.abc import Iterable

from textual.containers import Grid
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static

from ceremony.flow.prompts import Picked, PickPath
from screens.line import Line
from screens.menu import Menu
from screens.prompt import PromptScreen
from screens.surround import Key


class PickPathScreen(PromptScreen[PickPath]):
    """Enter takes the marked place, or the path in the field."""

    reads_first = False
    follows = True

    def compose_input(self) -> Iterable[Widget]:
        """The list of places, then the field."""
        if self.prompt.candidates:
            yield Menu([(place.label, place.path) for place in self.prompt.candidates])
        with Grid(id="form"):
            yield Static(Content("Another path"), classes="label")
            yield Line(placeholder="/media/...")

    def on_mount(self) -> None:
        """The list has the keys, or the field where there is no list."""
        super().on_mount()
        self.query_one(Menu if self.prompt.candidates else Line).focus()

    def actions(self) -> tuple[Key, ...]:
        """Take, or type."""
        if not self.prompt.candidates:
            return (("Enter", "take this path"),)
        return (("Up Down 1-9", "mark"), ("Enter", "take"), ("Tab", "type a path"))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a place."""
        if not self.read_on():
            self.answer(Picked(path=self.prompt.candidates[event.option_index].path))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field."""
        if self.read_on():
            return
        if event.value.strip():
            self.answer(Picked(path=event.value.strip()))
        else:
            self.note("Type the path of a folder, or press Tab and mark a place.")
