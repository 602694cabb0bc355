"""What the flow asks of the world: key stores, a clock, a linter. Adapters live elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol, Self

from ceremony.config import Curve
from ceremony.core.findings import Finding
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import KeyStoreError


class PinState(StrEnum):
    """What a token's flags say of its user PIN (PKCS#11 v3.1 §4.5, CKF_USER_PIN_*)."""

    OK = "ok"
    COUNT_LOW = "count low"
    FINAL_TRY = "final try"
    LOCKED = "locked"
    NOT_REPORTED = "not reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """A key store, described without logging in. Texts are as the store gave them.

    Attributes:
        kind: `token` or `file`.
        name: the token's serial number, or the key file's path.
        module: path of the PKCS#11 module; empty for a file.
        module_sha256: hex; empty for a file.
        mechanisms: e.g. ``CKM_ECDSA``.
        pin_pad: CKF_PROTECTED_AUTHENTICATION_PATH: the PIN is entered on the device.
        software: known to be a software token (SoftHSM, NSS, ...).
        pin_to_be_changed: CKF_USER_PIN_TO_BE_CHANGED: a factory's default, or expired.
        pin_unset: CKF_USER_PIN_INITIALIZED is clear on an initialised token.
        free_bytes: for private objects; None where it is not told.
    """

    kind: Literal["token", "file"]
    name: str
    label: str = ""
    model: str = ""
    manufacturer: str = ""
    firmware: str = ""
    module: str = ""
    module_sha256: str = ""
    mechanisms: tuple[str, ...] = ()
    pin_state: PinState = PinState.NOT_REPORTED
    pin_pad: bool = False
    initialized: bool = True
    software: bool = False
    pin_to_be_changed: bool = False
    pin_unset: bool = False
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """One private key of a store, with its public half.

    Attributes:
        key_id: CKA_ID in hex; empty for a file.
        spki: DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
        attributes: CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_SIGN, CKA_LOCAL,
            CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, ... as read back; None where the
            token would not say. Empty for a file.
    """

    label: str
    key_id: str
    curve: Curve
    spki: bytes
    attributes: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyObject:
    """One object of a token: half of a key pair, whole or torn. Texts as the token gave them.

    Attributes:
        kind: ``private`` (CKO_PRIVATE_KEY) or ``public`` (CKO_PUBLIC_KEY).
        label: CKA_LABEL; empty where there is none.
        key_id: CKA_ID in hex; empty where there is none.
        key_type: CKA_KEY_TYPE, e.g. ``EC``; empty where it cannot be read.
    """

    kind: Literal["private", "public"]
    label: str
    key_id: str
    key_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stick:
    """A removable medium as the system sees it. Texts are shown already, never raw.

    Attributes:
        device: ``major:minor`` of what is mounted.
        point: where it is mounted; empty when it is not.
        serial: of the device; empty where it tells none.
        label: of the file system; empty where there is none or it is not known.
        read_only: nothing can be written to it.
        lacks: of ``noexec``, ``nosuid`` and ``nodev``, what it is mounted without.
    """

    device: str
    point: str
    model: str
    serial: str
    label: str
    fstype: str
    read_only: bool
    lacks: tuple[str, ...]

    @property
    def name(self) -> str:
        """The stick in a few words, to tell it from others."""
        words = [self.model, *([f"serial {self.serial}"] if self.serial else [])]
        return ", ".join([*words, *([f"label {self.label}"] if self.label else [])])


class KeyStore(Protocol):
    """Where private keys live: one session, one call at a time.

    Every method raises `KeyStoreError`. Use as a context manager: leaving it ends the
    session and whatever process holds the secret.
    """

    def info(self) -> StoreInfo:
        """Describes the store; needs no login."""
        ...

    def login(self, secret: Secret | None) -> None:
        """Opens it with a PIN or passphrase; None where the PIN is entered on the device.

        Raises:
            KeyStoreError: `token.pin_wrong`, `token.pin_locked`, ...
        """
        ...

    def keys(self) -> tuple[KeyInfo, ...]:
        """Inventory of the private EC keys; needs a login."""
        ...

    def generate(self, label: str, key_id: str, curve: Curve) -> KeyInfo:
        """Makes a key pair, after a search that found neither label nor id.

        Raises:
            KeyStoreError: `token.label_taken` and others; nothing was made then.
        """
        ...

    def sign(self, key: KeyInfo, data: bytes) -> bytes:
        """Signs SHA-256 (P-256) or SHA-384 (P-384) of `data`.

        Returns:
            DER ECDSA-Sig-Value (RFC 3279 §2.2.3), verified with `key.spki` first.

        Raises:
            KeyStoreError: `token.signature_wrong` and others.
        """
        ...

    def sign_digests(self, key: KeyInfo, digests: Sequence[bytes]) -> tuple[bytes, ...]:
        """Signs many digests, in order; **verifies nothing**: for a batch, whose workers do.

        Args:
            key: one of `keys`.
            digests: SHA-256 (P-256) or SHA-384 (P-384).

        Returns:
            DER ECDSA-Sig-Values.

        Raises:
            KeyStoreError: nothing is returned then, though some may have been signed.
        """
        ...

    def objects(self, label: str, key_id: str) -> tuple[KeyObject, ...]:
        """The key objects that bear this label or id, or neither label nor id; needs a login.

        Unlike `keys`, halves and torn ones too. None in a store whose keys are whole or not
        there.
        """
        ...

    def discard(self, objects: Sequence[KeyObject]) -> None:
        """Destroys key objects that `objects` has told of, and looks that they are gone.

        Raises:
            KeyStoreError: `token.key_ambiguous`: it holds more or fewer of them now;
                `token.not_destroyed` and others.
        """
        ...

    def destroy(self, key: KeyInfo) -> None:
        """Destroys a key pair for good, and looks that it is gone.

        Raises:
            KeyStoreError: `token.key_missing`, `token.not_destroyed` and others.
        """
        ...

    def plain(self, key: KeyInfo) -> Secret:
        """The private key, not encrypted: one SEC1 block (RFC 5915 §4). Tokens give none.

        Raises:
            KeyStoreError: `token.not_exportable`.
        """
        raise KeyStoreError(
            "token.not_exportable",
            f"the token gives its key {show(key.label)} to nobody",
            hint="Copy it to another token by the vendor's backup procedure.",
        )

    def close(self) -> None:
        """Ends the session; safe to call twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Clock(Protocol):
    """Time, so that tests and a confirmed ceremony time can stand in for it."""

    def now(self) -> datetime:
        """The present, aware, UTC, whole seconds."""
        ...


class Linter(Protocol):
    """Checks of a certificate by software that is not ours."""

    def lint(self, der: bytes, issuer_der: bytes | None) -> tuple[Finding, ...]:
        """Findings over one certificate; `issuer_der` is None for a self-signed one."""
        ...
