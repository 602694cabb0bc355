"""`ceremony pki`: PKI directories of fioctl and of the OpenSSL recipe, in and out.

Keys come in plain or encrypted, and are kept in the encrypted form of this program, where
later ceremonies look for them. They go out only when asked for, and never the root's.
"""

import os
import stat
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

import click
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ceremony.bundle.media import read_file
from ceremony.bundle.writing import make_folder, write_file
from ceremony.command_line import Group
from ceremony.core.findings import Finding, Severity
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import MediaError, PlanError, VerificationError
from ceremony.flow.passphrases import normal
from ceremony.keys import pkcs8
from ceremony.offline.environment import state_folder
from ceremony.x509.certificate import Certificate, read_certificate, verify_signed_by
from ceremony.x509.checks import check_certificate
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import Role

_CAP: Final = 64 * 1024
_MIN_PASSPHRASE: Final = 12
# Role, then the names that fioctl, the documentation's recipe and upload bundles use.
_CERTIFICATES: Final = (
    (Role.TLS, ("tls-crt", "tls.pem")),
    (Role.ONLINE_CA, ("online-crt", "online_ca.pem")),
    (Role.LOCAL_CA, ("local-ca.pem", "local_ca.pem")),
)
_LOCAL_KEYS: Final = ("local-ca.key", "local_ca.key")
_MARKS: Final = {Severity.ERROR: "ERROR", Severity.WARNING: "warning", Severity.NOTE: "note"}


@click.group(name="pki", cls=Group)
def command() -> None:
    """PKI directories of fioctl, and of the documentation's OpenSSL recipe."""


@command.command(name="import")
@click.argument("directory", metavar="PKI_DIR", type=click.Path(path_type=Path))
@click.option("--label", default="root-ca", help="The plan's root.label (default: root-ca).")
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
    label: str,
    passphrase_file: Path | None,
    old_passphrase_file: Path | None,
    state: Path | None,
) -> int:
    """Adopt a root that fioctl or the OpenSSL recipe made.

    Every way in which the old certificates depart from the profiles is told. A key file is
    kept encrypted where later ceremonies look first; a key on a token needs nothing: it is
    found there by the public key in the Factory's root.
    """
    root = _read(directory, ("factory_ca.pem",))
    if root is None:
        raise _missing(directory / "factory_ca.pem")
    found = _others(directory, root)
    errors = _tell(root, found)
    folder = make_folder(state_folder(state), f"imported-{root.fingerprint.hex[:16]}")
    certificates = make_folder(folder, "certificates")
    write_file(certificates, "factory_ca.pem", write_pem(root.der, CERTIFICATE), private=True)
    keys = [(label, "factory_ca.key", root)]
    local = next((one for role, one in found if role is Role.LOCAL_CA), None)
    if local is not None:
        name = next((name for name in _LOCAL_KEYS if (directory / name).exists()), _LOCAL_KEYS[0])
        keys.append(("local_ca-imported", name, local))
        pem = write_pem(local.der, CERTIFICATE)
        write_file(certificates, "local_ca-imported.pem", pem, private=True)
    there = [row for row in keys if (directory / row[1]).exists()]
    if there:
        new = _passphrase(passphrase_file, "New passphrase of the kept keys: ", twice=True)
        for stem, file, certificate in there:
            key = _read_key(directory / file, certificate, old_passphrase_file)
            path = make_folder(folder, "keys")
            _write_new(path, f"{stem}.key", pkcs8.encrypt(key, new))
            click.echo(f"kept {path / stem}.key, encrypted")
    if not any(file == "factory_ca.key" for _, file, _ in there):
        click.echo("no factory_ca.key: the root's key is on a token, and is found there")
    if errors:
        raise VerificationError(
            errors[0].code,
            f"{errors[0].where}: {errors[0].message}",
            hint="Read the list above; this certificate cannot do its work.",
        )
    return 0


@command.command(name="export")
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
def export_command(
    directory: Path,
    to: Path,
    local_ca: str | None,
    local_ca_key: Path | None,
    passphrase_file: Path | None,
) -> int:
    """Write the certificates of an upload bundle under fioctl's file names, mode 0400.

    The root's key is never exported: it stays in its token, or in its encrypted file.
    """
    root = _read(directory, ("factory_ca.pem",))
    if root is None:
        raise _missing(directory / "factory_ca.pem")
    names = sorted(path.stem.removeprefix("local_ca-") for path in directory.glob("local_ca-*.pem"))
    if local_ca is None and len(names) > 1:
        raise PlanError(
            "pki.local_ca",
            f"there are several local CAs: {', '.join(show(name) for name in names)}",
            hint="Choose one with --local-ca NAME.",
        )
    local_ca = local_ca or (names[0] if names else None)
    sources = {"factory_ca.pem": "factory_ca.pem", "tls-crt": "tls.pem"}
    sources["online-crt"] = "online_ca.pem"
    if local_ca is not None:
        sources["local-ca.pem"] = f"local_ca-{local_ca}.pem"
    files: dict[str, bytes] = {}
    for target, source in sources.items():
        one = _read(directory, (source,))
        if one is not None:
            files[target] = write_pem(one.der, CERTIFICATE)
    if local_ca_key is not None:
        local = _read(directory, (sources.get("local-ca.pem", ""),))
        if local is None:
            raise _missing(directory / "local_ca-NAME.pem")
        key = _read_key(local_ca_key, local, passphrase_file)
        files["local-ca.key"] = key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )
    to.mkdir(mode=0o700, parents=True, exist_ok=False)
    for name, data in files.items():
        _write_new(to, name, data, mode=0o400)
        click.echo(str(to / name))
    return 0


# --- reading -------------------------------------------------------------------------


def _read(directory: Path, names: tuple[str, ...]) -> Certificate | None:
    for name in names:
        if name and (directory / name).is_file():
            return read_certificate(read_file(directory / name, _CAP), name)
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


def _read_key(
    path: Path, certificate: Certificate, passphrase_file: Path | None
) -> ec.EllipticCurvePrivateKey:
    """A private key in PEM, plain or encrypted, that belongs to the certificate."""
    data = read_file(path, _CAP)
    password = None
    if b"ENCRYPTED" in data:
        secret = _passphrase(passphrase_file, f"Passphrase of {show(path.name)}: ")
        if b"BEGIN ENCRYPTED PRIVATE KEY" in data:
            secret = normal(secret) if not _opens(data, secret) else secret
        password = secret.reveal().encode()
    try:
        key = load_pem_private_key(data, password)
    except (ValueError, TypeError) as exc:
        raise VerificationError(
            "pki.key_unreadable",
            f"{show(path.name)} is no PEM private key, or its passphrase is another",
            hint="Check the file with 'openssl pkey -in FILE -noout', and the passphrase.",
        ) from exc
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or pkcs8.curve_of_key(key) is None:
        raise VerificationError(
            "pki.key_type",
            f"{show(path.name)} is no key on P-256 or P-384",
            hint="Only such keys can sign here.",
        )
    if spki != certificate.spki:
        raise VerificationError(
            "pki.key_differs",
            f"{show(path.name)} is not the key of {certificate.subject}",
            hint="Find the key that belongs to this certificate.",
        )
    return key


def _opens(data: bytes, secret: Secret) -> bool:
    try:
        load_pem_private_key(data, secret.reveal().encode())
    except (ValueError, TypeError):
        return False
    return True


def _passphrase(path: Path | None, prompt: str, *, twice: bool = False) -> Secret:
    if path is not None:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise PlanError(
                "pki.passphrase_file",
                f"others can read {show(str(path))}",
                hint="Take the rights away: chmod 600 FILE.",
            )
        secret = Secret(read_file(path, 4096).decode().strip())
    else:
        if not sys.stdin.isatty():
            raise PlanError(
                "pki.no_passphrase",
                "there is nobody to type a passphrase",
                hint="Give the file with it, of mode 0600.",
            )
        secret = Secret(getpass(prompt))
        if twice and Secret(getpass("Again: ")) != secret:
            raise PlanError(
                "pki.passphrase_differs", "the two differ", hint="Run the command again."
            )
    if twice:
        secret = normal(secret)
        if len(secret.reveal()) < _MIN_PASSPHRASE:
            raise PlanError(
                "pki.passphrase_short",
                f"the passphrase is shorter than {_MIN_PASSPHRASE} characters",
                hint="Take a longer one, e.g. twelve words.",
            )
    return secret


# --- writing -------------------------------------------------------------------------


def _write_new(folder: Path, name: str, data: bytes, mode: int = 0o600) -> None:
    path = folder / name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except OSError as exc:
        raise MediaError(
            "pki.exists",
            f"{show(str(path))} cannot be made: {exc.strerror}",
            hint="Look at what is there; nothing is overwritten.",
        ) from exc
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        file.write(data)
        file.flush()
        os.fsync(handle)


def _missing(path: Path) -> MediaError:
    return MediaError(
        "pki.missing",
        f"there is no {show(str(path))}",
        hint="Name the directory that holds factory_ca.pem.",
    )
