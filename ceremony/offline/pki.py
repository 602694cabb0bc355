"""`ceremony pki`: PKI directories of fioctl and of the OpenSSL recipe, in and out.

Keys come in plain or encrypted, and are kept in the encrypted form of this program, where
later ceremonies look for them. They go out only when asked for, and never the root's.
"""

from pathlib import Path
from typing import Final

import click

from ceremony.bundle.media import read_file
from ceremony.bundle.writing import make_folder, write_file
from ceremony.command_line import Group
from ceremony.config import load
from ceremony.core.findings import Finding, Severity
from ceremony.core.text import show
from ceremony.errors import MediaError, PlanError, VerificationError
from ceremony.keys import pkcs8
from ceremony.offline.environment import state_folder
from ceremony.offline.pki_keys import (
    CAP,
    new_folder,
    passphrase,
    read_key,
    read_plain_key,
    token_key,
    write_new,
)
from ceremony.x509.certificate import Certificate, read_certificate, verify_signed_by
from ceremony.x509.checks import check_certificate
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import Role

# Role, then the names that fioctl, the documentation's recipe and upload bundles use.
_CERTIFICATES: Final = (
    (Role.TLS, ("tls-crt", "tls.pem")),
    (Role.ONLINE_CA, ("online-crt", "online_ca.pem")),
    (Role.LOCAL_CA, ("local-ca.pem", "local_ca.pem")),
)
_IMPORTED: Final = "local_ca-imported"
_LOCAL_CA: Final = "local-ca.pem"
_LOCAL_KEYS: Final = ("local-ca.key", "local_ca.key")
_MARKS: Final = {Severity.ERROR: "ERROR", Severity.WARNING: "warning", Severity.NOTE: "note"}


@click.group(name="pki", cls=Group)
def command() -> None:
    """PKI directories of fioctl, and of the documentation's OpenSSL recipe."""


@command.command(name="import", short_help="Adopt a root of fioctl or of the OpenSSL recipe.")
@click.argument("directory", metavar="PKI_DIR", type=click.Path(path_type=Path))
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path),
    metavar="PLAN",
    help="A plan of a later ceremony: its token is opened, and the root's key found on it.",
)
@click.option("--label", default="root-ca", help="root.label of plans to come (default: root-ca).")
@click.option(
    "--pin-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PIN of that token: a file of mode 0600. Default: asked for.",
)
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="New passphrase of the kept keys: a file of mode 0600. Default: asked for.",
)
@click.option(
    "--old-passphrase-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Passphrase of encrypted keys in PKI_DIR. Default: asked for.",
)
@click.option(
    "--dir", "state", type=click.Path(path_type=Path), help="State folder (default: XDG)."
)
def import_command(
    directory: Path,
    plan_path: Path | None,
    label: str,
    pin_file: Path | None,
    passphrase_file: Path | None,
    old_passphrase_file: Path | None,
    state: Path | None,
) -> int:
    """Adopt a root that fioctl or the OpenSSL recipe made.

    Every way in which the old certificates depart from the profiles is told. A key file is
    kept encrypted where later ceremonies look first. With --plan, a key on the plan's token
    is found by the public key in factory_ca.pem and by its label, and signs a challenge.
    """
    root = _read(directory, ("factory_ca.pem",))
    if root is None:
        raise _missing(directory / "factory_ca.pem")
    found = _others(directory, root)
    errors = _tell(root, found)
    plan = None if plan_path is None else load(plan_path).plan
    if plan is not None:
        label = plan.root.label
    keys = [(label, "factory_ca.key", root)]
    local = next((one for role, one in found if role is Role.LOCAL_CA), None)
    keys += [(_IMPORTED, name, local) for name in _LOCAL_KEYS if local is not None]
    there = [row for row in keys if (directory / row[1]).exists()]
    encrypted: dict[str, bytes] = {}
    if there:
        new = passphrase(passphrase_file, "New passphrase of the kept keys: ", twice=True)
        for stem, file, certificate in there:
            key = read_key(directory / file, certificate, old_passphrase_file)
            encrypted[f"{stem}.key"] = pkcs8.encrypt(key, new)
    said = ""
    if plan is not None and plan.root.key_store == "token":
        said = token_key(plan, root, pin_file)
    folder = make_folder(state_folder(state), f"imported-{root.fingerprint.hex[:16]}")
    _keep(folder, root, local)
    for name, data in encrypted.items():
        path = make_folder(folder, "keys")
        write_new(path, name, data)
        click.echo(f"kept {path / name}, encrypted")
    if encrypted:
        click.echo("openssl takes their passphrase in lower case, one hyphen between its words")
    if not said and not any(file == "factory_ca.key" for _, file, _ in there):
        said = "no factory_ca.key: if the root's key is on a token, look for it with --plan"
    click.echo(said, nl=bool(said))
    if errors:
        raise VerificationError(
            errors[0].code,
            f"{errors[0].where}: {errors[0].message}",
            hint="Read the list above; this certificate cannot do its work.",
        )
    return 0


@command.command(name="export", short_help="Write certificates under fioctl's file names.")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--to", required=True, type=click.Path(path_type=Path), metavar="PKI_DIR", help="New folder."
)
@click.option("--local-ca", metavar="NAME", help="Which local CA becomes local-ca.pem.")
@click.option(
    "--local-ca-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its encrypted key, to be DECRYPTED into local-ca.key for the registration service.",
)
@click.option(
    "--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Of that key."
)
@click.option(
    "--root-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="factory_ca.key as a ceremony of the kind export-root-key wrote it.",
)
def export_command(
    directory: Path,
    to: Path,
    local_ca: str | None,
    local_ca_key: Path | None,
    passphrase_file: Path | None,
    root_key: Path | None,
) -> int:
    """Write the certificates of an upload bundle under fioctl's file names, mode 0400.

    The root's key is decrypted behind a fence alone: by a ceremony of the kind
    export-root-key. What that wrote is checked and copied with --root-key.
    """
    root = _read(directory, ("factory_ca.pem",))
    if root is None:
        raise _missing(directory / "factory_ca.pem")
    found = _under_fioctls_names(directory, root, local_ca)
    files = {name: write_pem(one.der, CERTIFICATE) for name, one in found.items()}
    if root_key is not None:
        files["factory_ca.key"] = pkcs8.sec1(read_plain_key(root_key, root))
    if local_ca_key is not None:
        if _LOCAL_CA not in found:
            raise _missing(directory / "local_ca-NAME.pem")
        key = read_key(local_ca_key, found[_LOCAL_CA], passphrase_file)
        files["local-ca.key"] = pkcs8.sec1(key)
    new_folder(to)
    for name, data in files.items():
        write_new(to, name, data, mode=0o400)
        click.echo(str(to / name))
    return 0


def _under_fioctls_names(
    directory: Path, root: Certificate, local_ca: str | None
) -> dict[str, Certificate]:
    """Those that are there, each signed by the root."""
    names = sorted(path.stem.removeprefix("local_ca-") for path in directory.glob("local_ca-*.pem"))
    if local_ca is None and len(names) > 1:
        raise PlanError(
            "pki.local_ca",
            f"there are several local CAs: {', '.join(show(name) for name in names)}",
            hint="Choose one with --local-ca NAME.",
        )
    if local_ca is not None and local_ca not in names:
        raise _missing(directory / f"local_ca-{local_ca}.pem")
    sources = {"tls-crt": "tls.pem", "online-crt": "online_ca.pem"}
    if local_ca or names:
        sources[_LOCAL_CA] = f"local_ca-{local_ca or names[0]}.pem"
    found = {"factory_ca.pem": root}
    for target, source in sources.items():
        one = _read(directory, (source,))
        if one is not None:
            verify_signed_by(one, root)
            found[target] = one
    return found


def _keep(folder: Path, root: Certificate, local: Certificate | None) -> None:
    certificates = make_folder(folder, "certificates")
    for name, one in (("factory_ca", root), (_IMPORTED, local)):
        if one is not None:
            pem = write_pem(one.der, CERTIFICATE)
            write_file(certificates, f"{name}.pem", pem, private=True)


# --- reading -------------------------------------------------------------------------


def _read(directory: Path, names: tuple[str, ...]) -> Certificate | None:
    for name in names:
        if name and (directory / name).is_file():
            return read_certificate(read_file(directory / name, CAP), name)
    return None


def _others(directory: Path, root: Certificate) -> list[tuple[Role, Certificate]]:
    found = []
    for role, names in _CERTIFICATES:
        one = _read(directory, names)
        if one is not None:
            verify_signed_by(one, root)
            found.append((role, one))
    return found


def _tell(root: Certificate, others: list[tuple[Role, Certificate]]) -> list[Finding]:
    """Prints each certificate with its findings; those that stop are returned."""
    factory = root.organizational_unit
    errors = []
    for role, one in [(Role.ROOT, root), *others]:
        click.echo(f"{role.value}: {one.subject}, serial {one.serial_hex}, {one.key}")
        for finding in check_certificate(one, role, factory=factory):
            click.echo(f"  {_MARKS[finding.severity]} [{finding.code}] {finding.message}")
            errors += [finding] if finding.severity is Severity.ERROR else []
    return errors


def _missing(path: Path) -> MediaError:
    return MediaError(
        "pki.missing",
        f"there is no {show(str(path))}",
        hint="Name a directory that holds it, with factory_ca.pem.",
    )
