"""`ceremony verify`: every check that can be made of a path, and what could not be checked."""

import json
from pathlib import Path
from typing import Any

import click

from ceremony import __version__
from ceremony.bundle.inspection import Inspection, inspect
from ceremony.bundle.paperwork import Maker
from ceremony.bundle.verdicts import Outcome, failed
from ceremony.clock import SystemClock
from ceremony.command_line import Command
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.documents.evidence import remake
from ceremony.errors import PlanError, VerificationError
from ceremony.installation import tool_sha256

SCHEMA = "ceremony-verify/1"


@click.command(name="verify", cls=Command)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--expect",
    metavar="WORDS|HEX",
    help="The fingerprint on paper: of the bundle, the certificate, or the record's head.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(path: Path, expect: str | None, as_json: bool) -> int:
    """Check a request, an upload bundle, evidence, a record, a ceremony, or a certificate.

    PATH is recognised by what it holds. Every check is listed with its result; what could
    not be checked is said. Exit status 3 when a check failed.
    """
    wanted = None if expect is None else parse_expected(expect)
    maker = Maker(version=__version__, sha256=tool_sha256(), remake=remake)
    found = inspect(path, expect=wanted, at=SystemClock().now(), maker=maker)
    click.echo(json.dumps(_document(path, found), indent=2) if as_json else _text(path, found))
    wrong = failed(found.checks)
    if wrong:
        raise VerificationError(
            wrong[0].code,
            f"{len(wrong)} of {len(found.checks)} checks failed: {wrong[0].sentence}",
            hint="Do not use it; keep it as it is, and find out where it was changed.",
        )
    return 0


def parse_expected(text: str) -> Fingerprint:
    """A fingerprint as people type it: 64 hex digits or 32 words.

    Raises:
        PlanError: `usage.fingerprint`: neither.
    """
    for read in (Fingerprint.from_hex, Fingerprint.from_words):
        try:
            return read(text)
        except ValueError:
            continue
    raise PlanError(
        "usage.fingerprint",
        "--expect is neither 64 hex digits nor 32 words",
        hint="Put the words of lines A to H in quotes, in that order.",
    )


def _document(path: Path, found: Inspection) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "path": show(str(path), 4096),
        "subject": found.subject.value,
        "fingerprint": found.fingerprint.hex,
        "words": list(found.fingerprint.words),
        "ok": not failed(found.checks),
        "checks": [
            {
                "number": check.number,
                "code": check.code,
                "outcome": check.outcome.value,
                "sentence": check.sentence,
            }
            for check in found.checks
        ],
    }


_MARKS = {Outcome.OK: "ok", Outcome.FAILED: "FAILED", Outcome.NOT_CHECKED: "not checked"}


def _text(path: Path, found: Inspection) -> str:
    counts = {mark: sum(c.outcome is mark for c in found.checks) for mark in Outcome}
    rows = [
        f"{check.number:3}  {_MARKS[check.outcome]:11}  {check.code}: {check.sentence}"
        for check in found.checks
    ]
    return "\n".join(
        (
            f"{show(str(path), 4096)}: {found.subject.value}",
            f"fingerprint {found.fingerprint.hex}",
            "",
            *rows,
            "",
            ", ".join(f"{count} {mark.value}" for mark, count in counts.items()),
        )
    )
