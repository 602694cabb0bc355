"""A few forked worker processes, asked in turn, answering in order.

They are forked and not spawned: what they need, an opened key file among it, never
travels. A worker ends when its pipe closes, however its parent ended.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Self

from ceremony.errors import MediaError

Serve = Callable[[bytes], bytes]


class Pool:
    """Use as a context manager, before the process has threads or locks.

    Args:
        size: how many.
        serve: what each does with a request.
    """

    def __init__(self, size: int, serve: Serve) -> None:
        fork = multiprocessing.get_context("fork")
        self._ends: list[Connection] = []
        self._processes = []
        for _ in range(size):
            ours, theirs = multiprocessing.Pipe()
            process = fork.Process(target=_run, args=(theirs, [*self._ends, ours], serve))
            process.daemon = True
            process.start()
            theirs.close()
            self._ends.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.join(1)
            if process.is_alive():
                process.kill()
                process.join()

    def answers(self, requests: Iterable[bytes]) -> Iterator[bytes]:
        """One answer for each request, in order; each worker has one at a time.

        Raises:
            MediaError: `devices.worker_ended`.
        """
        source = iter(requests)
        waiting: list[Connection] = []
        for end in self._ends:
            if not self._send(end, source):
                break
            waiting.append(end)
        while waiting:
            end = waiting.pop(0)
            try:
                answer = end.recv_bytes()
            except (EOFError, OSError) as exc:
                raise _ended() from exc
            if self._send(end, source):
                waiting.append(end)
            yield answer

    @staticmethod
    def _send(end: Connection, source: Iterator[bytes]) -> bool:
        request = next(source, None)
        if request is None:
            return False
        try:
            end.send_bytes(request)
        except OSError as exc:
            raise _ended() from exc
        return True


def _ended() -> MediaError:
    return MediaError(
        "devices.worker_ended",
        "a worker process ended before its work was done",
        hint="Look for a lack of memory; the same command goes on where it stopped.",
    )


def _run(theirs: Connection, others: list[Connection], serve: Serve) -> None:
    """A worker's life. It holds no end but its own, so that it sees its parent's end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for end in others:
        end.close()
    while True:
        try:
            request = theirs.recv_bytes()
        except (EOFError, OSError):
            os._exit(0)
        answer = serve(request)
        try:
            theirs.send_bytes(answer)
        except OSError:
            os._exit(0)
