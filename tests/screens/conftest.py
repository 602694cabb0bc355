"""A wizard under a pilot, with one prompt on its screen."""

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import samples
from textual.events import Key
from textual.pilot import Pilot

from ceremony.flow.prompts import Answer, AnyPrompt, Command, Review
from screens.app import Wizard
from screens.typeahead import REFLEX_S


class Shown:
    """What a test holds: the pilot, the app, the answers given."""

    def __init__(self, pilot: Pilot[Any], app: Wizard, answers: list[Answer | Command]) -> None:
        self.pilot = pilot
        self.app = app
        self.answers = answers

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        """Printable characters, faster than a press each."""
        for char in text:
            self.app.screen.focused.post_message(Key({" ": "space"}.get(char, char), char))
        await self.pilot.pause()

    async def present(self, prompt: AnyPrompt, **frame: Any) -> None:
        """The next prompt."""
        self.app.present(prompt, samples.frame(prompt.step, **frame))
        await self.pilot.pause()
        await self.pilot.pause()
        await self.read()

    async def read(self) -> None:
        """As long as a person needs for the first glance."""
        prompt = getattr(self.app.screen_stack[1], "prompt", None)
        glance = REFLEX_S * (isinstance(prompt, Review) or bool(prompt and prompt.irreversible))
        while (early := self.app.screen_stack[1].ready_at + glance - monotonic()) > 0:
            await self.pilot.pause(min(early, 0.02))

    @property
    def text(self) -> str:
        """What stands on the terminal."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)


Show = Callable[..., AbstractAsyncContextManager[Shown]]


@asynccontextmanager
async def showing(
    prompt: AnyPrompt, size: tuple[int, int] = (80, 24), **frame: Any
) -> AsyncIterator[Shown]:
    answers: list[Answer | Command] = []
    app = Wizard(now=samples.now, theme="dark")
    app.connect(lambda: None, answers.append)
    async with app.run_test(size=size) as pilot:
        shown = Shown(pilot, app, answers)
        await shown.present(prompt, **frame)
        yield shown


@pytest.fixture
def show() -> Show:
    return showing


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs the coroutine tests of this folder."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True
