"""`ceremony-online devices`: register what was issued, and check a device's way in."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ceremony.command_line import Group, ProgressLine

_PATH = click.Path(path_type=Path)
_TOKEN = click.option(
    "--token-file",
    metavar="FILE|-|keyring:NAME",
    help="API token: a file of mode 0600, - for standard input, or the system's keyring. "
    "Default: fioctl's login.",
)
_PLAN = click.option(
    "--plan",
    type=_PATH,
    default=Path("ceremony.toml"),
    show_default=True,
    help="For the Factory's name and its API.",
)


@click.group(
    name="devices", cls=Group, short_help="Devices: register them, check their way to the gateway."
)
def devices() -> None:
    """Devices of the factory floor: register them, check their way to the gateway."""


@devices.command(short_help="Register devices with the API, or through a service.")
@click.argument("path", type=_PATH)
@_PLAN
@click.option("--name", default="", help="Name of each device, with {uuid} in it.")
@click.option("--group", default="", help="Device group.")
@click.option("--results", type=_PATH, help="Results file (default: PATH.registered.jsonl).")
@click.option("--workers", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--service", metavar="URL", help="POST CSRs to this registration service.")
@click.option("--out", type=_PATH, help="With --service: where the devices' folders go.")
@click.option("--hardware-id", help="With --service.")
@click.option("--root", type=_PATH, help="With --service: the root that it must answer.")
@click.option("--ca-file", help="With --service: CA of its TLS certificate.")
@_TOKEN
def register(path: Path, **given: Any) -> int:
    """Register the devices in PATH (FILE.jsonl, FILE.tar, DIR or client.pem) with the API.

    The same command goes on where it stopped. With --service, PATH is a CSR or a folder of
    CSRs, and the service issues the certificates. Exit status 3 when a device failed.
    """
    from ceremony.errors import ExitStatus
    from ceremony.online.outcomes import Outcomes

    results = given["results"]
    if results is None:
        whole = path if path.name else path.absolute()
        results = whole.with_name(f"{whole.name or 'root'}.registered.jsonl")
    with Outcomes(results) as outcomes:
        if given["service"] is None:
            good, bad, skipped = _with_api(path, given, outcomes)
        else:
            good, bad, skipped = _with_service(path, given, outcomes)
    before = f", {skipped} before" if skipped else ""
    click.echo(f"{good} registered{before}, {bad} not", err=True)
    if bad:
        click.echo(f"{results} says why; the same command tries them again", err=True)
    click.echo(os.fsencode(results))
    return ExitStatus.VERIFICATION if bad else ExitStatus.DONE


def _with_api(path: Path, given: dict[str, Any], outcomes: Any) -> tuple[int, int, int]:
    from ceremony.config import load
    from ceremony.online import registration
    from ceremony.online.api import Api
    from ceremony.online.issued import count_issued, read_issued
    from ceremony.online.login import read_login

    plan = load(given["plan"]).plan
    wanted = registration.Registration(
        factory=plan.factory, name=given["name"], group=given["group"]
    )
    login = read_login(given["token_file"])
    api = Api(
        plan.online,
        plan.factory,
        login,
        rehearsal=plan.rehearsal,
        bounds=registration.BOUNDS,
    )
    with _progress(count_issued(path)) as tell:
        totals = registration.register(
            api, wanted, read_issued(path), outcomes, workers=given["workers"], tell=tell
        )
    return totals.good, totals.bad, totals.skipped


def _with_service(path: Path, given: dict[str, Any], outcomes: Any) -> tuple[int, int, int]:
    from ceremony.bundle.media import MAX_PEM_BYTES, read_file
    from ceremony.config import load
    from ceremony.online.service import Asked, Service, csr_files, send_all
    from ceremony.x509.certificate import read_certificate

    if given["out"] is None or given["hardware_id"] is None:
        raise click.UsageError("--service needs --out and --hardware-id")
    root = given["root"]
    service = Service(
        given["service"],
        ca_file=given["ca_file"],
        root=None if root is None else read_certificate(read_file(root, MAX_PEM_BYTES), "the root"),
    )
    asked = Asked(
        factory=load(given["plan"]).plan.factory,
        hardware_id=given["hardware_id"],
        name=given["name"],
    )
    files = csr_files(path)
    with _progress(len(files)) as tell:
        return send_all(service, files, asked, given["out"], outcomes, tell)


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int, int], None]]:
    with ProgressLine("registering", total, bad="not") as line:
        line(0, 0)
        yield lambda good, bad: line(good + bad, bad)


@devices.command(short_help="Would its gateway take this device? If not, why?")
@click.argument("device_dir", type=_PATH)
@click.option("--gateway", metavar="HOST[:PORT]", help="Default: from --bundle or sota.toml.")
@click.option("--bundle", type=_PATH, metavar="DIR", help="Upload bundle: its tls.pem has names.")
@click.option("--connect", metavar="HOST:PORT", help="Connect there; the name stays.")
@click.option(
    "--fetch-root", is_flag=True, help="GET /repo/1.root.json: this registers the device."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(
    device_dir: Path,
    gateway: str | None,
    bundle: Path | None,
    connect: str | None,
    fetch_root: bool,
    as_json: bool,
) -> None:
    """Check that the device in DEVICE_DIR reaches its gateway; say what stands in the way.

    A handshake and no more, so nothing changes at the platform; unless --fetch-root.
    """
    from dataclasses import replace

    from ceremony.clock import SystemClock
    from ceremony.online import gateway as gateways
    from ceremony.online import terminal

    device = gateways.read_device(device_dir, SystemClock().now())
    wanted = _gateway(device_dir, gateway, bundle)
    if connect is not None:
        there = _typed(connect)
        wanted = replace(wanted, host=there.name, port=there.port)
    if fetch_root:
        terminal.say("this is no read-only check: the first request registers the device")
        met = gateways.fetch_root(device, wanted)
    else:
        met = gateways.shake_hands(device, wanted)
    if as_json:
        document = {
            "schema": "ceremony-gateway/1",
            "uuid": device.client.common_name,
            "gateway": wanted.name,
            "port": wanted.port,
            "protocol": met.protocol,
            "gateway_sha256": met.gateway.fingerprint.hex,
            "root_json": met.document,
        }
        click.echo(json.dumps(document, indent=2))
        return
    what = "GET /repo/1.root.json: 200" if met.document else "the gateway accepts the device"
    click.echo(f"{device.client.common_name}: {what} ({wanted.name}:{wanted.port}, {met.protocol})")


def _gateway(device_dir: Path, text: str | None, bundle: Path | None) -> Any:
    from ceremony.errors import PlanError
    from ceremony.online.gateway import gateway_names, parse_gateway

    if text is not None:
        return _typed(text)
    names = gateway_names(device_dir, bundle)
    if not names:
        raise PlanError(
            "gateway.unknown",
            "nothing here says which gateway is the device's",
            hint="Give --gateway HOST, or --bundle with the upload bundle.",
        )
    return parse_gateway(names[0] if len(names) == 1 else _choose(names))


def _typed(text: str) -> Any:
    """As an option says it: that is the command line's fault, no check that failed."""
    from ceremony.errors import PlanError, VerificationError
    from ceremony.online.gateway import parse_gateway

    try:
        return parse_gateway(text)
    except VerificationError as exc:
        raise PlanError("usage.gateway", exc.message, hint=exc.hint) from exc


def _choose(names: tuple[str, ...]) -> str:
    from ceremony.core.text import show
    from ceremony.online import terminal

    terminal.say("the TLS certificate has several names; the first is usually the gateway:")
    for number, name in enumerate(names, start=1):
        terminal.say(f"  {number}  {show(name, 255)}")
    while True:
        typed = terminal.ask("Which of them", instead="--gateway")
        if typed.isascii() and typed.isdecimal() and 0 < int(typed) <= len(names):
            return names[int(typed) - 1]
        if typed in names:
            return typed
