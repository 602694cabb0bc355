"""The module's own process: ``python -I -m ceremony.keys.child FD FD MODULE``.

It reads requests from the first descriptor and answers on the second; its standard
streams lead nowhere, so nothing that a vendor's module prints reaches the ceremony.
It ends when the request pipe closes: at once between calls; within a call when that call
is over, or its time is up. A module that is cut off while it writes to its token can ruin
it, so a ceremony that was killed lets the one call finish, and no other begin.
"""

import ctypes
import os
import resource
import select
import sys
import threading
import time
from contextlib import suppress

from ceremony.keys import protocol as p
from ceremony.keys.dispatch import dispatch
from ceremony.keys.session import Session, guarded

PARAMETERS = "NSS_LIB_PARAMS"
_PR_SET_DUMPABLE = 4
_STDERR = 2


def refuse_core_dumps() -> None:
    """A module that crashes leaves the PIN neither in a file nor with a `core_pattern` pipe.

    The parent's limit of 1 byte is kept: 0 stops files only (core(5)). What the parent said
    with PR_SET_DUMPABLE ended with `execve` (prctl(2)), so it is said again.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 0 if hard == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def keep_descriptors() -> None:
    """A program that the module starts inherits neither the pipes nor the ceremony's lock."""
    with os.scandir("/proc/self/fd") as found:
        numbers = [int(each.name) for each in found]
    for number in numbers:
        if number > _STDERR:
            with suppress(OSError):  # the listing's own is closed already
                os.set_inheritable(number, False)


def main(arguments: list[str]) -> None:
    """Serves requests until `Finish`, or until the pipe closes; does not return.

    The variable NSS_LIB_PARAMS is not the module's but ours: the parameter string for
    C_Initialize, which NSS softokn needs.
    """
    requests, answers = int(arguments[0]), int(arguments[1])
    refuse_core_dumps()
    keep_descriptors()
    os.umask(0o077)
    parent = _Parent(requests)
    parameters = os.environ.pop(PARAMETERS, None)
    session: Session | None = None

    def answer() -> p.Answer:
        nonlocal session
        if session is None:
            session = Session(arguments[2], parameters)
        return dispatch(session, request)

    while True:
        request, timeout_s = _read_call(requests)
        parent.waits(timeout_s)
        _write(answers, guarded(answer))
        if isinstance(request, p.Finish):
            os._exit(0)


class _Parent:
    """The ceremony at the other end of the request pipe, watched from a thread."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._until = 0.0
        threading.Thread(target=self._outlive, daemon=True).start()

    def waits(self, timeout_s: float) -> None:
        """A call begins; not if nobody is there any more who asked for it."""
        self._until = time.monotonic() + timeout_s
        if self._gone(0):
            os._exit(0)

    def _gone(self, timeout_ms: int | None) -> bool:
        """Whether the other end is closed (POLLHUP), or will be within that time."""
        poll = select.poll()
        poll.register(self._requests, 0)
        return bool(poll.poll(timeout_ms))

    def _outlive(self) -> None:
        """Once the ceremony is gone, this process lives until its call's time is up at most."""
        self._gone(None)
        while (left_s := self._until - time.monotonic()) > 0:
            time.sleep(left_s)
        os._exit(0)


def _read_call(source: int) -> tuple[p.Request, float]:
    length, timeout_ms = p.CALL.unpack(_read_exactly(source, p.CALL.size))
    if length > p.MAX_REQUEST:
        os._exit(2)
    return p.parse_request(_read_exactly(source, length)), timeout_ms / 1000


def _read_exactly(source: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(source, size - len(parts))
        if not part:
            os._exit(0)
        parts += part
    return bytes(parts)


def _write(target: int, answer: p.Answer) -> None:
    data = p.frame(answer)
    try:
        while data:
            data = data[os.write(target, data) :]
    except BrokenPipeError:  # nobody is there any more
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
