"""What the screens of all kinds of prompt share: surround, body, problem line, keys."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Print
from screens.body import TALL, WIDE, BodyScroll, BodyView, Edge
from screens.glyphs import guard
from screens.layout import code_fits
from screens.surround import Aside, Band, Footer, Header, Key, Title
from screens.typeahead import REFLEX_S, TOO_SOON

if TYPE_CHECKING:
    from screens.app import Wizard

P = TypeVar("P", bound=AnyPrompt)
SHORT = 6
"""Lines of a body that leave room for an input on every terminal."""


class FramedScreen(Screen[None]):
    """A surround, and a stage inside it."""

    BINDINGS: ClassVar[list[BindingType]] = []

    _met = False

    def suit(self, size: Size) -> None:
        """Has the classes of this size from the start: no style is worked out twice."""
        wide, tall = size.width >= WIDE, size.height >= TALL
        self.add_class("-wide" if wide else "-narrow", "-tall" if tall else "-low", update=False)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """What was mounted a moment ago has its styles."""
        event.refresh_styles = self._met
        self._met = True

    @property
    def ready_at(self) -> float:
        """When this screen stood there to be read, on the monotonic clock; infinite: not yet."""
        return inf

    def tell(self, sentence: str) -> None:
        """Says it where the screen can; a screen that asks nothing says nothing."""

    @property
    def wizard(self) -> "Wizard":
        """The app, by its own type."""
        return cast("Wizard", self.app)


class PromptScreen(FramedScreen, Generic[P]):
    """One prompt of the flow; a subclass for each kind adds its input.

    The body comes first: while there is more of it below, Enter reads on and answers
    nothing. After an answer the screen takes no second one.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "proceed", show=False),
        Binding("escape", "back", show=False),
        Binding("question_mark", "help", show=False),
        Binding("f1,ctrl+g", "help", show=False, priority=True),
        Binding("f2,ctrl+x", "command('exception')", show=False, priority=True),
        Binding("f3,ctrl+p", "command('pause')", show=False, priority=True),
        Binding("f4,ctrl+o", "equivalent", show=False, priority=True),
        Binding("f5,ctrl+r", "code", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("down", "line(1)", show=False),
        Binding("up", "line(-1)", show=False),
        Binding("space", "page(1)", show=False),
    ]

    reads_first: ClassVar[bool] = True
    """Enter belongs to the body while there is more of it, not to an input."""

    follows: ClassVar[bool] = False
    """Something comes right below the body; else the body has all the room."""

    def __init__(self, prompt: P, frame: Frame, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.prompt = prompt
        self.frame = frame
        self.answered = False
        self._shown_at = inf
        self._fitted = False
        self._end_seen = False
        self._now = now
        self.set_class(bool(self.prints), "-bare")

    # --- drawing ---------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Surround, then title, body, problem and the subclass's own input."""
        prompt, frame = self.prompt, self.frame
        if frame.rehearsal:
            yield Band()
        yield Header(frame, prompt.step, prompt.officer, self._now)
        with Horizontal(id="middle"):
            yield from self._compose_stage()
            yield Aside(prompt.step, what_if=prompt.help, command=prompt.command)
        yield Footer(self.keys)

    def _compose_stage(self) -> ComposeResult:
        prompt = self.prompt
        with Vertical(id="stage") as stage:
            if prompt.irreversible:
                stage.add_class("-irreversible")
                stage.border_title = Content(" IRREVERSIBLE ")
                stage.border_subtitle = Content(" what follows cannot be undone ")
            yield Title(prompt.title)
            yield Edge(top=True)
            body = BodyView(prompt.body)
            with BodyScroll(id="scroll") as scroll:
                if self.follows and body.first_height() <= SHORT:
                    # What `fit` will find: the input does not jump, and nothing is laid out twice.
                    scroll.styles.height = body.first_height()
                yield body
            yield Edge(top=False)
            problem = guard(prompt.problem or "")
            yield Static(Content(problem), id="problem", classes="" if problem else "-none")
            yield from self.compose_input()

    def compose_input(self) -> Iterable[Widget]:
        """The widgets that take the answer; none by default."""
        return ()

    def on_mount(self) -> None:
        """Subclasses set the focus here."""

    def on_resize(self) -> None:
        """The body gets the room that this terminal has."""
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self._shown_at = min(self._shown_at, monotonic())
        self.fit()

    def fit(self) -> None:
        """The input follows a short body; a long one gets what is left."""
        if self._gone:
            return
        stage, body = self.query_one("#stage"), self.query_one(BodyView)
        scroll = self.query_one(BodyScroll)
        others = sum(
            w.outer_size.height + w.styles.margin.height
            for w in stage.children
            if w.display and w is not scroll
        )
        room = max(1, stage.content_size.height - others)
        height = body.get_content_height(stage.size, stage.size, stage.content_size.width)
        if self.follows:  # Else it has all that is left, by its style.
            scroll.styles.height = min(room, height)
        self.call_after_refresh(self._fit_done)

    def _fit_done(self) -> None:
        self._fitted = True
        if not self._gone:
            self.refresh_keys()

    @property
    def ready_at(self) -> float:
        """From the first time that it was painted until it is answered."""
        return inf if self.answered else self._shown_at

    def unread(self) -> bool:
        """Whether a letter that decides comes too early: before the end, or the first glance.

        What it takes to see more happens: a page down, or a sentence.
        """
        if monotonic() < self._shown_at + REFLEX_S:
            self.tell(TOO_SOON)
            return True
        return self.read_on()

    def tell(self, sentence: str) -> None:
        """On the line for problems."""
        if not self._gone:
            self.note(f"{self.prompt.problem or ''} {sentence}".strip())

    @property
    def _gone(self) -> bool:
        """Whether this is a refresh too late: another screen came, the widgets went."""
        return self.answered or not self.query(BodyScroll)

    def note(self, sentence: str) -> None:
        """Says what is still needed here."""
        line = self.query_one("#problem", Static)
        line.update(Content(guard(sentence)))
        line.add_class("-note")
        line.set_class(not sentence, "-none")
        self.call_after_refresh(self.fit)

    def refresh_keys(self) -> None:
        """Draws the footer and the rules again."""
        self._end_seen = self._end_seen or (self._fitted and not self.below)
        self.query_one(Footer).refresh()
        for edge in self.query(Edge):
            edge.refresh()

    # --- keys ------------------------------------------------------------------------

    def keys(self) -> Sequence[Key]:
        """What can be done here, the first being what is next."""
        if self.reads_first and not self._end_seen:
            more: tuple[Key, ...] = (("Enter", "read on"),)
        else:
            more = self.actions()
        code = (("F5 ^R", "QR code"),) if self.prints and not self._code_beside else ()
        return (*more, *code, ("Esc", "back"))

    def actions(self) -> tuple[Key, ...]:
        """The keys that answer."""
        return ()

    @property
    def below(self) -> int:
        """Lines of the body not yet seen below."""
        scroll = self.query_one(BodyScroll)
        return max(0, round(scroll.max_scroll_y - scroll.scroll_target_y))

    @property
    def prints(self) -> tuple[Print, ...]:
        """The fingerprints of the body."""
        return tuple(block for block in self.prompt.body if isinstance(block, Print))

    @property
    def _code_beside(self) -> bool:
        width = self.query_one(BodyView).size.width
        return code_fits(width, tall=self.app.size.height >= TALL)

    def read_on(self) -> bool:
        """One page down if the end was not seen yet; then nothing else may happen."""
        if self._end_seen:
            return False
        self.action_page(1)
        return True

    def action_proceed(self) -> None:
        """Reads on, then does what is next."""
        if not self.read_on():
            self.proceed()

    def proceed(self) -> None:
        """What Enter does once all was read; nothing by default."""

    def action_page(self, direction: int) -> None:
        """Moves the body by a page less one line; by all of it where that brings the end."""
        height = self.query_one(BodyScroll).size.height
        overlap = not (direction > 0 and self.below == height)
        self.action_line(direction * max(1, height - overlap))

    def action_line(self, lines: int) -> None:
        """Moves the body."""
        scroll = self.query_one(BodyScroll)
        scroll.scroll_to(y=scroll.scroll_target_y + lines, animate=False, immediate=True)
        self.refresh_keys()

    def action_back(self) -> None:
        """Esc."""
        self.answer(Command.BACK)

    def action_command(self, name: str) -> None:
        """F2 and F3."""
        self.answer(Command(name))

    def action_help(self) -> None:
        """The "what if" text."""
        from screens.panes import HelpScreen

        self.app.push_screen(HelpScreen(self.prompt.help, rehearsal=self.frame.rehearsal))

    def action_equivalent(self) -> None:
        """The same by hand."""
        from screens.panes import CommandScreen

        self.app.push_screen(CommandScreen(self.prompt.command, rehearsal=self.frame.rehearsal))

    def action_code(self) -> None:
        """The QR codes of this body, one after the other."""
        from screens.panes import CodeScreen

        if self.prints:
            self.app.push_screen(CodeScreen(self.prints, rehearsal=self.frame.rehearsal))

    # --- answering -------------------------------------------------------------------

    def answer(self, answer: Answer | Command) -> None:
        """Gives the one answer; nothing typed stays behind."""
        if self.answered:
            return
        self.answered = True
        self.forget()
        self.set_focus(None)
        self.wizard.answer(answer)

    def forget(self) -> None:
        """Empties every input."""
        for line in self.query(Input):
            line.value = ""
