"""Findings: defects in a certificate, CSR or CRL that people weigh."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """ERROR stops; WARNING needs an acknowledgement on record; NOTE informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One defect.

    Attributes:
        code: stable dotted name, e.g. ``csr.san_unexpected``.
        where: file, slot or field it was found in; printable ASCII.
        message: one sentence; printable ASCII.
    """

    severity: Severity
    code: str
    where: str
    message: str


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that stop."""
    return tuple(f for f in findings if f.severity is Severity.ERROR)


def warnings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that need an acknowledgement."""
    return tuple(f for f in findings if f.severity is Severity.WARNING)
