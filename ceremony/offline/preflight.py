"""Step 2's rows on this laptop, its surroundings and its tokens; nothing is changed.

Everything read from `/proc` and `/sys` is read below a root that tests replace.
"""

import os
import resource
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from ceremony import __version__
from ceremony.config import Plan, Token
from ceremony.core.ports import StoreInfo
from ceremony.core.text import show
from ceremony.flow.prompts import CheckRow, CheckStatus
from ceremony.installation import installation, tool_sha256
from ceremony.offline import inventory
from ceremony.offline.environment import acted, dumpable
from ceremony.offline.media import mount_of, mounts
from ceremony.offline.network import network_rows, network_up
from ceremony.offline.sticks import stick_rows
from ceremony.offline.surroundings import Devices, new_devices, surroundings_rows

__all__ = ["machine_rows", "network_up", "preflight", "tool_sha256"]

ListTokens = Callable[[Token], Sequence[StoreInfo]]

_PASS, _WARN, _FAIL = CheckStatus.PASS, CheckStatus.WARN, CheckStatus.FAIL
_FREE_FAIL: Final = 64 * 1024 * 1024
_FREE_WARN: Final = 256 * 1024 * 1024
_COLUMNS, _LINES = 80, 24
# What does not outlive the power: a resume after a power cut would find nothing.
_VOLATILE: Final = frozenset({"aufs", "overlay", "ramfs", "rootfs", "tmpfs"})


def preflight(
    plan: Plan,
    *,
    state: Path,
    removed: Sequence[str],
    tokens: ListTokens,
    now: datetime,
    before: Devices | None = None,
    root: Path = Path("/"),
) -> tuple[CheckRow, ...]:
    """All rows of one plan.

    Args:
        state: the folder that the ceremony's folder is in; may be missing still.
        removed: names of variables, from `environment.harden`.
        tokens: lists the tokens that the module of a plan's token table sees.
        now: aware, UTC.
        before: devices at the program's start; None: nothing is compared.
        root: holds `proc` and `sys`.
    """
    machine = machine_rows(
        allowed=plan.rules.interfaces, state=state, removed=removed, now=now, root=root
    )
    appeared = new_devices(before, root) if before is not None else ()
    return (*machine, *appeared, *inventory.token_rows(plan, tokens))


def machine_rows(
    *,
    allowed: Collection[str],
    state: Path,
    removed: Sequence[str],
    now: datetime,
    root: Path = Path("/"),
) -> tuple[CheckRow, ...]:
    """The rows that need no plan; arguments as in `preflight`."""
    return (
        *network_rows(allowed, root),
        *_swap(root),
        _core_dumps(root),
        _clock(now),
        *surroundings_rows(root),
        *_disk(state, root),
        *stick_rows(root),
        terminal_row(_terminal()),
        _variables(removed),
        *_tool(),
    )


def _row(status: CheckStatus, code: str, sentence: str, hint: str = "") -> CheckRow:
    return CheckRow(status=status, code=code, sentence=sentence, hint=hint)


def _swap(root: Path) -> tuple[CheckRow, ...]:
    try:
        lines = (root / "proc/swaps").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []  # a kernel without swap has no such file
    except OSError:
        return (
            _row(_FAIL, "swap.unreadable", "swap cannot be told (/proc/swaps)", "Mount /proc."),
        )
    used = [line.split()[0] for line in lines[1:] if line.split()]
    on_disk = [name for name in used if not name.startswith("/dev/zram")]
    if not on_disk:
        return (_row(_PASS, "swap.off", "nothing is swapped to a disk"),)
    return tuple(
        _row(
            _FAIL,
            "swap.on",
            f"memory, secrets too, may be written to {show(name)}",
            "Switch it off: swapoff -a",
        )
        for name in on_disk
    )


def _core_dumps(root: Path) -> CheckRow:
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        pattern = (root / "proc/sys/kernel/core_pattern").read_text(encoding="utf-8")
    except OSError:
        pattern = "|"
    if soft not in {0, 1} or dumpable():
        return _row(
            _FAIL,
            "cores.on",
            "a crash of this program could leave its memory on a disk",
            "Start the program by its command `ceremony`, which switches that off.",
        )
    if soft == 0 and pattern.startswith("|"):  # core(5): a limit of 0 does not stop a pipe
        return _row(
            _WARN,
            "cores.piped",
            "a crash of a token's module would be handed to a core dump collector",
            "Switch it off: sysctl -w kernel.core_pattern=core",
        )
    return _row(_PASS, "cores.off", "core dumps are off")


def _clock(now: datetime) -> CheckRow:
    built = installation().newest
    shown = now.strftime("%Y-%m-%d %H:%M:%S")
    if now < built:
        return _row(
            _FAIL,
            "clock.before_tool",
            f"the clock says {shown} UTC, before this program's files were written ({built:%F})",
            "Set the clock: date -u -s 'YYYY-MM-DD HH:MM:SS'",
        )
    return _row(_PASS, "clock.sane", f"the clock says {shown} UTC")


def _disk(state: Path, root: Path) -> tuple[CheckRow, ...]:
    there = state.absolute()
    while not there.exists():
        there = there.parent
    found = os.statvfs(there)
    free, shown = found.f_bavail * found.f_frsize, show(str(there))
    megabytes = f"{free // (1024 * 1024)} MiB are free at {shown}"
    if found.f_flag & os.ST_RDONLY:
        rows = [_row(_FAIL, "disk.read_only", f"{shown} is read-only", "Choose another --dir.")]
    elif free < _FREE_FAIL or (found.f_files > 0 and found.f_favail < 100):
        rows = [
            _row(_FAIL, "disk.full", f"only {megabytes}", "Make room, or choose another --dir.")
        ]
    elif free < _FREE_WARN:
        rows = [_row(_WARN, "disk.low", f"only {megabytes}", "Make room before you begin.")]
    else:
        rows = [_row(_PASS, "disk.free", megabytes)]
    mount = mount_of(there.resolve(), mounts(root))
    if mount is None or mount.fstype in _VOLATILE:
        kind = "a file system that is not known" if mount is None else show(mount.fstype)
        rows.append(
            _row(
                _WARN,
                "state.volatile",
                f"the state folder is on {kind}: after a power cut nothing could be resumed",
                "Choose a folder on a disk or stick with --dir.",
            )
        )
    else:
        rows.append(_row(_PASS, "state.kept", f"the state folder is on {show(mount.fstype)}"))
    return tuple(rows)


def _terminal() -> os.terminal_size | None:
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    except (OSError, ValueError):
        return None


def terminal_row(size: os.terminal_size | None) -> CheckRow:
    """The row on the terminal's size; None: output goes to no terminal."""
    if size is None:
        return _row(_PASS, "terminal.none", "no terminal: output is plain lines")
    shown = f"the terminal has {size.columns} columns and {size.lines} lines"
    if size.columns >= _COLUMNS and size.lines >= _LINES:
        return _row(_PASS, "terminal.size", shown)
    return _row(
        _WARN,
        "terminal.small",
        f"{shown}; the wizard needs {_COLUMNS} by {_LINES}",
        "Enlarge the window or use a smaller font; or use --plain.",
    )


def _variables(removed: Sequence[str]) -> CheckRow:
    if not removed:
        return _row(_PASS, "environment.clean", "no variable had to be removed")
    shown = ", ".join(show(name) for name in removed)
    if any(acted(name) for name in removed):
        return _row(
            _WARN,
            "environment.acted",
            f"variables that change how programs are loaded were set, and removed late: {shown}",
            "Unset them in the shell and start again.",
        )
    return _row(_PASS, "environment.removed", f"variables removed at the start: {shown}")


def _tool() -> tuple[CheckRow, ...]:
    installed = installation()
    rows = [
        _row(
            _PASS,
            "tool.version",
            f"ceremony {__version__}, {installed.files} files, SHA-256 {installed.sha256}",
        ),
        _row(_PASS, "tool.python", f"Python {sys.version.split()[0]}, {show(sys.executable)}"),
    ]
    if installed.foreign:
        rows.append(
            _row(
                _FAIL,
                "tool.writable",
                f"other users may change this program: {show(installed.foreign[0])} "
                f"and {len(installed.foreign) - 1} more",
                "Install it again, as a user of its own, and compare its hash with the release.",
            )
        )
    return tuple(rows)
