"""The head of the record goes on paper when people leave, and is asked for when they are back."""

import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Choose, Chosen, Command, Done, Facts, Frame
from tests.flow.sittings import Patient
from tests.flow.table import Table


class Cut(BaseException):
    """The power is gone."""


class Leaving(Patient):
    """They leave at this question, in this way; what the resume screen said is kept."""

    def __init__(
        self, table: Table, at: str = "", how: Command | type[Cut] = Command.QUIT, head: str = ""
    ) -> None:
        super().__init__(table, again=False)
        self._at, self._how, self._head = at, how, head
        self.asked: list[str] = []
        self.told = ""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt.key)
        if prompt.key == self._at:
            if self._how is Cut:
                raise Cut
            self._at = ""
            return Command.QUIT
        if prompt.key == "quit.head" and self._head == "not written":
            return Command.BACK
        if prompt.key == "resume":
            facts = [block for block in prompt.body if isinstance(block, Facts)]
            self.told = dict(facts[0].rows)["Its head on paper"]
            return Done()
        if isinstance(prompt, Choose) and prompt.key == "resume.head" and self._head == "lost":
            return Chosen(value="lost")
        return super().ask(prompt, frame)


def sit(table: Table, officers: Leaving) -> Outcome:
    room = table.sit_down()
    with room.record:
        return run(room, officers)


def report(table: Table) -> str:
    (evidence,) = (table.media / "evidence").iterdir()
    return " ".join((evidence / "report.txt").read_text().split())


def test_29_after_leaving_words_of_the_head_are_typed_back_from_paper(tmp_path: Path) -> None:
    table = Table(tmp_path)
    assert sit(table, Leaving(table, "root.phrase.B")) is Outcome.QUIT
    back = Leaving(table)
    assert sit(table, back) is Outcome.CLOSED
    assert back.asked.count("head.words") == 2
    told = report(table)
    assert "written on paper by Ada, Ben" in told
    assert "head of the record: compared with the paper" in told
    assert "Between sittings" not in told
    assert "0 on record" in told


def test_29_an_older_copy_of_the_record_is_found_by_the_newer_paper(tmp_path: Path) -> None:
    table = Table(tmp_path)
    sit(table, Leaving(table, "root.phrase.B"))
    shutil.copytree(table.directory, tmp_path / "older")
    assert sit(table, Leaving(table, "sign.phrase.A")) is Outcome.QUIT
    name = table.directory
    shutil.rmtree(name)
    shutil.copytree(tmp_path / "older", name)
    with pytest.raises(CeremonyError) as caught:
        sit(table, Leaving(table))
    assert caught.value.code == "typeback.mismatch"
    room = table.sit_down()
    with room.record:
        assert any("of head" in line.data["what"] for line in room.record.all("exception"))


def test_29_a_copy_older_than_any_paper_is_told_on_the_first_screen(tmp_path: Path) -> None:
    table = Table(tmp_path)
    with pytest.raises(Cut):
        sit(table, Leaving(table, "root.phrase.A", Cut))
    shutil.copytree(table.directory, tmp_path / "older")
    sit(table, Leaving(table, "root.phrase.B"))
    name = table.directory
    shutil.rmtree(name)
    shutil.copytree(tmp_path / "older", name)
    back = Leaving(table, "root.phrase.A")
    sit(table, back)
    assert back.told == "none so far; if you hold one, stop: lines were taken away"


@pytest.mark.parametrize(
    ("how", "head"), [(Cut, ""), (Command.QUIT, "not written")], ids=["cut", "not written"]
)
def test_29_after_a_cut_nobody_has_it_on_paper_and_the_report_says_so(
    tmp_path: Path, how: Command | type[Cut], head: str
) -> None:
    table = Table(tmp_path)
    try:
        sit(table, Leaving(table, "sign.phrase.A", how, head))
    except Cut:
        assert how is Cut
    back = Leaving(table)
    assert sit(table, back) is Outcome.CLOSED
    assert "head.words" not in back.asked
    told = report(table)
    assert "Between sittings" in told
    assert "0 on record" in told, "a cut is no fault of the officers"


def test_29_a_paper_that_is_lost_is_an_exception(tmp_path: Path) -> None:
    table = Table(tmp_path)
    sit(table, Leaving(table, "root.phrase.B"))
    assert sit(table, Leaving(table, head="lost")) is Outcome.CLOSED
    told = report(table)
    assert "the paper with the record's head of" in told
    assert "E-1" in told
    assert "Between sittings" in told


def test_29_the_same_paper_is_asked_for_once(tmp_path: Path) -> None:
    table = Table(tmp_path)
    sit(table, Leaving(table, "root.phrase.B"))
    with pytest.raises(Cut):
        sit(table, Leaving(table, "sign.phrase.A", Cut))
    back = Leaving(table)
    assert sit(table, back) is Outcome.CLOSED
    assert "resume.head" not in back.asked
    assert "; " in back.told
    assert re.search(r"; ([0-9]{2,}|[02-9]) lines since|; 1 line since", back.told)


def test_before_there_are_two_officers_nothing_goes_on_paper(tmp_path: Path) -> None:
    table = Table(tmp_path)
    first = Leaving(table, "open.officer.B")
    assert sit(table, first) is Outcome.QUIT
    assert "quit.head" not in first.asked


@pytest.mark.parametrize(("how", "asked"), [(Cut, True), (Command.QUIT, False)])
def test_29_whether_the_laptop_was_out_of_sight_is_asked_where_no_paper_can_tell(
    tmp_path: Path, how: Command | type[Cut], asked: bool
) -> None:
    table = Table(tmp_path)
    with suppress(Cut):
        sit(table, Leaving(table, "sign.phrase.A", how))
    told = ""

    class Back(Leaving):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            nonlocal told
            told = str(prompt.body) if prompt.key == "resume" else told
            return super().ask(prompt, frame)

    assert sit(table, Back(table)) is Outcome.CLOSED
    assert ("out of sight of both officers" in told) is asked
