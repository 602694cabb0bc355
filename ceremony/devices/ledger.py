"""The ledger beside a device CA: every certificate that it ever gave a device.

SQLite, one file, 0600. A row is on disk here before its certificate is on disk anywhere:
whatever a cut of power leaves, no certificate exists that the ledger does not know.
"""

import os
import re
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from ceremony.core.text import show
from ceremony.devices.rows import Failed, Made, Progress
from ceremony.errors import MediaError

_SCHEMA: Final = 1
_TABLES: Final = """
CREATE TABLE ca (sha256 TEXT NOT NULL, factory TEXT NOT NULL);
CREATE TABLE batches (
    id INTEGER PRIMARY KEY, out TEXT NOT NULL, source TEXT NOT NULL,
    began TEXT NOT NULL, ended TEXT, done TEXT NOT NULL, pending TEXT, UNIQUE (out, source));
CREATE TABLE devices (
    uuid TEXT NOT NULL UNIQUE, serial TEXT NOT NULL UNIQUE, key_sha256 TEXT NOT NULL UNIQUE,
    not_after TEXT NOT NULL, batch INTEGER NOT NULL, line INTEGER NOT NULL);
"""
_INSERT: Final = "INSERT OR IGNORE INTO devices VALUES (?, ?, ?, ?, ?, ?)"
_COLUMNS: Final = "uuid, serial, key_sha256, not_after, out, line"
_BEGINNING: Final = re.compile(r"[0-9a-f][0-9a-f-]{7,63}")
_DECIMAL: Final = re.compile(r"[0-9]{1,48}")
_FEW: Final = 100
_CACHE_KIB: Final = 20 * 1024
# Each row dirties a page of each unique index, at random: they are rarely copied back
# from the log, and rows stay out of the indexes (measured: half the time).
_CHECKPOINT_PAGES: Final = 25_000
_BUSY_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch.

    Attributes:
        out: absolute path of the output.
        source: what was asked for, as text; the same command gives the same.
        done: what is in the output for certain.
        pending: what was being written when the last run ended.
    """

    id: int
    out: str
    source: str
    began: str
    ended: str | None
    done: Progress
    pending: Progress | None

    @property
    def last(self) -> Progress:
        """The most that can be in the output."""
        return self.pending or self.done


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One certificate. `serial` is hex; `out` and `line` say where it was written."""

    uuid: str
    serial: str
    key_sha256: str
    not_after: str
    out: str
    line: int


class Ledger:
    """Opens the ledger, or makes it.

    Args:
        path: the file.
        ca_sha256: fingerprint of the CA's certificate, hex; None only to look into it.
        factory: for a new one.

    Raises:
        MediaError: `ledger.*`.
    """

    def __init__(self, path: Path, *, ca_sha256: str | None, factory: str = "") -> None:
        self._path = path
        self._shown = show(str(path))
        if ca_sha256 is None and not path.exists():
            raise _refuse("missing", f"there is no ledger {self._shown}")
        self._prepare(path)
        with self._refusals():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            self._db.execute("PRAGMA synchronous = FULL")
            self._open(ca_sha256, factory)

    def close(self) -> None:
        """Closes it; safe to call twice."""
        self._db.close()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _prepare(self, path: Path) -> None:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            found = path.lstat()
        except OSError as exc:
            raise _refuse(
                "unwritable", f"the ledger {self._shown} cannot be opened: {exc.strerror}"
            ) from exc
        if found.st_uid != os.geteuid() or found.st_mode & 0o022 or not stat.S_ISREG(found.st_mode):
            raise _refuse("permissions", f"others can write to the ledger {self._shown}")

    def _open(self, ca_sha256: str | None, factory: str) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and ca_sha256 is not None:
            with self._transaction():
                if self._db.execute("PRAGMA user_version").fetchone() == (0,):
                    for statement in _TABLES.split(";"):
                        self._db.execute(statement)
                    self._db.execute("INSERT INTO ca VALUES (?, ?)", (ca_sha256, factory))
                    self._db.execute(f"PRAGMA user_version = {_SCHEMA}")
            version = _SCHEMA
        if version != _SCHEMA:
            raise _refuse("form", f"{self._shown} is no ledger that this version knows")
        (known, _) = self._db.execute("SELECT sha256, factory FROM ca").fetchone()
        if ca_sha256 not in {None, known}:
            raise _refuse("other_ca", f"the ledger {self._shown} belongs to another CA ({known})")

    # --- batches --------------------------------------------------------------------

    def batches(self, out: str | None = None) -> tuple[Batch, ...]:
        """All, or those that write or wrote to one place, in the order of their beginnings."""
        query = "SELECT id, out, source, began, ended, done, pending FROM batches"
        where, values = ("", ()) if out is None else (" WHERE out = ?", (out,))
        with self._refusals():
            rows = self._db.execute(f"{query}{where} ORDER BY id", values).fetchall()
        return tuple(_batch(row) for row in rows)

    def again(self, batch: Batch) -> Batch:
        """The same batch as it is now."""
        return next(one for one in self.batches(batch.out) if one.id == batch.id)

    def begin(self, out: str, source: str, at: str, *, alone: bool) -> Batch | None:
        """A new batch, on disk when this returns; or the same that another run has begun.

        Args:
            alone: no other may write to that place; then None where another does.
        """
        done = _encode(Progress())
        with self._refusals():
            self._db.execute(
                "INSERT OR IGNORE INTO batches (out, source, began, done) SELECT ?1, ?2, ?3, ?4"
                " WHERE NOT ?5 OR NOT EXISTS (SELECT 1 FROM batches WHERE out = ?1)",
                (out, source, at, done, alone),
            )
        return next((one for one in self.batches(out) if one.source == source), None)

    def adopt(self, batch: Batch) -> Progress:
        """What was pending is in the output: it counts as done."""
        if batch.pending is None:
            return batch.done
        with self._refusals():
            self._db.execute(
                "UPDATE batches SET done = pending, pending = NULL WHERE id = ?", (batch.id,)
            )
        return batch.pending

    def drop(self, batch: Batch) -> Progress:
        """What was pending is not in the output, or not whole: it was never issued."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM devices WHERE batch = ? AND line > ?", (batch.id, batch.done.lines)
            )
            self._db.execute("UPDATE batches SET pending = NULL WHERE id = ?", (batch.id,))
        return batch.done

    def pending_uuids(self, batch: Batch) -> Iterator[str]:
        """The devices of the pending step."""
        with self._refusals():
            for (uuid,) in self._db.execute(
                "SELECT uuid FROM devices WHERE batch = ? AND line > ?",
                (batch.id, batch.done.lines),
            ):
                yield uuid

    def end(self, batch: Batch, at: str) -> None:
        """The batch is complete, and its output has its own name."""
        with self._refusals():
            self._db.execute(
                "UPDATE batches SET done = coalesce(pending, done), pending = NULL, ended = ?"
                " WHERE id = ?",
                (at, batch.id),
            )

    @contextmanager
    def step(self, batch: Batch) -> Iterator["Step"]:
        """One step of a batch: everything in it is on disk when the block ends, or nothing.

        The step before counts as done from then on: its output was synced.
        """
        with self._transaction():
            self._db.execute(
                "UPDATE batches SET done = coalesce(pending, done) WHERE id = ?", (batch.id,)
            )
            yield Step(self._db, batch)

    # --- looking --------------------------------------------------------------------

    def devices(self, out: str | None = None) -> Iterator[Device]:
        """All, or those of one batch; in the order of their uuids."""
        query = f"SELECT {_COLUMNS} FROM devices JOIN batches ON batches.id = batch"  # noqa: S608
        where, values = ("", ()) if out is None else (" WHERE out = ?", (out,))
        with self._refusals():
            for row in self._db.execute(f"{query}{where} ORDER BY uuid", values):
                yield _device(row)

    def find(self, text: str) -> tuple[Device, ...]:
        """By serial in decimal, or by what uuid, serial (hex) or key (hex) begin with."""
        plain = text.strip().lower().replace(":", "").replace(" ", "").removeprefix("0x")
        serial = f"{int(plain):040x}" if _DECIMAL.fullmatch(plain) else ""
        begin = plain if _BEGINNING.fullmatch(plain) else serial
        query = (
            f"SELECT {_COLUMNS} FROM devices JOIN batches ON batches.id = batch"  # noqa: S608
            " WHERE uuid BETWEEN ?1 AND ?2 OR key_sha256 BETWEEN ?1 AND ?2"
            f" OR serial BETWEEN ?1 AND ?2 OR serial IN (?3, ?4) ORDER BY uuid LIMIT {_FEW}"
        )
        with self._refusals():
            found = self._db.execute(
                query, (begin or "g", f"{begin}g", serial, plain.zfill(40))
            ).fetchall()
        return tuple(_device(row) for row in found)

    def count(self) -> int:
        """How many certificates."""
        with self._refusals():
            (number,) = self._db.execute("SELECT count(*) FROM devices").fetchone()
        return int(number)

    # --- inside ---------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._refusals():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
                raise _refuse("form", f"{self._shown} is no ledger") from exc
            raise _refuse("broken", f"the ledger {self._shown}: {show(str(exc))}") from exc


class Step:
    """The rows of one step, inside its transaction."""

    def __init__(self, db: sqlite3.Connection, batch: Batch) -> None:
        self._db = db
        self._batch = batch

    def add(self, rows: Sequence[Made], not_after: str) -> tuple[list[Made], list[Failed]]:
        """Takes the rows that are new; the others come back with their reason."""
        values = [
            (row.uuid, row.serial, row.key, not_after, self._batch.id, row.line) for row in rows
        ]
        self._db.execute("SAVEPOINT rows")
        before = self._db.total_changes
        self._db.executemany(_INSERT, values)
        if self._db.total_changes - before == len(rows):
            self._db.execute("RELEASE rows")
            return list(rows), []
        self._db.execute("ROLLBACK TO rows")
        self._db.execute("RELEASE rows")
        taken: list[Made] = []
        failed: list[Failed] = []
        for row, value in zip(rows, values, strict=True):
            if self._db.execute(_INSERT, value).rowcount == 1:
                taken.append(row)
            else:
                failed.append(self._reason(row))
        return taken, failed

    def pend(self, progress: Progress) -> None:
        """What will be true once the output is synced."""
        self._db.execute(
            "UPDATE batches SET pending = ? WHERE id = ?", (_encode(progress), self._batch.id)
        )

    def _reason(self, row: Made) -> Failed:
        for column, value, code, what in (
            ("uuid", row.uuid, "device.uuid_taken", "this uuid"),
            ("key_sha256", row.key, "device.key_taken", "this key"),
            ("serial", row.serial, "device.serial_taken", "this serial number"),
        ):
            found = self._db.execute(
                f"SELECT {_COLUMNS} FROM devices JOIN batches ON batches.id = batch"  # noqa: S608
                f" WHERE {column} = ?",
                (value,),
            ).fetchone()
            if found is not None:
                other = _device(found)
                message = (
                    f"{what} has a certificate already: uuid {other.uuid},"
                    f" serial {other.serial}, line {other.line} of {show(other.out)}"
                )
                return Failed(row.line, row.source, code, message, row.uuid)
        raise LookupError(row.uuid)


def _batch(row: tuple[int, str, str, str, str | None, str, str | None]) -> Batch:
    number, out, source, began, ended, done, pending = row
    return Batch(
        id=number,
        out=out,
        source=source,
        began=began,
        ended=ended,
        done=msgspec.json.decode(done, type=Progress),
        pending=None if pending is None else msgspec.json.decode(pending, type=Progress),
    )


def _device(row: tuple[str, str, str, str, str, int]) -> Device:
    uuid, serial, key, not_after, out, line = row
    return Device(uuid=uuid, serial=serial, key_sha256=key, not_after=not_after, out=out, line=line)


def _encode(progress: Progress) -> str:
    return msgspec.json.encode(progress).decode()


_HINTS: Final = {
    "missing": "Name the CA's certificate with --ca, or the ledger with --ledger.",
    "unwritable": "Name a place on this machine's disk with --ledger.",
    "permissions": "Take the rights away: chmod 600 FILE, owner yourself.",
    "form": "Name the right file, or use the version of this program that made it.",
    "other_ca": "Name the ledger of this CA with --ledger; each CA has its own.",
    "broken": "Check space and disk; nothing was issued that is not in the ledger.",
}


def _refuse(what: str, sentence: str) -> MediaError:
    return MediaError(f"ledger.{what}", sentence, hint=_HINTS[what])
