"""`ceremony run` and a state folder with unfinished ceremonies in it."""

import re
from pathlib import Path

import pytest

from ceremony.config import PlanFile, parse
from ceremony.errors import StoppedError
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    Frame,
    Working,
)
from ceremony.offline.running import hold

PLAN = """
schema = "ceremony-plan/1"
factory = "{factory}"
kind = "create"
user_id = "5e8a2f04"
requests = ["tls", "online-ca"]
[root]
key_store = "file"
backup = {{ method = "none" }}
"""


class Leaving:
    """Officers who say which ceremony they go on with, and leave at its first question."""

    def __init__(self, chosen: str = "") -> None:
        self.chosen = chosen
        self.asked: list[AnyPrompt] = []

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt)
        if prompt.key == "choose.ceremony":
            return Chosen(value=self.chosen)
        return Command.QUIT

    def progress(self, working: Working, frame: Frame) -> None:
        """Nothing to show."""


def plan(factory: str) -> PlanFile:
    return parse(PLAN.format(factory=factory).encode())


def left(state: Path, factory: str, officers: Leaving) -> str:
    """The id of the ceremony that they left."""
    with pytest.raises(StoppedError) as caught:
        hold(plan(factory), state, officers)
    assert caught.value.code == "stopped.left"
    found = re.search(r"create-[0-9]{8}-[0-9a-f]{4}", caught.value.message)
    assert found
    return found[0]


def test_several_unfinished_ceremonies_are_listed_and_one_alone_is_gone_on_with(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o700)
    first = left(tmp_path, "acme", Leaving())
    again = Leaving()
    assert left(tmp_path, "acme", again) == first
    assert "choose.ceremony" not in {prompt.key for prompt in again.asked}
    other = left(tmp_path, "borealis", Leaving("new"))
    assert other != first
    officers = Leaving(other)
    assert left(tmp_path, "acme", officers) == other
    listed = officers.asked[0]
    assert isinstance(listed, Choose)
    assert {option.value for option in listed.options} == {first, other, "new"}


def test_a_folder_that_a_stranger_named_is_listed_escaped(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    hostile = tmp_path / "evil\x1b]0;owned\x07"
    hostile.mkdir(0o700)
    (hostile / "record.jsonl").write_text("no record\n")
    officers = Leaving("new")
    left(tmp_path, "acme", officers)
    listed = officers.asked[0]
    assert isinstance(listed, Choose)
    assert "owned" in listed.options[0].label
    assert "\x1b" not in listed.options[0].label + listed.options[0].detail
