"""Mounting and unmounting sticks through udisks2, where its command is installed.

`udisksctl` asks the service over D-Bus; without it, or when it refuses, nothing happens and
sticks are mounted by people. No library is needed, and none is trusted with the answer: what
is mounted, and how, is read from mountinfo afterwards.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

from ceremony.offline.media import disk_below, mount_of, mounts

COMMANDS: Final = ("/usr/bin/udisksctl", "/bin/udisksctl")
_TIMEOUT_S = 20
_OPTIONS: Final = "noexec,nosuid,nodev"


class Udisks:
    """The command, if there is one.

    Args:
        root: holds `proc`, `sys` and `dev`; another one in tests.
        commands: places of `udisksctl`.
    """

    def __init__(self, root: Path = Path("/"), commands: tuple[str, ...] = COMMANDS) -> None:
        self._root = root
        self._command = next((c for c in commands if os.access(c, os.X_OK)), None)

    def mount(self, *, read_only: bool) -> None:
        """Mounts every stick that is not mounted; read-only for what is brought in."""
        if self._command is None:
            return
        access = "ro" if read_only else "rw"
        for device in self._unmounted():
            self._run("mount", device, "-o", f"{access},{_OPTIONS}")

    def unmount(self, path: Path) -> bool:
        """Unmounts the stick at `path`; whether it is unmounted now, and may be pulled."""
        mount = mount_of(Path(os.path.realpath(path)), mounts(self._root))
        if self._command is None or mount is None or mount.point == "/":
            return False
        self._run("unmount", mount.source)
        return all(other.point != mount.point for other in mounts(self._root))

    def _unmounted(self) -> list[str]:
        used = {mount.device for mount in mounts(self._root)}
        found = []
        for link in sorted((self._root / "sys/block").glob("*")):
            below = disk_below(link)
            if below is None or below[1]:
                continue
            disk = below[0]
            parts = sorted(path.parent for path in disk.glob("*/partition")) or [disk]
            # A system that runs from one partition of a stick leaves the others alone.
            if not any(_number(part) in used for part in (disk, *parts)):
                found += [f"/dev/{part.name}" for part in parts]
        return found

    def _run(self, verb: str, device: str, *more: str) -> None:
        try:
            subprocess.run(
                [str(self._command), verb, "--no-user-interaction", "-b", device, *more],
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return


def _number(device: Path) -> str:
    try:
        return (device / "dev").read_text(encoding="ascii").strip()
    except OSError:
        return ""
