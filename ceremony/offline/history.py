"""`ceremony history`: the ceremonies of a state folder."""

import json
from pathlib import Path

import click

from ceremony.command_line import Command
from ceremony.core.text import show
from ceremony.offline.environment import held_state
from ceremony.offline.store import Held, ceremonies
from ceremony.record.years import Year, years


@click.command(name="history", cls=Command)
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="State folder (default: XDG)."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(directory: Path | None, as_json: bool) -> None:
    """Every ceremony of the state folder, oldest first."""
    folder = held_state(directory)
    found = () if folder is None else ceremonies(folder)
    hanging = years({held.directory.name: held.lines for held in found})
    rows = [_row(held, hanging[held.directory.name]) for held in found]
    if as_json:
        click.echo(json.dumps({"schema": "ceremony-history/1", "ceremonies": rows}, indent=2))
        return
    if not rows:
        click.echo("no ceremonies here", err=True)
    for row in rows:
        state = "finished" if row["finished"] else f"unfinished, at {row['step']}"
        state += "; it waits for the higher CA" if row["waits"] else ""
        click.echo(f"{row['ceremony_id']}  {row['began']}  {row['factory']}  {state}")
        if row["problem"]:
            click.echo(f"  cannot be read: {row['problem']}")
        else:
            click.echo(f"  head {row['head']}  exceptions {row['exceptions']}")
            after = f"{_AFTER[str(row['link'])]} {row['follows'] or row['previous_head'] or ''}"
            click.echo(f"  {after.rstrip()}")


_AFTER = {
    "first": "after none on this laptop",
    "follows": "after",
    "broken": "BROKEN: the record before it is not here, or was replaced; its head was",
}


def _row(held: Held, year: Year) -> dict[str, object]:
    row: dict[str, object] = {
        "ceremony_id": show(held.directory.name, 64),
        "finished": held.finished,
        "waits": held.waits,
        "problem": held.problem,
        "factory": "",
        "kind": "",
        "rehearsal": None,
        "began": "",
        "last": "",
        "step": "",
        "exceptions": 0,
        "head": "",
        "previous_head": year.before,
        "link": year.link.value,
        "follows": None if year.follows is None else show(year.follows, 64),
    }
    if held.lines:
        first, last = held.lines[0], held.lines[-1]
        row |= {
            "factory": first.data["factory"],
            "kind": first.data["kind"],
            "rehearsal": first.data["rehearsal"],
            "began": first.at,
            "last": last.at,
            "step": show(last.step),
            "exceptions": sum(line.type == "exception" for line in held.lines),
            "head": last.fingerprint.hex,
        }
    return row
