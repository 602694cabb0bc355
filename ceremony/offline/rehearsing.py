"""`ceremony rehearse`: starts the practice as a process of its own.

Nothing of the room imports `ceremony.practice`, so that its network code cannot be
reached from here.
"""

import os
import sys
from pathlib import Path

import click

from ceremony.command_line import Command
from ceremony.config import Kind
from ceremony.installation import example_plan


@click.command(name="rehearse", cls=Command)
@click.argument("plan", type=click.Path(path_type=Path), required=False)
@click.option("--auto", is_flag=True, help="Scripted officers; no terminal needed.")
@click.option("--plain", is_flag=True, help="Plain lines instead of the wizard.")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in Kind]), help="Another kind than the plan's."
)
@click.option(
    "--key-store",
    type=click.Choice(["pkcs11", "file"]),
    help="Where the root key lives (default: pkcs11 where a module is found).",
)
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Keep everything there, or go on there."
)
@click.option(
    "--serve",
    is_flag=True,
    help="Serve the practice Factory that --keep kept, until interrupted.",
)
def command(
    plan: Path | None,
    auto: bool,
    plain: bool,
    kind: str | None,
    key_store: str | None,
    keep: Path | None,
    serve: bool,
) -> None:
    """A whole practice ceremony on this machine, from fetch to a device's first request.

    The factory becomes `rehearsal-<factory>`, API and token are replaced by practice ones.
    PLAN defaults to ceremony.toml here, or else to the example that is installed.
    """
    if serve and keep is None:
        raise click.UsageError("--serve needs --keep")
    own = plan or (keep / "plan.toml" if serve and keep is not None else _own_plan())
    arguments = [sys.executable, "-I", "-m", "ceremony.practice", str(own)]
    arguments += ["--serve"] if serve else []
    if auto or not ((sys.stdin.isatty() and sys.stdout.isatty()) or plain):
        arguments.append("--auto")
    arguments += ["--plain"] if plain else []
    for name, value in (("--kind", kind), ("--key-store", key_store), ("--keep", keep)):
        arguments += [name, str(value)] if value is not None else []
    # In this process: whoever ends it ends the practice.
    os.execve(sys.executable, arguments, os.environ)  # noqa: S606 - no shell


def _own_plan() -> Path:
    here = Path("ceremony.toml")
    if here.exists():
        return here
    example = example_plan()
    if example is None:
        return here
    click.echo(f"No ceremony.toml here: this rehearses the example, {example}", err=True)
    return example
