"""Each kind of prompt gives the answer of its kind."""

import dataclasses

import pytest
import samples

from ceremony.core.fingerprints import place
from ceremony.core.secret import Secret
from ceremony.flow.prompts import (
    Chosen,
    Command,
    Decided,
    Done,
    Entered,
    Facts,
    Picked,
    SecretEntered,
    Typed,
)
from screens.body import BodyScroll

PROMPTS = samples.PROMPTS


async def test_enter_acknowledges(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("enter")
        assert shown.answers == [Done()]


async def test_a_second_enter_is_no_second_answer(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("enter", "enter", "escape", "f2")
        assert shown.answers == [Done()]


async def test_enter_reads_to_the_end_before_it_answers(show):
    rows = samples.PROMPTS["preflight"].body[0].rows
    long = dataclasses.replace(
        PROMPTS["preflight"],
        body=(dataclasses.replace(PROMPTS["preflight"].body[0], rows=rows * 3),),
    )
    async with show(long) as shown:
        assert "more lines below" in shown.text
        await shown.press("enter")
        assert shown.answers == []
        assert "above" in shown.text
        await shown.press("enter", "enter", "enter", "enter")
        assert shown.answers == [Done()]


async def test_two_pages_are_two_pages_and_leave_no_line_for_a_third(show):
    def of(lines: int):
        rows = tuple((f"row {n}", str(n)) for n in range(lines))
        return dataclasses.replace(PROMPTS["welcome"], body=(Facts(rows=rows),))

    async with show(of(40)) as shown:
        height = shown.app.screen.query_one(BodyScroll).size.height
    async with show(of(2 * height)) as shown:
        assert f"{height} more lines below" in shown.text
        await shown.press("enter")
        assert "more line" not in shown.text
        assert f"row {height} " in shown.text
        await shown.press("enter")
        assert shown.answers == [Done()]


async def test_what_cannot_be_undone_needs_its_letter(show):
    async with show(PROMPTS["root-fence"]) as shown:
        assert "IRREVERSIBLE" in shown.text
        await shown.press("enter", "space", "enter")
        assert shown.answers == []
        assert "Press A" in shown.text
        await shown.press("a")
        assert shown.answers == [Done()]


async def test_the_letter_does_nothing_where_enter_is_enough(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("a", "y", "r")
        assert shown.answers == []


@pytest.mark.parametrize(
    ("keys", "value"), [(["down"], "online-ca"), (["3"], "est-tls"), ([], "tls")]
)
async def test_a_choice_is_marked_and_then_taken(show, keys, value):
    async with show(PROMPTS["choose"]) as shown:
        await shown.press(*keys)
        assert shown.answers == []
        await shown.press("enter")
        assert shown.answers == [Chosen(value=value)]


async def test_an_irreversible_choice_has_nothing_marked(show):
    prompt = dataclasses.replace(PROMPTS["choose"], irreversible=True)
    async with show(prompt) as shown:
        await shown.press("enter")
        assert shown.answers == []
        await shown.press("down", "enter")
        assert shown.answers == [Chosen(value="tls")]


async def test_a_form_goes_from_field_to_field(show):
    async with show(PROMPTS["officer"]) as shown:
        await shown.type("Jörg Q?")
        await shown.press("enter", "enter", "enter")
        assert shown.answers == [
            Entered(values={"name": "Jörg Q?", "role": "security officer", "witness": ""})
        ]


async def test_a_required_field_may_not_be_empty(show):
    async with show(PROMPTS["officer"]) as shown:
        await shown.press("enter", "enter", "enter")
        assert shown.answers == []
        assert "may not be empty" in shown.text


async def test_a_secret_is_typed_unseen(show):
    async with show(PROMPTS["pin"]) as shown:
        await shown.type("12?4 x")
        assert "12?4" not in shown.text
        await shown.press("enter")
        assert shown.answers == [SecretEntered(secret=Secret("12?4 x"))]


async def test_two_entries_of_a_secret_must_agree(show):
    prompt = dataclasses.replace(PROMPTS["pin"], twice=True)
    async with show(prompt) as shown:
        await shown.type("one")
        await shown.press("enter")
        await shown.type("two")
        await shown.press("enter")
        assert shown.answers == []
        assert "differ" in shown.text
        for _ in range(2):
            await shown.type("one")
            await shown.press("enter")
        assert shown.answers == [SecretEntered(secret=Secret("one"))]


async def test_an_empty_secret_is_no_answer(show):
    async with show(PROMPTS["pin"]) as shown:
        await shown.press("enter")
        assert shown.answers == []


async def test_a_generated_secret_is_shown_only_when_asked_for(show):
    async with show(PROMPTS["passphrase"]) as shown:
        assert "adroitness" not in shown.text
        await shown.press("enter")
        assert "adroitness" in shown.text
        await shown.press("space")
        assert "adroitness" not in shown.text
        await shown.press("enter")
        assert shown.answers == [Done()]


async def test_words_are_typed_into_their_places(show):
    prompt = PROMPTS["words"]
    spoken = [samples.FINGERPRINT.words[at] for at in prompt.positions]
    async with show(prompt) as shown:
        await shown.type(" ".join(spoken).lower())
        await shown.press("enter")
        (answer,) = shown.answers
        assert isinstance(answer, Typed)
        assert [word.lower() for word in answer.words] == [word.lower() for word in spoken]


async def test_a_word_is_completed_only_when_its_list_has_one_such_word(show):
    async with show(PROMPTS["words"]) as shown:
        await shown.type("isl")
        assert "island" in shown.text
        await shown.press("backspace", "backspace", "enter", "left")
        assert "island" not in shown.text


async def test_a_word_of_the_other_list_is_marked_as_a_slip(show):
    async with show(PROMPTS["words"]) as shown:
        await shown.type("tolerance")
        await shown.press("enter")
        assert "A1 is not in the list of its place" in shown.text


async def test_empty_places_are_asked_for_before_the_words_are_given(show):
    async with show(PROMPTS["words"]) as shown:
        await shown.press("up")
        await shown.type("souvenir")
        await shown.press("enter")
        assert shown.answers == []
        await shown.type("isl")
        assert "island" in shown.text


async def test_typed_words_come_back_for_correction_at_the_first_slip(show):
    prompt = dataclasses.replace(
        PROMPTS["words"], positions=(0, 3), typed=("island", "banana"), slips=(3,)
    )
    async with show(prompt) as shown:
        assert "banana" in shown.text
        await shown.press(*["backspace"] * 6)
        await shown.type("detector")
        await shown.press("enter")
        assert shown.answers == [Typed(words=("island", "detector"))]


async def test_every_place_of_the_sheet_has_its_name(show):
    async with show(PROMPTS["words"]) as shown:
        assert all(place(at) in shown.text for at in range(32))


async def test_a_review_is_decided_by_letters_alone(show):
    async with show(PROMPTS["review"], (120, 40)) as shown:
        await shown.press("enter", "space", "tab", "enter")
        assert shown.answers == []
        await shown.press("a")
        assert shown.answers == [Decided(accepted=True)]


async def test_a_review_cannot_be_accepted_unread(show):
    async with show(PROMPTS["review"]) as shown:
        await shown.press("a")
        assert shown.answers == []
        await shown.press("a", "a")
        assert shown.answers == [Decided(accepted=True)]


async def test_a_review_can_be_refused_at_once(show):
    async with show(PROMPTS["review"]) as shown:
        await shown.press("r")
        assert shown.answers == [Decided(accepted=False)]


async def test_a_place_is_taken_from_the_list(show):
    async with show(PROMPTS["pick"]) as shown:
        await shown.press("down", "enter")
        assert shown.answers == [Picked(path="/media/officer/SIGNED-OUT")]


async def test_a_path_is_typed(show):
    async with show(PROMPTS["pick"]) as shown:
        await shown.press("tab")
        await shown.type("/mnt/a b")
        await shown.press("enter")
        assert shown.answers == [Picked(path="/mnt/a b")]


async def test_the_end_is_left_with_enter(show):
    async with show(PROMPTS["finished"]) as shown:
        await shown.press("enter")
        assert shown.answers == [Done()]


@pytest.mark.parametrize("name", sorted(PROMPTS))
async def test_every_screen_takes_the_commands(show, name):
    async with show(PROMPTS[name]) as shown:
        for key in ("escape", "f2", "ctrl+x", "f3", "ctrl+p"):
            await shown.press(key)
            await shown.present(PROMPTS[name])
        exceptions, pauses = [Command.EXCEPTION] * 2, [Command.PAUSE] * 2
        assert shown.answers == [Command.BACK, *exceptions, *pauses]


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
async def test_quitting_is_a_question(show, key):
    async with show(PROMPTS["pin"]) as shown:
        await shown.press(key)
        assert "Leave the ceremony now?" in shown.text
        await shown.press("enter")
        assert shown.answers == []
        await shown.press(key, "y")
        assert shown.answers == [Command.QUIT]


async def test_help_and_command_come_and_go(show):
    async with show(PROMPTS["root-fence"]) as shown:
        await shown.press("question_mark")
        assert "KEYS" in shown.text
        await shown.press("escape", "f4")
        assert "pkcs11-tool" in shown.text
        await shown.press("escape")
        assert "Make the root key" in shown.text
        assert shown.answers == []


async def test_a_question_mark_in_the_words_is_help(show):
    async with show(PROMPTS["words"]) as shown:
        await shown.press("question_mark")
        assert "KEYS" in shown.text
