"""The factory floor's wiring: a local CA's certificates, and its key store with its secret."""

import getpass
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from ceremony import config
from ceremony.bundle.media import MAX_PEM_BYTES, read_file
from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.devices.authority import Authority, find_ca_key, read_authority
from ceremony.errors import KeyStoreError, PlanError
from ceremony.flow.passphrases import normal
from ceremony.x509.certificate import Certificate

_ROOTS: Final = ("factory_ca.pem", "root.crt")
_TRIES: Final = 3
_MAX_SECRET: Final = 2048


def ca_certificates(ca: Path, root: Path | None, at: datetime) -> Authority:
    """The local CA and the root above it, read and checked.

    Raises:
        PlanError: `devices.no_root`.
        VerificationError: `devices.*`, `certificate.*`.
    """
    if root is None:
        root = next((ca.parent / n for n in _ROOTS if (ca.parent / n).exists()), None)
    if root is None:
        raise PlanError(
            "devices.no_root",
            f"there is no {_ROOTS[0]} beside {show(str(ca))}",
            hint="Name the root's certificate with --root; each device gets a copy.",
        )
    return read_authority(read_file(ca, MAX_PEM_BYTES), read_file(root, MAX_PEM_BYTES), at)


@contextmanager
def open_ca_store(
    ca_path: Path,
    ca: Certificate,
    *,
    key_file: Path | None,
    plan: Path | None,
    name: str | None,
    secret_file: str | None,
) -> Iterator[tuple[KeyStore, KeyInfo]]:
    """The CA's key store, logged in, and the CA's key in it.

    Args:
        ca_path: the key file is beside it, unless it is named.
        ca: its key is looked for.
        key_file: an encrypted key.
        plan: with `name`: the token of that local CA.
        name: of the local CA in the plan.
        secret_file: a 0600 file, ``-`` for standard input, or None to ask.

    Raises:
        KeyStoreError: `file.*`, `token.*`, `devices.key_missing`.
        PlanError: `devices.no_token`, `devices.secret_file`.
    """
    store = _token_store(plan, name) if plan is not None else None
    path = key_file or ca_path.with_suffix(".key")
    if store is None:
        from ceremony.keys.file import FileKeyStore

        if not os.path.lexists(path):
            raise KeyStoreError(
                "devices.key_missing",
                f"there is no key file {show(str(path))}",
                hint="Name it with --key, or the token with --plan and --name.",
            )
        store = FileKeyStore(path)
    with store:
        _login(store, secret_file)
        yield store, find_ca_key(store, ca)


def _token_store(plan: Path, name: str | None) -> KeyStore:
    from ceremony.keys.token import open_token

    loaded = config.load(plan).plan
    found = next((ca for ca in loaded.local_ca if ca.name == name), None)
    token = None
    if found is not None and found.key_store == "token":
        token = found.token or loaded.root.token
    if token is None:
        raise PlanError(
            "devices.no_token",
            f"the plan has no local CA '{show(name or '')}' on a token",
            hint="Give --name NAME of a local_ca with key_store = 'token', or --key FILE.",
        )
    limits = loaded.limits
    return open_token(
        token, timeout_s=limits.token_timeout_s, generate_timeout_s=limits.generate_timeout_s
    )


def _login(store: KeyStore, secret_file: str | None) -> None:
    info = store.info()
    is_file = info.kind == "file"
    if info.pin_pad:
        store.login(None)
        return
    if secret_file is not None:
        secret = Secret(_read_secret(secret_file))
        store.login(normal(secret) if is_file else secret)
        return
    what = f"Passphrase of {info.label}" if is_file else f"PIN of token {show(info.name)}"
    for tries in range(1, _TRIES + 1):
        secret = _typed(what)
        try:
            store.login(normal(secret) if is_file else secret)
        except KeyStoreError as exc:
            # A token counts wrong PINs and locks itself: a second one is a new command.
            if not is_file or exc.code != "file.passphrase_wrong" or tries == _TRIES:
                raise
            sys.stderr.write(f"{exc.message}\n")
        else:
            return


def _typed(what: str) -> Secret:
    """Typed without echo; where the echo cannot be switched off, nothing is asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return Secret(getpass.getpass(f"{what}: ", stream=sys.stderr))
        except getpass.GetPassWarning as exc:
            raise PlanError(
                "devices.no_terminal",
                "the key's secret is needed, and there is no terminal to type it at",
                hint="Give --secret-file FILE (mode 0600), or - for standard input.",
            ) from exc


def _read_secret(name: str) -> str:
    if name == "-":
        raw = sys.stdin.buffer.readline(_MAX_SECRET)
    else:
        try:
            file = open(name, "rb", opener=_open_plainly)  # noqa: SIM115 - `with` comes below
        except OSError as exc:
            raise _secret_file(f"cannot read {show(name)}: {exc.strerror}") from exc
        with file:
            found = os.fstat(file.fileno())
            mine = found.st_uid == os.geteuid() and not found.st_mode & 0o077
            if not stat.S_ISREG(found.st_mode) or not mine:
                raise _secret_file(f"{show(name)} is no file that only you can read")
            raw = file.read(_MAX_SECRET)
    return raw.decode("utf-8", "replace").rstrip("\r\n")


def _open_plainly(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _secret_file(why: str) -> PlanError:
    return PlanError(
        "devices.secret_file", why, hint="Put the secret alone into a file: chmod 600 FILE."
    )
