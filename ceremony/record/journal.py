"""A record on disk: locked, appended to, each line fsynced before anything follows from it."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.ports import Clock
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import MediaError, StoppedError
from ceremony.record.chain import FIRST, Line, format_line, read_lines, whole_lines

NAME = "record.jsonl"
LOCK = "lock"


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
        lock = _lock(directory)
        path = directory / NAME
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        except FileExistsError as exc:
            os.close(lock)
            raise MediaError(
                "state.exists",
                f"there is a record in {show(str(directory))} already",
                hint="Resume it, or name another folder.",
            ) from exc
        record = cls(directory, clock, (), lock)
        record.append("Open", "open", "open", data)
        _sync_directory(directory)
        return record

    @classmethod
    def open(cls, directory: Path, clock: Clock) -> Self:
        """Opens the folder's record to go on with it.

        A last line without LF is what a cut of power left: it was never acted upon, so it
        is cut off, and a `torn` line says so.

        Raises:
            VerificationError: the chain does not hold.
            StoppedError: `state.locked`: another process has it open.
        """
        lock = _lock(directory)
        path = directory / NAME
        try:
            raw = path.read_bytes()
            whole = whole_lines(raw)
            record = cls(directory, clock, read_lines(whole), lock)
            if whole != raw:
                with path.open("r+b") as file:
                    file.truncate(len(whole))
                    os.fsync(file.fileno())
                record.append("Open", "torn", "torn", {"bytes": len(raw) - len(whole)})
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
            MediaError: `state.write`: the disk refused; nothing of the line remains.
            StoppedError: `state.closed`: the record is closed.
        """
        if self.closed:
            raise StoppedError("state.closed", "the record is closed", hint="Start a new ceremony.")
        line = format_line(
            n=len(self._lines),
            prev=self._lines[-1].fingerprint.hex if self._lines else FIRST,
            at=format_time(self._clock.now()),
            step=step,
            type_=type_,
            key=key,
            data=data,
        )
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
        try:
            with self._path.open("r+b", buffering=0) as file:
                file.seek(size)
                try:
                    _write_all(file.fileno(), raw)
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(size)
                    raise
        except OSError as exc:
            raise MediaError(
                "state.write",
                f"cannot write the record {show(str(self._path))}: {exc.strerror}",
                hint="Make room or mend the disk, then resume: nothing is lost.",
            ) from exc


def _write_all(descriptor: int, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[os.write(descriptor, view) :]


def _lock(directory: Path) -> int:
    descriptor = os.open(
        directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
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


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
