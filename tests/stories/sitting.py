"""Officers who hold a ceremony at both front ends at once, and look at every screen.

The scripted officers know each answer. It is typed into the wizard, key by key, and into the
plain line mode; both must hand the flow the same. Each screen that is new is looked at in a
small and in a large terminal before it is answered.
"""

import asyncio
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from io import StringIO
from time import monotonic
from typing import Any

from textual.events import Key
from textual.pilot import Pilot

from ceremony.core.secret import Secret
from ceremony.flow.prompts import (
    Acknowledge,
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    Decided,
    Done,
    Entered,
    EnterSecret,
    EnterText,
    Finished,
    Frame,
    Picked,
    PickPath,
    Review,
    SecretEntered,
    ShowSecret,
    TypeBack,
    Typed,
    Working,
)
from ceremony.offline.plain import PlainFrontend
from ceremony.practice.officers import Papers, ScriptedOfficers
from screens.app import Wizard
from screens.body import BodyScroll, BodyView
from screens.layout import lay
from screens.line import Line
from screens.menu import Menu
from screens.prompt import PromptScreen
from screens.typeahead import REFLEX_S
from screens.words import WordGrid

SMALL, LARGE = (80, 24), (120, 40)
_PAGES = 12
_OFTEN = 1
"""A screen of the same key and title is held at the wizard so many times, not in each kind."""
_PATIENCE_S = 20
_LOOK_S = 0.004


class Desk:
    """The wizard under a pilot, and what was seen of it."""

    def __init__(self, app: Wizard, pilot: Pilot[Any], answers: list[Answer | Command]) -> None:
        self.app = app
        self.answers = answers
        self.seen: set[str] = set()
        self.held: Counter[tuple[str, str]] = Counter()
        self.pilot = pilot
        self.loop = asyncio.get_running_loop()

    @property
    def screen(self) -> PromptScreen[Any]:
        screen = self.app.screen
        assert isinstance(screen, PromptScreen)
        return screen

    @property
    def text(self) -> str:
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    # --- answering -------------------------------------------------------------------

    async def hold(self, prompt: AnyPrompt, frame: Frame, answer: Answer) -> Answer | Command:
        """Shows it, looks at it the first time, and answers by keys."""
        self.answers.clear()
        self.app.present(prompt, frame)
        await self._stands(prompt)
        if prompt.key not in self.seen:
            self.seen.add(prompt.key)
            for size in (SMALL, LARGE):
                await self.pilot.resize_terminal(*size)
                await self._look(prompt, frame)
            await self.pilot.resize_terminal(*SMALL)
        await self._type(prompt, answer)
        await self._until(lambda: bool(self.answers))
        assert len(self.answers) == 1, f"{prompt.key}: {self.answers}\n{self.text}"
        return self.answers[0]

    async def _stands(self, prompt: AnyPrompt) -> None:
        await self._until(lambda: getattr(self.app.screen, "prompt", None) is prompt)
        await self._until(lambda: self.screen._fitted)

    async def _until(self, condition: Callable[[], bool]) -> None:
        limit = monotonic() + _PATIENCE_S
        while not condition():
            assert monotonic() < limit, f"it did not come:\n{self.text}"
            await asyncio.sleep(_LOOK_S)

    def _press(self, *keys: str) -> None:
        """As fast as they come: their order is kept, whoever takes them."""
        for key in keys:
            char = {"space": " "}.get(key, key)
            self.app.post_message(Key(key, char if len(char) == 1 else None))

    async def _read(self) -> None:
        """To the end of the body."""
        for _ in range(_PAGES):
            if self.screen._end_seen:
                return
            self._press("pagedown")
            await asyncio.sleep(_LOOK_S)
        raise AssertionError(f"no end:\n{self.text}")

    async def _type(self, prompt: AnyPrompt, answer: Answer) -> None:
        await self._read()
        match answer:
            case Done() if isinstance(prompt, ShowSecret):
                self._press("enter", "enter")
            case Done() | Decided():
                letter = prompt.irreversible or isinstance(prompt, Review)
                await asyncio.sleep(REFLEX_S if letter else 0)
                self._press("a" if letter else "enter")
            case Chosen(value=value) if isinstance(prompt, Choose):
                values = [option.value for option in prompt.options]
                self._press(str(values.index(value) + 1), "enter")
            case Picked(path=path) if isinstance(prompt, PickPath):
                paths = [place.path for place in prompt.candidates]
                self._press(str(paths.index(path) + 1), "enter")
            case Entered(values=values):
                lines = list(self.screen.query(Line))
                self.screen.set_focus(lines[0])
                for line in lines:
                    self._press("end", "ctrl+u", *_keys(values[line.name or ""]), "enter")
            case SecretEntered(secret=secret):
                for _ in self.screen.query(Line):
                    self._press(*_keys(secret.reveal()), "enter")
            case Typed(words=words):
                self._press(*_keys(" ".join(words).lower()), "enter")
            case _:
                raise AssertionError(f"{prompt.key}: {answer}")

    # --- looking ---------------------------------------------------------------------

    async def _look(self, prompt: AnyPrompt, frame: Frame) -> None:
        """Nothing is clipped, and it can be seen where the keys go."""
        await self.pilot.pause()
        await self.pilot.pause()
        try:
            self._look_around(prompt, frame)
            self._look_for_the_keys(prompt)
            await self._look_through(prompt)
        except AssertionError as failed:
            columns, rows = self.app.size
            raise AssertionError(f"{prompt.key} at {columns}x{rows}: {failed}\n{self.text}") from (
                failed
            )

    def _look_around(self, prompt: AnyPrompt, frame: Frame) -> None:
        lines = self.text.split("\n")
        top = lines[1:3] if frame.rehearsal else lines[:2]
        assert frame.ceremony_id in top[0], "the ceremony's id is not whole"
        turn = f"turn:  {prompt.officer} " if prompt.officer else "turn: anyone"
        assert top[1].rstrip().endswith(turn.rstrip()), "whose turn it is"
        assert " ".join(prompt.title.split()) in " ".join(self.text.split()), "the title"
        for keys, line in zip(
            (self.screen.keys(), self.app.screen.query_one("Footer").ALWAYS),  # type: ignore[attr-defined]
            lines[-2:],
            strict=True,
        ):
            assert all(f"{key} {what}" in line for key, what in keys), f"keys: {line}"
        if prompt.irreversible:
            assert "IRREVERSIBLE" in self.text
            assert "what follows cannot be undone" in self.text
            assert lines[-3].startswith("╚"), "the frame is not whole"

    def _look_for_the_keys(self, prompt: AnyPrompt) -> None:
        if isinstance(prompt, Acknowledge | Finished | Review | ShowSecret):
            return
        focused = self.screen.focused
        assert isinstance(focused, Line | Menu | WordGrid), f"the focus is at {focused}"
        region = self.screen.find_widget(focused).visible_region
        assert region.height >= 1, "the focus is out of sight"
        rows = self.text.split("\n")[region.y : region.bottom]
        marked = "►" in "".join(row[:40] for row in rows)
        unmarked = isinstance(focused, WordGrid) or (
            isinstance(focused, Menu) and prompt.irreversible
        )
        assert marked or unmarked, "nothing but a colour says where the keys go"
        for each in self.screen.query(Line):
            shown = self.screen.find_widget(each).visible_region.height
            assert shown or self.screen.query_one("#form").show_vertical_scrollbar, "a field"

    async def _look_through(self, prompt: AnyPrompt) -> None:
        """Every line of the body is on some page, and a page that is not the last says so."""
        view, scroll = self.screen.query_one(BodyView), self.screen.query_one(BodyScroll)
        width = view.content_size.width
        wanted = [
            "".join(text for text, _ in line).rstrip()
            for line in lay(prompt.body, width, tall=self.app.size.height >= 34)
        ]
        assert all(len(line) <= width for line in wanted), "a line is wider than the screen"
        scroll.scroll_to(y=0, animate=False, immediate=True)
        await self.pilot.pause()
        seen: list[str] = []
        for _ in range(_PAGES):
            region = self.screen.find_widget(view).visible_region
            rows = self.text.split("\n")[region.y : region.bottom]
            top = round(scroll.scroll_offset.y)
            seen[top:] = [row[region.x : region.right].rstrip() for row in rows]
            if not self.screen.below:
                break
            assert re.search(r"▼ \d+ more lines? below", self.text), "more below, and not said"
            self._press("pagedown")
            await self.pilot.pause()
        assert seen[: len(wanted)] == wanted, "a line of the body was on no page"


class Sitting:
    """A front end: both front ends, and the scripted officers who know the answers."""

    def __init__(self, desk: Desk, papers: Papers) -> None:
        self._desk = desk
        self._officers = ScriptedOfficers(papers, quiet=True)

    def progress(self, working: Working, frame: Frame) -> None:
        """Told to both."""
        sink = StringIO()
        PlainFrontend(StringIO(), sink).progress(working, frame)
        assert sink.getvalue() == f"Working: {working.title}\n" or working.total
        self._desk.app.report(working, frame)

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        """The same answer through both."""
        answer = self._officers.ask(prompt, frame)
        assert not isinstance(answer, Command)
        self._speak(prompt, frame, answer)
        self._desk.held[(prompt.key, prompt.title)] += 1
        if self._desk.held[(prompt.key, prompt.title)] > _OFTEN:
            return answer
        told = asyncio.run_coroutine_threadsafe(
            self._desk.hold(prompt, frame, answer), self._desk.loop
        ).result(timeout=60)
        assert _same(told, answer), f"{prompt.key}: {told} for {answer}"
        return answer

    def _speak(self, prompt: AnyPrompt, frame: Frame, answer: Answer) -> None:
        sink = StringIO()
        source = StringIO("".join(f"{line}\n" for line in spoken(prompt, answer)))
        told = PlainFrontend(source, sink).ask(prompt, frame)
        assert _same(told, answer), f"{prompt.key}: {told} for {answer}"
        assert source.read() == "", f"{prompt.key}: it asked for less than there is to say"
        heard = sink.getvalue()
        assert prompt.title in " ".join(heard.split())
        odd = {char for char in heard if char != "\n" and not _speakable(char)}
        assert not odd, f"{prompt.key}: a screen reader cannot say {odd}"


def _keys(text: str) -> list[str]:
    return ["space" if char == " " else char for char in text]


def spoken(prompt: AnyPrompt, answer: Answer) -> list[str]:
    """The lines that a person types in the plain mode for an answer."""
    match prompt, answer:
        case (Acknowledge() | Finished(), Done()):
            return ["yes" if prompt.irreversible else ""]
        case (ShowSecret(), Done()):
            return [""]
        case (Review(), Decided(accepted=accepted)):
            return ["1" if accepted else "2"]
        case (Choose(options=options), Chosen(value=value)):
            return [str([option.value for option in options].index(value) + 1)]
        case (EnterText(fields=fields), Entered(values=values)):
            return [values[field.name] for field in fields]
        case (EnterSecret(twice=twice), SecretEntered(secret=secret)):
            return [secret.reveal()] * (1 + twice)
        case (TypeBack(), Typed(words=words)):
            return [" ".join(words[i : i + 4]) for i in range(0, len(words), 4)]
        case (PickPath(), Picked(path=path)):
            return [path]
    raise AssertionError(f"{prompt.key}: {answer}")


def _same(told: Answer | Command, meant: Answer) -> bool:
    if isinstance(told, Typed) and isinstance(meant, Typed):
        return [w.lower() for w in told.words] == [w.lower() for w in meant.words]
    if isinstance(told, SecretEntered) and isinstance(meant, SecretEntered):
        return Secret(told.secret.reveal()) == meant.secret
    return told == meant


def _speakable(char: str) -> bool:
    """No box drawing, no blocks, no arrows, nothing that moves the cursor."""
    return unicodedata.category(char)[0] in "LNPZ" or char in "+=<>|~^$`"
