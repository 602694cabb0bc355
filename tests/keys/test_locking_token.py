"""A token that locks its PIN and says so in its flags; SoftHSM2 and NSS never do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
ALONE = ("unshare", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the token of opencryptoki told; this needs root, for its daemon and mounts."""
    folder = tmp_path_factory.mktemp("locking")
    done = subprocess.run(
        [*ALONE, sys.executable, "-m", "tests.keys.locking", str(folder)],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_22_the_flags_of_a_real_token_are_told_until_it_is_locked(seen: dict[str, Any]) -> None:
    assert [tuple(each[:2]) for each in seen["tries"]] == [
        ("in", "ok"),
        ("token.pin_wrong", "count low"),
        ("token.pin_wrong", "final try"),
        ("token.pin_wrong", "locked"),
        ("token.pin_locked", "locked"),
        ("token.pin_locked", "locked"),
    ]


def test_26_the_token_of_opencryptoki_is_known_to_be_software(seen: dict[str, Any]) -> None:
    assert all(software for _, _, software in seen["tries"])


def test_22_officers_see_the_final_try_before_they_agree_and_no_pin_goes_to_a_locked_token(
    seen: dict[str, Any],
) -> None:
    held = seen["ceremony"]
    assert held["shown"] == ["final try", "final try"]
    assert held["typed"] == [3, 0]
    assert [code for code in held["codes"] if code != "token.pin_locked"] == []
    assert ["count low" in held["refused"][0], "final try" in held["refused"][1]] == [True, True]
    assert "locked" in held["refused"][2]
