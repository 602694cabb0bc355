"""Hardening of the room's process, before anything heavy is imported.

Only the standard library and `ceremony.errors` are imported here.
"""

import ctypes
import os
import resource
import socket
import stat
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final

from ceremony.core.text import show
from ceremony.errors import MediaError, NetworkError

# Whole families: the loader, Python, Textual (TEXTUAL_LOG writes every key press,
# TEXTUAL_DRIVER imports code), OpenSSL, and every PKCS#11 module's own settings. A module
# gets its variables from the plan's `module_environment`, in its own process.
_PREFIXES: Final = (
    "DYLD_",
    "GIT_",
    "LD_",
    "MALLOC_",
    "NSS_",
    "OPENSC_",
    "OPENSSL_",
    "P11_KIT_",
    "PKCS11",
    "PYTHON",
    "SOFTHSM",
    "SSL_CERT_",
    "TEXTUAL",
    "TPM2_",
    "YUBIHSM_",
)
_NAMES: Final = frozenset(
    {"GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "SSLKEYLOGFILE", "RES_OPTIONS", "HOSTALIASES"}
)
_ACTED_PREFIXES: Final = ("DYLD_", "LD_")
_ACTED_NAMES: Final = frozenset(
    {
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "PYTHONBREAKPOINT",
        "PYTHONCASEOK",
        "PYTHONEXECUTABLE",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "PYTHONPYCACHEPREFIX",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "PYTHONWARNINGS",
    }
)
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_ADDRESS_EVENTS: Final = frozenset(
    {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"}
)
_NAME_EVENTS: Final = frozenset(
    {
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
    }
)


def harden(environ: MutableMapping[str, str]) -> tuple[str, ...]:
    """Makes this process safe for secrets; call it first, once.

    Removes variables that steer libraries, sets the umask to 077, turns core dumps off
    and refuses network connections for the rest of the process's life.

    Args:
        environ: `os.environ`.

    Returns:
        The names that were removed, sorted, for the preflight.
    """
    removed = tuple(sorted(name for name in environ if _steers(name)))
    for name in removed:
        del environ[name]
    os.umask(0o077)
    refuse_core_dumps()
    refuse_network()
    return removed


def _steers(name: str) -> bool:
    return (
        name.startswith(_PREFIXES)
        or name in _NAMES
        or name.lower().endswith("_proxy")
        or name == "RSYNC_PROXY"
    )


def acted(name: str) -> bool:
    """Whether a variable had its effect before any of our code could remove it."""
    return name.startswith(_ACTED_PREFIXES) or name in _ACTED_NAMES


def refuse_core_dumps() -> None:
    """No core file of this process, nor of the children it starts.

    RLIMIT_CORE is 1 byte, not 0: too small for a file, and the one value at which Linux
    does not start a `core_pattern` pipe either (core(5); fs/coredump.c). Children inherit
    it; PR_SET_DUMPABLE, which also refuses debuggers, ends with `execve`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 0 if hard == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def dumpable() -> bool:
    """Whether this process could leave a core dump (prctl(2), PR_GET_DUMPABLE)."""
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))


def refuse_network() -> None:
    """From now on every socket but AF_UNIX is refused in this process, for good.

    An audit hook cannot be removed. asyncio's socket pair is AF_UNIX and stays.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event in _NAME_EVENTS:
        raise _network_error(event)
    if event in _ADDRESS_EVENTS:
        used = args[0]
        if not isinstance(used, socket.SocketType) or used.family != socket.AF_UNIX:
            raise _network_error(event)


def _network_error(event: str) -> NetworkError:
    return NetworkError(
        "room.network_refused",
        f"something in this program asked for the network ({event}); the room never opens it",
        hint="Stop, record an exception, and have the installed files compared with the release.",
    )


def state_folder(directory: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds one sub-folder per ceremony; made with mode 0700 if missing.

    Args:
        directory: as given by `--dir`; otherwise XDG's state folder.
        environ: for XDG_STATE_HOME and HOME (XDG Base Directory Specification).

    Raises:
        MediaError: `state.unusable`, `state.foreign`, `state.open`, `state.parent_open`.
    """
    path = (directory or default_state(environ)).absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _checked(path)
    except OSError as exc:
        raise _unusable(path, exc) from exc


def held_state(directory: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The state folder as it is, to look at; nothing is made.

    Returns:
        None where XDG's state folder was not begun: no ceremony was held yet.

    Raises:
        MediaError: as `state_folder`; also where `--dir` names no folder.
    """
    path = (directory or default_state(environ)).absolute()
    try:
        return _checked(path)
    except FileNotFoundError as exc:
        if directory is None:
            return None
        raise _unusable(path, exc) from exc
    except OSError as exc:
        raise _unusable(path, exc) from exc


def _checked(path: Path) -> Path:
    real = path.resolve(strict=True)
    check_folder(real)
    return real


def _unusable(path: Path, exc: OSError) -> MediaError:
    return MediaError(
        "state.unusable",
        f"the state folder {show(str(path))} cannot be used: {exc.strerror}",
        hint="Choose a folder of your own with --dir.",
    )


def default_state(environ: Mapping[str, str] = os.environ) -> Path:
    """XDG's state folder for this program; nothing is made."""
    base = Path(environ.get("XDG_STATE_HOME", ""))
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return (base if base.is_absolute() else home / ".local" / "state") / "ceremony"


def check_folder(path: Path) -> None:
    """A state folder, or a ceremony's folder in it, is for this user alone.

    Raises:
        MediaError: `state.foreign`, `state.open`, `state.parent_open`.
    """
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise MediaError(
            "state.foreign",
            f"the state folder {show(str(path))} belongs to user {found.st_uid}, not to you",
            hint="Choose a folder of your own with --dir.",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise MediaError(
            "state.open",
            f"the state folder {show(str(path))} is open to other users "
            f"(mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"Run chmod 700 {show(str(path))} after looking at what is in it.",
        )
    for parent in path.parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise MediaError(
                "state.parent_open",
                f"anybody may rename what is in {show(str(parent))}, the state folder too",
                hint="Choose a folder elsewhere with --dir.",
            )
