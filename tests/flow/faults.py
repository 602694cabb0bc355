"""Numbered points: every effect on the disk and every call to a key store.

At one of them something happens: the call raises, or it takes effect and then the process
is gone, or half of a write does. What is gone stays gone: the code that would clean up
runs on, but has no effect any more.
"""

import errno
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, Self, TypeVar
from unittest.mock import patch

from ceremony.config import Curve
from ceremony.core.ports import KeyInfo, KeyObject, KeyStore, StoreInfo
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError

T = TypeVar("T")
_REAL_WRITE, _REAL_OPEN = os.write, os.open


class Gone(BaseException):
    """The process is gone."""


class Act(Enum):
    """What happens at the point."""

    RAISES = "the call raises"
    AFTER = "its effect, then gone"
    HALF = "half of it, then gone"
    TREE = "its effect, then gone with every process that it started"


class Points:
    """Counts the points below a folder, and acts at one of them.

    Args:
        top: effects elsewhere are none of ours.
        at: number of the point; -1: count only.
        killed: the real thing: SIGKILL instead of an exception.
        pipes: requests to a module's process count too.
        late_s: how long after the effect the process is killed.
    """

    def __init__(
        self,
        top: Path,
        at: int = -1,
        act: Act = Act.AFTER,
        *,
        killed: bool = False,
        pipes: bool = False,
        late_s: float = 0,
    ) -> None:
        self.seen: list[tuple[str, str]] = []
        self.dead = False
        self._top, self._at, self._act = f"{top}/", at, act
        self._killed, self._pipes, self._late_s = killed, pipes, late_s

    def call(
        self,
        name: str,
        where: str,
        effect: Callable[[], T],
        half: Callable[[], object] | None = None,
    ) -> T:
        """One point."""
        if self.dead:
            raise Gone
        self.seen.append((name, where.removeprefix(self._top)))
        if len(self.seen) - 1 != self._at:
            return effect()
        if self._act is Act.RAISES:
            if name.startswith("store."):
                raise KeyStoreError("token.device", "the token failed", hint="Reconnect it.")
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        with suppress(OSError):  # a call that is refused has no effect; gone all the same
            if self._act is Act.HALF and half is not None:
                half()
            else:
                effect()
        if self._killed:
            time.sleep(self._late_s)
            if self._act is Act.TREE:
                _kill_children()
            os.kill(os.getpid(), signal.SIGKILL)
        self.dead = True
        raise Gone

    @contextmanager
    def watch(self) -> Iterator[Self]:
        """Replaces the operating system's calls for the time of the block."""
        names = ("mkdir", "rmdir", "unlink", "rename", "replace", "link")
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(patch.object(os, name, self._named(name, getattr(os, name))))
            for name in ("fsync", "ftruncate"):
                stack.enter_context(patch.object(os, name, self._held(name, getattr(os, name))))
            stack.enter_context(patch.object(os, "write", self._write))
            stack.enter_context(patch.object(os, "open", self._open))
            yield self

    def _named(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            held = kwargs.get("dir_fd", kwargs.get("src_dir_fd"))
            where = _place(path, held)
            if not where.startswith(self._top):
                return real(path, *args, **kwargs)
            return self.call(name, where, lambda: real(path, *args, **kwargs))

        return call

    def _held(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *args: Any) -> Any:
            where = _held_at(descriptor)
            if not f"{where}/".startswith(self._top):
                return real(descriptor, *args)
            return self.call(name, where, lambda: real(descriptor, *args))

        return call

    def _write(self, descriptor: int, data: Any) -> int:
        where = _held_at(descriptor)
        if not (where.startswith(self._top) or (self._pipes and where.startswith("pipe:"))):
            return _REAL_WRITE(descriptor, data)
        if where.startswith("pipe:"):
            name, where = "store.request", "module"
        else:
            name = "write"
        return self.call(
            name,
            where,
            lambda: _REAL_WRITE(descriptor, data),
            lambda: _REAL_WRITE(descriptor, bytes(data)[: len(data) // 2]),
        )

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        def real() -> int:
            return _REAL_OPEN(path, flags, mode, dir_fd=dir_fd)

        where = _place(path, dir_fd)
        if not flags & os.O_CREAT or not where.startswith(self._top) or os.path.lexists(where):
            if self.dead:
                raise Gone
            return real()
        return self.call("create", where, real)


def _kill_children() -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    for child in children.split():
        os.kill(int(child), signal.SIGKILL)


def _held_at(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _place(path: Any, dir_fd: int | None) -> str:
    folder = str(Path.cwd()) if dir_fd is None else _held_at(dir_fd)
    return str(Path(folder, os.fspath(path)))


class PointedStore(KeyStore):
    """A key store whose calls are points.

    A call that raises may have had its effect all the same: a module that crashes after it
    made a key. So a point has a second number, after the effect.
    """

    def __init__(self, store: KeyStore, points: Points) -> None:
        self._store, self._points = store, points

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._store.close()

    def info(self) -> StoreInfo:
        return self._store.info()

    def login(self, secret: Secret | None) -> None:
        self._call("login", lambda: self._store.login(secret))

    def keys(self) -> tuple[KeyInfo, ...]:
        return self._call("keys", self._store.keys)

    def objects(self, label: str, key_id: str) -> tuple[KeyObject, ...]:
        return self._store.objects(label, key_id)

    def discard(self, objects: Sequence[KeyObject]) -> None:
        self._call("discard", lambda: self._store.discard(objects))

    def generate(self, label: str, key_id: str, curve: Curve) -> KeyInfo:
        return self._call("generate", lambda: self._store.generate(label, key_id, curve))

    def sign(self, key: KeyInfo, data: bytes) -> bytes:
        return self._call("sign", lambda: self._store.sign(key, data))

    def destroy(self, key: KeyInfo) -> None:
        self._call("destroy", lambda: self._store.destroy(key))

    def _call(self, name: str, effect: Callable[[], T]) -> T:
        kind = self._store.info().kind
        made = self._points.call(f"store.{name}", f"{kind} before", effect)
        self._points.call(f"store.{name}", f"{kind} after", lambda: None)
        return made
