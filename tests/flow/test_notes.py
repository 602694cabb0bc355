"""A warning that officers go on with is noted once, and is an exception."""

from pathlib import Path

from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import CheckRow, CheckStatus
from tests.flow.table import Table


def keyboard(place: str) -> CheckRow:
    return CheckRow(
        status=CheckStatus.WARN, code="device.new_keyboard", sentence=f"keyboard at {place}"
    )


def test_a_new_keyboard_at_a_fence_is_noted_once_and_another_one_again(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.services.devices = (keyboard("port 1"), keyboard("port 2"))
    room = table.sit_down()
    with room.record:
        assert run(room, table.officers()) is Outcome.CLOSED
        notes = [line.data["sentence"] for line in room.record.all("note")]
        steps = {line.step for line in room.record.all("note")}
        assert len(room.record.all("exception")) == 2
    assert notes == ["keyboard at port 1", "keyboard at port 2"]
    assert steps == {"Root key"}


def test_a_rehearsal_asks_for_no_note(tmp_path: Path) -> None:
    table = Table(tmp_path, rehearsal=True)
    table.services.devices = (keyboard("port 1"),)
    room = table.sit_down()
    with room.record:
        assert run(room, table.officers()) is Outcome.CLOSED
        assert not room.record.all("exception")
