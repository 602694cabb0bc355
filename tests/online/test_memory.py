"""The state folder: private, exclusive, and never believed without its hash."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import CeremonyError, PlanError
from ceremony.online.paper import parse_expected, words_sheet
from ceremony.online.state import StateFolder, default_state

VALUE = Fingerprint.of(b"a bundle")


def test_everything_in_the_folder_is_readable_by_its_owner_alone(machine: Any) -> None:
    machine.upload(machine.answer())
    found = [machine.state, *machine.state.rglob("*")]
    assert len(found) > 10
    assert not [path for path in found if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("mode", [0o777, 0o722, 0o770])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "online").mkdir()
    (tmp_path / "online").chmod(mode)
    with pytest.raises(CeremonyError) as caught:
        StateFolder(tmp_path / "online")
    assert caught.value.code == "state.permissions"


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "online").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CeremonyError) as caught:
        StateFolder(tmp_path / "online")
    assert caught.value.code == "state.permissions"


def test_a_reserved_name_is_taken_once_and_given_back_when_nothing_happened(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "online")
    with folder.reserve("a.json") as reserved:
        with pytest.raises(CeremonyError) as caught, folder.reserve("a.json"):
            pass
        reserved.drop()
    assert caught.value.code == "state.exists"
    assert not (folder.path / "a.json").exists()
    with folder.reserve("a.json") as reserved:
        reserved.write(b"{}")
    assert (folder.path / "a.json").read_bytes() == b"{}"


def test_a_remembered_request_that_was_altered_is_not_believed(machine: Any) -> None:
    path = machine.fetch()
    kept = StateFolder(machine.state)
    (fingerprint,) = [entry.name for entry in (machine.state / "requests").iterdir()]
    assert kept.request(fingerprint) is not None
    (machine.state / "requests" / fingerprint).rename(machine.state / "requests" / ("0" * 64))
    assert kept.request("0" * 64) is None
    assert kept.request(fingerprint) is None
    assert path.is_dir()


def test_28_what_a_cut_left_of_a_request_stands_in_nobodys_way(machine: Any) -> None:
    """Half a request has a request.json and nothing that proves it."""
    bundle = machine.answer()
    (whole,) = (machine.state / "requests").iterdir()
    partial = whole.with_name(f".{whole.name[::-1]}.partial")
    partial.mkdir(mode=0o700)
    shutil.copy(whole / "request.json", partial)
    assert machine.upload(bundle).document.result == "uploaded"


def test_a_remembered_plan_that_was_altered_is_not_believed(machine: Any) -> None:
    machine.fetch()
    kept = StateFolder(machine.state)
    fingerprint = machine.plan_file.fingerprint.hex
    assert kept.plan(fingerprint) is not None
    path = machine.state / "plans" / f"{fingerprint}.toml"
    path.write_bytes(path.read_bytes() + b"# another\n")
    assert kept.plan(fingerprint) is None


def test_the_state_folder_follows_the_xdg_variables() -> None:
    home = {"HOME": "/home/ada"}
    assert default_state(home) == Path("/home/ada/.local/state/ceremony/online")
    assert default_state({**home, "XDG_STATE_HOME": "/s"}) == Path("/s/ceremony/online")
    assert default_state({**home, "XDG_STATE_HOME": "relative"}) == default_state(home)


@pytest.mark.parametrize(
    "text",
    [
        VALUE.hex,
        VALUE.hex.upper(),
        " ".join(VALUE.groups),
        ":".join(VALUE.groups),
        " ".join(VALUE.words),
        "-".join(VALUE.words).lower(),
        words_sheet("a-request", VALUE, rehearsal=False),
        f"{VALUE.hex}  SHA256SUMS\n",
    ],
)
def test_what_is_on_paper_is_read_in_each_form_and_from_a_file(text: str, tmp_path: Path) -> None:
    assert parse_expected(text) == VALUE
    (tmp_path / "paper").write_text(text)
    assert parse_expected(str(tmp_path / "paper")) == VALUE


@pytest.mark.parametrize(
    "text",
    ["", VALUE.hex[:-1], f"{VALUE.hex} {Fingerprint.of(b'x').hex}", " ".join(VALUE.words[:31])],
)
def test_half_a_fingerprint_or_two_are_none(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_expected(text)
    assert caught.value.code == "upload.expect"
