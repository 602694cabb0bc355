"""Interfaces, routes and radios, over made-up /sys and /proc and over the real ones."""

from pathlib import Path

import pytest

from ceremony import config
from ceremony.config import Plan
from ceremony.flow.prompts import CheckRow, CheckStatus
from ceremony.offline.network import network_rows, network_up

PLAN = b"""
schema = "ceremony-plan/1"
factory = "acme"
kind = "create"
user_id = "abc"
[root]
key_store = "file"
backup.method = "none"
[rules]
interfaces = ["usb0"]
"""
V4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
V6_UNREACHABLE = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200 lo\n"


@pytest.fixture
def plan() -> Plan:
    return config.parse(PLAN).plan


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """A machine with a loopback interface and a card that is switched off."""
    link(tmp_path, "lo", "0x9", "unknown")
    link(tmp_path, "eth0", "0x1002", "down")
    write(tmp_path / "proc/net/route", V4)
    write(tmp_path / "proc/net/ipv6_route", V6_UNREACHABLE)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(root: Path, name: str, flags: str, state: str) -> None:
    write(root / "sys/class/net" / name / "flags", flags + "\n")
    write(root / "sys/class/net" / name / "operstate", state + "\n")


def codes(rows: tuple[CheckRow, ...]) -> list[tuple[str, str]]:
    return [(row.status.value, row.code) for row in rows]


def test_a_quiet_machine_passes(quiet: Path, plan: Plan) -> None:
    assert codes(network_rows((), quiet)) == [
        ("PASS", "network.interfaces"),
        ("PASS", "network.routes"),
        ("PASS", "radio.none"),
    ]
    assert network_up(plan, quiet) is None


@pytest.mark.parametrize("state", ["up", "unknown", "dormant", ""])
def test_an_interface_that_is_up_stops(quiet: Path, plan: Plan, state: str) -> None:
    link(quiet, "eth0", "0x1003", state)
    assert codes(network_rows((), quiet))[0] == ("FAIL", "network.up")
    assert "eth0" in (network_up(plan, quiet) or "")


def test_an_interface_whose_flags_cannot_be_read_counts_as_up(quiet: Path, plan: Plan) -> None:
    (quiet / "sys/class/net/eth0/flags").unlink()
    (quiet / "sys/class/net/eth0/operstate").unlink()
    assert network_up(plan, quiet) == "network interface eth0 is up (state not known)"


def test_an_interface_that_only_lacks_a_cable_is_a_warning(quiet: Path, plan: Plan) -> None:
    link(quiet, "eth0", "0x1003", "down")
    assert codes(network_rows((), quiet))[0] == ("WARN", "network.enabled")
    assert network_up(plan, quiet) is None


def test_an_interface_of_the_plan_may_be_up_without_a_default_route(
    quiet: Path, plan: Plan
) -> None:
    link(quiet, "usb0", "0x1003", "up")
    write(quiet / "proc/net/route", V4 + "usb0\t0002A8C0\t0\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")
    assert codes(network_rows(["usb0"], quiet))[:2] == [
        ("PASS", "network.allowed"),
        ("PASS", "network.interfaces"),
    ]
    assert network_up(plan, quiet) is None
    write(
        quiet / "proc/net/route",
        V4 + "usb0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
    )
    assert network_up(plan, quiet) == "there is a default route through usb0"


def test_two_halves_of_the_internet_are_a_default_route(quiet: Path, plan: Plan) -> None:
    write(quiet / "proc/net/route", V4 + "tun0\t00000080\t0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n")
    assert network_up(plan, quiet) == "there is a default route through tun0"


def test_a_default_route_of_ipv6_is_found(quiet: Path, plan: Plan) -> None:
    route = f"{'0' * 32} 00 {'0' * 32} 00 {'f' * 32} 00000400 00000001 00000000 00450003 eth7\n"
    write(quiet / "proc/net/ipv6_route", V6_UNREACHABLE + route)
    assert network_up(plan, quiet) == "there is a default route through eth7"


def radio(root: Path, soft: str, hard: str) -> None:
    for name, text in {"name": "phy0", "type": "wlan", "soft": soft, "hard": hard}.items():
        write(root / "sys/class/rfkill/rfkill0" / name, text + "\n")


@pytest.mark.parametrize(("soft", "hard"), [("1", "0"), ("0", "1"), ("1", "1")])
def test_a_blocked_radio_passes(quiet: Path, soft: str, hard: str) -> None:
    radio(quiet, soft, hard)
    assert codes(network_rows((), quiet))[-1] == ("PASS", "radio.off")


def test_a_radio_that_is_on_stops(quiet: Path, plan: Plan) -> None:
    radio(quiet, "0", "0")
    assert network_up(plan, quiet) == "the radio phy0 (wlan) is on"


def test_a_radio_without_a_switch_is_a_warning(quiet: Path) -> None:
    (quiet / "sys/class/ieee80211/phy0").mkdir(parents=True)
    assert codes(network_rows((), quiet))[-1] == ("WARN", "radio.no_switch")


def test_a_machine_that_cannot_be_looked_at_counts_as_connected(tmp_path: Path, plan: Plan) -> None:
    assert "cannot be listed" in (network_up(plan, tmp_path) or "")


def test_a_hostile_interface_name_reaches_no_terminal(quiet: Path, plan: Plan) -> None:
    link(quiet, "e\x1b[2J", "0x1003", "up")
    assert "\x1b" not in (network_up(plan, quiet) or "")


def test_this_machine_can_be_looked_at() -> None:
    rows = network_rows((), Path("/"))
    assert "network.unreadable" not in [row.code for row in rows]
    assert all(row.hint for row in rows if row.status is not CheckStatus.PASS)
