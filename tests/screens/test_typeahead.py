"""Keys pressed while the wizard was busy, or before a screen could be read."""

import dataclasses
from time import monotonic

import pytest
import samples
from textual.events import Key

from ceremony.core.secret import Secret
from ceremony.flow.prompts import Command, Decided, Done, Picked, SecretEntered
from screens.typeahead import PAUSE_S, REFLEX_S, TypeAhead
from screens.working import WorkingScreen

PROMPTS = samples.PROMPTS


def hit(shown, *names: str, at: float | None = None) -> None:
    """Keys that come while the screen is being changed, or at a given time."""
    for name in names:
        key = Key(name, name if len(name) == 1 else None)
        key.time = at or key.time
        shown.app.post_message(key)


async def settle(shown) -> None:
    await shown.pilot.pause()
    await shown.pilot.pause()


@pytest.mark.parametrize("name", ["root-fence", "review"])
async def test_a_letter_pressed_twice_decides_once(show, name):
    first = dataclasses.replace(PROMPTS[name], key="first", body=())
    async with show(first) as shown:
        hit(shown, "a", "a")
        await shown.pilot.pause()
        shown.app.present(dataclasses.replace(first, key="second"), shown.app.screen.frame)
        hit(shown, "a", "a")
        await settle(shown)
        assert len(shown.answers) == 1
        assert shown.app.screen.prompt.key == "second"


async def test_what_hangs_on_one_letter_waits_until_it_can_have_been_read(show):
    async with show(PROMPTS["welcome"]) as shown:
        fence = dataclasses.replace(PROMPTS["root-fence"], body=())
        shown.app.present(fence, samples.frame(fence.step))
        await settle(shown)
        shown.app.screen._shown_at = monotonic()
        await shown.press("a")
        assert shown.answers == []
        assert "too fast to have been read" in shown.text
        await shown.pilot.pause(REFLEX_S)
        await shown.press("a")
        assert shown.answers == [Done()]


async def test_enter_pressed_twice_acknowledges_one_screen(show):
    async with show(PROMPTS["officer"]) as shown:
        await shown.type("Anna")
        await shown.press("enter", "enter")
        hit(shown, "enter", "enter")
        await settle(shown)
        shown.app.present(PROMPTS["fingerprint"], samples.frame(PROMPTS["fingerprint"].step))
        hit(shown, "enter")
        await settle(shown)
        assert len(shown.answers) == 1


async def test_the_half_of_a_pin_typed_ahead_never_arrives_as_a_whole_one(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("enter")
        early = monotonic()
        hit(shown, "1", "2", at=early)
        await settle(shown)
        shown.app.present(PROMPTS["pin"], samples.frame(PROMPTS["pin"].step))
        await settle(shown)
        hit(shown, "3", "4", "enter", at=early + PAUSE_S / 2)
        await settle(shown)
        await shown.read()
        await settle(shown)
        assert shown.answers == [Done()]
        assert "do not count" in shown.text
        assert "The token refused the PIN" in shown.text
        await shown.pilot.pause(PAUSE_S)
        await shown.type("1234")
        await shown.press("enter")
        assert "do not count" not in shown.text
        assert shown.answers == [Done(), SecretEntered(secret=Secret("1234"))]


async def test_keys_pressed_during_work_answer_nothing_afterwards(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("enter")
        await shown.pilot.pause(0.3)
        assert isinstance(shown.app.screen, WorkingScreen)
        hit(shown, "a", "enter", "escape", "f2", "ctrl+q")
        await settle(shown)
        await shown.present(PROMPTS["root-fence"])
        assert shown.answers == [Done()]


async def test_closing_the_record_needs_a_mark_before_enter(show):
    closing = dataclasses.replace(PROMPTS["pick"], irreversible=True)
    async with show(closing) as shown:
        await shown.press("enter")
        assert shown.answers == []
        assert "Nothing is marked yet" in shown.text
        await shown.press("1", "enter")
        assert shown.answers == [Picked(path="/media/officer/CSR-IN")]


async def test_patience_that_ends_late_covers_no_prompt(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("enter")
        shown.app.present(PROMPTS["review"], samples.frame(PROMPTS["review"].step))
        shown.app.post_message(shown.app.Waited())
        await settle(shown)
        await shown.read()
        await shown.press("r")
        assert shown.answers == [Done(), Decided(accepted=False)]


async def test_help_over_a_screen_takes_keys_at_once(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("f1", "escape", "f2")
        assert shown.answers == [Command.EXCEPTION]


def test_a_burst_is_dropped_to_its_end():
    ahead = TypeAhead()
    assert ahead.drops(1.0, ready_at=1.1)
    assert ahead.drops(1.2, ready_at=1.1)
    assert ahead.drops(1.2 + PAUSE_S / 2, ready_at=1.1)
    assert not ahead.drops(1.2 + 2 * PAUSE_S, ready_at=1.1)
    assert not ahead.drops(1.21 + 2 * PAUSE_S, ready_at=1.1)
