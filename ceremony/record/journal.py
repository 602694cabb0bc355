"""A record on disk: locked, appended to, each line fsynced before anything follows from it."""

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.ports import Clock
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import MediaError, StoppedError, VerificationError
from ceremony.record.chain import (
    FIRST,
    MAX_RECORD_BYTES,
    Line,
    format_line,
    read_line,
    read_lines,
    whole_lines,
)
from ceremony.record.members import told

NAME = "record.jsonl"
LOCK = "lock"
PARTIAL = f".{NAME}.partial"


class Record:
    """The record of one ceremony folder, open and locked for this process.

    The folder's lock is held until `close`; a second process is refused.
    """

    def __init__(self, directory: Path, clock: Clock, lines: tuple[Line, ...], lock: int) -> None:
        self._path = directory / NAME
        self._clock = clock
        self._lines = list(lines)
        self._lock = lock

    @classmethod
    def create(cls, directory: Path, clock: Clock, data: Mapping[str, Any]) -> Self:
        """Makes the folder's record with its `open` line.

        Raises:
            MediaError: `state.exists`: there is a record already; or the disk refused.
        """
        lock = lock_directory(directory)
        try:
            if os.path.lexists(directory / NAME):
                raise MediaError(
                    "state.exists",
                    f"there is a record in {show(str(directory))} already",
                    hint="Resume it, or name another folder.",
                )
            at = format_time(clock.now())
            line = format_line(
                n=0, prev=FIRST, at=at, step="Open", type_="open", key="open", data=data
            )
            with _refusals(directory / NAME):
                _write_first(directory, line.raw)
        except BaseException:
            os.close(lock)
            raise
        return cls(directory, clock, (line,), lock)

    @classmethod
    def open(cls, directory: Path, clock: Clock) -> Self:
        """Opens the folder's record to go on with it.

        A last line without LF is what a cut of power left: it was never acted upon, so it
        is cut off, and a `torn` line says so.

        Raises:
            VerificationError: the chain does not hold.
            MediaError: `state.foreign`, `state.open`: not ours alone; `state.read`.
            StoppedError: `state.locked`: another process has it open.
        """
        lock = lock_directory(directory)
        path = directory / NAME
        try:
            with _refusals(path, "read"):
                raw = _read(path)
            whole = whole_lines(raw)
            record = cls(directory, clock, read_lines(whole), lock)
            if whole != raw:
                with _refusals(path):
                    _cut(path, len(whole))
                if not record.closed:
                    step = record.lines[-1].step
                    record.append(step, "torn", "torn", {"bytes": len(raw) - len(whole)})
        except BaseException:
            os.close(lock)
            raise
        return record

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines, oldest first."""
        return tuple(self._lines)

    @property
    def head(self) -> Fingerprint:
        """SHA-256 of the last line, its LF included."""
        return self._lines[-1].fingerprint

    @property
    def closed(self) -> bool:
        """Whether the last line is `close`."""
        return bool(self._lines) and self._lines[-1].type == "close"

    def append(self, step: str, type_: str, key: str, data: Mapping[str, Any]) -> Line:
        """Writes one line and fsyncs it.

        Raises:
            MediaError: `record.unwritable`: it could not be read again; nothing was written.
            MediaError: `state.write`: the disk refused; nothing of the line remains.
            StoppedError: `state.closed`: the record is closed.
        """
        if self.closed:
            raise StoppedError("state.closed", "the record is closed", hint="Start a new ceremony.")
        line = format_line(
            n=len(self._lines),
            prev=self._lines[-1].fingerprint.hex,
            at=format_time(self._clock.now()),
            step=step,
            type_=type_,
            key=key,
            data=data,
        )
        _require_readable(line)
        self._write(line.raw)
        self._lines.append(line)
        return line

    def find(self, type_: str, key: str) -> Line | None:
        """The last line of that type and key."""
        for line in reversed(self._lines):
            if line.type == type_ and line.key == key:
                return line
        return None

    def all(self, type_: str) -> tuple[Line, ...]:
        """Every line of that type, oldest first."""
        return tuple(line for line in self._lines if line.type == type_)

    def close(self) -> None:
        """Gives the lock back; safe to call twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, raw: bytes) -> None:
        size = sum(len(line.raw) for line in self._lines)
        with _refusals(self._path), _opened(self._path, os.O_RDWR) as descriptor:
            _require_end(descriptor, size, self._lines[-1].raw)
            try:
                _write_all(descriptor, raw)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise


def _require_readable(line: Line) -> None:
    """A line that no reader takes would end the ceremony at its next resume.

    Raises:
        MediaError: `record.unwritable`.
    """
    try:
        read_line(line.n, line.raw)
        told(line.n, dict(line.data), first=line.n == 0)
    except VerificationError as exc:
        raise MediaError(
            "record.unwritable",
            f"this cannot be kept on record: {exc.message}",
            hint="Use a folder or text with an ordinary name; nothing was recorded.",
        ) from exc


def lock_directory(directory: Path, name: str = LOCK) -> int:
    """Locks a folder for this process, until the descriptor and what inherits it are closed.

    Args:
        directory: the folder.
        name: of the lock's file in it; each is a lock of its own.

    Raises:
        StoppedError: `state.locked`: another process has it.
        MediaError: `state.write`: the folder cannot be used.
    """
    with _refusals(directory):
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(directory / name, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(descriptor)
        raise StoppedError(
            "state.locked",
            f"another process is working on {show(str(directory))}",
            hint="Go on there, or end it first.",
        ) from exc
    return descriptor


def _write_first(directory: Path, raw: bytes) -> None:
    partial = directory / PARTIAL
    partial.unlink(missing_ok=True)
    with _opened(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        _write_all(descriptor, raw)
        os.fsync(descriptor)
    partial.rename(directory / NAME)
    with _opened(directory, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


def _read(path: Path) -> bytes:
    with _opened(path, os.O_RDONLY | os.O_NONBLOCK) as descriptor:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise MediaError(
                "state.foreign",
                f"the record {show(str(path))} is not a file of yours",
                hint="Find out who put it there; restore the ceremony's folder from a copy.",
            )
        if status.st_mode & 0o077:
            raise MediaError(
                "state.open",
                f"the record {show(str(path))} is open to other users "
                f"(mode {stat.S_IMODE(status.st_mode):04o})",
                hint=f"Run chmod 600 {show(str(path))} after comparing it with its head on paper.",
            )
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(MAX_RECORD_BYTES + 1)


def _cut(path: Path, size: int) -> None:
    with _opened(path, os.O_RDWR) as descriptor:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)


def _require_end(descriptor: int, size: int, last: bytes) -> None:
    """The file still ends with the last line that was written or read.

    Raises:
        MediaError: `state.changed`.
    """
    found = os.pread(descriptor, len(last) + 1, size - len(last))
    if found != last:
        raise MediaError(
            "state.changed",
            "the record on disk was changed while this program was working on it",
            hint="Stop; keep the folder as it is, and find out what else writes there.",
        )
    os.lseek(descriptor, size, os.SEEK_SET)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _refusals(path: Path, verb: str = "write") -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise MediaError(
            f"state.{verb}",
            f"cannot {verb} {show(str(path))}: {exc.strerror}",
            hint="Make room or mend the disk, then resume: nothing is lost.",
        ) from exc
