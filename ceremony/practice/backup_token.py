"""The practice vendor's clone procedure: ``python -m ceremony.practice.backup_token FOLDER``.

A real vendor wraps a key under a scheme that its tokens share. SoftHSM has none, so the
whole token is copied, and gets the serial number that the rehearsal's plan names.
"""

import re
import secrets
import shlex
import shutil
import sys
import uuid
from pathlib import Path

from ceremony import config
from ceremony.config import Token
from ceremony.errors import KeyStoreError
from ceremony.process import guarded

_OBJECT = "token.object"  # of SoftHSM2's file store; holds the serial number in plain bytes


def planned_backup(token: Token) -> Token:
    """The backup token of a practice token: not there yet, its serial number drawn."""
    return Token(
        module=token.module,
        serial=secrets.token_hex(8),
        software=True,
        module_environment=token.module_environment,
    )


def procedure(directory: Path, root: config.Root) -> bytes:
    """What the officers read when they are asked to clone; `directory` is the rehearsal's."""
    if root.backup.token is None:
        return b"This rehearsal's plan has no backup token: nothing is cloned.\n"
    command = [sys.executable, "-I", "-m", "ceremony.practice.backup_token", str(directory)]
    line = shlex.join(command)
    return f"The practice vendor's clone procedure, in another window:\n\n{line}\n".encode()


def clone(directory: Path, token: Token, backup: Token) -> None:
    """Makes `backup` from `token`, keys and PIN alike; replaces an earlier clone.

    Args:
        directory: holds SoftHSM2's ``tokens``.

    Raises:
        KeyStoreError: `practice.clone_failed`.
    """
    store = directory / "tokens"
    source = _folder(store, token.serial or "")
    if source is None or not re.fullmatch(r"[0-9a-f]{16}", backup.serial or ""):
        raise KeyStoreError(
            "practice.clone_failed",
            "the practice token was not found, or the plan names no backup token",
            hint="Clone after the root key was made, in the folder of the rehearsal.",
        )
    earlier = _folder(store, backup.serial or "")
    if earlier is not None:
        shutil.rmtree(earlier)
    target = store / str(uuid.uuid4())
    shutil.copytree(source, target)
    described = (target / _OBJECT).read_bytes()
    old, new = (serial.encode() for serial in (token.serial or "", backup.serial or ""))
    (target / _OBJECT).write_bytes(described.replace(old, new))


def _folder(store: Path, serial: str) -> Path | None:
    found = (path for path in sorted(store.iterdir()) if (path / _OBJECT).is_file())
    return next((p for p in found if serial.encode() in (p / _OBJECT).read_bytes()), None)


def main(directory: Path) -> int:
    """Clones in the folder of a rehearsal, as its plan says."""
    root = config.load(directory / "plan.toml").plan.root
    if root.token is None or root.backup.token is None:
        raise KeyStoreError(
            "practice.clone_failed",
            "the rehearsal's plan names no backup token",
            hint="Rehearse with --key-store pkcs11 and root.backup.method = 'vendor'.",
        )
    clone(directory / "token", root.token, root.backup.token)
    sys.stderr.write(f"cloned: token {root.token.serial} -> token {root.backup.token.serial}\n")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(Path(sys.argv[1]))))
