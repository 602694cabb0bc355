"""Sticks told apart: vendor, model, serial, label, file system and mount options."""

import os
import re
from pathlib import Path

from ceremony.core.ports import Stick
from ceremony.core.text import show
from ceremony.flow.prompts import CheckRow, CheckStatus
from ceremony.offline.media import (
    Mount,
    disk_below,
    first_line,
    is_system,
    model_of,
    mount_of,
    mounts,
)

_WANTED = ("noexec", "nosuid", "nodev")
_MAX_UDEV = 64 * 1024


def stick_at(path: Path, root: Path = Path("/")) -> Stick | None:
    """The stick that `path` lies on; None for a folder of this laptop.

    Args:
        root: holds `proc`, `sys`, `run` and `dev`; another one in tests.
    """
    mount = mount_of(Path(os.path.realpath(path)), mounts(root))
    return None if mount is None else _stick(mount, root)


def sticks(root: Path = Path("/")) -> tuple[Stick, ...]:
    """All removable media, mounted or not, by mount point and device."""
    found = [stick for mount in mounts(root) if (stick := _stick(mount, root)) is not None]
    used = {disk for mount in mounts(root) if (disk := _disk_of(mount, root)) is not None}
    for link in sorted((root / "sys/block").glob("*")):
        below = disk_below(link)
        if below is not None and not below[1] and below[0] not in used and _has_medium(below[0]):
            found.append(_unmounted(below[0]))
    return tuple(sorted(found, key=lambda stick: (stick.point, stick.device)))


def stick_rows(root: Path) -> tuple[CheckRow, ...]:
    """A row for each stick: what it is, and how it is mounted."""
    return tuple(_row(stick) for stick in sticks(root)) or (
        CheckRow(status=CheckStatus.PASS, code="stick.none", sentence="no stick is plugged in"),
    )


def _row(stick: Stick) -> CheckRow:
    if not stick.point:
        sentence = f"stick {stick.name} is plugged in and not mounted"
        return CheckRow(status=CheckStatus.PASS, code="stick.unmounted", sentence=sentence)
    access = "read-only" if stick.read_only else "writable"
    lacks = f", without {', '.join(stick.lacks)}" if stick.lacks else ""
    sentence = f"stick {stick.name} at {stick.point}: {stick.fstype}, {access}{lacks}"
    # Without these two a stick can bring programs with rights, or devices, of its own.
    if {"nosuid", "nodev"} & set(stick.lacks):
        hint = f"Mount it again: mount -o remount,noexec,nosuid,nodev {stick.point}"
        return CheckRow(status=CheckStatus.WARN, code="stick.flags", sentence=sentence, hint=hint)
    return CheckRow(status=CheckStatus.PASS, code="stick.found", sentence=sentence)


def _disk_of(mount: Mount, root: Path) -> Path | None:
    below = disk_below(root / "sys/dev/block" / mount.device)
    return None if below is None else below[0]


def _stick(mount: Mount, root: Path) -> Stick | None:
    disk = None if is_system(mount) else _disk_of(mount, root)
    if disk is None:
        return None
    return Stick(
        device=show(mount.device),
        point=show(mount.point),
        model=model_of(disk),
        serial=_serial(disk),
        label=_label(mount, root),
        fstype=show(mount.fstype),
        read_only="ro" in mount.options,
        lacks=tuple(flag for flag in _WANTED if flag not in mount.options),
    )


def _unmounted(disk: Path) -> Stick:
    return Stick(
        device=show(first_line(disk / "dev")),
        point="",
        model=model_of(disk),
        serial=_serial(disk),
        label="",
        fstype="",
        read_only=first_line(disk / "ro") == "1",
        lacks=(),
    )


def _has_medium(disk: Path) -> bool:
    return first_line(disk / "size") not in {"", "0"}  # an empty card reader has none


def _serial(disk: Path) -> str:
    """Of the card, or of the USB device: the nearest folder above that has one."""
    for folder in (disk / "device", *disk.parents):
        serial = first_line(folder / "serial")
        if serial:
            return show(serial)
        if re.fullmatch(r"usb[0-9]+", folder.name):
            break
    return ""


def _label(mount: Mount, root: Path) -> str:
    """From udev's database (systemd's, as text), or its links by label."""
    try:
        with (root / f"run/udev/data/b{mount.device}").open(encoding="utf-8") as file:
            found = re.search(r"^E:ID_FS_LABEL=(.*)$", file.read(_MAX_UDEV), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        found = None
    if found is not None:
        return show(found[1])
    for link in sorted((root / "dev/disk/by-label").glob("*")):
        if link.resolve().name == Path(mount.source).name:
            return show(re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), link.name))
    return ""
