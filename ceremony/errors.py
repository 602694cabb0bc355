"""The one error tree, and the exit statuses that go with it.

Three channels, never mixed: a program bug raises outside this tree; the world
refusing raises `CeremonyError`; defects that people weigh are `Finding` values.
"""

from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """Exit statuses of both programs (house: command contract)."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    VERIFICATION = 3
    KEY_STORE = 4
    MEDIA = 5
    NETWORK = 6
    STOPPED = 7
    EXCEPTIONS = 8
    INTERRUPTED = 130


class CeremonyError(Exception):
    """The world refused.

    Args:
        code: stable dotted name, e.g. ``token.label_taken``; the same code names
            the test, the record line and the row in the README's table.
        message: one plain sentence. Foreign text in it must already be escaped.
        hint: what to do, starting with a verb.
    """

    status: ClassVar[ExitStatus] = ExitStatus.INTERNAL

    def __init__(self, code: str, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"


class PlanError(CeremonyError):
    """The plan, a setting or the command line is wrong."""

    status = ExitStatus.USAGE


class VerificationError(CeremonyError):
    """Something that was checked is not what it should be."""

    status = ExitStatus.VERIFICATION


class KeyStoreError(CeremonyError):
    """A token, its module, or a key file refused."""

    status = ExitStatus.KEY_STORE


class MediaError(CeremonyError):
    """A stick, a directory or a file refused."""

    status = ExitStatus.MEDIA


class NetworkError(CeremonyError):
    """The API, the gateway or the network refused."""

    status = ExitStatus.NETWORK


class StoppedError(CeremonyError):
    """An officer, or a rule that no officer may override, stopped the ceremony."""

    status = ExitStatus.STOPPED
