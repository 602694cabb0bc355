"""`ceremony doctor` as its user runs it, beside a real SoftHSM token."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.config import Token
from ceremony.offline.installation import installation

PLAN = """
schema = "ceremony-plan/1"
factory = "acme"
kind = "create"
user_id = "abc"
[root]
backup.method = "none"
[root.token]
module = "{module}"
serial = "{serial}"
[root.token.module_environment]
SOFTHSM2_CONF = "{configuration}"
"""
DOCTOR = [sys.executable, "-c", "from ceremony.offline.cli import main; main()", "doctor"]


def doctor(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DOCTOR, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environ},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def codes(document: dict[str, Any]) -> dict[str, str]:
    return {row["code"]: row["status"] for row in document["rows"]}


def test_the_plans_token_is_listed_and_nothing_is_changed(
    home: Path, tmp_path: Path, softhsm: Callable[[], Token]
) -> None:
    token = softhsm()
    plan = tmp_path / "plan.toml"
    plan.write_text(
        PLAN.format(
            module=token.module,
            serial=token.serial,
            configuration=token.module_environment["SOFTHSM2_CONF"],
        )
    )
    before = tree(tmp_path)
    done = doctor(home, str(plan), "--json", TEXTUAL_LOG="x", LD_BIND_NOW="1")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "ceremony-doctor/1"
    assert codes(document)["token.found"] == "PASS"
    assert codes(document)["token.software"] == "FAIL"
    assert codes(document)["environment.acted"] == "WARN"
    assert codes(document)["cores.off"] == "PASS"
    assert document["tokens"][0]["tokens"][0]["serial"] == token.serial
    assert "CKM_ECDSA" in document["tokens"][0]["tokens"][0]["mechanisms"]
    assert tree(tmp_path) == before
    assert list(home.iterdir()) == []


def test_without_a_plan_it_looks_at_the_machine_and_known_modules(home: Path) -> None:
    installation.cache_clear()
    done = doctor(home, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    paths = [Path(module["path"]).name for module in document["modules"]]
    assert "libsofthsm2.so" in paths
    assert all(len(module["sha256"]) == 64 for module in document["modules"])
    assert {Path(entry["module"]).name for entry in document["tokens"]} == set(paths)
    assert "token.found" not in codes(document)


def test_the_words_say_the_same_as_the_data(home: Path) -> None:
    said = doctor(home).stdout
    for code in codes(json.loads(doctor(home, "--json").stdout)):
        assert f"[{code}]" in said
    assert "libsofthsm2.so" in said


def test_a_plan_that_cannot_be_read_is_exit_status_2(home: Path) -> None:
    done = doctor(home, "nowhere.toml")
    assert done.returncode == 2
    assert "[plan.unreadable]" in done.stderr
    assert "Traceback" not in done.stderr
