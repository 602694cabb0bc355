"""Writing to media: all of a directory or nothing, and reading it back from the medium."""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ceremony.bundle.media import open_directory, read_directory, read_file
from ceremony.core.text import show
from ceremony.errors import MediaError

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}\Z")
_PIECE = 1024 * 1024
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_directory(
    parent: Path, name: str, files: Mapping[str, bytes], *, private: bool = False
) -> Path:
    """Writes a flat directory: complete under its name, or not at all.

    The files are written and fsynced in ``.<name>.partial``, which is then renamed. What a
    cut of power left of an earlier try is removed first.

    Args:
        parent: where; must be there.
        name: of the directory; nothing may be called that yet.
        files: name to content.
        private: readable by the owner alone.

    Raises:
        MediaError: `media.exists`, `media.full`, `media.read_only`, `media.write`.
    """
    _check_name(name)
    target, partial = parent / name, f".{name}.partial"
    with open_directory(parent, follow=True) as handle, _refusals(target):
        _require_absent(handle, name, target)
        _remove(handle, partial)
        try:
            _fill(handle, partial, files, private=private)
            _require_absent(handle, name, target)
            os.rename(partial, name, src_dir_fd=handle, dst_dir_fd=handle)
        except BaseException:
            # The medium may be gone; what stays then is marked by its name.
            with suppress(OSError):
                _remove(handle, partial)
            raise
        os.fsync(handle)
    return target


def write_file(parent: Path, name: str, data: bytes, *, private: bool = False) -> Path:
    """Writes one file, complete or not at all; the same bytes there already are fine.

    Raises:
        MediaError: as `write_directory`; `media.exists` where other bytes are there.
    """
    _check_name(name)
    target, partial = parent / name, f".{name}.partial"
    with open_directory(parent, follow=True) as handle, _refusals(target):
        if _exists(handle, name):
            _require_same(target, data)
            return target
        with suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=handle)
        try:
            _write(handle, partial, data, private=private)
            os.rename(partial, name, src_dir_fd=handle, dst_dir_fd=handle)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial, dir_fd=handle)
            raise
        os.fsync(handle)
    return target


def replace_file(parent: Path, name: str, data: bytes) -> Path:
    """Writes one private file over whatever has its name: the old bytes or the new, never a mix.

    Raises:
        MediaError: as `write_directory`.
    """
    _check_name(name.removeprefix("."))
    target, partial = parent / name, f".{name}.partial"
    with open_directory(parent, follow=True) as handle, _refusals(target):
        with suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=handle)
        _write(handle, partial, data, private=True)
        os.rename(partial, name, src_dir_fd=handle, dst_dir_fd=handle)
        os.fsync(handle)
    return target


def try_medium(parent: Path, size: int) -> None:
    """Shows that `size` bytes can be written here: writes them, reads them back, removes them.

    Raises:
        MediaError: as `write_directory` and `read_back`.
    """
    name = "ceremony-trial"
    pieces = range(0, size, _PIECE)
    files = {f"{at}.pdf": os.urandom(min(_PIECE, size - at)) for at in pieces}
    with open_directory(parent, follow=True) as handle, _refusals(parent / name):
        _remove(handle, name)  # of a try that a cut of power ended
        try:
            read_back(write_directory(parent, name, files), files)
        except MediaError:
            with suppress(OSError):
                _remove(handle, name)
            raise
        _remove(handle, name)


def make_folder(parent: Path, name: str) -> Path:
    """A folder for this user alone, there or made now; it outlives a cut of power.

    Raises:
        MediaError: as `write_directory`.
    """
    _check_name(name)
    target = parent / name
    with open_directory(parent, follow=True) as handle, _refusals(target):
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=handle)
        os.fsync(handle)
    return target


def read_back(path: Path, files: Mapping[str, bytes]) -> None:
    """Reads a directory again from the medium, and compares every byte.

    The page cache is dropped first (POSIX_FADV_DONTNEED): without that one reads what one
    has just written from memory, whatever the medium did with it.

    Raises:
        MediaError: `media.read_back`, or the medium refused.
    """
    with open_directory(path) as handle, _refusals(path):
        for name in files:
            _drop_cache(handle, name)
    found = read_directory(path, private_keys=True)
    for name in sorted({*found, *files}):
        if found.get(name) != files.get(name):
            raise MediaError(
                "media.read_back",
                f"{show(name)} on the medium is not what was written there",
                hint="Take another medium, and remove this one.",
            )


def _fill(handle: int, name: str, files: Mapping[str, bytes], *, private: bool) -> None:
    os.mkdir(name, 0o700, dir_fd=handle)
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
    try:
        for file, data in files.items():
            _check_name(file)
            _write(inner, file, data, private=private)
        _set_mode(inner, 0o700 if private else 0o755)
        os.fsync(inner)
    finally:
        os.close(inner)


def _write(handle: int, name: str, data: bytes, *, private: bool) -> None:
    descriptor = os.open(name, _CREATE, 0o600, dir_fd=handle)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        _set_mode(descriptor, 0o600 if private else 0o644)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _set_mode(descriptor: int, mode: int) -> None:
    # FAT has no modes, and says so; whoever reads the stick may be another user.
    with suppress(PermissionError):
        os.fchmod(descriptor, mode)


def _drop_cache(handle: int, name: str) -> None:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
    except FileNotFoundError:
        return  # the comparison names it
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _exists(handle: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _require_absent(handle: int, name: str, target: Path) -> None:
    if _exists(handle, name):
        raise _taken(target)


def _require_same(target: Path, data: bytes) -> None:
    try:
        same = read_file(target, len(data)) == data
    except MediaError as exc:
        raise _taken(target) from exc
    if not same:
        raise _taken(target)


def _remove(handle: int, name: str) -> None:
    """Removes a flat directory of ours, if it is there."""
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
    except FileNotFoundError:
        return
    try:
        with os.scandir(inner) as entries:
            names = [entry.name for entry in entries]
        for entry in names:
            os.unlink(entry, dir_fd=inner)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=handle)


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise ValueError(f"not a name for a medium: {show(name)}")


def _taken(target: Path) -> MediaError:
    return MediaError(
        "media.exists",
        f"{show(str(target))} is there already",
        hint="Move it away, or take another medium; nothing is overwritten.",
    )


@contextmanager
def _refusals(target: Path) -> Iterator[None]:
    """Translates the operating system's refusals, naming what was written or read."""
    try:
        yield
    except OSError as exc:
        code, hint = {
            errno.ENOSPC: ("media.full", "Make room, or take another medium."),
            errno.EDQUOT: ("media.full", "Make room, or take another medium."),
            errno.EROFS: ("media.read_only", "Mount it writable, or take another medium."),
        }.get(exc.errno or 0, ("media.write", "Check the path, its rights and the medium."))
        raise MediaError(
            code, f"cannot write {show(str(target))}: {exc.strerror}", hint=hint
        ) from exc
