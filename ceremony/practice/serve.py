"""Serves a practice Factory until it is interrupted.

``ceremony rehearse --serve --keep DIR`` does it for the Factory that a rehearsal left in
DIR; ``python -m ceremony.practice.serve DIR --factory NAME`` for one that is alone.
"""

import shlex
import signal
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import click

from ceremony import config
from ceremony.errors import PlanError
from ceremony.practice.factory import PracticeFactory
from ceremony.practice.registration import RegistrationService
from ceremony.practice.runs import Run, kept_factory


def serve_kept(directory: Path) -> None:
    """Serves the practice Factory of a rehearsal's folder, at the address in its plan.

    A folder ``pki`` in it, as ``ceremony pki export`` writes one, is served by a registration
    service.

    Raises:
        PlanError: `practice.nothing_kept`.
    """
    plan_path = Run(directory=directory, number=1).plan
    if not plan_path.exists():
        raise PlanError(
            "practice.nothing_kept",
            "no rehearsal was kept in this folder",
            hint=f"Hold one first: ceremony rehearse --auto --keep {shlex.quote(str(directory))}",
        )
    plan = config.load(plan_path).plan
    with kept_factory(directory, plan) as practice:
        host, port = practice.gateway_address
        folder, token = shlex.quote(str(plan_path)), shlex.quote(str(practice.token_file))
        gateway = f"--gateway {practice.gateway_name} --connect {host}:{port}"
        _serve(
            practice,
            directory / "pki",
            {
                "register": "ceremony-online devices register BATCH"
                f" --plan {folder} --token-file {token}",
                "check": f"ceremony-online devices check DEVICE_DIR {gateway}",
            },
        )


def _serve(practice: PracticeFactory, pki: Path | None, more: Mapping[str, str]) -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        host, gateway_port = practice.gateway_address
        lines = {
            "api": practice.url,
            "factory": practice.factory,
            "token file": str(practice.token_file),
            **({"ca file": str(practice.ca_file)} if practice.ca_file is not None else {}),
            "user id": practice.authority.users[0].polis_id,
            "oauth": practice.oauth_url,
            "oauth client": f"{practice.client_id} (its secret: state.json)",
            "gateway": f"{practice.gateway_name} at {host}:{gateway_port}",
        }
        if pki is not None and (pki / "local-ca.key").exists():
            service = RegistrationService(pki)
            service.start()
            stack.callback(service.stop)
            lines["service"] = service.url
        for name, value in {**lines, **more}.items():
            click.echo(f"{name:15}{value}")
        click.echo("Interrupt to stop.")
        ended.wait()


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--factory", required=True, help="The Factory's name, e.g. rehearsal-acme.")
@click.option("--port", default=0, show_default="a free one", help="Port of the API.")
@click.option("--tls", is_flag=True, help="Speak https, under a CA of its own.")
@click.option(
    "--pki",
    type=click.Path(path_type=Path, file_okay=False),
    help="PKI folder for a registration service.",
)
def main(directory: Path, factory: str, port: int, tls: bool, pki: Path | None) -> None:
    """Serves a practice Factory, with its state in DIRECTORY, until interrupted."""
    with PracticeFactory(directory, factory=factory, tls=tls, port=port) as practice:
        _serve(practice, pki, {})


if __name__ == "__main__":
    main()
