"""The results file of a long run: one line a device, and what need not be done again."""

import fcntl
import os
import stat
import threading
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

import msgspec

from ceremony.core.text import show
from ceremony.errors import MediaError

_SYNC_S: Final = 1.0


class Result(StrEnum):
    """How it went for one device."""

    REGISTERED = "registered"
    ALREADY = "already there"
    CONFLICT = "conflict"
    REFUSED = "refused"
    FAILED = "failed"


FINAL: Final = frozenset({Result.REGISTERED, Result.ALREADY})


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line.

    Attributes:
        key: SHA-256 of the certificate or CSR, hex.
        status: of the last answer; 0 for none.
    """

    uuid: str
    key: str
    result: Result
    where: str = ""
    status: int = 0
    code: str = ""
    message: str = ""


class Outcomes:
    """The file, 0600; it only grows, and a second run cannot write to it meanwhile.

    Raises:
        MediaError: `devices.results`, `devices.busy`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._done: set[bytes] = set()
        self._synced_s = time.monotonic()
        self._decoder = msgspec.json.Decoder(Outcome)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._handle = os.open(path, flags, 0o600)
        except OSError as exc:
            raise self._refuse(exc.strerror or "") from exc
        try:
            self._begin()
        except BaseException:
            os.close(self._handle)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        # A thread that comes late must not write into what gets this number next.
        handle, self._handle = self._handle, -1
        try:
            os.fsync(handle)
        except OSError as failed:
            if kind is None:
                raise self._refuse(failed.strerror or "") from failed
        finally:
            os.close(handle)

    def done(self, key: str) -> bool:
        """Whether that one came to a good end in an earlier run."""
        return bytes.fromhex(key) in self._done

    def add(self, outcome: Outcome) -> None:
        """Writes a line; synced once a second."""
        line = msgspec.json.encode(outcome) + b"\n"
        with self._lock:
            try:
                self._append(line)
                if time.monotonic() - self._synced_s > _SYNC_S:
                    os.fdatasync(self._handle)
                    self._synced_s = time.monotonic()
            except OSError as exc:
                raise self._refuse(exc.strerror or "") from exc

    def _append(self, line: bytes) -> None:
        """The whole line or nothing of it: on a full disk a part of it would spoil the next."""
        view = memoryview(line)
        try:
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._handle, self._length)
                os.lseek(self._handle, self._length, os.SEEK_SET)
            raise
        self._length += len(line)

    def _begin(self) -> None:
        if not stat.S_ISREG(os.fstat(self._handle).st_mode):
            raise self._refuse("it is no regular file")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise MediaError(
                "devices.busy",
                f"another run is writing {show(str(self._path))}",
                hint="Wait for it to end.",
            ) from exc
        end = 0
        with os.fdopen(os.dup(self._handle), "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break  # a cut of power in the middle of it
                end += len(line)
                try:
                    outcome = self._decoder.decode(line)
                    if outcome.result in FINAL:
                        self._done.add(bytes.fromhex(outcome.key))
                except (msgspec.DecodeError, ValueError) as exc:
                    raise self._refuse("it holds something else than results") from exc
        os.ftruncate(self._handle, end)
        os.lseek(self._handle, end, os.SEEK_SET)
        self._length = end

    def _refuse(self, why: str) -> MediaError:
        return MediaError(
            "devices.results",
            f"the results file {show(str(self._path))}: {why}",
            hint="Name another one with --results.",
        )
