"""What is laid over a prompt for a moment: help, the equivalent command, QR, a question."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from ceremony.flow.prompts import Print
from screens.body import content_of
from screens.glyphs import guard, guard_line
from screens.layout import Line, code_lines
from screens.surround import Band

T = TypeVar("T")
KEYS: Sequence[tuple[str, str]] = (
    ("Enter", "read on, then go on"),
    ("Esc", "back, where nothing was recorded since"),
    ("PgUp PgDn", "move the text"),
    ("F1  Ctrl+G  ?", "this help"),
    ("F2  Ctrl+X", "record what did not go by the script"),
    ("F3  Ctrl+P", "pause; the screen locks"),
    ("F4  Ctrl+O", "the same step with stock commands"),
    ("F5  Ctrl+R", "QR code of a fingerprint on this screen"),
    ("F6  Ctrl+T", "colours: dark, light, high contrast"),
    ("Ctrl+Q", "quit, after a question; what is recorded stays"),
)
NO_HELP = "Nothing more is known about this step than what the screen says."
NO_COMMAND = "This step has no equivalent command: it is a decision of people."


class Pane(ModalScreen[T]):
    """Something laid over a prompt; the rehearsal mark stays.

    Args:
        rehearsal: as in the frame below it.
    """

    def __init__(self, *, rehearsal: bool) -> None:
        super().__init__()
        self._rehearsal = rehearsal

    def compose(self) -> ComposeResult:
        """The mark, then the pane."""
        if self._rehearsal:
            yield Band()
        yield from self.compose_pane()

    def compose_pane(self) -> Iterable[Widget]:
        """What is laid over the prompt."""
        raise NotImplementedError


class PaneScreen(Pane[None]):
    """A box with a title; Esc or Enter closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", show=False),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown,space", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]
    heading: ClassVar[str] = ""
    closing: ClassVar[str] = " Esc close "

    def compose_pane(self) -> Iterable[Widget]:
        """The box."""
        with Vertical(classes="pane") as pane:
            pane.border_title = Content(f" {self.heading} ")
            pane.border_subtitle = Content(self.closing)
            with VerticalScroll(can_focus=False):
                yield Static(self.content())

    def on_resize(self) -> None:
        """Says so where there is more than fits."""
        self.call_after_refresh(self._tell_more)

    def _tell_more(self) -> None:
        more = " Down PgDn more  " if self.query_one(VerticalScroll).max_scroll_y > 0 else ""
        self.query_one(".pane").border_subtitle = Content(f"{more}{self.closing}")

    def content(self) -> Content:
        """What the box says."""
        raise NotImplementedError

    def action_close(self) -> None:
        """Back to the prompt, as it was."""
        self.dismiss()

    def action_move(self, lines: int) -> None:
        """Moves the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


class HelpScreen(PaneScreen):
    """The "what if" text of a prompt, and the keys."""

    heading = "Help"

    def __init__(self, text: str, *, rehearsal: bool) -> None:
        super().__init__(rehearsal=rehearsal)
        self._text = guard(text) or NO_HELP

    def content(self) -> Content:
        """The text first."""
        lines: list[Line] = [
            ((text, "bold $accent" if text.startswith("What if ") else ""),)
            for text in self._text.split("\n")
        ]
        lines += [(), (("KEYS", "$dim"),)]
        lines += [((f"{key:<16}", "bold $accent"), (what, "")) for key, what in KEYS]
        return content_of(lines)


class CommandScreen(PaneScreen):
    """The same step with stock tools, secrets left out."""

    heading = "The same with stock commands"

    def __init__(self, command: str, *, rehearsal: bool) -> None:
        super().__init__(rehearsal=rehearsal)
        self._command = guard(command)

    def content(self) -> Content:
        """The command, or that there is none."""
        if not self._command:
            return Content.assemble((NO_COMMAND, "$dim"))
        return Content.assemble((self._command, "bold"))


class CodeScreen(Pane[None]):
    """The QR code of a fingerprint, as large as the terminal allows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,f5,ctrl+r", "close", show=False),
        Binding("right,space,down", "turn(1)", show=False),
        Binding("left,up", "turn(-1)", show=False),
    ]

    def __init__(self, prints: Sequence[Print], *, rehearsal: bool) -> None:
        super().__init__(rehearsal=rehearsal)
        self._prints = tuple(prints)
        self._index = 0

    def compose_pane(self) -> Iterable[Widget]:
        """The code, its caption below."""
        yield Static(id="code")
        yield Static(id="code-caption")

    def on_mount(self) -> None:
        """Shows the first."""
        self.action_turn(0)

    def action_turn(self, by: int) -> None:
        """The next fingerprint of the same screen."""
        self._index = (self._index + by) % len(self._prints)
        shown = self._prints[self._index]
        self.query_one("#code", Static).update(content_of(code_lines(shown.fingerprint)))
        more = f"Left Right: {self._index + 1} of {len(self._prints)}   " * (len(self._prints) > 1)
        caption = [((guard_line(shown.caption), "bold"), (f"   {more}Esc close", "$dim"))]
        self.query_one("#code-caption", Static).update(content_of(caption))

    def action_close(self) -> None:
        """Back to the words."""
        self.dismiss()


class QuitScreen(Pane[bool]):
    """Quitting is a question."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "decide(True)", show=False),
        Binding("n,escape,enter", "decide(False)", show=False),
    ]

    def compose_pane(self) -> Iterable[Widget]:
        """The question."""
        with Vertical(classes="pane") as pane:
            pane.border_title = Content(" Quit? ")
            yield Static(
                content_of(
                    [
                        (("Leave the ceremony now?", "bold"),),
                        (),
                        (("Everything recorded so far stays. Start the program again", ""),),
                        (("with the same plan and it goes on from here.", ""),),
                        (),
                        (
                            ("Y", "bold $accent"),
                            (" quit    ", ""),
                            ("N", "bold $accent"),
                            (" stay", ""),
                        ),
                    ]
                )
            )

    def action_decide(self, leave: bool) -> None:
        """Y or N."""
        self.dismiss(leave)


class TooSmallScreen(ModalScreen[None]):
    """Covers everything while the terminal is too small; what was typed stays."""

    def compose(self) -> ComposeResult:
        """What to do."""
        yield Static(
            Content(
                "This terminal is too small.\n"
                "Make it 80 columns by 24 lines or larger.\nNothing is lost."
            )
        )
