"""The installed files of this program: their hash, their owner, their age."""

import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PLAN: Final = "ceremony.toml"
_PACKAGES: Final = ("assets", "ceremony", "screens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is installed.

    Attributes:
        sha256: see `tool_sha256`.
        newest: time of the file that was written last, whole seconds, UTC.
        foreign: files that other users own or may write, as relative paths.
    """

    sha256: str
    newest: datetime
    files: int
    foreign: tuple[str, ...]


def tool_sha256() -> str:
    """SHA-256 over the installed files, in hex.

    It is what this prints where the three packages are, in `site-packages` or a source
    tree (the lines of `sha256sum`, in the order of the bytes of the names)::

        find assets ceremony screens -type f ! -path '*/__pycache__/*' -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
    """
    return installation().sha256


@cache
def installation() -> Installation:
    """Reads every installed file once in the life of the process."""
    roots = {name: _folder(name) for name in _PACKAGES}
    found = {
        f"{name}/{path.relative_to(root).as_posix()}": path
        for name, root in roots.items()
        for path in _files(root)
    }
    total, newest, foreign = hashlib.sha256(), 0, []
    for name in sorted(found, key=os.fsencode):
        with found[name].open("rb") as file:
            status = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{digest}  ".encode() + os.fsencode(name) + b"\n")
        newest = max(newest, int(status.st_mtime))
        if status.st_uid not in {0, os.geteuid()} or status.st_mode & stat.S_IWOTH:
            foreign.append(name)
    return Installation(
        sha256=total.hexdigest(),
        newest=datetime.fromtimestamp(newest, UTC),
        files=len(found),
        foreign=tuple(foreign),
    )


def example_plan() -> Path | None:
    """The commented plan that comes with the program, as sources or as an installed wheel."""
    beside = _folder("ceremony").parent / PLAN
    shared = Path(sys.prefix) / "share" / "doc" / "ceremony" / PLAN
    return next((path for path in (beside, shared) if path.is_file()), None)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {package} has no folder")
    return Path(spec.origin).parent


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path
