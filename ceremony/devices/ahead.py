"""Taking from an iterator in a thread, some items ahead of whoever uses them."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")
_WAIT_S = 0.1


class _End:
    """What the thread puts last: how the iterator ended."""

    def __init__(self, cause: BaseException | None) -> None:
        self.cause = cause


class _Taker(Generic[T]):
    """The thread's side."""

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._items = items
        self.queue: Queue[T | _End] = Queue(depth)
        self.over = threading.Event()

    def run(self) -> None:
        end = _End(None)
        try:
            for item in self._items:
                self._put(item)
                if self.over.is_set():
                    return
        except BaseException as exc:  # noqa: BLE001 - it is raised where the items are used
            end = _End(exc)
        self._put(end)

    def _put(self, item: T | _End) -> None:
        while not self.over.is_set():
            with suppress(Full):
                self.queue.put(item, timeout=_WAIT_S)
                return


def ahead(items: Iterator[T], depth: int) -> Iterator[T]:
    """The same items, up to `depth` of them taken early.

    The iterator runs in the thread alone, and no longer than this generator. What it
    raises is raised here.
    """
    taker = _Taker(items, depth)
    thread = threading.Thread(target=taker.run, daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = taker.queue.get(timeout=_WAIT_S)
            except Empty:
                continue
            if not isinstance(item, _End):
                yield item
            elif item.cause is None:
                return
            else:
                raise item.cause
    finally:
        taker.over.set()
        thread.join(1)
