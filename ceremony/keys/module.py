"""The module's file before it is loaded, and the environment of its process."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ceremony.config import Token
from ceremony.core.text import show
from ceremony.errors import KeyStoreError

MAX_MODULE_BYTES = 256 * 1024 * 1024

# All that a module's process gets; the rest must be in the plan.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}

# These would load or trace code of others into the process that holds the PIN.
_FORBIDDEN = ("LD_PRELOAD", "LD_AUDIT", "LD_DEBUG_OUTPUT", "GLIBC_TUNABLES")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile:
    """A module that may be loaded.

    Attributes:
        path: with all symbolic links resolved.
        sha256: hex.
    """

    path: Path
    sha256: str


def check_module(token: Token) -> ModuleFile:
    """Checks the module's file as the plan says (threat 25).

    Raises:
        KeyStoreError: `token.module_missing`, `token.module_writable`,
            `token.module_owner`, `token.module_sha256`.
    """
    name = show(token.module)
    try:
        path = Path(token.module).resolve(strict=True)
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_MODULE_BYTES:
                raise _error("missing", f"{name} is no PKCS#11 module: not a regular file")
            _check_place(status, path.parent.stat(), name)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, RuntimeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "a loop of symbolic links"
        raise _error("missing", f"the PKCS#11 module {name} cannot be read: {reason}") from exc
    if token.module_sha256 is not None and digest != token.module_sha256:
        raise _error(
            "sha256",
            f"the PKCS#11 module {name} has SHA-256 {digest}, the plan says {token.module_sha256}",
        )
    return ModuleFile(path=path, sha256=digest)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _check_place(file: os.stat_result, folder: os.stat_result, name: str) -> None:
    if file.st_uid not in {0, os.geteuid()} or folder.st_uid not in {0, os.geteuid()}:
        raise _error("owner", f"the PKCS#11 module {name} or its folder belongs to another user")
    sticky = folder.st_mode & stat.S_ISVTX
    if file.st_mode & 0o022 or (folder.st_mode & 0o022 and not sticky):
        raise _error("writable", f"others can write the PKCS#11 module {name} or its folder")


_HINTS = {
    "missing": "Install the vendor's module, or correct the path `module` in the plan.",
    "owner": "Make root the owner: chown root MODULE.",
    "writable": "Take the right away: chmod go-w MODULE, and its folder.",
    "sha256": "Find out why the file changed before it is used; never just edit the plan.",
}


def _error(what: str, sentence: str) -> KeyStoreError:
    return KeyStoreError(f"token.module_{what}", sentence, hint=_HINTS[what])


def environment(token: Token) -> Mapping[str, str]:
    """The whole environment of the module's process: a minimum and the plan's variables.

    Raises:
        KeyStoreError: `token.environment`, for variables that load code of others.
    """
    bad = sorted(set(token.module_environment) & set(_FORBIDDEN))
    if bad or any("\0" in value for value in token.module_environment.values()):
        raise KeyStoreError(
            "token.environment",
            f"module_environment may not set {', '.join(bad) or 'values with NUL'}",
            hint="Remove the variable from the plan and have it reviewed.",
        )
    return {**_ENVIRONMENT, **token.module_environment}
