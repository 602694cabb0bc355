"""What will be signed, accepted or refused by its own letter."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from ceremony.flow.prompts import Decided, Review
from screens.prompt import PromptScreen
from screens.surround import Key


class ReviewScreen(PromptScreen[Review]):
    """Enter reads on and never decides."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "accept", show=False),
        Binding("r", "refuse", show=False),
    ]

    def actions(self) -> tuple[Key, ...]:
        """The two letters."""
        return (("A", self.prompt.accept), ("R", self.prompt.refuse))

    def proceed(self) -> None:
        """Says which keys decide."""
        accept, refuse = self.prompt.accept, self.prompt.refuse
        self.note(f"Enter does not decide. Press A: {accept}; or R: {refuse}.")

    def action_accept(self) -> None:
        """Accepts, once all was read."""
        if not self.unread():
            self.answer(Decided(accepted=True))

    def action_refuse(self) -> None:
        """Refuses at any time."""
        self.answer(Decided(accepted=False))
