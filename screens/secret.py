"""Secrets: typed unseen, or shown once to be copied."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Grid
from textual.content import Content
from textual.widget import Widget

from ceremony.core.secret import Secret
from ceremony.flow.prompts import Done, EnterSecret, SecretEntered, ShowSecret
from screens.body import content_of
from screens.fields import FieldScreen
from screens.glyphs import guard_line
from screens.layout import Line as StyledLine
from screens.line import Label, Line
from screens.prompt import PromptScreen
from screens.surround import Key


class EnterSecretScreen(FieldScreen[EnterSecret]):
    """Dots instead of characters; typed twice where the prompt asks for it."""

    reads_first = False
    follows = True

    def compose_input(self) -> Iterable[Widget]:
        """One field, or two."""
        with Grid(id="form"):
            for text in (self.prompt.label, "once more")[: 1 + self.prompt.twice]:
                label = Label(text)
                yield label
                yield Line(label, secret=True)

    def on_mount(self) -> None:
        """The first field has the keys."""
        super().on_mount()
        self.set_focus(self.lines[0])

    def actions(self) -> tuple[Key, ...]:
        """Enter."""
        return (("Enter", "next, then continue" if self.prompt.twice else "continue"),)

    def complete(self, lines: list[Line]) -> None:
        """The answer, if both agree."""
        if not lines[0].value:
            self.note("Nothing was typed.")
            self.set_focus(lines[0])
        elif len({line.value for line in lines}) > 1:
            self.forget()
            self.note("The two entries differ. Type both again.")
            self.set_focus(lines[0])
        else:
            self.answer(SecretEntered(secret=Secret(lines[0].value)))


class SecretView(Widget):
    """The secret in large groups while it is shown, blank while it is not.

    It is asked for at each drawing and kept nowhere.
    """

    def __init__(self, screen: "ShowSecretScreen") -> None:
        super().__init__(id="secret")
        self._owner = screen

    def render(self) -> Content:
        """Groups, or an invitation."""
        if not self._owner.shown:
            return Content.assemble(("\n\nHidden. Press Enter to show it.", "$dim"))
        return content_of(secret_lines(self._owner.prompt.secret.reveal()))


def secret_lines(secret: str) -> list[StyledLine]:
    """Words four in a row and numbered, or characters in groups of four."""
    spaced = "-" in secret
    groups = secret.split("-") if spaced else [secret[i : i + 4] for i in range(0, len(secret), 4)]
    width = max(len(group) for group in groups) + 2
    lines: list[StyledLine] = []
    for start in range(0, len(groups), 4):
        row: list[tuple[str, str]] = [(f"{start + 1:>3}   ", "$dim")]
        row += [(f"{guard_line(g):<{width}}", "bold $accent") for g in groups[start : start + 4]]
        lines += [tuple(row), ()]
    how = "Typed with hyphens between the words." if spaced else "Typed without the gaps."
    return [*lines, ((f"      {how}", "$dim"),)]


class ShowSecretScreen(PromptScreen[ShowSecret]):
    """Hidden at first; Enter shows it, Space hides it, Enter again goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "reveal", show=False, priority=True),
    ]

    follows = True
    shown = False
    seen = False

    def compose_input(self) -> Iterable[Widget]:
        """Label and view."""
        yield Label(self.prompt.label)
        yield SecretView(self)

    def actions(self) -> tuple[Key, ...]:
        """Show, hide, go on."""
        if not self.seen:
            return (("Enter", "show it"),)
        return (("Enter", "it is on paper"), ("Space", "hide" if self.shown else "show"))

    def proceed(self) -> None:
        """Shows it the first time; then answers."""
        if self.seen:
            self.answer(Done())
        else:
            self.action_reveal()

    def action_reveal(self) -> None:
        """Shows or hides."""
        self.shown = not self.shown
        self.seen = True
        self.query_one(SecretView).refresh()
        self.refresh_keys()

    def on_screen_suspend(self) -> None:
        """Anything laid over it hides it."""
        self._hide()

    def forget(self) -> None:
        """Hides it for good."""
        super().forget()
        self._hide()

    def _hide(self) -> None:
        self.shown = False
        for view in self.query(SecretView):
            view.refresh()
