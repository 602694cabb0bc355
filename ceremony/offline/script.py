"""`ceremony script`: the numbered script for the day."""

from pathlib import Path

import click

from ceremony import __version__, config
from ceremony.command_line import Command
from ceremony.documents.script import script
from ceremony.offline.paper import check_output, write_document


@click.command(name="script", cls=Command)
@click.argument("plan", type=click.Path(path_type=Path), default="ceremony.toml")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write: .html, .txt or .pdf. Without it, text on standard output.",
)
def command(plan: Path, output: Path | None) -> int:
    """The numbered script for the day, with the words of PLAN (default: ceremony.toml).

    Print it on another machine than the laptop of the room: the officers type the plan's
    words back from it.
    """
    check_output(output)
    write_document(script(config.load(plan), tool_version=__version__), output)
    return 0
