"""Where the rows of a batch come from. Each source can go on behind a position of before."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from ceremony.core.text import show
from ceremony.errors import MediaError
from ceremony.x509.request import MAX_BYTES

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_MAX_LINE: Final = 4096


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row.

    Attributes:
        position: the source goes on behind it with this text.
        name: for people.
        data: a CSR, a uuid, or None where the uuid is made by the batch.
    """

    position: str
    name: str
    data: bytes | None


class Source(Protocol):
    """Rows in an order that does not change."""

    @property
    def words(self) -> str:
        """What it is: the same command over the same rows gives the same words.

        A file that has changed since is another batch: its rows are no longer those that
        an earlier run has counted.
        """
        ...

    @property
    def total(self) -> int | None:
        """How many rows; None when nobody knows."""
        ...

    @property
    def csrs(self) -> bool:
        """Whether its rows are CSRs."""
        ...

    def rows(self, after: str) -> Iterator[SourceRow]:
        """The rows behind a position; all for the empty text.

        Raises:
            MediaError: `devices.source`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Count:
    """So many devices, each with a random uuid."""

    number: int
    csrs = False

    @property
    def words(self) -> str:
        """As `Source`."""
        return f"count {self.number}"

    @property
    def total(self) -> int:
        """As `Source`."""
        return self.number

    def rows(self, after: str) -> Iterator[SourceRow]:
        """As `Source`."""
        for number in range(int(after or 0), self.number):
            yield SourceRow(str(number + 1), "", None)


@dataclass(frozen=True, slots=True)
class Uuids:
    """A uuid a line; empty lines and those that begin with ``#`` do not count.

    Attributes:
        path: None for `stream`.
    """

    path: Path | None
    stream: BinaryIO | None = None
    csrs = False
    total = None

    @property
    def words(self) -> str:
        """As `Source`."""
        return f"uuids {_words_of(self.path)}"

    def rows(self, after: str) -> Iterator[SourceRow]:
        """As `Source`."""
        name = str(self.path) if self.path else "-"
        with _open(self.path, self.stream) as file:
            number, done = 0, int(after or 0)
            while line := file.readline(_MAX_LINE):
                number += 1
                text = line.strip()
                if number > done and text and not text.startswith(b"#"):
                    yield SourceRow(str(number), f"{show(name, 1000)}:{number}", text)


@dataclass(frozen=True, slots=True)
class Single:
    """One device: its uuid, or its CSR.

    Attributes:
        name: of the file, for people.
        data: the uuid or the CSR.
    """

    name: str
    data: bytes
    csrs: bool
    total = 1

    @property
    def words(self) -> str:
        """As `Source`."""
        return f"single {hashlib.sha256(self.data).hexdigest()}"

    def rows(self, after: str) -> Iterator[SourceRow]:
        """As `Source`."""
        if not after:
            yield SourceRow("1", self.name, self.data)


@dataclass(frozen=True, slots=True)
class CsrFile:
    """Many CSRs in PEM, one behind the other, with any text between them."""

    path: Path | None
    stream: BinaryIO | None = None
    csrs = True
    total = None

    @property
    def words(self) -> str:
        """As `Source`."""
        return f"csr-file {_words_of(self.path)}"

    def rows(self, after: str) -> Iterator[SourceRow]:
        """As `Source`. A block that is cut off or too long is a row that will be refused."""
        name = show(str(self.path) if self.path else "-", 1000)
        number, done = 0, int(after or 0)
        with _open(self.path, self.stream) as file:
            while line := file.readline(_MAX_LINE):
                if not line.startswith(_BEGIN):
                    continue
                number += 1
                block = _block(file, line)
                if number > done:
                    yield SourceRow(str(number), f"{name}, block {number}", block)


def _block(file: BinaryIO, line: bytes) -> bytes:
    lines, size = [line], len(line)
    while line := file.readline(_MAX_LINE):
        size += len(line)
        if size <= MAX_BYTES + _MAX_LINE:
            lines.append(line)
        if line.startswith(_END):
            break
    return b"".join(lines)


@dataclass(frozen=True, slots=True)
class CsrDirectory:
    """One CSR a file, in the order of the names' bytes."""

    path: Path
    csrs = True

    @property
    def words(self) -> str:
        """As `Source`."""
        number = 0
        for name in self._names():
            number += int.from_bytes(hashlib.sha256(name).digest())
        return f"csr-dir {text_of(self.path)}, names {number % (1 << 256):064x}"

    @property
    def total(self) -> int | None:
        """As `Source`."""
        return sum(1 for _ in self._names())

    def _names(self) -> Iterator[bytes]:
        try:
            with os.scandir(os.fsencode(self.path)) as entries:
                for entry in entries:
                    if entry.name[:1] != b".":
                        yield entry.name
        except OSError as exc:
            raise _refuse(self.path, exc) from exc

    def rows(self, after: str) -> Iterator[SourceRow]:
        """As `Source`. The names are sorted on disk: a million of them need no memory."""
        with closing(sqlite3.connect("")) as db:
            db.execute("PRAGMA cache_size = -16384")
            db.execute("CREATE TABLE names (name BLOB PRIMARY KEY) WITHOUT ROWID")
            names = ((name,) for name in self._names())
            db.executemany("INSERT INTO names VALUES (?)", names)
            begin = bytes.fromhex(after)
            for (name,) in db.execute(
                "SELECT name FROM names WHERE name > ? ORDER BY name", (begin,)
            ):
                yield SourceRow(name.hex(), show(os.fsdecode(name)), self._read(name))

    def _read(self, name: bytes) -> bytes:
        """The file; nothing for what is no regular file, which the policy then refuses."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            handle = os.open(os.path.join(os.fsencode(self.path), name), flags)  # noqa: PTH118
        except OSError:
            return b""
        try:
            return os.read(handle, MAX_BYTES + 1)
        except OSError:
            return b""
        finally:
            os.close(handle)


def text_of(path: Path) -> str:
    """Its absolute path as text for the ledger, whatever bytes are in it."""
    return os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")


def _words_of(path: Path | None) -> str:
    """Its path, and its SHA-256 where it is a file that can be read twice."""
    if path is None:
        return "-"
    if not path.is_file():
        return text_of(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise _refuse(path, exc) from exc
    return f"{text_of(path)}, sha256 {digest}"


def _open(path: Path | None, stream: BinaryIO | None) -> BinaryIO:
    if path is None:
        if stream is None:
            raise LookupError("neither a path nor a stream")
        return stream
    try:
        return path.open("rb")
    except OSError as exc:
        raise _refuse(path, exc) from exc


def _refuse(path: Path, exc: OSError) -> MediaError:
    return MediaError(
        "devices.source",
        f"cannot read {show(str(path))}: {exc.strerror}",
        hint="Check the path and its rights; the same command then goes on.",
    )
