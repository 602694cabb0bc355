"""What lies in the ceremony's folder, held against the record before it leaves the room.

Between two sittings others may have had the folder: what the record does not name stays
there, and what it names otherwise is refused.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ceremony.bundle.contents import CRL, ROOT, ROOT_CHAIN
from ceremony.bundle.media import MAX_JSON_BYTES, MAX_PEM_BYTES, is_name, read_file
from ceremony.bundle.root_csr import ROOT_CSR
from ceremony.errors import KeyStoreError, MediaError, VerificationError
from ceremony.flow.issuing import FOLDER, changed
from ceremony.flow.room import Room
from ceremony.record.chain import sha256_hex
from ceremony.x509.crls import X509_CRL
from ceremony.x509.pem import CERTIFICATE, CERTIFICATE_REQUEST, read_pem_list, write_pem

_SIGNED = ("certificate/", "crl/", "csr/")
_LABELS = {CRL: X509_CRL, ROOT_CSR: CERTIFICATE_REQUEST}


def signed_files(room: Room) -> dict[str, bytes]:
    """Everything that was signed or taken in, and the root, by the names on record.

    Raises:
        MediaError: `state.certificate`: one is not there, or not the one on record.
    """
    files: dict[str, bytes] = {}
    for line in room.record.all("done"):
        if line.key.startswith(_SIGNED):
            name = str(line.data["file"])
            files[name] = _signed(room, name, [line.data["sha256"]])
            if above := [str(one["sha256"]) for one in line.data.get("chain", ())]:
                files[ROOT_CHAIN] = _signed(room, ROOT_CHAIN, above)
    return {**_known_root(room), **files}


def _known_root(room: Room) -> dict[str, bytes]:
    """The root that was there before: without it nobody could check what it signed."""
    line = room.find("root", "root") or room.find("drill", "root")
    if line is None or "der" not in line.data:
        return {}
    return {ROOT: write_pem(base64.b64decode(line.data["der"]), CERTIFICATE)}


def key_and_certificate(room: Room, name: str, key: Path) -> Mapping[str, bytes]:
    """An encrypted key file and its certificate, under their own names.

    Args:
        name: of the key on record.
        key: the file, in the ceremony's folder.

    Raises:
        KeyStoreError: `file.unreadable`, `file.changed`: no other stick would help.
    """
    made, issued = room.need("done", f"key/{name}"), room.need("done", f"certificate/{name}")
    file = str(issued.data["file"])
    try:
        data = read_file(key, MAX_PEM_BYTES)
        certificate = _signed(room, file, [issued.data["sha256"]])
    except MediaError as exc:
        raise KeyStoreError(
            "file.unreadable",
            f"the ceremony's folder has lost what goes into custody: {exc.message}",
            hint="Restore the ceremony's folder from a copy, then resume.",
        ) from exc
    if sha256_hex(data) != made.data.get("sha256", sha256_hex(data)):
        raise key_changed(name)
    return {key.name: data, file: certificate}


def key_changed(name: str) -> KeyStoreError:
    """A key file is another than the record knows."""
    return KeyStoreError(
        "file.changed",
        f"the {name} key in the ceremony's folder is not the one that was to go into custody",
        hint="Restore the ceremony's folder from a copy; find out who changed it.",
    )


def _signed(room: Room, name: str, sha256: Sequence[Any]) -> bytes:
    """PEM blocks whose DER have these digests."""
    path, label = room.directory / FOLDER / name, _LABELS.get(name, CERTIFICATE)
    if not is_name(name):
        raise changed(name)
    try:
        ders = read_pem_list(read_file(path, MAX_JSON_BYTES), label, name)
    except (MediaError, VerificationError) as exc:
        raise changed(name) from exc
    if [sha256_hex(der) for der in ders] != list(sha256):
        raise changed(name)
    return b"".join(write_pem(der, label) for der in ders)
