"""Where a batch is written: a file that only grows, or one folder a device.

Everything is synced once a step, not once a device. Until the batch is complete the file
is called ``<name>.partial``; what a cut of power left behind the last finished step is
cut off, or taken over where it is whole.
"""

import ctypes
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ceremony.core.text import show
from ceremony.devices.rendering import FILES, Rendering
from ceremony.devices.rows import Made
from ceremony.errors import MediaError

PARTIAL: Final = ".partial"
_READ: Final = 1024 * 1024


class GrowingFile:
    """One file, 0600, that is appended to; its lock keeps a second run out.

    Args:
        path: its name when it is complete.

    Raises:
        MediaError: `devices.*`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(path.name + PARTIAL)
        self._handle = -1
        self.length = 0

    @property
    def there(self) -> bool:
        """Whether it has either of its names."""
        return os.path.lexists(self._partial) or os.path.lexists(self._path)

    @property
    def complete(self) -> bool:
        """Whether it has its own name."""
        return os.path.lexists(self._path)

    @property
    def doubled(self) -> bool:
        """Whether somebody gave its own name to something else, or to a copy."""
        return (
            self.complete and os.path.lexists(self._partial) and self._partial.lstat().st_size > 0
        )

    @property
    def path(self) -> Path:
        """Where it is: under its own name once it is complete."""
        return self._path if self.complete else self._partial

    @property
    def size(self) -> int:
        """In bytes; 0 while it is not there, or no file."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def open(self) -> None:
        """Opens or makes the partial file, and locks it.

        Raises:
            MediaError: `devices.busy`, `devices.out_foreign`, `devices.unwritable`.
        """
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_CREAT
        with refusals(self._partial):
            self._handle = os.open(self._partial, flags, 0o600)
            found = os.fstat(self._handle)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise _foreign(self._partial, "is no file, or one that has another name too")
            _require_mine(self._partial, found)
            os.fchmod(self._handle, 0o600)
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise _busy(self._partial) from exc
            if self.complete:  # the other run ended between two looks
                if found.st_size == 0:
                    self._partial.unlink(missing_ok=True)
                raise _busy(self._path)
            self.length = os.fstat(self._handle).st_size

    def digest(self, begin: int, end: int) -> bytes | None:
        """SHA-256 of a part; None when the file is shorter."""
        if self.length < end:
            return None
        summed = hashlib.sha256()
        with refusals(self._partial):
            while begin < end:
                data = os.pread(self._handle, min(_READ, end - begin), begin)
                if not data:
                    return None
                summed.update(data)
                begin += len(data)
        return summed.digest()

    def cut(self, length: int) -> None:
        """Cuts it to that length.

        Raises:
            MediaError: `devices.output_short`: it is shorter than the ledger knows it.
        """
        if self.length < length:
            raise MediaError(
                "devices.output_short",
                f"{show(str(self._partial))} has {self.length} bytes, and the ledger knows "
                f"{length}: something cut it",
                hint="Look for the whole file; the ledger lists the devices that are missing.",
            )
        with refusals(self._partial):
            if self.length != length:
                os.ftruncate(self._handle, length)
                os.fsync(self._handle)
            os.lseek(self._handle, length, os.SEEK_SET)
        self.length = length

    def append(self, data: bytes) -> None:
        """Writes at the end; not synced."""
        view = memoryview(data)
        with refusals(self._partial):
            while view:
                view = view[os.write(self._handle, view) :]
        self.length += len(data)

    def sync(self) -> None:
        """On disk when this returns."""
        with refusals(self._partial):
            os.fdatasync(self._handle)

    def finish(self) -> None:
        """Gives it its own name; on disk when this returns."""
        with refusals(self._path):
            os.fsync(self._handle)
            if os.path.lexists(self._path):
                raise FileExistsError(errno.EEXIST, "it is there already")
            self._partial.rename(self._path)
            sync_folder(self._path.parent)

    def close(self) -> None:
        """Ends the lock; safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Folders:
    """One folder a device, under one directory.

    Args:
        path: the directory; made when it is not there.
        rendering: says which files.
    """

    def __init__(self, path: Path, rendering: Rendering) -> None:
        self._path = path
        self._rendering = rendering
        with refusals(path):
            path.mkdir(mode=0o700, exist_ok=True)
            _require_mine(path, path.stat())

    def taken(self, uuid: str) -> bool:
        """Whether there is something of that name."""
        return os.path.lexists(self._path / uuid)

    def write(self, rows: Sequence[Made]) -> None:
        """Writes the folders, 0700 with files of 0600, and syncs the file system once."""
        with refusals(self._path):
            for row in rows:
                folder = self._path / row.uuid
                folder.mkdir(mode=0o700)
                for name, data in self._rendering.files(row).items():
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                    with os.fdopen(os.open(folder / name, flags, 0o600), "wb") as file:
                        file.write(data)
            self._sync()

    def remove(self, uuids: Iterator[str]) -> None:
        """Removes what a step that did not end has left of these devices."""
        with refusals(self._path):
            for uuid in uuids:
                folder = self._path / uuid
                for name in sorted(FILES):
                    with suppress(FileNotFoundError):
                        (folder / name).unlink()
                with suppress(FileNotFoundError):
                    folder.rmdir()
            self._sync()

    def _sync(self) -> None:
        handle = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # syncfs(2): everything of this file system, in one call.
            library = ctypes.CDLL(None, use_errno=True)
            if library.syncfs(handle) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(handle)


def _require_mine(path: Path, found: os.stat_result) -> None:
    """Private keys go there."""
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise _foreign(path, "belongs to somebody else, or others can write to it")


def _busy(path: Path) -> MediaError:
    return MediaError(
        "devices.busy",
        f"another run is writing {show(str(path))}",
        hint="Wait for it to end; the same command then says what there is.",
    )


def _foreign(path: Path, why: str) -> MediaError:
    return MediaError(
        "devices.out_foreign",
        f"{show(str(path))} {why}",
        hint="Give an --out of your own that nobody else can write to.",
    )


def sync_folder(path: Path) -> None:
    """A folder's names, on disk when this returns."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """The system's errors in our words.

    Raises:
        MediaError: `devices.unwritable`.
    """
    try:
        yield
    except OSError as exc:
        raise MediaError(
            "devices.unwritable",
            f"{show(str(path))}: {exc.strerror}",
            hint="Check the path, its rights and the space; the same command then goes on.",
        ) from exc
