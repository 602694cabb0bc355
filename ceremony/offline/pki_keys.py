"""Keys of older tools: read from a file or found on a token, and written in their exact form."""

import os
import stat
import sys
from getpass import getpass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ceremony.bundle.media import read_file
from ceremony.config import Plan
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import MediaError, PlanError, VerificationError
from ceremony.flow.existing_root import require_label
from ceremony.flow.keystores import find_key
from ceremony.flow.passphrases import normal
from ceremony.keys import pkcs8
from ceremony.x509.certificate import Certificate

CAP: Final = 64 * 1024
_MIN_PASSPHRASE: Final = 12
_CHALLENGE: Final = b"ceremony pki import: the root's key signs, nothing else\n"


def token_key(plan: Plan, root: Certificate, pin_file: Path | None) -> str:
    """Looks for the root's key on the plan's token; it signs a challenge.

    Returns:
        A sentence for the person who asked.

    Raises:
        KeyStoreError: `token.key_missing`, `token.key_twice`, `token.label_twice`,
            `token.label_differs`, or what the token refuses.
    """
    from ceremony.keys.token import open_token

    if plan.root.token is None:
        raise LookupError("a plan with its root on a token names the token")
    limits = plan.limits
    with open_token(
        plan.root.token,
        timeout_s=limits.token_timeout_s,
        generate_timeout_s=limits.generate_timeout_s,
    ) as store:
        info = store.info()
        pad = info.pin_pad
        store.login(None if pad else passphrase(pin_file, f"PIN of token {show(info.name)}: "))
        key = find_key(store.keys(), root.spki, "root")
        require_label(key, plan.root.label)
        store.sign(key, _CHALLENGE)
    told = f"found on token {show(info.name)}: {show(key.label)}, id {key.key_id}"
    return f"{told}, the key of factory_ca.pem; it signed a challenge"


def read_key(
    path: Path, certificate: Certificate, passphrase_file: Path | None
) -> ec.EllipticCurvePrivateKey:
    """A private key in PEM, plain or encrypted, that belongs to the certificate."""
    data = read_file(path, CAP)
    password = None
    if b"ENCRYPTED" in data:
        secret = passphrase(passphrase_file, f"Passphrase of {show(path.name)}: ")
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


def read_plain_key(path: Path, root: Certificate) -> ec.EllipticCurvePrivateKey:
    """The root's key, which has passed its fence already: not encrypted.

    Raises:
        VerificationError: `pki.root_key_fenced`, and as `read_key`.
    """
    if b"ENCRYPTED" in read_file(path, CAP):
        raise VerificationError(
            "pki.root_key_fenced",
            f"{show(path.name)} is encrypted; the root's key is decrypted behind a fence alone",
            hint="Hold a ceremony of the kind export-root-key.",
        )
    return read_key(path, root, None)


def _opens(data: bytes, secret: Secret) -> bool:
    try:
        load_pem_private_key(data, secret.reveal().encode())
    except (ValueError, TypeError):
        return False
    return True


def passphrase(path: Path | None, prompt: str, *, twice: bool = False) -> Secret:
    """A passphrase or PIN from a file of mode 0600, or typed.

    Args:
        twice: a new one: typed twice, long enough, and made `normal`, as all of key files are.

    Raises:
        PlanError: `pki.passphrase_file`, `pki.no_passphrase`, ...
    """
    if path is not None:
        secret = _in_file(path)
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


def _in_file(path: Path) -> Secret:
    data = read_file(path, 4096)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise PlanError(
            "pki.passphrase_file",
            f"others can read {show(str(path))}",
            hint="Take the rights away: chmod 600 FILE.",
        )
    try:
        return Secret(data.decode().strip())
    except UnicodeDecodeError as exc:
        raise PlanError(
            "pki.passphrase_file",
            f"{show(str(path))} is not UTF-8 text",
            hint="Write the passphrase into it as one line of text.",
        ) from exc


def new_folder(path: Path) -> None:
    """A folder for this user alone, which is not there yet.

    Raises:
        MediaError: `pki.exists`.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=False)
    except OSError as exc:
        raise _not_made(path, exc) from exc


def write_new(folder: Path, name: str, data: bytes, mode: int = 0o600) -> None:
    """A new file with exactly that mode, synced.

    Raises:
        MediaError: `pki.exists`.
    """
    path = folder / name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except OSError as exc:
        raise _not_made(path, exc) from exc
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        file.write(data)
        file.flush()
        os.fsync(handle)


def _not_made(path: Path, exc: OSError) -> MediaError:
    return MediaError(
        "pki.exists",
        f"{show(str(path))} cannot be made: {exc.strerror}",
        hint="Look at what is there; nothing is overwritten.",
    )
