"""Sticks bear names: the wrong one is told by its name, and each is pulled when it has served."""

from dataclasses import replace
from pathlib import Path

import pytest

from ceremony.core.ports import Stick
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    Entered,
    Frame,
    Picked,
    PickPath,
    Working,
)
from tests.flow.table import Table

ONE = Stick(
    device="8:17",
    point="/media/one",
    model="Acme Stick",
    serial="SER-1",
    label="",
    fstype="vfat",
    read_only=False,
    lacks=("noexec",),
)


class Fingers:
    """Scripted officers who choose these paths first, and pull sticks when asked to."""

    def __init__(self, table: Table, first: dict[str, list[Path]], *, stay: bool = False) -> None:
        self.officers = table.officers()
        self.table, self.first, self.stay = table, first, stay
        self.problems: list[str] = []
        self.pulls: list[str] = []

    def progress(self, working: Working, frame: Frame) -> None:
        pass

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if isinstance(prompt, PickPath):
            if prompt.problem:
                self.problems.append(prompt.problem)
            if self.first.get(prompt.key):
                return Picked(path=str(self.first[prompt.key].pop(0)))
            return Picked(path=prompt.candidates[0].path)
        if isinstance(prompt, Choose) and prompt.key == "stick.pull":
            self.pulls.append(prompt.title)
            if self.stay:
                return Chosen(value="stays")
            if len(self.pulls) > 1:
                self.table.services.sticks.clear()
            return Chosen(value="pulled")
        if prompt.key == "stick.stays":
            return Entered(values={"why": "the lid is broken", "by": "Ada Practice"})
        return self.officers.ask(prompt, frame)


def hold(table: Table, fingers: Fingers) -> list[tuple[str, str]]:
    room = table.sit_down()
    with room.record:
        assert run(room, fingers) is Outcome.CLOSED
        return [(line.type, line.key) for line in room.record.lines]


def test_35_the_stick_that_came_in_is_refused_for_going_out_by_its_serial(tmp_path: Path) -> None:
    table = Table(tmp_path)
    other = tmp_path / "other-port"
    other.mkdir()
    table.services.sticks = {
        str(table.request): ONE,
        str(other): replace(ONE, point=str(other), device="8:33"),
    }
    fingers = Fingers(table, {"import.path": [table.request], "export.path": [other]}, stay=True)
    told = hold(table, fingers)
    assert "this is CSR IN (Acme Stick, serial SER-1)" in fingers.problems[0]
    assert "SIGNED OUT is wanted" in fingers.problems[0]
    assert ("refused", "media.wrong_stick") in told
    assert not list(other.iterdir())


@pytest.mark.parametrize("label", ["EVIDENCE", "Evidence", "CSR-IN", "csr_in"])
def test_35_a_stick_that_bears_another_name_is_refused_by_it(tmp_path: Path, label: str) -> None:
    table = Table(tmp_path)
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    table.services.sticks = {str(wrong): replace(ONE, label=label)}
    fingers = Fingers(table, {"export.path": [wrong]})
    told = hold(table, fingers)
    assert f"label {label}" in fingers.problems[0]
    assert ("refused", "media.wrong_stick") in told
    assert not list(wrong.iterdir())


def test_the_stick_with_the_right_label_is_taken_and_described(tmp_path: Path) -> None:
    table = Table(tmp_path)
    out = tmp_path / "usb-out"
    table.services.sticks = {str(out): replace(ONE, label="SIGNED OUT")}
    fingers = Fingers(table, {}, stay=True)
    hold(table, fingers)
    room = table.sit_down()
    with room.record:
        line = room.need("stick", "SIGNED OUT")
    assert line.data["serial"] == "SER-1"
    assert line.data["mounted"] == "writable, without noexec"


def test_the_evidence_does_not_go_where_the_upload_went(tmp_path: Path) -> None:
    """A folder of the laptop is judged by its path: names of people never go online."""
    table = Table(tmp_path)
    fingers = Fingers(table, {"close.path": [tmp_path / "usb-out"]})
    hold(table, fingers)
    assert "this is SIGNED OUT" in fingers.problems[0]
    assert [path.name for path in (tmp_path / "usb-out").iterdir() if "evidence" in path.name] == []


def test_a_stick_that_is_still_there_is_not_taken_for_pulled(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.services.sticks = {str(table.request): ONE}
    fingers = Fingers(table, {"import.path": [table.request]})
    told = hold(table, fingers)
    assert fingers.pulls == ["Pull the stick CSR IN"] * 2
    assert ("pulled", "stick Acme Stick SER-1") in told


def test_a_stick_that_stays_in_is_an_exception(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.services.sticks = {str(table.request): ONE}
    told = hold(table, Fingers(table, {"import.path": [table.request]}, stay=True))
    assert ("exception", "E-1") in told


def test_a_stick_that_was_refused_may_still_serve_under_its_own_name(tmp_path: Path) -> None:
    """A wrong choice at import gives the stick no name."""
    table = Table(tmp_path)
    out = tmp_path / "usb-out"
    table.services.sticks = {str(out): ONE}
    fingers = Fingers(table, {"import.path": [out]}, stay=True)
    hold(table, fingers)
    assert len(fingers.problems) == 1
    assert table.upload.parent == out
