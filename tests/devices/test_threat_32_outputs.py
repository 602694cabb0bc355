"""Outputs that somebody else put there, or that know more than the ledger: left alone."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ceremony.devices.ledger import Step
from ceremony.devices.sources import Count
from ceremony.errors import MediaError


@contextmanager
def cut_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The power goes when that step is put down."""
    real, left = Step.pend, iter(range(number))

    def pend(self: Step, progress: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        real(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Step, "pend", pend)
        with pytest.raises(KeyboardInterrupt):
            yield


def refused(floor: Any, out: str, number: int = 8) -> str:
    with pytest.raises(MediaError) as caught:
        floor.issue(Count(number), out, step=2)
    return caught.value.code


def test_two_outputs_never_share_a_results_file(floor: Any) -> None:
    """`c.jsonl` and `c.tar` would both have `c.results.jsonl`."""
    floor.issue(Count(2), "c.jsonl")
    assert refused(floor, "c.tar", 2) == "devices.out_exists"
    assert sorted(path.name for path in floor.folder.glob("c.*")) == ["c.jsonl", "c.results.jsonl"]


def test_36_private_keys_go_nowhere_that_others_write_to(floor: Any) -> None:
    (floor.folder / "open").mkdir()
    (floor.folder / "open").chmod(0o777)
    assert refused(floor, "open") == "devices.out_foreign"
    assert list((floor.folder / "open").iterdir()) == []


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_partial_file_that_was_swapped_for_a_link_is_left_alone(
    floor: Any, link: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cut_at(0, monkeypatch):
        floor.issue(Count(8), "out.jsonl", step=2)
    other, partial = floor.folder / "other", floor.folder / "out.jsonl.partial"
    partial.unlink()
    other.touch()
    link(other, partial)
    assert refused(floor, "out.jsonl") in {"devices.out_foreign", "devices.unwritable"}
    assert other.read_bytes() == b""
    partial.unlink()
    assert floor.issue(Count(8), "out.jsonl", step=2).issued == 8


@pytest.mark.parametrize("out", ["out.jsonl", "out.tar", "out"])
@pytest.mark.parametrize("whole", [False, True])
def test_an_older_ledger_cuts_nothing_off(
    floor: Any, out: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a backup: what was issued since would be lost, and its uuids given twice."""
    with cut_at(1, monkeypatch):
        floor.issue(Count(8), out, step=2)
    older = floor.folder / "older"
    shutil.copy(floor.ledger_path, older)
    if whole:
        floor.issue(Count(8), out, step=2)
    else:
        with cut_at(2, monkeypatch):
            floor.issue(Count(8), out, step=2)
    older.rename(floor.ledger_path)

    def written() -> dict[Path, bytes]:
        paths = (path for path in floor.folder.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in paths if "ledger" not in path.name}

    before = written()
    assert refused(floor, out) == "devices.output_long"
    assert written() == before


@pytest.mark.parametrize("out", ["x.jsonl", "x.tar"])
@pytest.mark.parametrize("own", [Path.touch, lambda path: shutil.copy(f"{path}.partial", path)])
def test_47_a_file_that_has_the_outputs_name_early_ends_no_batch(
    floor: Any, out: str, own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who copies the .partial file to look into it must not lose the rest of the devices."""
    path = floor.folder / out
    for name in (path, floor.folder / "x.results.jsonl"):
        if not path.with_name(f"{out}.partial").exists():
            with cut_at(2, monkeypatch):
                floor.issue(Count(8), out, step=2)
        own(name)
        assert refused(floor, out) == "devices.out_exists"
        name.unlink()
    assert floor.issue(Count(8), out, step=2).issued == 8


def test_47_an_output_that_was_renamed_early_is_not_whole(
    floor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cut_at(2, monkeypatch):
        floor.issue(Count(8), "out.jsonl", step=2)
    for name in ("out.jsonl", "out.results.jsonl"):
        path = floor.folder / name
        partial = path.with_name(f"{name}.partial")
        partial.rename(path)
        assert refused(floor, "out.jsonl") == "devices.output_short"
        path.rename(partial)
    assert floor.issue(Count(8), "out.jsonl", step=2).issued == 8
    with floor.ledger() as ledger:
        assert ledger.count() == 8
