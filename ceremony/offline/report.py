"""`ceremony report`: the report of a finished or unfinished ceremony."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from ceremony import config
from ceremony.bundle.media import is_name, read_file
from ceremony.command_line import Command
from ceremony.config import Plan
from ceremony.documents.entries import Entries
from ceremony.documents.evidence import certificates_on_record
from ceremony.documents.report import report
from ceremony.errors import MediaError, VerificationError
from ceremony.offline.paper import check_output, write_document
from ceremony.record.chain import MAX_RECORD_BYTES, Line, verify_chain, whole_lines
from ceremony.x509.certificate import MAX_BYTES, Certificate

_RECORD = "record.jsonl"
_PLAN = "plan.toml"
_CERTIFICATES = "certificates"


@click.command(name="report", cls=Command)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write: .html, .txt or .pdf. Without it, text on standard output.",
)
def command(directory: Path, output: Path | None) -> int:
    """The report of the ceremony in DIR: its folder, or its evidence.

    The chain of its record is checked first. Whether the record is complete is shown only
    by its head on paper: compare it with the head on the report's first page.
    """
    check_output(output)
    lines = read_record(directory)
    plan = read_plan(directory, lines)
    certificates = read_certificates(directory, lines)
    write_document(report(lines, plan=plan, certificates=certificates), output)
    return 0


def read_record(directory: Path) -> tuple[Line, ...]:
    """The record in a ceremony's folder or evidence, its chain verified.

    Raises:
        MediaError: `report.no_record`, or as `read_file`.
        VerificationError: `record.*`.
    """
    if not (directory / _RECORD).exists():
        raise MediaError(
            "report.no_record",
            f"there is no {_RECORD} in this folder",
            hint="Name a ceremony's folder or its evidence; 'ceremony history' lists them.",
        )
    raw = read_file(directory / _RECORD, MAX_RECORD_BYTES)
    whole = whole_lines(raw)
    if len(whole) != len(raw):
        click.echo(
            f"note: the last line was cut off while it was written; {len(raw) - len(whole)} "
            "bytes are left out",
            err=True,
        )
    return verify_chain(whole)


def read_plan(directory: Path, lines: Iterable[Line]) -> Plan | None:
    """The plan beside the record, or None where there is none.

    Raises:
        VerificationError: `report.plan`: it is not the plan on record.
    """
    path = directory / _PLAN
    if not path.exists():
        return None
    found = config.parse(read_file(path, config.MAX_PLAN_BYTES))
    opened = Entries(tuple(lines)).find("open")
    if opened is None or opened.text("plan_sha256") != found.fingerprint.hex:
        raise VerificationError(
            "report.plan",
            f"{_PLAN} is not the plan on record",
            hint="Compare it with the approved script; its words are on page 1.",
        )
    return found.plan


def read_certificates(directory: Path, lines: Sequence[Line]) -> Mapping[str, Certificate]:
    """Certificates that lie beside the record or in its folder `certificates`, by name."""
    files: dict[str, bytes] = {}
    for line in lines:
        file = str(line.data.get("file"))
        if line.type != "done" or not is_name(file):
            continue
        for path in (directory / file, directory / _CERTIFICATES / file):
            if path.exists():
                files[file] = read_file(path, MAX_BYTES)
                break
    return certificates_on_record(lines, files)
