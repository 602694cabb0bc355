"""Who holds the keys of a rehearsal's local CAs: in custody files, else on the practice token."""

import getpass
import sys
from pathlib import Path

from ceremony import config
from ceremony.core.ports import KeyStore
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.flow.passphrases import normal
from ceremony.keys.file import FileKeyStore
from ceremony.keys.token import open_token
from ceremony.practice.officers import Papers
from ceremony.practice.runs import Run
from ceremony.x509.certificate import Certificate, read_certificate

_AGAIN = frozenset({"file.passphrase_wrong", "file.passphrase_missing"})


def open_ca(directory: Path, name: str, ca: Certificate, papers: Papers) -> KeyStore:
    """The opened key store of a local CA: its file in custody, else the practice token.

    Args:
        directory: the rehearsal's.
        name: of the CA, which others of another year may share.
        ca: its certificate, which tells it from those.
        papers: its passphrase may be on them; else it is asked for.
    """
    certificates = (directory / "custody").glob(f"*-key-{name}-*/local_ca-{name}.pem")
    in_custody = [path for path in certificates if read_certificate(path.read_bytes(), name) == ca]
    if not in_custody:
        return _on_token(directory, name)
    store = FileKeyStore(in_custody[0].with_suffix(".key"))
    if papers.passphrase(name) is None:
        sys.stderr.write(f"  A practice device gets its certificate now, from the CA {name}.\n")
    while True:
        secret = papers.passphrase(name) or Secret(
            getpass.getpass(f"  Passphrase of the {name} key, from your paper: ")
        )
        try:
            store.login(normal(secret))
        except KeyStoreError as exc:
            if papers.passphrase(name) or exc.code not in _AGAIN:
                raise
            sys.stderr.write(f"  {exc.message}\n")
        else:
            return store


def _on_token(directory: Path, name: str) -> KeyStore:
    token = config.load(Run(directory=directory, number=1).plan).plan.root.token
    if token is None:
        raise LookupError(name)
    store: KeyStore = open_token(token, timeout_s=60, generate_timeout_s=60)
    store.login(Secret((directory / "paper" / "token-pin.txt").read_text().strip()))
    return store
