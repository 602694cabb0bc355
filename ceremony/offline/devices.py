"""`ceremony devices`: device client certificates, one or a million."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from ceremony import config
from ceremony.bundle.media import MAX_PEM_BYTES, SUMS, read_file
from ceremony.clock import SystemClock
from ceremony.command_line import Group, ProgressLine
from ceremony.core.text import show
from ceremony.devices.batch import issue
from ceremony.devices.ledger import Device, Ledger
from ceremony.devices.order import WORKERS, Order, Summary
from ceremony.devices.policy import DeviceRules, check_uuid
from ceremony.devices.rendering import Form
from ceremony.devices.rows import Progress
from ceremony.devices.sota import DIRECTORY, sota_toml
from ceremony.devices.sources import (
    Count,
    CsrDirectory,
    CsrFile,
    Single,
    Source,
    Uuids,
    text_of,
)
from ceremony.errors import ExitStatus, PlanError, VerificationError
from ceremony.offline.floor import ca_certificates, open_ca_store
from ceremony.x509.certificate import read_certificate

SCHEMA: Final = "ceremony-devices/1"
_FILE = click.Path(path_type=Path)
_CA = click.option("--ca", type=_FILE, metavar="FILE", help="Certificate of the local CA.")
_LEDGER = click.option(
    "--ledger", type=_FILE, metavar="FILE", help="The ledger (default: CA.ledger, beside the CA)."
)


@click.group(name="devices", cls=Group)
def command() -> None:
    """Device client certificates from a local device CA."""


@command.command(name="issue", short_help="Issue certificates, one or a million.")
@click.option("--ca", type=_FILE, required=True, metavar="FILE", help="Certificate of the CA.")
@click.option("--key", type=_FILE, metavar="FILE", help="Its encrypted key (default: CA.key).")
@click.option("--plan", type=_FILE, metavar="FILE", help="Plan with the CA's token, with --name.")
@click.option("--name", metavar="NAME", help="The CA's name in the plan.")
@click.option("--root", type=_FILE, metavar="FILE", help="The root (default: factory_ca.pem).")
@click.option("--out", type=_FILE, required=True, help="DIR, or FILE.jsonl or FILE.tar.")
@click.option("--uuid", help="One device.")
@click.option("--csr", type=_FILE, metavar="FILE", help="One device that has its own key.")
@click.option("--csr-dir", type=_FILE, metavar="DIR", help="One CSR a file.")
@click.option("--csr-file", metavar="FILE|-", help="Many CSRs in PEM, one behind the other.")
@click.option("--uuids", metavar="FILE|-", help="One uuid a line; keys are made here.")
@click.option("--count", type=click.IntRange(1, 100_000_000), help="So many; random uuids.")
@click.option("--production", is_flag=True, help="businessCategory=production.")
@click.option("--days", type=click.IntRange(1, 7305), default=3650, show_default=True)
@click.option(
    "--csr-key",
    "keys",
    multiple=True,
    type=click.Choice(["P-256", "P-384", "RSA"]),
    help="Keys that CSRs may have (default: P-256); may be repeated.",
)
@click.option("--hardware-id", metavar="ID", help="Adds sota.toml; needs --tls.")
@click.option("--tls", type=_FILE, metavar="FILE", help="The Factory's tls.pem.")
@click.option("--sota-dir", default=DIRECTORY, show_default=True, help="On the device.")
@_LEDGER
@click.option(
    "--secret-file",
    metavar="FILE|-",
    help="PIN or passphrase: a file of mode 0600, or - for standard input. Default: asked.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=WORKERS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def issue_command(**given: Any) -> int:
    """Issue certificates; the same command goes on with a batch that was interrupted.

    Rows that cannot be issued are named in the results file; exit status 3 then.
    """
    at = SystemClock().now()
    order = _order(given)
    key_file, plan, name, secret = (given[k] for k in ("key", "plan", "name", "secret_file"))
    if (plan is None) != (name is None) or (plan is not None and key_file is not None):
        raise click.UsageError("--plan and --name go together, and without --key")
    ledger_path = _ledger_path(given["ca"], given["ledger"])
    ca = order.authority.ca
    with (
        Ledger(
            ledger_path, ca_sha256=ca.fingerprint.hex, factory=order.authority.factory
        ) as ledger,
        open_ca_store(
            given["ca"], ca, key_file=key_file, plan=plan, name=name, secret_file=secret
        ) as (store, key),
        ProgressLine("issuing", order.source.total, bad="refused") as line,
    ):

        def tell(progress: Progress) -> None:
            line(progress.lines, progress.refused)

        summary = issue(order, ledger=ledger, store=store, key=key, at=at, tell=tell)
    _tell(summary, ledger_path, as_json=given["as_json"])
    return ExitStatus.VERIFICATION if summary.refused else ExitStatus.DONE


def _order(given: dict[str, Any]) -> Order:
    authority = ca_certificates(given["ca"], given["root"], SystemClock().now())
    out: Path = given["out"].absolute()
    form = {".jsonl": Form.JSONL, ".tar": Form.TAR}.get(out.suffix, Form.FOLDERS)
    if form is not Form.FOLDERS and out.is_dir():
        raise click.UsageError(f"--out {out} is a directory")
    if (given["hardware_id"] is None) != (given["tls"] is None):
        raise click.UsageError("--hardware-id and --tls go together")
    sota = b""
    if given["tls"] is not None:
        tls = read_certificate(read_file(given["tls"], MAX_PEM_BYTES), str(given["tls"]))
        sota = sota_toml(tls, given["hardware_id"], given["sota_dir"])
    keys = given["keys"] or ("P-256",)
    rules = DeviceRules(
        factory=authority.factory,
        production=given["production"],
        curves=tuple(config.Curve(key) for key in keys if key != "RSA"),
        rsa="RSA" in keys,
        uuid=check_uuid(given["uuid"]) if given["uuid"] and given["csr"] else None,
    )
    return Order(
        authority=authority,
        source=_source(given),
        out=out,
        form=form,
        rules=rules,
        days=given["days"],
        sota=sota,
        workers=given["workers"],
    )


def _source(given: dict[str, Any]) -> Source:
    kinds = ("csr", "csr_dir", "csr_file", "uuids", "count")
    named = [kind for kind in kinds if given[kind] is not None]
    if given["uuid"] is not None and not named:
        return Single("", check_uuid(given["uuid"]).encode(), csrs=False)
    if len(named) != 1 or (given["uuid"] is not None and named != ["csr"]):
        raise click.UsageError(
            "give one of --uuid, --csr, --csr-dir, --csr-file, --uuids and --count"
            " (--uuid and --csr may go together)"
        )
    match named[0]:
        case "csr":
            path: Path = given["csr"]
            return Single(show(path.name), read_file(path, MAX_PEM_BYTES), csrs=True)
        case "csr_dir":
            return CsrDirectory(given["csr_dir"])
        case "csr_file":
            stream = sys.stdin.buffer if given["csr_file"] == "-" else None
            return CsrFile(None if stream else Path(given["csr_file"]), stream)
        case "uuids":
            stream = sys.stdin.buffer if given["uuids"] == "-" else None
            return Uuids(None if stream else Path(given["uuids"]), stream)
        case _:
            return Count(given["count"])


def _ledger_path(ca: Path | None, ledger: Path | None) -> Path:
    if ledger is not None:
        return ledger
    if ca is None or not ca.name:
        raise click.UsageError("give --ca or --ledger")
    path = ca.with_suffix(".ledger")
    if (ca.parent / SUMS).exists() and not path.exists():
        raise PlanError(
            "devices.ledger_place",
            f"{show(str(ca.parent))} is a bundle: a ledger in it would be a file too many",
            hint="Copy the CA's files to a folder of its own, or name the ledger with --ledger.",
        )
    return path


def _tell(summary: Summary, ledger: Path, *, as_json: bool) -> None:
    if summary.before:
        click.echo("this batch was complete before; nothing was issued now", err=True)
    elif summary.clamped:
        click.echo(
            f"the CA ends before the validity that was asked for: notAfter is its own,"
            f" {summary.not_after:%Y-%m-%d}",
            err=True,
        )
    if summary.refused:
        many = "1 row was" if summary.refused == 1 else f"{summary.refused} rows were"
        click.echo(f"{many} refused; {summary.results} says why", err=True)
        if summary.refused + summary.issued == 1:
            only = json.loads(summary.results.read_text(encoding="utf-8"))
            click.echo(f"{show(only['message'], 1000)} [{only['code']}]", err=True)
    if as_json:
        document = {
            "schema": SCHEMA,
            "out": str(summary.out),
            "results": str(summary.results),
            "ledger": str(ledger.absolute()),
            "issued": summary.issued,
            "refused": summary.refused,
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"{summary.issued} issued in {summary.out}; ledger {ledger}", err=True)
    click.echo(os.fsencode(summary.out))


@command.command(name="list", short_help="Every certificate of the ledger, and its batches.")
@_CA
@_LEDGER
@click.option("--out", type=_FILE, help="Only what was written there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_command(ca: Path | None, ledger: Path | None, out: Path | None, as_json: bool) -> None:
    """Every certificate of the ledger, one a line; and its batches."""
    with Ledger(_ledger_path(ca, ledger), ca_sha256=None) as opened:
        for batch in opened.batches():
            state = f"complete {batch.ended}" if batch.ended else "not complete"
            reached = batch.done
            click.echo(
                f"batch {batch.id}: {show(batch.out)}: {reached.issued} issued,"
                f" {reached.refused} refused, {state}",
                err=True,
            )
        where = None if out is None else text_of(out)
        _write(opened.devices(where), as_json=as_json)


@command.command(name="find", short_help="Certificates by uuid, serial or key.")
@_CA
@_LEDGER
@click.argument("text")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def find_command(ca: Path | None, ledger: Path | None, text: str, as_json: bool) -> None:
    """Certificates by uuid, serial number or SHA-256 of the key.

    Eight characters of the beginning are enough, but for a serial in decimal. At most
    a hundred are shown.
    """
    with Ledger(_ledger_path(ca, ledger), ca_sha256=None) as opened:
        found = opened.find(text)
    _write(iter(found), as_json=as_json)
    if not found:
        raise VerificationError(
            "devices.not_found",
            f"the ledger knows no '{show(text, 100)}'",
            hint="Give eight characters or more of uuid, serial or key; or another --ledger.",
        )


def _write(devices: Iterator[Device], *, as_json: bool) -> None:
    with _document(as_json):
        for number, one in enumerate(devices):
            if not as_json:
                where = f"{show(one.out, 1000)}:{one.line}"
                click.echo(f"{one.uuid}  {one.serial}  {one.not_after}  {where}")
                continue
            row = {
                "uuid": one.uuid,
                "serial": str(int(one.serial, 16)),
                "serial_hex": one.serial,
                "key_sha256": one.key_sha256,
                "not_after": one.not_after,
                "out": one.out,
                "line": one.line,
            }
            click.echo(f"{',' if number else ''}\n  {json.dumps(row)}", nl=False)


@contextmanager
def _document(as_json: bool) -> Iterator[None]:
    """A JSON document around rows that never are in memory together."""
    if as_json:
        click.echo(f'{{"schema": "{SCHEMA}", "devices": [', nl=False)
    yield
    if as_json:
        click.echo("\n]}")
