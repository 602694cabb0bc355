"""A token that is a table in memory: it outlives the ceremony's process, not the test's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.config import Curve, Token
from ceremony.core.ports import KeyInfo, KeyObject, KeyStore, PinState, StoreInfo
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys.ecdsa import CURVES, digest_of
from tests.flow.table import Table, TableServices, plan_text

PIN = Secret("24681357")
GOOD = {"CKA_SENSITIVE": True, "CKA_EXTRACTABLE": False, "CKA_SIGN": True, "CKA_LOCAL": True}


@dataclass
class MemoryToken:
    """What is on the token, and what was ever done with it.

    Attributes:
        keys: private keys, by what the store tells of them.
        signed: every text that a key signed.
        halves: objects that are no key.
    """

    serial: str = "M1"
    label: str = "memory"
    pin: Secret = PIN
    keys: list[tuple[KeyInfo, ec.EllipticCurvePrivateKey]] = field(default_factory=list)
    signed: list[bytes] = field(default_factory=list)
    pin_state: PinState = PinState.OK
    halves: list[KeyObject] = field(default_factory=list)

    def plant(
        self, label: str, key_id: str, attributes: dict[str, bool | None] | None = None
    ) -> KeyInfo:
        """A key pair that nobody asked for."""
        private = ec.generate_private_key(CURVES[Curve.P256].curve)
        spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        info = KeyInfo(
            label=label,
            key_id=key_id,
            curve=Curve.P256,
            spki=spki,
            attributes=GOOD if attributes is None else attributes,
        )
        self.keys.append((info, private))
        return info


class MemoryStore(KeyStore):
    """A session with such a token."""

    def __init__(self, token: MemoryToken) -> None:
        self._token = token
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._open = False

    def info(self) -> StoreInfo:
        return StoreInfo(
            kind="token",
            name=self._token.serial,
            label=self._token.label,
            model="in memory",
            manufacturer="tests",
            pin_state=self._token.pin_state,
            software=True,
        )

    def login(self, secret: Secret | None) -> None:
        if secret != self._token.pin:
            raise KeyStoreError("token.pin_wrong", "the PIN is wrong", hint="Type it again.")
        self._open = True

    def keys(self) -> tuple[KeyInfo, ...]:
        self._require()
        return tuple(info for info, _ in self._token.keys)

    def objects(self, label: str, key_id: str) -> tuple[KeyObject, ...]:
        self._require()
        whole = [
            KeyObject(kind=kind, label=info.label, key_id=info.key_id, key_type="EC")
            for info, _ in self._token.keys
            for kind in ("private", "public")
        ]
        return tuple(
            each
            for each in (*whole, *self._token.halves)
            if each.label in {label, ""} or each.key_id == key_id
        )

    def discard(self, objects: Sequence[KeyObject]) -> None:
        self._require()
        for each in objects:
            self._token.halves.remove(each)

    def generate(self, label: str, key_id: str, curve: Curve) -> KeyInfo:
        self._require()
        if any(info.label == label or info.key_id == key_id for info, _ in self._token.keys):
            raise KeyStoreError("token.label_taken", "taken", hint="Use another label.")
        return self._token.plant(label, key_id)

    def sign(self, key: KeyInfo, data: bytes) -> bytes:
        self._require()
        private = next(private for info, private in self._token.keys if info.spki == key.spki)
        self._token.signed.append(data)
        algorithm = ec.ECDSA(Prehashed(CURVES[key.curve].digest))
        return private.sign(digest_of(key.curve, data), algorithm)

    def destroy(self, key: KeyInfo) -> None:
        self._require()
        self._token.keys[:] = [pair for pair in self._token.keys if pair[0].spki != key.spki]

    def _require(self) -> None:
        if not self._open:
            raise KeyStoreError("token.not_logged_in", "log in first", hint="Log in.")


@dataclass
class MemoryServices(TableServices):
    """The table's ports, with a token."""

    memory: MemoryToken = field(default_factory=MemoryToken)

    def token_store(self, token: Token) -> KeyStore:
        return self.wrap(MemoryStore(self.memory))

    def blank_token(self, token: Token) -> StoreInfo | None:
        return None


def token_plan(media: Path, token: Token, requests: str = '"tls"') -> str:
    """The table's plan with the root on a token; the fewest CSRs by default."""
    variables = "\n".join(f'{n} = "{v}"' for n, v in token.module_environment.items())
    table = f"""key_store = "token"
[root.token]
module = "{token.module}"
{f'serial = "{token.serial}"' if token.serial else ""}
{f'label = "{token.label}"' if token.label else ""}
{f'module_sha256 = "{token.module_sha256}"' if token.module_sha256 else ""}
software = true
[root.token.module_environment]
{variables}
"""
    text = plan_text(media).replace('key_store = "file"', table, 1)
    return text.replace("user_id = ", f"requests = [{requests}]\nuser_id = ", 1)


def memory_table(media: Path) -> tuple[Table, MemoryToken]:
    """A table whose root key lives on a token in memory."""
    token = MemoryToken()
    planned = Token(module="/usr/lib/memory.so", serial=token.serial)
    table = Table(media, plan=token_plan(media, planned))
    table.papers.pin = token.pin
    table.services = MemoryServices(media, memory=token)
    return table, token
