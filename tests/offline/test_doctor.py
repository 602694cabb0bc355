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
from ceremony.installation import installation

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


def behind_fake(token: Token, folder: Path, mode: str) -> str:
    """A plan for the token behind the module that spoils it, or traps."""
    built = folder / "libfake.so"
    source = Path(__file__).parents[1] / "keys/fake_module.c"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"], check=True
    )
    built.chmod(0o755)
    text = PLAN.format(
        module=built,
        serial=token.serial,
        configuration=token.module_environment["SOFTHSM2_CONF"],
    )
    return f'{text}FAKE_REAL = "{token.module}"\nFAKE_MODE = "{mode}"\n'


def state_of(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time of change and content of everything; SoftHSM itself rewrites the same
    bytes to `generation` whenever it is initialised."""
    found = (path for folder in folders for path in sorted(folder.rglob("*")))
    return {
        str(path): (
            path.lstat().st_mode,
            0 if path.name == "generation" else path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in found
    }


def test_it_opens_no_session_makes_no_object_tries_no_pin_and_writes_no_file(
    home: Path, tmp_path: Path, softhsm: Callable[[], Token]
) -> None:
    """Every PKCS#11 function beyond looking at slots and tokens aborts its process."""
    plan = tmp_path / "plan.toml"
    plan.write_text(behind_fake(softhsm(), tmp_path, "look-only"))
    system = (Path("/etc/softhsm"), Path("/var/lib/softhsm"), Path("/etc/pki"))
    before = state_of(tmp_path, *system)
    done = doctor(home, str(plan), "--json", XDG_STATE_HOME=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["tokens"][0]["problem"] is None
    assert document["tokens"][0]["tokens"][0]["label"] == "root"
    assert state_of(tmp_path, *system) == before


@pytest.mark.parametrize(
    ("mode", "code", "status", "word"),
    [
        ("default-pin", "token.pin_to_be_changed", "WARN", "PIN must be changed"),
        ("no-pin", "token.pin_unset", "WARN", "no PIN set"),
        ("memory", "token.memory", "PASS", "4711 bytes free"),
        ("", "token.found", "PASS", "firmware"),
    ],
)
def test_27_what_a_token_says_of_its_pin_and_memory_is_told(
    home: Path,
    tmp_path: Path,
    softhsm: Callable[[], Token],
    mode: str,
    code: str,
    status: str,
    word: str,
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(behind_fake(softhsm(), tmp_path, mode))
    document = json.loads(doctor(home, str(plan), "--json").stdout)
    assert codes(document)[code] == status
    assert word in doctor(home, str(plan)).stdout


def test_a_soft_token_of_nss_is_asked_with_parameters_for_reading(home: Path) -> None:
    document = json.loads(doctor(home, "--json").stdout)
    (entry,) = [e for e in document["tokens"] if e["module"].endswith("libsoftokn3.so")]
    assert entry["problem"] is None
    labels = {token["label"] for token in entry["tokens"]}
    assert "NSS Certificate DB" in labels
    assert all(token["software"] for token in entry["tokens"])


def test_a_database_of_nss_in_its_usual_place_is_read_and_not_written(home: Path) -> None:
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    password = home / "password"
    password.write_text("Practice.123\n")
    subprocess.run(
        ["certutil", "-N", "-d", f"sql:{database}", "-f", str(password)],
        check=True,
        capture_output=True,
    )
    before = state_of(home)
    document = json.loads(doctor(home, "--json").stdout)
    (entry,) = [e for e in document["tokens"] if e["module"].endswith("libsoftokn3.so")]
    pins = {token["label"]: token["pin_unset"] for token in entry["tokens"]}
    assert pins["NSS Certificate DB"] is False
    assert state_of(home) == before


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
