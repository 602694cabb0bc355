"""Power, time since boot, time zone and new devices, over made-up /proc and /sys."""

from pathlib import Path

import pytest

from ceremony.flow.prompts import CheckRow
from ceremony.offline.surroundings import devices, new_devices, surroundings_rows

KEYBOARD = """I: Bus=0003 Vendor=046d Product=c31c Version=0110
N: Name="{name}"
P: Phys=usb-0000:00:14.0-{port}/input0
S: Sysfs=/devices/x
H: Handlers={handlers}
B: EV=120013

"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def supply(root: Path, name: str, **values: str) -> None:
    for key, value in values.items():
        write(root / "sys/class/power_supply" / name / key, f"{value}\n")


def keyboards(root: Path, *named: tuple[str, str, str]) -> None:
    text = "".join(KEYBOARD.format(name=n, port=p, handlers=h) for n, p, h in named)
    write(root / "proc/bus/input/devices", text)


def row(root: Path, beginning: str) -> CheckRow:
    return next(r for r in surroundings_rows(root) if r.code.startswith(beginning))


def test_mains_power_passes_whatever_the_battery_has(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="1")
    supply(tmp_path, "BAT0", type="Battery", capacity="4")
    assert row(tmp_path, "power.").code == "power.mains"
    assert "4 %" in row(tmp_path, "power.").sentence


@pytest.mark.parametrize(
    ("capacity", "code"),
    [
        ("90", "power.battery"),
        ("30", "power.battery"),
        ("29", "power.battery_low"),
        ("", "power.battery_low"),
        ("-1", "power.battery_low"),
        ("99999", "power.battery_low"),
    ],
)
def test_a_laptop_on_its_battery_is_a_warning(tmp_path: Path, capacity: str, code: str) -> None:
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", type="Battery", capacity=capacity)
    supply(tmp_path, "hidpp_0", type="Battery", scope="Device", capacity="100")
    assert row(tmp_path, "power.").code == code
    assert row(tmp_path, "power.").status.value == "WARN"


def test_a_machine_without_power_supplies_says_that_it_does_not_tell(tmp_path: Path) -> None:
    assert row(tmp_path, "power.").code == "power.not_told"


@pytest.mark.parametrize(
    ("uptime", "code"),
    [
        ("754.02 1304.95\n", "boot.recent"),
        ("86400.99 1.0\n", "boot.recent"),
        ("86401.00 1.0\n", "boot.long_ago"),
        ("soon\n", "boot.unreadable"),
        ("", "boot.unreadable"),
    ],
)
def test_a_machine_that_ran_for_more_than_a_day_has_a_history(
    tmp_path: Path, uptime: str, code: str
) -> None:
    write(tmp_path / "proc/uptime", uptime)
    assert row(tmp_path, "boot.").code == code


def test_the_time_zone_is_told(tmp_path: Path) -> None:
    assert "is UTC" in row(tmp_path, "clock.zone").sentence
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc/localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert "Europe/Berlin" in row(tmp_path, "clock.zone").sentence
    link.unlink()
    link.symlink_to("../usr/share/zoneinfo/Etc/UTC")
    assert "is UTC" in row(tmp_path, "clock.zone").sentence
    link.unlink()
    link.write_bytes(b"TZif2")
    assert "not known by name" in row(tmp_path, "clock.zone").sentence


def test_a_keyboard_and_an_interface_that_appear_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "sys/class/net/lo").mkdir(parents=True)
    keyboards(tmp_path, ("Desk", "1", "sysrq kbd event0 leds"), ("Mouse", "2", "mouse0 event1"))
    before = devices(tmp_path)
    assert [r.code for r in new_devices(before, tmp_path)] == ["device.none_new"]
    (tmp_path / "sys/class/net/usb0").mkdir()
    keyboards(
        tmp_path,
        ("Desk", "1", "sysrq kbd event0 leds"),
        ("Mouse", "2", "mouse0 event1"),
        ("Desk", "3", "sysrq kbd event2 leds"),
    )
    found = new_devices(before, tmp_path)
    assert [r.code for r in found] == ["device.new_interface", "device.new_keyboard"]
    assert "usb0" in found[0].sentence
    assert "14.0-3" in found[1].sentence


def test_a_device_that_went_away_and_a_new_mouse_are_nothing(tmp_path: Path) -> None:
    keyboards(tmp_path, ("Desk", "1", "sysrq kbd event0 leds"))
    before = devices(tmp_path)
    keyboards(tmp_path, ("Mouse", "2", "mouse0 event1"))
    assert [r.code for r in new_devices(before, tmp_path)] == ["device.none_new"]


def test_a_keyboard_with_a_hostile_name_is_shown_harmless(tmp_path: Path) -> None:
    before = devices(tmp_path)
    keyboards(tmp_path, ("\x1b]0;own\x07", "1", "kbd event3"))
    (found,) = new_devices(before, tmp_path)
    assert found.sentence.isprintable()


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (b"\x06\0\0\0\x01", "Secure Boot is on"),
        (b"\x06\0\0\0\x00", "Secure Boot is off"),
        (b"\x06\0\0\0", "Secure Boot is off"),
        (None, "cannot be read"),
    ],
)
def test_secure_boot_is_told_as_the_firmware_tells_it(
    tmp_path: Path, state: bytes | None, told: str
) -> None:
    assert "not started by UEFI" in row(tmp_path, "boot.secure").sentence
    folder = tmp_path / "sys/firmware/efi/efivars"
    folder.mkdir(parents=True)
    if state is not None:
        (folder / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(state)
    assert told in row(tmp_path, "boot.secure").sentence


def test_everything_that_types_is_named_though_it_was_there_at_the_start(tmp_path: Path) -> None:
    assert "no device that types" in row(tmp_path, "device.keyboards").sentence
    keyboards(
        tmp_path,
        ("AT keyboard", "1", "sysrq kbd event0 leds"),
        ("Evil\x1b[2J Stick", "7", "sysrq kbd event5"),
        ("A mouse", "2", "mouse0 event1"),
    )
    told = row(tmp_path, "device.keyboards").sentence
    assert told.startswith("2 device(s) can type")
    assert "Evil\\x1b[2J Stick (usb-0000:00:14.0-7/input0)" in told
    assert "mouse" not in told
