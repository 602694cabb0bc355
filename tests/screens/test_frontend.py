"""The contract of the front end: one thread asks and blocks, the app answers."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import samples

from ceremony.flow.prompts import Chosen, Command, Done, SecretEntered
from screens.app import Wizard
from screens.frontend import ScreenClosedError, WizardFrontend

FRAME = samples.frame(samples.PROMPTS["welcome"].step)


async def test_a_mini_flow_is_answered_in_order_from_its_own_thread():
    app = Wizard(now=samples.now, theme="dark")
    frontend = WizardFrontend(app)
    seen: list[object] = []
    threads: set[str] = set()

    def flow() -> int:
        for name in ("welcome", "choose", "pin"):
            threads.add(threading.current_thread().name)
            seen.append(frontend.ask(samples.PROMPTS[name], FRAME))
            frontend.progress(samples.SIGNING, FRAME)
        seen.append(frontend.ask(samples.PROMPTS["finished"], FRAME))
        return 8

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="flow") as pool:
        app.connect(lambda: None, frontend.give)
        async with app.run_test() as pilot:
            running = pool.submit(flow)
            await _until(pilot, app, "welcome")
            await pilot.press("enter")
            await _until(pilot, app, "choose")
            await pilot.press("2", "enter")
            await _until(pilot, app, "pin")
            await pilot.press(*"123456", "enter")
            await _until(pilot, app, "finished")
            await pilot.press("escape")
            status = await asyncio.wait_for(asyncio.wrap_future(running), 5)
    assert status == 8
    assert seen[:2] == [Done(), Chosen(value="online-ca")]
    assert isinstance(seen[2], SecretEntered)
    assert seen[3] is Command.BACK
    assert threads == {"flow_0"}


async def _until(pilot, app, name):
    wanted = samples.PROMPTS[name]
    for _ in range(200):
        await pilot.pause()
        if getattr(app.screen, "prompt", None) is wanted:
            await pilot.pause()
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} was not shown")


class Gone:
    """A display that is over."""

    def present(self, prompt, frame):
        return False

    def report(self, working, frame):
        return False


class Mute(Gone):
    """A display where nobody answers."""

    def present(self, prompt, frame):
        return True


def test_asking_after_the_end_raises():
    with pytest.raises(ScreenClosedError):
        WizardFrontend(Gone()).ask(samples.PROMPTS["welcome"], FRAME)


def test_a_waiting_question_raises_when_the_screen_closes():
    frontend = WizardFrontend(Mute())
    threading.Timer(0.05, frontend.close).start()
    for _ in range(2):
        with pytest.raises(ScreenClosedError):
            frontend.ask(samples.PROMPTS["welcome"], FRAME)


def test_progress_never_blocks():
    WizardFrontend(Gone()).progress(samples.SIGNING, FRAME)
