"""One of a few."""

from collections.abc import Iterable

from textual.widget import Widget
from textual.widgets import OptionList

from ceremony.flow.prompts import Choose, Chosen
from screens.menu import Menu
from screens.prompt import PromptScreen
from screens.surround import Key


class ChooseScreen(PromptScreen[Choose]):
    """Arrows or a digit mark, Enter chooses; where it matters nothing is marked at first."""

    reads_first = False
    follows = True

    def compose_input(self) -> Iterable[Widget]:
        """The list."""
        start = None if self.prompt.irreversible else 0
        yield Menu([(o.label, o.detail) for o in self.prompt.options], start)

    def on_mount(self) -> None:
        """The list has the keys."""
        super().on_mount()
        self.query_one(Menu).focus()

    def actions(self) -> tuple[Key, ...]:
        """Mark and choose."""
        return (("Up Down 1-9", "mark"), ("Enter", "choose"))

    def on_menu_unmarked(self) -> None:
        """Says what is missing."""
        self.note("Nothing is marked yet. Mark a row with the arrows or its number, then Enter.")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a row, once all was read."""
        if not self.read_on():
            self.answer(Chosen(value=self.prompt.options[event.option_index].value))

    def proceed(self) -> None:
        """Enter while nothing is marked."""
        self.note("Mark one with the arrow keys or its digit, then press Enter.")
