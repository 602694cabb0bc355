"""Paths that people type, or that a stick makes up: each ends in words, none in a defect."""

from pathlib import Path

import pytest

from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Picked, PickPath
from ceremony.flow.sticks import files_below
from ceremony.offline.media import candidates
from ceremony.offline.sticks import stick_at
from tests.flow.sittings import Patient
from tests.flow.table import Table

FOLDERS = {
    "export.path": "usb-out",
    "export.custody.path": "custody",
    "close.path": "evidence",
}


class Once(Patient):
    """Officers who give another answer first at each question for a path."""

    def __init__(self, table: Table, path: str) -> None:
        super().__init__(table)
        self._path, self._media = path, table.media
        self.problems: dict[str, str | None] = {}
        self._tried: set[str] = set()

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if isinstance(prompt, PickPath):
            if prompt.key not in self._tried:
                self._tried.add(prompt.key)
                return Picked(path=self._path)
            self.problems.setdefault(prompt.key, prompt.problem)
            if prompt.key in FOLDERS:  # what is offered first is the place of the last try
                return Picked(path=str(self._media / FOLDERS[prompt.key]))
        return super().ask(prompt, frame)


@pytest.mark.parametrize("path", ["x" * 256, "/loop/in"])
def test_2_a_path_that_can_be_none_is_refused_at_every_question(tmp_path: Path, path: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    table = Table(tmp_path)
    officers = Once(table, path.replace("/loop", f"{tmp_path}/loop"))
    room = table.sit_down()
    with room.record:
        assert run(room, officers) is Outcome.CLOSED
    assert set(officers.problems) == {"import.path", *FOLDERS}
    assert None not in officers.problems.values()


def test_2_links_in_a_circle_are_no_stick_and_no_place(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert stick_at(loop / "in") is None
    assert candidates(str(loop)) == candidates(None)


def test_2_what_a_stick_offers_is_a_file_in_a_folder_that_is_whole(tmp_path: Path) -> None:
    for name in ("b", "a", ".c.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "root.key").write_text("x")
    (tmp_path / "d").symlink_to("d")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "root.key").mkdir()
    found = files_below(str(tmp_path), "root.key")
    assert found == [tmp_path / "a" / "root.key", tmp_path / "b" / "root.key"]
    assert files_below(str(tmp_path / "d"), "root.key") == []
