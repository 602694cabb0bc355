"""`ceremony fingerprint`: SHA-256 as hex groups, as words, and as a QR code."""

import json
from collections.abc import Iterable
from pathlib import Path

import click

from ceremony.bundle.inspection import fingerprint_of
from ceremony.command_line import Command
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show

SCHEMA = "ceremony-fingerprint/1"
_BLACK_ON_WHITE = "\x1b[38;2;0;0;0;48;2;255;255;255m"
_RESET = "\x1b[0m"


@click.command(name="fingerprint", cls=Command)
@click.argument(
    "paths", metavar="PATH...", type=click.Path(path_type=Path), nargs=-1, required=True
)
@click.option("--qr", is_flag=True, help="Draw the QR code too, for a phone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(paths: tuple[Path, ...], qr: bool, as_json: bool) -> int:
    """Show the SHA-256 that people compare, as hex groups and words.

    Of a certificate's DER; of a bundle's SHA256SUMS; of a plain directory: of the
    SHA256SUMS that would be written; of anything else: of its bytes.
    """
    found = [(path, *fingerprint_of(path)) for path in paths]
    if as_json:
        click.echo(json.dumps(_document(found), indent=2))
        return 0
    for index, (path, what, fingerprint) in enumerate(found):
        click.echo(("\n" if index else "") + _text(path, what, fingerprint))
        if qr:
            click.echo("\n" + "\n".join(_painted(fingerprint)), color=True)
    return 0


def _document(found: Iterable[tuple[Path, str, Fingerprint]]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "fingerprints": [
            {
                "path": show(str(path), 4096),
                "of": what,
                "sha256": fingerprint.hex,
                "groups": list(fingerprint.groups),
                "words": list(fingerprint.words),
            }
            for path, what, fingerprint in found
        ],
    }


def _text(path: Path, what: str, fingerprint: Fingerprint) -> str:
    rows = [f"  {letter}  {group}  {' '.join(words)}" for letter, group, words in fingerprint.lines]
    head = (show(str(path), 4096), f"  SHA-256 of {what}", f"  {fingerprint.hex}")
    return "\n".join((*head, *rows))


def _painted(fingerprint: Fingerprint) -> Iterable[str]:
    """Rows of half blocks, black on white: phones do not read light on dark."""
    from ceremony.bundle.qr import qr_rows

    for row in qr_rows(fingerprint.hex.upper()):
        yield f"{_BLACK_ON_WHITE}{row}{_RESET}"
