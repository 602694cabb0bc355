"""Sticks and mounts, as Linux tells them in /proc/self/mountinfo and /sys/dev/block."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ceremony.bundle.media import is_folder
from ceremony.core.text import show
from ceremony.flow.prompts import Place

# A live system runs from a stick itself: its own mounts are no place for bundles.
_SYSTEM: Final = ("/boot", "/cdrom", "/home", "/lib", "/run/live", "/usr", "/var")
_MAX_STACK: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of mountinfo (proc_pid_mountinfo(5)).

    Attributes:
        device: ``major:minor``.
        point: where it is mounted.
        options: of the mount and of its file system, e.g. ``ro``, ``nosuid``.
    """

    device: str
    point: str
    fstype: str
    source: str
    options: frozenset[str]

    @property
    def flags(self) -> str:
        """What an officer should know of the mount, in words."""
        access = "read-only" if "ro" in self.options else "writable"
        missing = [flag for flag in ("noexec", "nosuid", "nodev") if flag not in self.options]
        return access + (f", mounted without {', '.join(missing)}" if missing else "")


def mounts(root: Path = Path("/")) -> tuple[Mount, ...]:
    """The mounts of this process, in the order in which they were made.

    Args:
        root: holds `proc`; another one in tests.
    """
    try:
        text = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ()
    found = (_mount(line) for line in text.splitlines())
    return tuple(mount for mount in found if mount is not None)


def _mount(line: str) -> Mount | None:
    left, separator, right = line.partition(" - ")
    before, after = left.split(" "), right.split(" ")
    if not separator or len(before) < 6 or len(after) < 3:
        return None
    return Mount(
        device=before[2],
        point=_unescaped(before[4]),
        fstype=after[0],
        source=_unescaped(after[1]),
        # The file system's own options count for `ro` alone: a stick with its switch set.
        options=frozenset(before[5].split(",")) | ({"ro"} & set(after[2].split(","))),
    )


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def mount_of(path: Path, among: tuple[Mount, ...]) -> Mount | None:
    """The mount that `path` (absolute, resolved) lies on; the last made wins."""
    best: Mount | None = None
    for mount in among:
        if path.is_relative_to(mount.point) and (
            best is None or len(Path(mount.point).parts) >= len(Path(best.point).parts)
        ):
            best = mount
    return best


def candidates(plan_media_path: str | None, *, root: Path = Path("/")) -> tuple[Place, ...]:
    """Folders to offer where a stick is asked for: the plan's first, then mounted sticks.

    Args:
        plan_media_path: from the plan's `[media]`; offered only while it is there.
        root: holds `proc` and `sys`; another one in tests.
    """
    known = mounts(root)
    places: dict[str, str] = {}
    if plan_media_path is not None and is_folder(Path(plan_media_path)):
        mount = mount_of(Path(os.path.realpath(plan_media_path)), known)
        told = mount.flags if mount is not None else "mount not known"
        places[plan_media_path] = f"named in the plan; {told}"
    for mount in sorted(known, key=lambda mount: mount.point):
        model = _stick(mount, root)
        if model is not None:
            places.setdefault(mount.point, f"{model}, {show(mount.fstype)}, {mount.flags}")
    return tuple(Place(path=path, label=label) for path, label in places.items())


def _stick(mount: Mount, root: Path) -> str | None:
    """Vendor and model when the mount lies on a removable medium, else None."""
    if is_system(mount):
        return None
    found = disk_below(root / "sys/dev/block" / mount.device)
    if found is None:
        return None
    disk, mapped = found
    return model_of(disk) + (", encrypted or mapped" if mapped else "")


def is_system(mount: Mount) -> bool:
    """Whether a live system runs from it, so that it is no place for bundles."""
    if mount.point == "/" or Path(mount.point).is_relative_to("/run/initramfs"):
        return True
    return any(Path(mount.point).is_relative_to(folder) for folder in _SYSTEM)


def disk_below(link: Path, depth: int = _MAX_STACK) -> tuple[Path, bool] | None:
    """The removable disk that a block device lies on, and whether a mapping is between.

    Args:
        link: in /sys/dev/block or /sys/block.
        depth: how many mappings (LUKS, LVM) are followed.
    """
    device = link.resolve()
    if not device.is_dir() or depth == 0:
        return None
    below = sorted((device / "slaves").iterdir()) if (device / "slaves").is_dir() else []
    for lower in below:
        found = disk_below(lower, depth - 1)
        if found is not None:
            return found[0], True
    disk = device.parent if (device / "partition").exists() else device
    on_usb = any(re.fullmatch(r"usb[0-9]+", part) for part in disk.parts)
    is_card = first_line(disk / "device/type") == "SD"
    if not (on_usb or is_card or first_line(disk / "removable") == "1"):
        return None
    return disk, False


def model_of(disk: Path) -> str:
    """Vendor and model of a disk in /sys."""
    words = (first_line(disk / "device/vendor"), first_line(disk / "device/model"))
    named = " ".join(word for word in words if word) or first_line(disk / "device/name")
    return show(named) if named else "removable medium"


def first_line(path: Path) -> str:
    """The first line of a small file, without space around it; empty without the file."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            return file.readline(256).strip()
    except OSError:
        return ""
