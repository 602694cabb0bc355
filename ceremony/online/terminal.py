"""The terminal of the online machine: words on stderr, questions to whoever sits there."""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO

from ceremony.bundle.qr import qr_rows
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import PlanError
from ceremony.online.screen import Screen

_BLACK_ON_WHITE = "\x1b[38;2;0;0;0;48;2;255;255;255m"
_RESET = "\x1b[0m"


def screen() -> Screen:
    """Everything on stderr; spinner and QR code only on a terminal."""
    return Screen(out=say, busy=busy, paint=paint)


def say(line: str) -> None:
    """One line of words."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def busy(title: str) -> AbstractContextManager[object]:
    """A spinner beside `title`, on a terminal."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console
    from rich.text import Text

    return Console(stderr=True, highlight=False).status(Text(f"{title} ..."))


def paint(fingerprint: Fingerprint) -> None:
    """The QR code of the hex digits, black on white: phones read no other."""
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        return
    say("")
    for row in qr_rows(fingerprint.hex.upper()):
        say(f"{_BLACK_ON_WHITE}{row}{_RESET}")


def ask(question: str, *, instead: str) -> str:
    """Asks whoever sits at the terminal, also when standard input is something else.

    Args:
        question: what is asked.
        instead: the option that answers it where there is no terminal.

    Raises:
        PlanError: `online.no_terminal`.
    """
    with _terminal(instead) as source:
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        line = source.readline()
    if not line:
        raise KeyboardInterrupt  # end of input: nobody is there any more
    return line.strip()


@contextmanager
def _terminal(instead: str) -> Iterator[IO[str]]:
    if sys.stdin.isatty():
        yield sys.stdin
        return
    try:
        handle = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise PlanError(
            "online.no_terminal",
            "a person must answer, and there is no terminal",
            hint=f"Run it in a terminal, or give {instead}.",
        ) from exc
    with os.fdopen(handle, encoding="utf-8", errors="replace") as terminal:
        yield terminal
