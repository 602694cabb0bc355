"""Screens of fields: Enter moves on, whatever the speed of the typing."""

from abc import abstractmethod
from typing import ClassVar

from textual.binding import Binding, BindingType

from screens.line import Line
from screens.prompt import P, PromptScreen


class FieldScreen(PromptScreen[P]):
    """Enter goes to the next field, and from the last one completes the answer.

    The focus moves before the next key is looked at, and the answer waits for the keys
    that its field has not taken yet: nothing typed ahead ends up in another field.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "next_field", show=False, priority=True),
    ]

    @property
    def lines(self) -> list[Line]:
        """The fields, in order."""
        return list(self.query(Line))

    def action_next_field(self) -> None:
        """Enter."""
        lines, here = self.lines, self.focused
        if here not in lines:
            self.action_proceed()
        elif here is not lines[-1]:
            self.set_focus(lines[lines.index(here) + 1])
        else:
            here.call_later(self._complete)

    def _complete(self) -> None:
        if not self.read_on():
            self.complete(self.lines)

    @abstractmethod
    def complete(self, lines: list[Line]) -> None:
        """Answers, or says what is missing."""
