"""What the online machine remembers: raw answers, requests, plans, sheets and receipts.

All of it lies in one folder, ``online/`` in the state folder, readable by its owner alone,
and is written exclusively: nothing there is ever replaced.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ceremony.bundle.request import DOCUMENT, RequestBundle, read_request, request_name
from ceremony.bundle.schema import RequestDocument
from ceremony.bundle.writing import write_directory, write_file
from ceremony.config import PlanFile, load
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import MediaError

ONLINE: Final = "online"
_REQUESTS: Final = "requests"
_PLANS: Final = "plans"


def default_state(environment: Mapping[str, str] = os.environ) -> Path:
    """``online/`` in the state folder of the XDG Base Directory Specification."""
    base = environment.get("XDG_STATE_HOME") or ""
    if not base.startswith("/"):
        base = str(Path(environment.get("HOME") or "/") / ".local" / "state")
    return Path(base) / "ceremony" / ONLINE


class StateFolder:
    """The folder, made when it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for path in (self.path, self.path / _REQUESTS, self.path / _PLANS):
            _make_private(path)

    @contextmanager
    def reserve(self, name: str) -> Iterator["Reserved"]:
        """Makes an empty file before something happens whose result must not be lost.

        It stays when nobody knows whether that happened: `unanswered` then tells of it.

        Raises:
            MediaError: `state.exists`, `state.write`.
        """
        path = self.path / name
        with _refusals(path):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        reserved = Reserved(path, handle)
        try:
            yield reserved
        finally:
            os.close(handle)
            if reserved.needless:
                path.unlink(missing_ok=True)

    def write(self, name: str, data: bytes) -> Path:
        """Writes a file, complete or not at all.

        Raises:
            MediaError: `media.*`; `media.exists` where other bytes are there.
        """
        return write_file(self.path, name, data, private=True)

    def write_numbered(self, stem: str, suffix: str, data: bytes) -> Path:
        """Writes a file under the first free name: ``stem.suffix``, ``stem-2.suffix`` ...

        Raises:
            MediaError: `media.*`.
        """
        number = 1
        while True:
            name = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
            if not os.path.lexists(self.path / name):
                return self.write(name, data)
            number += 1

    # --- requests and plans -----------------------------------------------------------

    def remember(
        self, fingerprint: Fingerprint, files: Mapping[str, bytes], plan_file: PlanFile
    ) -> Path:
        """Keeps a request bundle and the plan it was made for.

        Raises:
            MediaError: `media.*`.
        """
        plan = f"{plan_file.fingerprint.hex}.toml"
        write_file(self.path / _PLANS, plan, plan_file.raw, private=True)
        if self.request(fingerprint.hex) is not None:
            return self.path / _REQUESTS / fingerprint.hex
        return write_directory(self.path / _REQUESTS, fingerprint.hex, files, private=True)

    def request(self, fingerprint: str) -> RequestBundle | None:
        """The request with that fingerprint (hex), if it is remembered."""
        path = self.path / _REQUESTS / fingerprint
        if not path.is_dir():
            return None
        found = read_request(path)
        return found if found.fingerprint.hex == fingerprint else None

    def requests(self, factory: str) -> tuple[RequestDocument, ...]:
        """All remembered requests of a Factory, oldest first."""
        found = []
        for path in (self.path / _REQUESTS).iterdir():
            if path.name.startswith(".") or not (path / DOCUMENT).is_file():
                continue  # what a cut of power left
            document = read_request(path).document
            if document is not None and document.factory == factory:
                found.append(document)
        return tuple(sorted(found, key=lambda document: document.fetched_at))

    def unanswered(self, factory: str) -> tuple[str, ...]:
        """Names of requests whose CSRs the Factory may have made, and that are not remembered."""
        raw = re.compile(rf"({re.escape(factory)}-request-[0-9]{{8}}-[0-9]{{4}})\.raw\.json\Z")
        named = [raw.match(path.name) for path in self.path.iterdir()]
        remembered = {request_name(document) for document in self.requests(factory)}
        return tuple(sorted({found[1] for found in named if found} - remembered))

    def plan(self, fingerprint: str) -> PlanFile | None:
        """The plan with that fingerprint (hex), if it is remembered."""
        path = self.path / _PLANS / f"{fingerprint}.toml"
        found = load(path) if path.is_file() else None
        return found if found is not None and found.fingerprint.hex == fingerprint else None


class Reserved:
    """An empty file that waits for its content."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.needless = False
        self._handle = handle

    def drop(self) -> None:
        """It did not happen: the file is removed."""
        self.needless = True

    def write(self, data: bytes) -> None:
        """Writes and fsyncs, the folder too; once.

        Raises:
            MediaError: `state.write`.
        """
        with _refusals(self.path):
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]
            os.fsync(self._handle)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _make_private(path: Path) -> None:
    with _refusals(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.geteuid()
        or stat.S_IMODE(found.st_mode) & 0o022
    ):
        raise MediaError(
            "state.permissions",
            f"{show(str(path))} is not a folder of ours that nobody else can write to "
            f"(owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o})",
            hint="Take another folder with --state, or remove the rights of others.",
        )


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    shown = show(str(path))
    try:
        yield
    except FileExistsError as exc:
        raise MediaError(
            "state.exists",
            f"{shown} is there already",
            hint="Wait a minute and run the command again; nothing is overwritten.",
        ) from exc
    except OSError as exc:
        raise MediaError(
            "state.write",
            f"cannot write {shown}: {exc.strerror}",
            hint="Make room, or take another folder with --state.",
        ) from exc
