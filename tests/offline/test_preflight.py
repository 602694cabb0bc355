"""Preflight's rows, over made-up /proc, and over this machine with a real SoftHSM token."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ceremony import config
from ceremony.config import Plan, Token
from ceremony.core.ports import PinState, StoreInfo
from ceremony.errors import KeyStoreError
from ceremony.flow.prompts import CheckRow, CheckStatus
from ceremony.installation import installation, tool_sha256
from ceremony.offline.inventory import found_modules, token_rows
from ceremony.offline.preflight import machine_rows, preflight, terminal_row

HSM = StoreInfo(
    kind="token",
    name="DENK01",
    label="root",
    model="HSM",
    manufacturer="Acme",
    mechanisms=("CKM_ECDSA", "CKM_EC_KEY_PAIR_GEN"),
    pin_state=PinState.OK,
)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    module = tmp_path / "module.so"
    module.write_bytes(b"\x7fELF")
    module.chmod(0o644)
    return config.parse(
        f"""
schema = "ceremony-plan/1"
factory = "acme"
kind = "create"
user_id = "abc"
[root]
backup.method = "none"
token = {{ module = "{module}", serial = "DENK01" }}
""".encode()
    ).plan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine where nothing is wrong; the state folder's mount is ext4."""
    machine = tmp_path / "machine"
    write(machine / "sys/class/net/lo/flags", "0x9")
    write(machine / "proc/net/route", "Iface\n")
    write(machine / "proc/uptime", "754.02 1304.95\n")
    write(machine / "proc/swaps", "Filename Type Size Used Priority\n")
    write(machine / "proc/sys/kernel/core_pattern", "core\n")
    write(machine / "proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    return machine


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def rows(
    root: Path,
    *,
    state: Path | None = None,
    removed: Sequence[str] = (),
    now: datetime | None = None,
) -> dict[str, CheckRow]:
    made = machine_rows(
        allowed=(),
        state=state or root,
        removed=removed,
        now=now or installation().newest,
        root=root,
    )
    return {row.code: row for row in made}


def statuses(found: dict[str, CheckRow]) -> dict[str, str]:
    return {code: row.status.value for code, row in found.items()}


def test_a_good_machine_has_nothing_to_warn_of_but_the_state_of_this_process(root: Path) -> None:
    found = rows(root)
    assert {c for c, row in found.items() if row.status is not CheckStatus.PASS} <= {
        "cores.on",  # pytest is not hardened
        "terminal.small",
    }


def test_every_row_that_does_not_pass_says_what_to_do(root: Path) -> None:
    write(root / "proc/swaps", "Filename\n/dev/sda2 partition 1 0 -2\n")
    write(root / "sys/class/net/eth0/flags", "0x1003")
    found = rows(root, removed=["LD_PRELOAD"], now=datetime(1970, 1, 1, tzinfo=UTC))
    assert all(row.hint for row in found.values() if row.status is not CheckStatus.PASS)
    assert not any(row.hint for row in found.values() if row.status is CheckStatus.PASS)


def test_swap_on_a_disk_fails_and_in_memory_passes(root: Path) -> None:
    write(root / "proc/swaps", "Filename\n/dev/zram0 partition 1 0 -2\n")
    assert rows(root)["swap.off"].status is CheckStatus.PASS
    write(root / "proc/swaps", "Filename\n/dev/zram0 partition 1 0 1\n/swap\\040x file 1 0 -2\n")
    assert rows(root)["swap.on"].status is CheckStatus.FAIL


def test_a_clock_before_the_programs_own_files_fails(root: Path) -> None:
    early = installation().newest - timedelta(seconds=1)
    assert statuses(rows(root, now=early))["clock.before_tool"] == "FAIL"
    assert statuses(rows(root, now=installation().newest))["clock.sane"] == "PASS"


@pytest.mark.parametrize("fstype", ["tmpfs", "overlay"])
def test_a_state_folder_that_a_power_cut_wipes_is_a_warning(root: Path, fstype: str) -> None:
    write(
        root / "proc/self/mountinfo",
        f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / {root.parent} rw - {fstype} x rw\n",
    )
    assert statuses(rows(root))["state.volatile"] == "WARN"


def test_looking_at_a_state_folder_that_is_not_there_makes_none(root: Path) -> None:
    rows(root, state=root / "a/b/c")
    assert not (root / "a").exists()


def test_variables_that_acted_before_us_are_a_warning_and_others_are_told(root: Path) -> None:
    assert "TEXTUAL_LOG" in rows(root, removed=["TEXTUAL_LOG"])["environment.removed"].sentence
    acted = rows(root, removed=["LD_PRELOAD", "TEXTUAL_LOG"])["environment.acted"]
    assert acted.status is CheckStatus.WARN
    assert "LD_PRELOAD, TEXTUAL_LOG" in acted.sentence


def test_core_dumps_are_judged_by_the_limits_that_hold() -> None:
    """In a hardened process both ways of dumping are off; before, neither was."""
    code = """
import os, sys
from pathlib import Path
from ceremony.offline.environment import harden
from ceremony.offline.preflight import machine_rows
from datetime import datetime, UTC
def codes():
    found = machine_rows(allowed=(), state=Path("/"), removed=(), now=datetime.now(UTC))
    return [row.code for row in found if row.code.startswith("cores.")]
before = codes()
harden(os.environ)
print(before, codes())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() in {"['cores.on'] ['cores.off']", "['cores.on'] ['cores.piped']"}


@pytest.mark.parametrize(
    ("size", "code"),
    [((80, 24), "size"), ((79, 24), "small"), ((200, 23), "small"), (None, "none")],
)
def test_the_terminals_size_is_judged(size: tuple[int, int] | None, code: str) -> None:
    assert terminal_row(os.terminal_size(size) if size else None).code == f"terminal.{code}"


# --- the installed files ------------------------------------------------------------


def test_the_tools_hash_is_what_stock_tools_compute() -> None:
    top = Path(config.__file__).parent.parent
    command = (
        "find assets ceremony screens -type f ! -path '*/__pycache__/*' -print0 |"
        " LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    )
    stock = subprocess.check_output(command, shell=True, cwd=top, text=True)
    installation.cache_clear()
    assert tool_sha256() == stock.split()[0]


# --- modules and tokens -------------------------------------------------------------


def seen(plan: Plan, *infos: StoreInfo) -> dict[str, str]:
    return {row.code: row.status.value for row in token_rows(plan, lambda _: infos)}


def root_token(plan: Plan, **changed: object) -> Plan:
    assert plan.root.token is not None
    token = msgspec.structs.replace(plan.root.token, **changed)
    return msgspec.structs.replace(plan, root=msgspec.structs.replace(plan.root, token=token))


def test_the_plans_token_passes(plan: Plan) -> None:
    other = replace(HSM, name="OTHER")
    assert seen(plan, other, HSM) == {
        "token.module": "PASS",
        "token.found": "PASS",
        "token.pin": "PASS",
    }


def test_another_token_or_two_of_them_fail(plan: Plan) -> None:
    assert seen(plan, replace(HSM, name="DENK011"))["token.missing"] == "FAIL"
    assert seen(plan)["token.missing"] == "FAIL"
    assert seen(plan, HSM, HSM)["token.ambiguous"] == "FAIL"
    assert seen(root_token(plan, label="other"), HSM)["token.missing"] == "FAIL"


@pytest.mark.parametrize(
    ("state", "code", "status"),
    [
        (PinState.NOT_REPORTED, "token.pin", "PASS"),
        (PinState.COUNT_LOW, "token.pin_low", "WARN"),
        (PinState.FINAL_TRY, "token.pin_final", "WARN"),
        (PinState.LOCKED, "token.pin_locked", "FAIL"),
    ],
)
def test_the_pins_flags_are_told(plan: Plan, state: PinState, code: str, status: str) -> None:
    assert seen(plan, replace(HSM, pin_state=state))[code] == status


def test_a_software_token_fails_unless_the_plan_or_a_rehearsal_allows_it(plan: Plan) -> None:
    soft = replace(HSM, software=True)
    assert seen(plan, soft)["token.software"] == "FAIL"
    assert seen(root_token(plan, software=True), soft)["token.software_allowed"] == "PASS"
    rehearsal = msgspec.structs.replace(plan, rehearsal=True, factory="rehearsal-acme")
    assert seen(rehearsal, soft)["token.software_allowed"] == "PASS"


def test_a_token_without_elliptic_curves_or_not_initialised_fails(plan: Plan) -> None:
    assert seen(plan, replace(HSM, mechanisms=("CKM_ECDSA",)))["token.no_ecdsa"] == "FAIL"
    assert seen(plan, replace(HSM, initialized=False))["token.not_initialized"] == "FAIL"


def test_a_changed_or_writable_or_missing_module_fails_and_is_not_asked(plan: Plan) -> None:
    assert plan.root.token is not None
    asked: list[Token] = []

    def tokens(token: Token) -> tuple[StoreInfo, ...]:
        asked.append(token)
        return (HSM,)

    def codes(changed: Plan) -> list[str]:
        return [row.code for row in token_rows(changed, tokens)]

    assert codes(root_token(plan, module_sha256="0" * 64)) == ["token.module_sha256"]
    assert codes(root_token(plan, module="/nonexistent.so")) == ["token.module_missing"]
    Path(plan.root.token.module).chmod(0o666)
    assert codes(plan) == ["token.module_writable"]
    assert asked == []


def test_a_module_that_refuses_is_a_row_with_its_code(plan: Plan) -> None:
    def tokens(token: Token) -> tuple[StoreInfo, ...]:
        raise KeyStoreError("token.timeout", "no answer", hint="Pull the token.")

    assert [row.code for row in token_rows(plan, tokens)] == ["token.module", "token.timeout"]


def test_hostile_labels_reach_no_terminal(plan: Plan) -> None:
    hostile = replace(HSM, label="\x1b]0;x\x07", model="\u202e")
    for row in token_rows(plan, lambda _: (hostile, replace(hostile, name="\x1b[2J"))):
        assert row.sentence.isascii()
        assert row.sentence.isprintable()


def test_modules_are_found_in_known_places_and_through_p11_kit(tmp_path: Path) -> None:
    write(tmp_path / "usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "a")
    write(tmp_path / "usr/lib/x86_64-linux-gnu/pkcs11/vendor.so", "b")
    write(tmp_path / "usr/share/p11-kit/modules/v.module", "# x\nmodule: vendor.so\ncritical: no\n")
    write(tmp_path / "opt/acme/p11.so", "c")
    write(tmp_path / "etc/pkcs11/modules/acme.module", "module:/opt/acme/p11.so\n")
    link = tmp_path / "usr/lib/x86_64-linux-gnu/pkcs11/opensc-pkcs11.so"
    link.symlink_to("../opensc-pkcs11.so")
    found = {Path(module.path).name: module for module in found_modules(tmp_path)}
    assert sorted(found) == ["opensc-pkcs11.so", "p11.so", "vendor.so"]
    assert found["opensc-pkcs11.so"].source == "known place"
    assert found["p11.so"].source.endswith("etc/pkcs11/modules/acme.module")
    assert found["opensc-pkcs11.so"].mode == "0644"


def test_a_real_token_is_found_by_its_serial(
    plan: Plan, softhsm: Callable[[], Token], root: Path
) -> None:
    from ceremony.keys.token import list_tokens

    token = softhsm()
    real = msgspec.structs.replace(plan, root=msgspec.structs.replace(plan.root, token=token))
    found = preflight(
        real,
        state=root,
        removed=(),
        tokens=lambda asked: list_tokens(asked, timeout_s=20),
        now=installation().newest,
        root=root,
    )
    codes = {row.code: row.status.value for row in found}
    assert codes["token.found"] == "PASS"
    assert codes["token.software"] == "FAIL"


def test_softhsm_is_installed_where_it_is_looked_for() -> None:
    assert shutil.which("softhsm2-util")
    assert "libsofthsm2.so" in {Path(module.path).name for module in found_modules()}
