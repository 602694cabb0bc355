"""Read and acknowledge."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from ceremony.flow.prompts import Acknowledge, Done, Finished
from screens.prompt import PromptScreen
from screens.surround import Key


class AcknowledgeScreen(PromptScreen[Acknowledge]):
    """Enter goes on; where it cannot be undone, only the letter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("a", "accept", show=False)]

    def actions(self) -> tuple[Key, ...]:
        """Enter, or the letter."""
        return (("A" if self.prompt.irreversible else "Enter", self.prompt.action),)

    def proceed(self) -> None:
        """Answers, unless what follows cannot be undone."""
        if self.prompt.irreversible:
            self.note(f"Enter does nothing here. Press A to go on: {self.prompt.action}.")
        else:
            self.answer(Done())

    def action_accept(self) -> None:
        """The letter, once all was read."""
        if self.prompt.irreversible and not self.unread():
            self.answer(Done())


class FinishedScreen(PromptScreen[Finished]):
    """The end: Enter leaves."""

    def actions(self) -> tuple[Key, ...]:
        """Enter."""
        return (("Enter", self.prompt.action),)

    def proceed(self) -> None:
        """Answers."""
        self.answer(Done())
