"""What the practice Factory keeps on disk: every file is replaced whole, or not at all."""

import json
import os
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

KeySlot: TypeAlias = Literal["tls", "ca", "est-tls"]
PublicKey: TypeAlias = Any  # whatever key type a certificate of a stranger carries
Json: TypeAlias = dict[str, Any]


def now_text() -> str:
    """The present as the API writes it: ISO 8601 with a zone, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def spki_of(key: PublicKey) -> bytes:
    """DER SubjectPublicKeyInfo of a public key."""
    der: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


class Store:
    """The folder of a practice Factory.

    ``certs.json`` is the body that GET answers, and is absent while no root is set;
    ``state.json`` holds the gateway's id, the keys posted last, revoked serials and logins;
    ``devices.jsonl`` the devices (`Register`); ``requests.log`` a line for each API request;
    ``keys/<slot>-<16 hex of the SPKI's SHA-256>.key`` the server keys: none is ever deleted.
    Whoever reads and then writes holds `lock`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.state: Json = self._read("state.json") or {
            "id": _new_id(),
            "posted": {},
            "revoked": [],
            "client_id": secrets.token_hex(16),
            "client_secret": secrets.token_hex(32),
            "access": {},
            "refresh": [],
        }
        self._certs: Json | None = self._read("certs.json")
        self.save_state()

    # --- documents ----------------------------------------------------------------

    @property
    def certs(self) -> Json | None:
        """A copy of what GET answers; None while the PKI is not configured."""
        return None if self._certs is None else dict(self._certs)

    def save_certs(self, certs: Mapping[str, Any]) -> None:
        """Replaces ``certs.json``."""
        self._write("certs.json", dict(certs))
        self._certs = dict(certs)

    def save_state(self) -> None:
        """Replaces ``state.json``."""
        self._write("state.json", self.state)

    # --- keys ---------------------------------------------------------------------

    def new_key(self, slot: KeySlot) -> ec.EllipticCurvePrivateKey:
        """A new P-256 server key, on disk before it is returned."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(self._key_path(slot, spki_of(key.public_key())), pem)
        return key

    def find_key(self, slot: KeySlot, spki: bytes) -> ec.EllipticCurvePrivateKey | None:
        """The server key with that public half, if it was made here."""
        path = self.key_path(slot, spki)
        if path is None:
            return None
        key = load_pem_private_key(path.read_bytes(), password=None)
        return key if isinstance(key, ec.EllipticCurvePrivateKey) else None

    def key_path(self, slot: KeySlot, spki: bytes) -> Path | None:
        """Where that key is, if it was made here."""
        path = self._key_path(slot, spki)
        return path if path.exists() else None

    def _key_path(self, slot: str, spki: bytes) -> Path:
        return self.folder / "keys" / f"{slot}-{sha256(spki).hexdigest()[:16]}.key"

    def note(self, request: str) -> None:
        """A line of ``requests.log``: when, method, path."""
        line = f"{now_text()} {request}\n".encode("ascii", "backslashreplace")
        handle = os.open(
            self.folder / "requests.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        try:
            os.write(handle, line)
        finally:
            os.close(handle)

    # --- files --------------------------------------------------------------------

    def _read(self, name: str) -> Any:
        path = self.folder / name
        return json.loads(path.read_bytes()) if path.exists() else None

    def _write(self, name: str, value: Any, *, sync: bool = True) -> None:
        raw = json.dumps(value, indent=2).encode() + b"\n"
        write_private(self.folder / name, raw, sync=sync)


def write_private(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Writes a 0600 file beside `path`, then renames it into place."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    partial.replace(path)


def _new_id() -> str:
    digits = secrets.token_hex(16)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
