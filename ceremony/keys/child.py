"""The module's own process: ``python -I -m ceremony.keys.child FD FD MODULE``.

It reads requests from the first descriptor and answers on the second; its standard
streams lead nowhere, so nothing that a vendor's module prints reaches the ceremony.
It ends when the request pipe closes, at once, even in the middle of a module's call:
a ceremony that was killed leaves no process that goes on making a key.
"""

import ctypes
import os
import resource
import select
import sys
import threading

from ceremony.keys import protocol as p
from ceremony.keys.dispatch import dispatch
from ceremony.keys.session import Session, guarded

PARAMETERS = "NSS_LIB_PARAMS"
_PR_SET_DUMPABLE = 4


def refuse_core_dumps() -> None:
    """A module that crashes leaves the PIN neither in a file nor with a `core_pattern` pipe.

    The parent's limit of 1 byte is kept: 0 stops files only (core(5)). What the parent said
    with PR_SET_DUMPABLE ended with `execve` (prctl(2)), so it is said again.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 0 if hard == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def main(arguments: list[str]) -> None:
    """Serves requests until `Finish`, or until the pipe closes; does not return.

    The variable NSS_LIB_PARAMS is not the module's but ours: the parameter string for
    C_Initialize, which NSS softokn needs.
    """
    requests, answers = int(arguments[0]), int(arguments[1])
    refuse_core_dumps()
    os.umask(0o077)
    threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()
    parameters = os.environ.pop(PARAMETERS, None)
    session: Session | None = None

    def answer() -> p.Answer:
        nonlocal session
        if session is None:
            session = Session(arguments[2], parameters)
        return dispatch(session, request)

    while True:
        request = p.parse_request(_read_frame(requests))
        _write(answers, guarded(answer))
        if isinstance(request, p.Finish):
            os._exit(0)


def _end_with_parent(requests: int) -> None:
    poll = select.poll()
    poll.register(requests, 0)
    poll.poll()
    os._exit(0)


def _read_frame(source: int) -> bytes:
    (length,) = p.LENGTH.unpack(_read_exactly(source, p.LENGTH.size))
    if length > p.MAX_REQUEST:
        os._exit(2)
    return _read_exactly(source, length)


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
    while data:
        data = data[os.write(target, data) :]


if __name__ == "__main__":
    main(sys.argv[1:])
