"""Exceptions are numbered and decided; a pause is a lock that only two phrases open."""

from dataclasses import replace
from pathlib import Path

import pytest

from ceremony.core.secret import Secret
from ceremony.documents.report import report
from ceremony.documents.text import render_text
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    Entered,
    EnterText,
    Frame,
    SecretEntered,
    Working,
)
from tests.flow.table import Table

WHAT = {"what": "the lamp went out", "why": "a fuse", "by": "Ada Practice"}
PAUSE = {"why": "lunch", "stays": "Ben Practice"}


class Officers:
    """Scripted officers who at a key press a function key once, and answer what follows."""

    def __init__(self, table: Table, at: str, press: Command, decision: str = "continue") -> None:
        self.officers = table.officers()
        self.asked: list[AnyPrompt] = []
        self.while_locked: list[Answer | Command] = []
        self._at, self._press, self._decision = at, [press], decision

    def progress(self, working: Working, frame: Frame) -> None:
        pass

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt)
        if prompt.key == self._at and self._press:
            return self._press.pop()
        if prompt.key == self._at:  # what came of the key is said, and kept in `asked`
            prompt = replace(prompt, problem=None)
        if prompt.key == "exception":
            return Entered(values=WHAT)
        if prompt.key == "exception.decision":
            assert isinstance(prompt, Choose)
            return Chosen(value=self._decision)
        if prompt.key == "pause":
            assert isinstance(prompt, EnterText)
            return Entered(values=PAUSE)
        if prompt.key.startswith("pause.phrase."):
            if self.while_locked:
                return self.while_locked.pop(0)
            phrase = self.officers.papers.phrases[prompt.key[-1]]
            return SecretEntered(secret=phrase)
        return self.officers.ask(prompt, frame)

    def keys(self) -> list[str]:
        return [prompt.key for prompt in self.asked]


def hold(table: Table, officers: Officers) -> Outcome:
    room = table.sit_down()
    with room.record:
        return run(room, officers)


def types(table: Table) -> list[str]:
    room = table.sit_down()
    with room.record:
        return [line.type for line in room.record.lines]


@pytest.mark.parametrize("command", [Command.BACK, Command.PAUSE, Command.EXCEPTION])
def test_no_key_goes_past_the_lock(tmp_path: Path, command: Command) -> None:
    table = Table(tmp_path)
    officers = Officers(table, "root.phrase.B", Command.PAUSE)
    officers.while_locked = [command, SecretEntered(secret=Secret("not a phrase"))]
    assert hold(table, officers) is Outcome.CLOSED
    at = officers.keys().index("pause.phrase.A")
    assert officers.keys()[at : at + 4] == ["pause.phrase.A"] * 3 + ["pause.phrase.B"]
    assert officers.asked[at + 1].problem == "Locked: both phrases go on."
    assert not officers.asked[at].irreversible


@pytest.mark.parametrize("at", ["open.place", "local_cas.done"])
def test_back_in_the_form_of_a_pause_is_no_pause(tmp_path: Path, at: str) -> None:
    table = Table(tmp_path)

    class Undecided(Officers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            if prompt.key == "pause":
                return Command.BACK
            return super().ask(prompt, frame)

    assert hold(table, Undecided(table, at, Command.PAUSE)) is Outcome.CLOSED
    assert "pause" not in types(table)


@pytest.mark.parametrize("at", ["preflight.checks", "local_cas.done"])
def test_a_ceremony_left_while_locked_stays_locked(tmp_path: Path, at: str) -> None:
    table = Table(tmp_path)
    officers = Officers(table, at, Command.PAUSE)
    officers.while_locked = [Command.QUIT]
    assert hold(table, officers) is Outcome.QUIT
    again = Officers(table, "", Command.BACK)
    assert hold(table, again) is Outcome.CLOSED
    keys = again.keys()
    first = next(i for i, key in enumerate(keys) if ".phrase." in key)
    before = keys[:first]
    assert set(before) <= {"resume"}
    assert [key[-1] for key in keys[first : first + 2]] == ["A", "B"]
    assert keys.count("pause.phrase.A") + keys.count("resume.phrase.A") == 1


def test_a_decision_to_stop_locks_too_and_is_in_the_report(tmp_path: Path) -> None:
    table = Table(tmp_path)
    officers = Officers(table, "preflight.checks", Command.EXCEPTION, decision="abort")
    assert hold(table, officers) is Outcome.QUIT
    again = Officers(table, "", Command.BACK)
    assert hold(table, again) is Outcome.CLOSED
    assert again.keys()[0] == "pause.phrase.A"
    room = table.sit_down()
    with room.record:
        text = render_text(report(room.record.lines, plan=room.plan, certificates={})).decode()
    assert "stop the ceremony here" in text
    assert "the lamp went out" in text


def test_exceptions_are_numbered_and_the_number_is_on_the_screen(tmp_path: Path) -> None:
    table = Table(tmp_path)

    class Twice(Officers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            if prompt.key == "root.phrase.A" and "again" not in self.__dict__:
                self.again = True
                return Command.EXCEPTION
            return super().ask(prompt, frame)

    officers = Twice(table, "open.place", Command.EXCEPTION)
    assert hold(table, officers) is Outcome.CLOSED
    titles = [prompt.title for prompt in officers.asked if prompt.key == "exception"]
    assert titles == ["Exception E-1", "Exception E-2"]


def test_a_pause_is_in_the_report_with_its_times_and_who_stayed(tmp_path: Path) -> None:
    table = Table(tmp_path)
    assert hold(table, Officers(table, "local_cas.done", Command.PAUSE)) is Outcome.CLOSED
    room = table.sit_down()
    with room.record:
        lines = room.record.lines
    text = render_text(report(lines, plan=table.plan_file.plan, certificates={})).decode()
    began = next(line.at for line in lines if line.type == "pause")
    ended = next(line.at for line in lines if line.type == "resume")
    part = text[text.index("Pauses") :][:900]
    for told in (began, ended, "lunch", "Ben Practice"):
        assert told in " ".join(part.split())


@pytest.mark.parametrize(
    ("at", "command", "said"),
    [
        ("open.place", Command.PAUSE, "No pause yet"),
        ("open.welcome", Command.BACK, "nothing to go back to"),
        ("root.phrase.A", Command.BACK, "nothing to go back to"),
        ("close.finished", Command.EXCEPTION, "The record is closed"),
        ("close.finished", Command.PAUSE, "The record is closed"),
    ],
)
def test_a_key_that_does_nothing_here_says_so(
    tmp_path: Path, at: str, command: Command, said: str
) -> None:
    table = Table(tmp_path)
    officers = Officers(table, at, command)
    assert hold(table, officers) is Outcome.CLOSED
    first = officers.keys().index(at)
    assert officers.keys()[first + 1] == at
    assert said in (officers.asked[first + 1].problem or "")
