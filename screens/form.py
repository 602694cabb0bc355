"""A small form."""

from collections.abc import Iterable

from textual.containers import Grid
from textual.widget import Widget

from ceremony.flow.prompts import Entered, EnterText, Field
from screens.fields import FieldScreen
from screens.line import Label, Line
from screens.surround import Key

ROOMY = 6
"""More fields than these stand without gaps where the terminal is low."""


class EnterTextScreen(FieldScreen[EnterText]):
    """Enter goes to the next field, and from the last one gives the answer."""

    reads_first = False
    follows = True

    def compose_input(self) -> Iterable[Widget]:
        """Label and field, one row each."""
        with Grid(id="form") as form:
            form.set_class(len(self.prompt.fields) > ROOMY, "-many")
            for field in self.prompt.fields:
                label = Label(field.label)
                yield label
                yield Line(label, field.default, placeholder=_invited(field), name=field.name)

    def on_mount(self) -> None:
        """The first empty field has the keys."""
        super().on_mount()
        self.set_focus(next((line for line in self.lines if not line.value), self.lines[0]))

    def actions(self) -> tuple[Key, ...]:
        """Between fields, and on."""
        if len(self.prompt.fields) == 1:
            return (("Enter", "continue"),)
        return (("Enter", "next field, then continue"), ("Tab", "move"))

    def complete(self, lines: list[Line]) -> None:
        """The answer, if no field that is needed is empty."""
        for field, line in zip(self.prompt.fields, lines, strict=True):
            if field.required and not line.value.strip():
                self.note(f"{field.label}: this field may not be empty.")
                self.set_focus(line)
                return
        self.answer(Entered(values={line.name or "": line.value for line in lines}))


def _invited(field: Field) -> str:
    return field.placeholder if field.required else f"{field.placeholder} (optional)".strip()
