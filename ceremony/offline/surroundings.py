"""The laptop's surroundings: power, time since boot, time zone, and devices that appear.

Every function takes the root that holds `proc`, `sys` and `etc`, so that tests can bring
their own. What a machine does not tell is said to be not known, never passed over.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ceremony.core.text import show
from ceremony.flow.prompts import CheckRow, CheckStatus

_PASS, _WARN = CheckStatus.PASS, CheckStatus.WARN
_BATTERY_LOW: Final = 30  # per cent: a ceremony takes two hours
_LONG: Final = 24 * 3600
_SECURE_BOOT: Final = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_ZONES: Final = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT"})


def surroundings_rows(root: Path) -> tuple[CheckRow, ...]:
    """Rows on power, how the machine was started, time zone, and what can type."""
    return (_power(root), _boot(root), _secure_boot(root), _zone(root), _typing(root))


def _row(status: CheckStatus, code: str, sentence: str, hint: str = "") -> CheckRow:
    return CheckRow(status=status, code=code, sentence=sentence, hint=hint)


def _power(root: Path) -> CheckRow:
    """Mains and batteries (Documentation/ABI/testing/sysfs-class-power)."""
    mains, batteries = False, []
    known = False
    for supply in sorted((root / "sys/class/power_supply").glob("*")):
        kind = _word(supply / "type")
        if _word(supply / "scope") == "Device":
            continue  # the battery of a mouse
        if kind in {"Mains", "USB", "USB_C", "Wireless"}:
            known = True
            mains = mains or _word(supply / "online") == "1"
        elif kind == "Battery":
            known = True
            batteries.append(_battery(supply))
    if not known:
        return _row(_PASS, "power.not_told", "this machine does not tell of its power supply")
    charge = max((level for level in batteries if level is not None), default=None)
    shown = "" if charge is None else f", battery at {charge} %"
    if mains and charge is None and batteries:
        shown = ", battery level not told"
    if mains:
        return _row(_PASS, "power.mains", f"mains power{shown}")
    if charge is None or charge < _BATTERY_LOW:
        told = "not told" if charge is None else f"{charge} %"
        return _row(
            _WARN,
            "power.battery_low",
            f"no mains power, and the battery's level is {told}",
            "Plug in the power supply: a ceremony takes two hours.",
        )
    return _row(
        _WARN,
        "power.battery",
        f"no mains power{shown}",
        "Plug in the power supply: a ceremony takes two hours.",
    )


def _battery(supply: Path) -> int | None:
    text = _word(supply / "capacity")
    return min(int(text), 100) if re.fullmatch(r"[0-9]{1,3}", text) else None


def _boot(root: Path) -> CheckRow:
    """Time since boot (proc_uptime(5)); a machine that ran for long has a history."""
    found = re.match(r"([0-9]{1,12})(\.[0-9]+)? ", _text(root / "proc/uptime"))
    if found is None:
        return _row(
            _WARN,
            "boot.unreadable",
            "the time since this machine was started is not known (/proc/uptime)",
            "Mount /proc.",
        )
    seconds = int(found[1])
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    since = f"started {days} d {hours} h {minutes} min ago"
    if seconds > _LONG:
        return _row(
            _WARN,
            "boot.long_ago",
            f"this machine was {since}; what ran on it since is not known here",
            "Start it anew from the approved medium.",
        )
    return _row(_PASS, "boot.recent", f"this machine was {since}")


def _secure_boot(root: Path) -> CheckRow:
    """The firmware's own word on it: four bytes of attributes, one of state (UEFI 2.10 §3.3)."""
    folder = root / "sys/firmware/efi"
    if not folder.is_dir():
        told = "this machine was not started by UEFI: nothing says who approved its system"
        return _row(_PASS, "boot.secure", told)
    try:
        state = (folder / "efivars" / _SECURE_BOOT).read_bytes()[4:]
    except OSError:
        return _row(_PASS, "boot.secure", "whether Secure Boot is on cannot be read here")
    on = "on: its firmware checked what it started" if state == b"\x01" else "off"
    return _row(_PASS, "boot.secure", f"Secure Boot is {on}")


def _typing(root: Path) -> CheckRow:
    """What was there at the start is compared with nothing: people know their keyboards."""
    found = sorted(devices(root).keyboards)
    if not found:
        return _row(_PASS, "device.keyboards", "no device that types is known to this system")
    return _row(
        _PASS,
        "device.keyboards",
        f"{len(found)} device(s) can type; know each, buttons of the laptop too: "
        + "; ".join(found),
    )


def _zone(root: Path) -> CheckRow:
    """The system's time zone; this program uses UTC whatever it says (localtime(5))."""
    link = root / "etc/localtime"
    named = ""
    if link.is_symlink():
        named = str(link.readlink()).partition("zoneinfo/")[2]
    named = named or _text(root / "etc/timezone").strip()
    if not named and not link.exists():
        named = "UTC"  # localtime(5): the default without the file
    if named in _ZONES:
        return _row(_PASS, "clock.zone", "the time zone is UTC, as on every screen and paper")
    shown = show(named) if named else "not known by name"
    return _row(
        _PASS,
        "clock.zone",
        f"the time zone of this laptop is {shown}; every screen and paper here says UTC",
    )


# --- devices that appear --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Network interfaces, and input devices that type (keyboards, and what poses as one)."""

    interfaces: frozenset[str]
    keyboards: frozenset[str]


def devices(root: Path) -> Devices:
    """What is there now.

    An input device types when the kernel's keyboard handler took it (`kbd` in
    /proc/bus/input/devices). It is named with its place, so that a second one counts.
    """
    names: frozenset[str] = frozenset()
    folder = root / "sys/class/net"
    if folder.is_dir():
        names = frozenset(path.name for path in folder.iterdir() if path.is_dir())
    return Devices(interfaces=names, keyboards=frozenset(_keyboards(root)))


def _keyboards(root: Path) -> list[str]:
    found = []
    for block in _text(root / "proc/bus/input/devices").split("\n\n"):
        name, place, handlers = "", "", ""
        for line in block.splitlines():
            kind, _, value = line.partition(": ")
            key, _, content = value.partition("=")
            match kind, key:
                case "N", "Name":
                    name = content.strip('"')
                case "P", "Phys":
                    place = content
                case "H", "Handlers":
                    handlers = content
        if "kbd" in handlers.split() and re.search(r"\bevent[0-9]+", handlers):
            found.append(f"{show(name) or 'without a name'} ({show(place) or 'no place told'})")
    return found


def new_devices(before: Devices, root: Path) -> tuple[CheckRow, ...]:
    """A row for each network interface or keyboard that was not there at the start."""
    now = devices(root)
    rows = [
        _row(
            _WARN,
            "device.new_interface",
            f"network interface {show(name)} appeared after this program was started",
            "Unplug it, and find out who plugged it in.",
        )
        for name in sorted(now.interfaces - before.interfaces)
    ]
    rows += [
        _row(
            _WARN,
            "device.new_keyboard",
            f"keyboard {name} appeared after this program was started; it can type by itself",
            "Unplug it unless both officers know it: a stick may pose as a keyboard.",
        )
        for name in sorted(now.keyboards - before.keyboards)
    ]
    if rows:
        return tuple(rows)
    count = len(now.keyboards)
    sentence = f"no network interface or keyboard appeared since the start ({count} keyboard(s))"
    return (_row(_PASS, "device.none_new", sentence),)


def _word(path: Path) -> str:
    return _text(path).strip()


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(64 * 1024)
    except OSError:
        return ""
