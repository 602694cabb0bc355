"""Where words, progress and pictures go: nowhere by default, to a terminal in the CLI."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ceremony.core.fingerprints import Fingerprint

Out = Callable[[str], None]
Busy = Callable[[str], AbstractContextManager[object]]
Paint = Callable[[Fingerprint], None]


def _silent(line: str) -> None:
    """Shows nothing."""


def _unseen(title: str) -> AbstractContextManager[object]:  # noqa: ARG001
    return nullcontext()


def _no_picture(fingerprint: Fingerprint) -> None:
    """Paints nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What a command tells while it works.

    Attributes:
        out: shows one line of plain text.
        busy: shows a title while its block runs.
        paint: shows the QR code of a fingerprint.
    """

    out: Out = _silent
    busy: Busy = _unseen
    paint: Paint = _no_picture
