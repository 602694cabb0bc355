"""A secret is gone from the screen when it was answered, and never leaves it otherwise."""

import gc

import pytest
import samples
from textual.widgets import Input

from screens.line import Line
from screens.words import WordGrid

PIN = "918273zyx"


async def test_no_field_holds_a_secret_after_the_answer(show):
    async with show(samples.PROMPTS["pin"]) as shown:
        screen = shown.app.screen
        lines = list(screen.query(Input))
        await shown.type(PIN)
        await shown.press("enter")
        assert [line.value for line in lines] == [""]
        assert not _holders(screen, PIN)


@pytest.mark.parametrize("key", ["escape", "f2", "f3"])
async def test_a_command_empties_the_fields_too(show, key):
    async with show(samples.PROMPTS["pin"]) as shown:
        screen = shown.app.screen
        lines = list(screen.query(Input))
        await shown.type(PIN)
        await shown.press(key)
        assert [line.value for line in lines] == [""]


async def test_typed_words_are_gone_after_the_answer(show):
    async with show(samples.PROMPTS["words"]) as shown:
        grid = shown.app.screen.query_one(WordGrid)
        await shown.type("island")
        await shown.press("f3")
        assert set(grid.typed) == {""}


async def test_help_over_a_shown_secret_hides_it(show):
    async with show(samples.PROMPTS["passphrase"]) as shown:
        await shown.press("enter")
        assert "adroitness" in shown.text
        await shown.press("f1")
        assert "adroitness" not in shown.text
        await shown.press("escape")
        assert "adroitness" not in shown.text


async def test_nothing_is_copied_to_the_terminals_clipboard(show):
    async with show(samples.PROMPTS["pin"]) as shown:
        await shown.type(PIN)
        written = []
        shown.app._driver.write = written.append
        shown.app.screen.query_one(Line).action_select_all()
        shown.app.screen.query_one(Line).action_copy()
        assert shown.app.clipboard == ""
        assert not any("]52" in data for data in written)


def _holders(screen: object, text: str) -> list[object]:
    """Widgets of the screen with an attribute that holds the text."""
    widgets = [screen, *screen.query("*")]
    gc.collect()
    return [w for w in widgets if any(text in str(value) for value in vars(w).values())]
