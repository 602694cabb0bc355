"""Numbered checks and their verdicts: made, failed, or honestly not made."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from ceremony.core.findings import Finding, errors
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import CeremonyError, VerificationError

Case = TypeVar("Case")


class Outcome(StrEnum):
    """What a check came to."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        number: from 1, in the order they were made.
        code: of the check; of what is wrong when it failed.
        sentence: what was found, or why nothing was; printable ASCII.
    """

    number: int
    code: str
    sentence: str
    outcome: Outcome


class UncheckedError(Exception):
    """A check cannot be made; the text says why."""


def run(case: Case, checks: Sequence[tuple[str, Callable[[Case], str]]]) -> tuple[Check, ...]:
    """Makes each check in turn.

    Args:
        case: what is checked; a check may leave in it what later ones need.
        checks: code, and a function that returns a sentence, or raises `CeremonyError`
            (failed) or `UncheckedError` (not checked).
    """
    made: list[Check] = []
    for number, (code, check) in enumerate(checks, start=1):
        try:
            sentence, outcome = check(case), Outcome.OK
        except CeremonyError as exc:
            code, sentence, outcome = exc.code, exc.message, Outcome.FAILED
        except UncheckedError as exc:
            sentence, outcome = str(exc), Outcome.NOT_CHECKED
        made.append(Check(number=number, code=code, sentence=sentence, outcome=outcome))
    return tuple(made)


def failed(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Those that failed."""
    return tuple(check for check in checks if check.outcome is Outcome.FAILED)


def require(checks: Sequence[Check]) -> None:
    """Demands that no check failed.

    Raises:
        VerificationError: the code and sentence of the first that did.
    """
    for check in failed(checks):
        raise VerificationError(
            check.code,
            f"check {check.number} of {len(checks)} failed: {check.sentence}",
            hint="Do not use it; 'ceremony verify' lists every check.",
        )


def refuse_findings(findings: Iterable[Finding]) -> None:
    """Turns ERROR findings into a failed check.

    Raises:
        VerificationError: the code of the first; the sentence tells them all.
    """
    found = errors(findings)
    if found:
        told = "; ".join(f"{one.where}: {one.message}" for one in found)
        raise VerificationError(found[0].code, told, hint="Do not use this certificate.")


def check_expected(found: Fingerprint, expect: Fingerprint | None, what: str) -> str:
    """Compares a fingerprint with the one on paper.

    Raises:
        VerificationError: `fingerprint.differs`.
        UncheckedError: nothing is expected.
    """
    if expect is None:
        raise UncheckedError(f"{what} is {found.hex}: compare it with the paper (--expect)")
    if found != expect:
        raise VerificationError(
            "fingerprint.differs",
            f"{what} is {found.hex}, expected was {expect.hex}",
            hint="Stop, and find out which of the two is not the original.",
        )
    return f"{what} is as expected"
