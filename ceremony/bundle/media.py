"""Reading of hostile media: a flat directory, or one file, read once into memory.

Every file is opened under a handle of its directory, without following links and without
blocking, must be a regular file with a single name, and is read up to a cap. Whatever is
shown, hashed or signed later uses those bytes; nothing is read a second time.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath

from ceremony.core.text import show
from ceremony.errors import MediaError

SUMS = "SHA256SUMS"
README = "README.txt"
MAX_ENTRIES = 64
MAX_TOTAL_BYTES = 64 * 1024 * 1024
MAX_PEM_BYTES = 64 * 1024
MAX_JSON_BYTES = 1024 * 1024
MAX_RECORD_BYTES = 32 * 1024 * 1024
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,63}\Z")
_LARGER = {
    ".json": MAX_JSON_BYTES,
    ".jsonl": MAX_RECORD_BYTES,
    ".html": MAX_DOCUMENT_BYTES,
    ".pdf": MAX_DOCUMENT_BYTES,
}
_PAPERS = {"report.txt", "script.txt"}  # as long as the ceremony was
_LISTS = {"device_ca_list.pem", "current-device-cas.pem"}

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_ARCHIVE_SUFFIX = re.compile(r"\.(zip|tar|tgz|gz|bz2|xz|zst|7z|rar|lz|lzma|cpio|iso|cab)\Z", re.I)
_ARCHIVE_MAGIC = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
)

_PRIVATE_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY|PuTTY-User-Key-File-")
# DER, after the outer SEQUENCE: PKCS #8 (version 0 or 1, AlgorithmIdentifier), SEC 1
# (version 1, OCTET STRING), PKCS #1 (version 0, modulus), PKCS #12 (version 3), or an
# EncryptedPrivateKeyInfo (AlgorithmIdentifier of PKCS #5 or of PKCS #12).
_LENGTH = rb"(?:[\x00-\x80]|\x81.|\x82..|\x83...)"
_PRIVATE_DER = re.compile(
    rb"\x30"
    + _LENGTH
    + rb"(?:\x02\x01(?:[\x00\x01]\x30|\x01\x04|\x00\x02|\x03\x30)|\x30"
    + _LENGTH
    + rb"\x06.\x2a\x86\x48\x86\xf7\x0d\x01(?:\x05|\x0c\x01))",
    re.DOTALL,
)


def read_directory(path: Path, *, private_keys: bool = False) -> Mapping[str, bytes]:
    """Reads a flat directory, each file once.

    Args:
        path: the directory itself, not a link to it.
        private_keys: keys may lie in it (a custody stick of our own).

    Raises:
        MediaError: `media.archive`, `media.not_directory`, `media.entries`, `media.name`,
            `media.symlink`, `media.hardlink`, `media.folder`, `media.not_regular`,
            `media.too_large`, `media.private_key`, `media.unreadable`.
    """
    with open_directory(path) as handle:
        names = _list(handle)
        _check_names(names)
        files: dict[str, bytes] = {}
        total = 0
        for name in names:
            if _ARCHIVE_SUFFIX.search(name):
                raise _archive(name)
            files[name] = _read_entry(name, cap_of(name), handle)
            total += len(files[name])
            if total > MAX_TOTAL_BYTES:
                raise _too_large("the directory", MAX_TOTAL_BYTES)
    for name, data in files.items():
        if is_archive(data):
            raise _archive(name)
        if not private_keys:
            refuse_private_key(name, data)
    return files


def read_file(path: Path, cap: int) -> bytes:
    """Reads one regular file of at most `cap` bytes.

    Raises:
        MediaError: as `read_directory`.
    """
    with open_directory(path.parent, follow=True) as handle:
        return _read_entry(path.name, cap, handle)


@contextmanager
def open_directory(path: Path, *, follow: bool = False) -> Iterator[int]:
    """A handle of a directory, for the time of the block.

    Raises:
        MediaError: `media.symlink`, `media.archive`, `media.not_directory`, `media.unreadable`.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
    except OSError as exc:
        raise _not_a_directory(path, exc) from exc
    try:
        yield handle
    finally:
        os.close(handle)


def is_file(path: Path) -> bool:
    """Whether a file is there; none is where the medium cannot tell."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there; none is where the medium cannot tell."""
    try:
        return path.is_dir()
    except OSError:
        return False


def cap_of(name: str) -> int:
    """How many bytes a file of that name may have."""
    if name in _LISTS:
        return MAX_JSON_BYTES
    if name in _PAPERS:
        return MAX_DOCUMENT_BYTES
    return _LARGER.get(PurePath(name).suffix, MAX_PEM_BYTES)


def is_name(name: str) -> bool:
    """Whether a file may be called that in a bundle."""
    return name in {SUMS, README} or bool(_NAME.match(name))


def is_archive(data: bytes) -> bool:
    """Whether the bytes begin as an archive or a compressed file does."""
    return data.startswith(_ARCHIVE_MAGIC) or data[257:262] == b"ustar"


def refuse_archive(path: Path, data: bytes) -> None:
    """Stops on an archive where a directory or a document is expected.

    Raises:
        MediaError: `media.archive`.
    """
    if _ARCHIVE_SUFFIX.search(path.name) or is_archive(data):
        raise _archive(path.name)


def refuse_private_key(name: str, data: bytes) -> None:
    """Stops on a private key, PEM or DER, encrypted or not.

    Raises:
        MediaError: `media.private_key`.
    """
    if _PRIVATE_PEM.search(data) or _PRIVATE_DER.match(data):
        raise MediaError(
            "media.private_key",
            f"THERE IS A PRIVATE KEY on this medium: {show(name)}",
            hint="Stop: lock the medium away, record an exception, "
            "and treat the key as known to others.",
        )


def no_private_key(files: Mapping[str, bytes]) -> str:
    """`refuse_private_key` over all files; the sentence says how many.

    Raises:
        MediaError: `media.private_key`.
    """
    for name, data in files.items():
        refuse_private_key(name, data)
    return f"no private key in any of {len(files)} files"


def _list(handle: int) -> list[str]:
    names: list[str] = []
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                names.append(entry.name)
                if len(names) > MAX_ENTRIES:
                    raise MediaError(
                        "media.entries",
                        f"the directory has more than {MAX_ENTRIES} entries",
                        hint="Name the bundle's own directory, with nothing else in it.",
                    )
    except OSError as exc:
        raise _unreadable("the directory", exc) from exc
    return sorted(names, key=os.fsencode)


def _check_names(names: list[str]) -> None:
    folded: dict[str, str] = {}
    for name in names:
        if not is_name(name):
            raise MediaError(
                "media.name",
                f"the name {show(name)} is not one of a-z 0-9 . _ - (64 at most, no leading dot)",
                hint="Name the bundle's own directory; rename or remove the file elsewhere first.",
            )
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise MediaError(
                "media.name",
                f"the names {show(other)} and {show(name)} differ only in case",
                hint="Find out where the second file comes from.",
            )


def _read_entry(name: str, cap: int, handle: int) -> bytes:
    try:
        _require_regular(name, os.stat(name, dir_fd=handle, follow_symlinks=False))
        descriptor = os.open(name, _FLAGS, dir_fd=handle)
    except OSError as exc:
        raise _unreadable(name, exc) from exc
    try:
        # What was opened counts, not what the name stood for a moment ago.
        status = os.fstat(descriptor)
        _require_regular(name, status)
        if status.st_size > cap:
            raise _too_large(name, cap)
        return _read_capped(name, descriptor, cap)
    except OSError as exc:
        raise _unreadable(name, exc) from exc
    finally:
        os.close(descriptor)


def _read_capped(name: str, descriptor: int, cap: int) -> bytes:
    data = bytearray()
    while chunk := os.read(descriptor, min(1 << 20, cap + 1 - len(data))):
        data += chunk
        if len(data) > cap:
            raise _too_large(name, cap)
    return bytes(data)


def _require_regular(name: str, status: os.stat_result) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        if status.st_nlink > 1:
            raise MediaError(
                "media.hardlink",
                f"{show(name)} is known under {status.st_nlink} names (hard links)",
                hint="Copy the file afresh, so that it has one name only.",
            )
        return
    if stat.S_ISLNK(mode):
        raise _symlink(name)
    if stat.S_ISDIR(mode):
        raise MediaError(
            "media.folder",
            f"{show(name)} is a folder; a bundle is flat",
            hint="Name the bundle's own directory, with files only.",
        )
    raise MediaError(
        "media.not_regular",
        f"{show(name)} is not a regular file (a pipe, socket or device)",
        hint="Do not use this medium; find out who made it.",
    )


def _symlink(name: str) -> MediaError:
    return MediaError(
        "media.symlink",
        f"{show(name)} is a symbolic link",
        hint="Name the file or directory itself; a bundle holds no links.",
    )


def _archive(name: str) -> MediaError:
    return MediaError(
        "media.archive",
        f"{show(name)} is an archive or compressed file; a bundle is a plain directory",
        hint="Unpack it on the online machine, and copy the directory itself to the medium.",
    )


def _too_large(name: str, cap: int) -> MediaError:
    return MediaError(
        "media.too_large",
        f"{show(name)} is larger than {cap // 1024} KiB",
        hint="Check that it is the file you mean; nothing of that size belongs here.",
    )


def _not_a_directory(path: Path, exc: OSError) -> MediaError:
    name = str(path)
    if exc.errno == errno.ELOOP or (exc.errno == errno.ENOTDIR and path.is_symlink()):
        return _symlink(name)
    if exc.errno == errno.ENOTDIR and _ARCHIVE_SUFFIX.search(path.name):
        return _archive(path.name)
    if exc.errno == errno.ENOTDIR:
        return MediaError(
            "media.not_directory",
            f"{show(name)} is not a directory",
            hint="Name the directory that holds SHA256SUMS.",
        )
    return _unreadable(name, exc)


def _unreadable(name: str, exc: OSError) -> MediaError:
    if exc.errno == errno.ELOOP:
        return _symlink(name)
    return MediaError(
        "media.unreadable",
        f"cannot read {show(name)}: {exc.strerror}",
        hint="Check the path and the medium; copy it afresh if it is damaged.",
    )
