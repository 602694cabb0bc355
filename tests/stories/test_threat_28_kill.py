"""SIGKILL at forty points of a ceremony, drawn anew each time; `make kill-all` has them all."""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_28_processes_killed_at_forty_points_lose_nothing() -> None:
    program = Path(__file__).with_name("kill_all.py")
    seed = os.environ.get("KILL_SEED") or str(int.from_bytes(os.urandom(4)))
    done = subprocess.run(
        [sys.executable, str(program), "--points", "40", "--seed", seed],
        capture_output=True,
        text=True,
        timeout=600,
    )
    told = f"KILL_SEED={seed}\n{done.stdout}{done.stderr[-4000:]}"
    assert done.returncode == 0, told
    assert re.search(r"^killed +40 ", done.stdout, re.M), told
    assert re.search(r"^resumed +40$", done.stdout, re.M), told
    assert re.search(r"^root keys +40 with 1$", done.stdout, re.M), told
    assert re.search(r"^lost +0 ", done.stdout, re.M), told
    assert re.search(r"^second TBS +0$", done.stdout, re.M), told
