"""Nothing is clipped at 80 x 24: long names, long labels, long lists, long digits."""

import samples
from textual.widgets import Input

from ceremony.flow.prompts import (
    Choose,
    Chosen,
    CompareRow,
    EnterSecret,
    EnterText,
    Facts,
    Field,
    Option,
    PickPath,
    Place,
    Step,
    Text,
)
from screens.layout import lay
from screens.line import Line
from screens.wrapping import wrap

LABEL = "The passphrase as it stands on the paper of the custodian"
FACTORY = "a" * 54
OFFICER = "Dr. Maria Magdalena Aleksandra Wisniewska-Brzeczyszczykiewicz"


def test_long_digits_stand_in_groups_of_eight():
    digits = samples.FINGERPRINT.hex
    assert [len(line) for line in wrap(digits, 49)] == [35, 35]
    assert [len(line) for line in wrap(digits, 71)] == [71]
    assert "".join(wrap(digits, 40)).replace(" ", "") != digits[:-1]
    assert " ".join(wrap(f"module, SHA-256 {digits}", 60)).replace(" ", "").endswith(digits)


def test_a_name_is_not_broken_at_its_hyphen():
    host = "8dc76862-71d8-c546-1f34-2f66aeebd044.ota-lite.foundries.io"
    assert wrap(f"The name is {host}", 60) == ["The name is", host]
    assert wrap(host, 50)[0].endswith(".")
    assert "".join(wrap(host, 20)) == host


def test_a_column_of_dashes_is_left_out():
    from ceremony.flow.prompts import Compare

    row = CompareRow(field="Subject", asked="-", issued="CN=Factory-CA", mark="set")
    lines = [
        "".join(text for text, _ in line)
        for line in lay([Compare(title="x", rows=(row,))], 76, tall=False)
    ]
    assert not any("asked for" in line for line in lines)
    assert "Subject  CN=Factory-CA" in lines[-1]


async def test_a_long_label_is_whole(show):
    prompt = EnterSecret(key="x", step=Step.ROOT, title="T", label=LABEL, twice=True)
    async with show(prompt) as shown:
        assert all(word in shown.text for word in LABEL.split())


async def test_an_officer_with_a_long_name_and_a_long_factory_fit(show):
    prompt = EnterSecret(
        key="x",
        step=Step.LOCAL_CAS,
        title="T",
        label="PIN",
        officer=OFFICER,
        body=(Facts(rows=(("Factory", FACTORY),)),),
    )
    for size in ((80, 24), (120, 40)):
        async with show(prompt, size, exceptions=12) as shown:
            assert FACTORY in shown.text
            assert f"turn:  {OFFICER[:20]}" in shown.text or OFFICER[:12] in shown.text
            assert "12 exceptions" in shown.text
            assert all(len(line) <= size[0] for line in shown.text.split("\n"))


async def test_a_list_longer_than_the_screen_scrolls_to_its_end(show):
    options = tuple(Option(value=str(n), label=f"choice {n}", detail="more") for n in range(1, 31))
    async with show(Choose(key="x", step=Step.SIGN, title="T", options=options)) as shown:
        assert "choice 30" not in shown.text
        await shown.press("end")
        assert "choice 30" in shown.text
        await shown.press("enter")
        assert shown.answers == [Chosen(value="30")]


async def test_many_sticks_and_a_long_problem_leave_the_field_in_sight(show):
    prompt = PickPath(
        key="x",
        step=Step.IMPORT,
        title="T",
        body=(Text(text="word " * 60),),
        problem="problem " * 25,
        candidates=tuple(
            Place(path=f"/media/stick-{n}" * 4, label=f"stick {n}") for n in range(15)
        ),
    )
    async with show(prompt) as shown:
        assert "Another path" in shown.text
        line = shown.app.screen.query_one(Input)
        assert shown.app.screen.find_widget(line).visible_region.height == 1


async def test_a_form_of_many_fields_follows_the_field_that_has_the_keys(show):
    fields = tuple(Field(name=f"f{n}", label=f"item number {n}", required=False) for n in range(20))
    async with show(EnterText(key="x", step=Step.CLOSE, title="T", fields=fields)) as shown:
        assert "item number 19" not in shown.text
        await shown.press(*["enter"] * 19)
        assert "item number 19" in shown.text
        assert shown.app.screen.focused is list(shown.app.screen.query(Line))[-1]


async def test_the_input_does_not_move_after_the_first_frame(show):
    async with show(samples.PROMPTS["pin"]) as shown:
        scroll = shown.app.screen.query_one("#scroll")
        body = shown.app.screen.query_one("#body")
        assert body.first_height() == scroll.size.height


async def test_what_was_typed_outlives_every_change_of_size(show):
    async with show(samples.PROMPTS["words"]) as shown:
        await shown.type("island ")
        for size in ((120, 40), (60, 20), (80, 24)):
            await shown.pilot.resize_terminal(*size)
            await shown.pilot.pause()
        assert shown.app.screen.query_one("#words").typed[:2] == ["island", ""]
        await shown.present(samples.PROMPTS["officer"])
        await shown.type("Anna")
        await shown.pilot.resize_terminal(120, 40)
        await shown.pilot.pause()
        assert "► Name" in shown.text
        assert "Anna" in shown.text
        assert "WHAT IF" not in shown.text  # This sample has no help: the aside is the steps.
        assert shown.app.screen.focused.value == "Anna"
