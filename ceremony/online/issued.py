"""What `ceremony devices issue` wrote, device by device: a file of lines, a tar, folders."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from ceremony.bundle.media import MAX_PEM_BYTES, read_file
from ceremony.core.text import show
from ceremony.errors import MediaError

CLIENT: Final = "client.pem"
_MAX_LINE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class IssuedDevice:
    """One device's certificate.

    Attributes:
        where: line or file, for people.
        pem: of the certificate.
        name: that it is to be registered with; empty for none of its own.
    """

    where: str
    pem: bytes = field(repr=False)
    name: str = ""


class _Line(msgspec.Struct, frozen=True):
    """One line; other fields may stand there."""

    pem: str = msgspec.field(name="client.pem")
    name: str = ""


_lines = msgspec.json.Decoder(_Line)


def read_issued(path: Path) -> Iterator[IssuedDevice]:
    """The devices at `path`: a JSONL file, a tar, a folder, a folder of folders, or a PEM.

    Raises:
        MediaError: `devices.input`, `media.*`.
    """
    if path.is_dir():
        yield from _folders(path)
    elif path.suffix == ".tar":
        yield from _tar(path)
    elif path.suffix == ".jsonl":
        yield from _jsonl(path)
    else:
        yield IssuedDevice(show(path.name), read_file(path, MAX_PEM_BYTES))


def count_issued(path: Path) -> int | None:
    """How many, where that is quickly known."""
    if path.is_dir():
        return (
            None if (path / CLIENT).exists() else sum(1 for one in path.iterdir() if one.is_dir())
        )
    if path.suffix == ".jsonl" and path.is_file():
        with path.open("rb") as file:
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return None


def _folders(path: Path) -> Iterator[IssuedDevice]:
    if (path / CLIENT).exists():
        yield IssuedDevice(show(path.name), read_file(path / CLIENT, MAX_PEM_BYTES))
        return
    found = sorted(one.name for one in path.iterdir() if (one / CLIENT).is_file())
    if not found:
        raise _refuse(path, "has no folder with a client.pem")
    for name in found:
        yield IssuedDevice(show(name), read_file(path / name / CLIENT, MAX_PEM_BYTES))


def _tar(path: Path) -> Iterator[IssuedDevice]:
    try:
        _require_end(path)
        with tarfile.open(path, "r|") as tar:
            for member in tar:
                if not member.isreg() or Path(member.name).name != CLIENT:
                    continue
                file = tar.extractfile(member) if member.size <= MAX_PEM_BYTES else None
                if file is None:
                    raise _refuse(path, f"{show(member.name)} is too large")
                yield IssuedDevice(show(member.name), file.read())
    except (tarfile.TarError, OSError) as exc:
        raise _refuse(path, show(str(exc))) from exc


def _require_end(path: Path) -> None:
    """Two blocks of zeros: `tarfile` takes a tar that was cut between two files for whole."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * tarfile.BLOCKSIZE))
        if size % tarfile.BLOCKSIZE or file.read() != bytes(2 * tarfile.BLOCKSIZE):
            raise _refuse(path, "its end is missing: it was cut off, or is no tar")


def _jsonl(path: Path) -> Iterator[IssuedDevice]:
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(_MAX_LINE + 1):
                number += 1
                if len(raw) > _MAX_LINE:
                    raise _refuse(path, f"line {number} is too long")
                try:
                    line = _lines.decode(raw)
                except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                    raise _refuse(path, f"line {number}: {show(str(exc))}") from exc
                yield IssuedDevice(f"{show(path.name)}:{number}", line.pem.encode(), line.name)
    except OSError as exc:
        raise _refuse(path, exc.strerror or "cannot be read") from exc


def _refuse(path: Path, why: str) -> MediaError:
    return MediaError(
        "devices.input",
        f"{show(str(path))}: {why}",
        hint="Name what `ceremony devices issue` wrote: FILE.jsonl, FILE.tar or DIR.",
    )
