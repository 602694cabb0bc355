"""The state folder, which others may have had in hands since the last ceremony."""

import os
from pathlib import Path

import pytest

from ceremony.errors import MediaError
from ceremony.flow.closing import FINISHED
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import CheckStatus
from ceremony.offline import store
from tests.flow.conftest import cheap_passwords  # noqa: F401 - a fixture
from tests.flow.table import Table


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff\n"])
def test_29_a_record_damaged_since_is_told_and_a_new_ceremony_can_begin(
    tmp_path: Path, damage: bytes
) -> None:
    table = Table(tmp_path)
    room = table.sit_down()
    with room.record:
        assert run(room, table.officers()) is Outcome.CLOSED
    state = tmp_path / "state"
    assert store.history_row(state).status is CheckStatus.PASS
    (table.directory / "record.jsonl").write_bytes(damage)
    row = store.history_row(state)
    assert (row.status, row.code) == (CheckStatus.WARN, "history.unreadable")
    assert table.directory.name in row.sentence
    begun = store.begin(state, table.plan_file, table.services)
    with begun.record:
        assert begun.record.lines[0].data["previous_head"] is None


def test_28_only_what_a_cut_left_of_a_ceremony_is_cleared_from_the_state_folder(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o700)
    for name in ("plans", "empty", "create-20260101-00aa", "rotate-tls-20260101-00aa"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.toml").write_text("reviewed")
    (tmp_path / "empty" / "plan.toml").unlink()
    with store.occupied(tmp_path):
        left = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert left == {"plans", "empty"}
    assert (tmp_path / "plans" / "plan.toml").read_text() == "reviewed"


def test_29_a_mark_of_the_end_does_not_hide_a_ceremony_that_is_not_over(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.sit_down().record.close()
    (table.directory / FINISHED).touch()
    (held,) = store.ceremonies(tmp_path / "state")
    assert not held.finished


@pytest.mark.parametrize("instead", ["nothing", "folder", "pipe"])
def test_29_a_ceremony_that_has_lost_its_record_is_not_passed_over(
    tmp_path: Path, instead: str
) -> None:
    table = Table(tmp_path)
    table.sit_down().record.close()
    (table.directory / "keys").mkdir()
    record = table.directory / "record.jsonl"
    record.unlink()
    if instead == "folder":
        record.mkdir()
    if instead == "pipe":
        os.mkfifo(record)
    (held,) = store.ceremonies(tmp_path / "state")
    assert (held.finished, held.problem) == (False, "there is no record.jsonl in it")
    assert store.history_row(tmp_path / "state").code == "history.unreadable"
    with pytest.raises(MediaError):
        store.resume(held.directory, store.read_plan(held.directory), table.services)
