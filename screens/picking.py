"""A stick or a folder, from a list or typed."""

from collections.abc import Iterable

from textual.containers import Grid
from textual.widget import Widget
from textual.widgets import Input, OptionList

from ceremony.flow.prompts import Picked, PickPath
from screens.line import Label, Line
from screens.menu import Menu
from screens.prompt import PromptScreen
from screens.surround import Key


class PickPathScreen(PromptScreen[PickPath]):
    """Enter takes the marked place, or the path in the field; where it matters none is marked."""

    reads_first = False
    follows = True

    def compose_input(self) -> Iterable[Widget]:
        """The list of places, then the field."""
        if self.prompt.candidates:
            start = None if self.prompt.irreversible else 0
            yield Menu([(place.label, place.path) for place in self.prompt.candidates], start)
        with Grid(id="form"):
            label = Label("Another path" if self.prompt.candidates else "Path")
            yield label
            yield Line(label, placeholder="/media/...")

    def on_mount(self) -> None:
        """The list has the keys, or the field where there is no list."""
        super().on_mount()
        self.query_one(Menu if self.prompt.candidates else Line).focus()

    def actions(self) -> tuple[Key, ...]:
        """Take, or type."""
        if not self.prompt.candidates:
            return (("Enter", "take this path"),)
        return (("Up Down 1-9", "mark"), ("Enter", "take"), ("Tab", "type a path"))

    def on_menu_unmarked(self) -> None:
        """Says what is missing."""
        self.note("Nothing is marked yet. Mark a row with the arrows or its number, then Enter.")

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
