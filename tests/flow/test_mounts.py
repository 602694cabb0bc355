"""Sticks that are full, read-only, or pulled, as the kernel tells of it; nothing stands in."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
# Whoever may not mount becomes root of a namespace of their own (user_namespaces(7)).
ALONE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "-m"]


def tell(story: str, media: Path, stick: str = "-") -> dict[str, Any]:
    media.mkdir(exist_ok=True)
    command = [*ALONE, sys.executable, "-m", "tests.flow.mounted", story, str(media), stick]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("stick", ["usb-out", "evidence"])
@pytest.mark.parametrize(
    ("story", "code"),
    [("full", "media.full"), ("read_only", "media.read_only"), ("pulled", "media.pulled")],
)
def test_32_a_stick_that_is_full_read_only_or_pulled_is_told_and_then_works(
    tmp_path: Path, story: str, code: str, stick: str
) -> None:
    told = tell(story, tmp_path, stick)
    (problem,) = told["problems"]
    assert f"[{code}]" in problem
    assert told["refused"] == [code]
    assert told["sticks"].count(str(tmp_path / stick)) == 1
    assert told["partial"] == []
    assert "another stick" not in told["finished"]


@pytest.mark.parametrize("stick", ["usb-out", "evidence"])
def test_32_after_a_stick_was_pulled_the_ceremony_goes_on_another_day(
    tmp_path: Path, stick: str
) -> None:
    told = tell("pulled_and_left", tmp_path, stick)
    assert told["sittings"] == 2
    assert told["refused"] == ["media.pulled"]
    assert told["partial"] == []


def test_32_a_stick_lost_after_the_close_is_told_on_the_last_screen(tmp_path: Path) -> None:
    told = tell("pulled_after_close", tmp_path, "evidence")
    (problem,) = told["problems"]
    assert "[media.pulled]" in problem
    assert told["refused"] == [], "nothing is added to a closed record"


def test_35_report_and_last_screen_tell_of_a_stick_that_was_taken_instead(tmp_path: Path) -> None:
    told = tell("lost_for_good", tmp_path / "a", "evidence")
    assert "The closed record names another stick EVIDENCE" in told["finished"]
    assert f"{tmp_path}/a/other/acme-evidence-" in told["finished"]
    assert "if elsewhere, the paper says where" in " ".join(told["report"].split())
    told = tell("lost_for_good", tmp_path / "b", "usb-out")
    report = "".join(told["report"].split())  # long paths are broken
    assert f"Begunbefore,givenup{tmp_path}/b/usb-out/acme-upload-" in report
    assert told["sticks"].count(f"{tmp_path}/b/other") == 1


def test_mount_options_are_told_as_the_kernel_tells_them(tmp_path: Path) -> None:
    told = tell("seen", tmp_path)
    assert (told["fstype"], told["source"]) == ("tmpfs", "none")
    first, again = told["labels"]
    assert first == "named in the plan; read-only"
    assert again == "named in the plan; writable, mounted without noexec, nosuid"
