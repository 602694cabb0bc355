"""A few forked worker processes, asked in turn, answering in order.

Each has its next request at hand before it has answered the one before.

They are forked and not spawned: what they need, an opened key file among it, never
travels. A worker ends when its pipe closes, however its parent ended.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Final, Self

from ceremony.devices.ahead import ahead
from ceremony.errors import MediaError

Serve = Callable[[bytes], bytes]
Reply = Callable[[bytes], bytes | None]
_AT_HAND: Final = 2


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

    def answers(self, requests: Iterable[bytes], reply: Reply = lambda _: None) -> Iterator[bytes]:
        """One last answer for each request, in order.

        Args:
            requests: go to the workers in turn.
            reply: to an answer: what the worker is asked next about it, which it answers
                when it has answered all it was asked before; None to a last answer.

        Raises:
            MediaError: `devices.worker_ended`.
        """
        source = iter(requests)
        turns = deque(end for _ in range(_AT_HAND) for end in self._ends if self._send(end, source))
        last: dict[Connection, deque[bytes]] = {end: deque() for end in self._ends}
        while turns:
            end = turns.popleft()
            while not last[end]:
                # Whoever has something to say: a reply keeps its worker from waiting.
                for one in wait(self._ends):
                    if isinstance(one, Connection):
                        answer = _receive(one)
                        again = reply(answer)
                        if again is None:
                            last[one].append(answer)
                        else:
                            _give(one, again)
            if self._send(end, source):
                turns.append(end)
            yield last[end].popleft()

    @staticmethod
    def _send(end: Connection, source: Iterator[bytes]) -> bool:
        request = next(source, None)
        if request is None:
            return False
        _give(end, request)
        return True


def _give(end: Connection, request: bytes) -> None:
    try:
        end.send_bytes(request)
    except OSError as exc:
        raise _ended() from exc


def _receive(end: Connection) -> bytes:
    try:
        return end.recv_bytes()
    except (EOFError, OSError) as exc:
        raise _ended() from exc


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
    # More than can be at hand: whoever gives a request never waits for the worker, which
    # may be waiting for its answer to be taken.
    for request in ahead(_requests(theirs), 2 * _AT_HAND):
        answer = serve(request)
        try:
            theirs.send_bytes(answer)
        except OSError:
            break
    os._exit(0)


def _requests(theirs: Connection) -> Iterator[bytes]:
    while True:
        try:
            yield theirs.recv_bytes()
        except (EOFError, OSError):
            return
