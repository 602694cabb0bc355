"""`ceremony-online`: the command line of the other machine."""

import sys
from functools import partial
from pathlib import Path
from typing import Final

import click

from ceremony.command_line import CONTEXT, Group, completion, docs, version_option
from ceremony.online.floor import devices
from ceremony.process import guarded

_PLAN: Final = click.argument("plan", type=click.Path(path_type=Path), default="ceremony.toml")
_TOKEN: Final = click.option(
    "--token-file",
    metavar="FILE|-|keyring:NAME",
    help="API token: a file of mode 0600, - for standard input, or the system's keyring. "
    "Default: fioctl's login.",
)
_STATE: Final = click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="State folder; this program keeps DIR/online/. Default: the XDG state folder.",
)


@click.group(cls=Group, invoke_without_command=True, context_settings=dict(CONTEXT))
@version_option
@click.pass_context
def ceremony_online(ctx: click.Context) -> None:
    """Carry a key ceremony's requests and certificates from and to the Factory."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


ceremony_online.add_command(devices)


@ceremony_online.command(short_help="Fetch CSRs from the Factory to a stick.")
@_PLAN
@click.option(
    "--to", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The stick."
)
@click.option(
    "--yes-replaces-server-keys",
    "typed",
    metavar="FACTORY",
    help="For scripts: the Factory's name, as a person would type it.",
)
@_TOKEN
@_STATE
def fetch(
    plan: Path, to: Path, typed: str | None, token_file: str | None, state: Path | None
) -> None:
    """Fetch CSRs from the Factory into a request bundle on a stick."""
    from ceremony.config import load
    from ceremony.online import fetch as fetching
    from ceremony.online import terminal
    from ceremony.online.login import read_login

    def confirm(what: str) -> str:
        terminal.say(what)
        if typed is not None:
            return typed
        question = "Type the Factory's name to go on"
        return terminal.ask(question, instead="--yes-replaces-server-keys")

    path = fetching.fetch(
        load(plan),
        to,
        login=read_login(token_file),
        state=_state(state),
        confirm=confirm,
        screen=terminal.screen(),
    )
    click.echo(str(path))


@ceremony_online.command(short_help="Upload certificates, and compare what is there then.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--request",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The request that is answered, when it was not fetched on this machine.",
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The plan, for its CA file and proxy, when fetch did not run on this machine.",
)
@click.option("--dry-run", is_flag=True, help="Check and compare; send nothing.")
@click.option(
    "--expect",
    metavar="WORDS|HEX|FILE",
    help="For scripts: the fingerprint on paper, instead of typing eight of its words.",
)
@_TOKEN
@_STATE
def upload(
    bundle: Path,
    request: Path | None,
    plan: Path | None,
    dry_run: bool,
    expect: str | None,
    token_file: str | None,
    state: Path | None,
) -> None:
    """Upload the certificates of an upload bundle, and compare what the Factory has then."""
    from ceremony.config import load
    from ceremony.online import terminal
    from ceremony.online import upload as uploading
    from ceremony.online.login import read_login
    from ceremony.online.paper import parse_expected

    receipt = uploading.upload(
        bundle,
        login=read_login(token_file),
        state=_state(state),
        expect=None if expect is None else parse_expected(expect),
        ask=partial(terminal.ask, instead="--expect"),
        request=request,
        plan_file=None if plan is None else load(plan),
        dry_run=dry_run,
        screen=terminal.screen(),
    )
    terminal.say(str(receipt))
    if receipt.path is not None:
        click.echo(str(receipt.path))


@ceremony_online.command(short_help="Show what the Factory has today.")
@_PLAN
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@_TOKEN
def show(plan: Path, as_json: bool, token_file: str | None) -> None:
    """Show what the Factory has today."""
    from ceremony.bundle.documents import encode
    from ceremony.config import load
    from ceremony.online import terminal
    from ceremony.online.api import Api
    from ceremony.online.login import read_login
    from ceremony.online.showing import describe, lines_of

    loaded = load(plan).plan
    login = read_login(token_file)
    with terminal.busy("asking the Factory what it has"):
        api = Api(loaded.online, loaded.factory, login, rehearsal=loaded.rehearsal)
        document = describe(loaded, api.pki())
    if as_json:
        click.echo(encode(document).decode(), nl=False)
        return
    for line in lines_of(document):
        click.echo(line)


ceremony_online.add_command(docs)
ceremony_online.add_command(completion)


def _state(state: Path | None) -> Path:
    from ceremony.online.state import ONLINE, default_state

    return default_state() if state is None else state / ONLINE


def main() -> None:
    """The process entry of `ceremony-online`."""
    sys.exit(
        guarded(lambda: ceremony_online.main(prog_name="ceremony-online", standalone_mode=False))
    )
