"""The Textual app: shows what it is told to, hands answers on, decides nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Event, Key, Resize
from textual.geometry import Size
from textual.message import Message
from textual.timer import Timer

from ceremony.flow import prompts
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Working
from screens import themes
from screens.body import TALL, WIDE
from screens.prompt import FramedScreen, PromptScreen
from screens.typeahead import TOLD, TypeAhead
from screens.working import WorkingScreen, moment

PATIENCE_S = 0.15
SMALLEST = (80, 24)


def utc_now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


class Wizard(App[int], inherit_bindings=False):
    """One prompt at a time on the screen.

    Mouse, links, command palette, screenshots and the clipboard are off. A defect ends the
    app without a crash screen (that would print local variables); it is kept in `failure`.

    Args:
        now: the clock of the header.
        theme: one of `screens.themes`; chosen for the terminal otherwise.
    """

    CSS_PATH = str(files("assets") / "ceremony.tcss")
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "ceremony"
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [  # noqa: RUF012
        (0, "-low"),
        (TALL, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "ask_quit", show=False, priority=True),
        Binding("f6,ctrl+t", "next_theme", show=False, priority=True),
    ]

    class Present(Message):
        """A prompt from the flow."""

        def __init__(self, prompt: AnyPrompt, frame: Frame) -> None:
            super().__init__()
            self.prompt = prompt
            self.frame = frame

    class Report(Message):
        """Work from the flow."""

        def __init__(self, working: Working, frame: Frame) -> None:
            super().__init__()
            self.working = working
            self.frame = frame

    class Waited(Message):
        """The flow takes long over an answer."""

    class Leave(Message):
        """The flow is over."""

    def __init__(self, *, now: Callable[[], datetime] = utc_now, theme: str = "") -> None:
        super().__init__()
        for known in themes.THEMES:
            self.register_theme(known)
        self.theme = theme or themes.first_theme()
        self.failure: Exception | None = None
        self._now = now
        self._begin: Callable[[], None] = lambda: None
        self._give: Callable[[Answer | Command], None] = lambda _: None
        self._working: tuple[Working, Frame] | None = None
        self._patience: Timer | None = None
        self._ahead = TypeAhead()
        self._told = False

    # --- from the flow's thread --------------------------------------------------------

    def connect(self, begin: Callable[[], None], give: Callable[[Answer | Command], None]) -> None:
        """Who is told that the screen is ready, and who gets the answers."""
        self._begin = begin
        self._give = give

    def present(self, prompt: AnyPrompt, frame: Frame) -> bool:
        """Shows a prompt; False when the app is over."""
        return self.post_message(self.Present(prompt, frame))

    def report(self, working: Working, frame: Frame) -> bool:
        """Shows work, if it lasts; False when the app is over."""
        return self.post_message(self.Report(working, frame))

    def leave(self) -> None:
        """Ends the app."""
        self.post_message(self.Leave())

    # --- showing -----------------------------------------------------------------------

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colour names exist under every theme."""
        return dict(themes.THEMES[0].variables)

    def on_mount(self) -> None:
        """The screen is ready: the flow may begin."""
        self._wait()
        self._begin()

    async def on_wizard_present(self, message: Present) -> None:
        """The next prompt replaces what is shown."""
        self._stop_waiting()
        self._working = None
        await self._show(screen_for(message.prompt, message.frame, self._now))

    def on_wizard_report(self, message: Report) -> None:
        """Remembers the work; shows it at once only where work is shown already."""
        self._working = (message.working, message.frame)
        if isinstance(self.screen, WorkingScreen):
            self.screen.show(message.working)
        elif self._patience is None:
            self._wait()

    def on_wizard_leave(self) -> None:
        """Ends."""
        self.exit(0)

    def answer(self, answer: Answer | Command) -> None:
        """An officer's answer; if the flow takes long over it, that is shown."""
        self._wait()
        self._give(answer)

    def _wait(self) -> None:
        self._stop_waiting()
        # By a message: a timer's own callback would run beside the one that shows a prompt.
        self._patience = self.set_timer(PATIENCE_S, lambda: self.post_message(self.Waited()))

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.stop()
            self._patience = None

    async def on_wizard_waited(self) -> None:
        """Shows that work is under way, unless a prompt came meanwhile."""
        if self._patience is None:
            return
        self._patience = None
        current = next((s for s in self.screen_stack if isinstance(s, PromptScreen)), None)
        if self._working:
            working, frame = self._working
        elif current:
            working, frame = moment(current.prompt.step), current.frame
        else:
            return
        await self._show(WorkingScreen(working, frame, self._now))

    async def _show(self, screen: FramedScreen) -> None:
        screen.suit(self.size)
        while len(self.screen_stack) > 2:
            await self.pop_screen()
        if len(self.screen_stack) == 2:
            await self.switch_screen(screen)
        else:
            await self.push_screen(screen)
        self._cover(self.size)

    async def on_event(self, event: Event) -> None:
        """A key from before its screen goes no further; help and questions over it take all."""
        asked = self.screen_stack[-1] if self.screen_stack else None
        pressed = isinstance(event, Key) and not event.is_forwarded
        framed = asked if pressed and isinstance(asked, FramedScreen) else None
        if framed is not None and self._ahead.drops(event.time, framed.ready_at):
            framed.tell(TOLD)
            self._told = True
            return
        if framed is not None and self._told:
            framed.tell("")
            self._told = False
        await super().on_event(event)

    # --- the terminal --------------------------------------------------------------------

    def on_resize(self, event: Resize) -> None:
        """Covers everything while there is too little room."""
        self._cover(event.size)

    def _cover(self, size: Size) -> None:
        from screens.panes import TooSmallScreen

        if not self.screen_stack:
            return  # A size that came before the first screen; the next prompt looks again.
        small = size.width < SMALLEST[0] or size.height < SMALLEST[1]
        covered = isinstance(self.screen, TooSmallScreen)
        if small and not covered:
            self.push_screen(TooSmallScreen())
        elif covered and not small:
            self.pop_screen()

    def action_ask_quit(self) -> None:
        """Quitting is a question, and only at a prompt."""
        from screens.panes import QuitScreen

        current = self.screen
        if isinstance(current, PromptScreen) and not current.answered:

            def decided(leave: bool | None) -> None:
                if leave:
                    current.answer(Command.QUIT)

            self.push_screen(QuitScreen(rehearsal=current.frame.rehearsal), decided)

    def action_next_theme(self) -> None:
        """Dark, light, high contrast."""
        self.theme = themes.next_theme(self.theme)

    def copy_to_clipboard(self, text: str) -> None:
        """Never: what is typed here stays here."""

    def open_url(self, url: str, *, new_tab: bool = True) -> None:
        """Never: nothing here opens a browser."""

    def _handle_exception(self, error: Exception) -> None:
        # house: textual's own handler renders a traceback with the values of locals.
        if self.failure is None:
            self.failure = error
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()


def screen_for(prompt: AnyPrompt, frame: Frame, now: Callable[[], datetime]) -> PromptScreen[Any]:
    """The screen of a prompt's kind."""
    match prompt:
        case prompts.Acknowledge():
            from screens.acknowledge import AcknowledgeScreen

            return AcknowledgeScreen(prompt, frame, now)
        case prompts.Finished():
            from screens.acknowledge import FinishedScreen

            return FinishedScreen(prompt, frame, now)
        case prompts.Choose():
            from screens.choose import ChooseScreen

            return ChooseScreen(prompt, frame, now)
        case prompts.EnterText():
            from screens.form import EnterTextScreen

            return EnterTextScreen(prompt, frame, now)
        case prompts.EnterSecret():
            from screens.secret import EnterSecretScreen

            return EnterSecretScreen(prompt, frame, now)
        case prompts.ShowSecret():
            from screens.secret import ShowSecretScreen

            return ShowSecretScreen(prompt, frame, now)
        case prompts.TypeBack():
            from screens.words import TypeBackScreen

            return TypeBackScreen(prompt, frame, now)
        case prompts.Review():
            from screens.review import ReviewScreen

            return ReviewScreen(prompt, frame, now)
        case prompts.PickPath():
            from screens.picking import PickPathScreen

            return PickPathScreen(prompt, frame, now)
