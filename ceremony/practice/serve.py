"""Runs the practice Factory by hand: ``python -m ceremony.practice.serve DIR --factory NAME``."""

import signal
import threading
from pathlib import Path

import click

from ceremony.practice.factory import PracticeFactory


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--factory", required=True, help="The Factory's name, e.g. rehearsal-acme.")
@click.option("--port", default=0, show_default="a free one", help="Port of the API.")
@click.option("--tls", is_flag=True, help="Speak https, under a CA of its own.")
def main(directory: Path, factory: str, port: int, tls: bool) -> None:
    """Serves a practice Factory, with its state in DIRECTORY, until interrupted."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with PracticeFactory(directory, factory=factory, tls=tls, port=port) as practice:
        host, gateway_port = practice.gateway_address
        click.echo(f"api            {practice.url}")
        click.echo(f"factory        {factory}")
        click.echo(f"token file     {practice.token_file}")
        if practice.ca_file is not None:
            click.echo(f"ca file        {practice.ca_file}")
        click.echo(f"user id        {practice.authority.users[0].polis_id}")
        click.echo(f"oauth          {practice.oauth_url}")
        click.echo(f"oauth client   {practice.client_id} (its secret: state.json)")
        click.echo(f"gateway        {practice.gateway_name} at {host}:{gateway_port}")
        click.echo("Interrupt to stop.")
        ended.wait()


if __name__ == "__main__":
    main()
