"""What the ceremony and the module's process say to each other.

Frames over two pipes: four bytes of length, most significant first, then one JSON
document. Strict on both sides, and bounded: whatever a vendor's module does to its
process, the ceremony reads a value of the closed set below or nothing. A request has four
more bytes after the length: the milliseconds that its call may take.
"""

import math
import struct
from typing import Annotated

import msgspec
from msgspec import Meta

LENGTH = struct.Struct(">I")
CALL = struct.Struct(">II")
MAX_REQUEST = 16 * 1024
MAX_ANSWER = 1024 * 1024
MAX_DIGESTS = 200

Text = Annotated[str, Meta(max_length=1024)]


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True):
    """Base of all messages; the class name is the tag."""


class ListTokens(Frozen, frozen=True):
    """Which tokens are in the slots. Answer: `TokenList`."""


class Login(Frozen, frozen=True):
    """Opens a session on the one token with this serial and label. Answer: `Done`.

    Attributes:
        pin: None where the PIN is entered on the device.
    """

    serial: str
    label: str
    pin: str | None

    def __repr__(self) -> str:
        return "Login(***)"


class ListKeys(Frozen, frozen=True):
    """Inventory of private keys. Answer: `KeyList`."""


class KeyObject(Frozen, frozen=True):
    """Half of a key pair; empty what it has not."""

    private: bool
    label: Text
    key_id: bytes
    key_type: Text


class ListObjects(Frozen, frozen=True):
    """Key objects of this label or id, or without both. Answer: `ObjectList`."""

    label: str
    key_id: bytes


class Discard(Frozen, frozen=True):
    """Destroys exactly these key objects, if it holds as many of each. Answer: `Done`."""

    objects: tuple[KeyObject, ...]


class Generate(Frozen, frozen=True):
    """Makes an EC key pair after a search. Answer: `Generated`."""

    label: str
    key_id: bytes
    ec_params: bytes


class Sign(Frozen, frozen=True):
    """Raw CKM_ECDSA over a digest. Answer: `Signature`."""

    label: str
    key_id: bytes
    digest: bytes


class Destroy(Frozen, frozen=True):
    """Destroys a key pair: the one of this label and id with this point. Answer: `Done`."""

    label: str
    key_id: bytes
    point: bytes


class SignAll(Frozen, frozen=True):
    """Raw CKM_ECDSA over each digest; `MAX_DIGESTS` at most. Answer: `Signatures`."""

    label: str
    key_id: bytes
    digests: tuple[bytes, ...]


class InitToken(Frozen, frozen=True):
    """C_InitToken and C_InitPIN on the one token that is not initialised. Answer: `Done`.

    Attributes:
        serial: of that token; may be empty, as it tells it.
        label: it gets, 32 bytes of UTF-8 at most.
    """

    serial: str
    label: str
    so_pin: str
    pin: str

    def __repr__(self) -> str:
        return "InitToken(***)"


class SetPin(Frozen, frozen=True):
    """C_SetPIN of the user who is logged in. Answer: `Done`."""

    old: str
    new: str

    def __repr__(self) -> str:
        return "SetPin(***)"


class Finish(Frozen, frozen=True):
    """Logs out and ends the process. Answer: `Done`."""


Request = (
    ListTokens
    | Login
    | ListKeys
    | ListObjects
    | Discard
    | Generate
    | Sign
    | SignAll
    | Destroy
    | InitToken
    | SetPin
    | Finish
)


class TokenEntry(Frozen, frozen=True):
    """CK_TOKEN_INFO and the mechanisms of one slot (PKCS#11 v3.1 §4.5).

    Attributes:
        free_bytes: free memory for private objects; None where the token does not tell.
    """

    serial: Text
    label: Text
    model: Text
    manufacturer: Text
    firmware: Text
    flags: int
    mechanisms: Annotated[tuple[Text, ...], Meta(max_length=2048)]
    free_bytes: int | None = None


class TokenList(Frozen, frozen=True):
    """The tokens present."""

    tokens: Annotated[tuple[TokenEntry, ...], Meta(max_length=256)]


class KeyEntry(Frozen, frozen=True):
    """One private key object.

    Attributes:
        ec_params: CKA_EC_PARAMS; empty where it cannot be read or is no EC key.
        ec_points: the distinct CKA_EC_POINT values of its public half.
        attributes: by name, e.g. ``CKA_SENSITIVE``; None where it cannot be read.
    """

    label: Text
    key_id: bytes
    ec_params: bytes
    ec_points: tuple[bytes, ...]
    attributes: dict[Text, bool | None]


class KeyList(Frozen, frozen=True):
    """All private key objects."""

    keys: Annotated[tuple[KeyEntry, ...], Meta(max_length=4096)]


class ObjectList(Frozen, frozen=True):
    """The key objects found."""

    objects: Annotated[tuple[KeyObject, ...], Meta(max_length=8192)]


class Generated(Frozen, frozen=True):
    """The new key, read back; `matches` counts the keys that now bear its label or id."""

    key: KeyEntry
    matches: int


class Signature(Frozen, frozen=True):
    """CKM_ECDSA's output: r and s, each as long as the field (PKCS#11 v3.1 §6.3.1)."""

    raw: bytes


class Signatures(Frozen, frozen=True):
    """CKM_ECDSA's output for each digest, in order."""

    raw: Annotated[tuple[bytes, ...], Meta(max_length=MAX_DIGESTS)]


class Done(Frozen, frozen=True):
    """It is done."""


class Refused(Frozen, frozen=True):
    """The module, or a search in front of it, refused.

    Attributes:
        reason: name of the exception class of python-pkcs11, or one of `REASONS`.
        flags: the token's flags after a failed login; None otherwise.
        made: a key pair may be on the token all the same.
    """

    reason: Text
    flags: int | None = None
    made: bool = False


Answer = TokenList | KeyList | ObjectList | Generated | Signature | Signatures | Done | Refused

MODULE_UNLOADABLE = "module-unloadable"
MODULE_ANSWER = "module-answer"
TOKEN_MISSING = "token-missing"  # noqa: S105 - a word, no password
TOKEN_AMBIGUOUS = "token-ambiguous"  # noqa: S105
TOKEN_CHANGED = "token-changed"  # noqa: S105
NOT_LOGGED_IN = "not-logged-in"
LABEL_TAKEN = "label-taken"
ID_TAKEN = "id-taken"
KEY_MISSING = "key-missing"
KEY_AMBIGUOUS = "key-ambiguous"
KEY_UNUSABLE = "key-unusable"
PIN_PAD = "pin-pad"
REASONS = frozenset(
    {
        MODULE_UNLOADABLE,
        MODULE_ANSWER,
        TOKEN_MISSING,
        TOKEN_AMBIGUOUS,
        TOKEN_CHANGED,
        NOT_LOGGED_IN,
        LABEL_TAKEN,
        ID_TAKEN,
        KEY_MISSING,
        KEY_AMBIGUOUS,
        KEY_UNUSABLE,
        PIN_PAD,
    }
)

_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
_encoder = msgspec.json.Encoder()


def frame(answer: Answer) -> bytes:
    """An answer with its length in front."""
    body = _encoder.encode(answer)
    return LENGTH.pack(len(body)) + body


def call(request: Request, timeout_s: float) -> bytes:
    """A request with its length and its time-out in front."""
    body = _encoder.encode(request)
    return CALL.pack(len(body), math.ceil(timeout_s * 1000)) + body


def parse_request(body: bytes) -> Request:
    """A request, strictly.

    Raises:
        msgspec.DecodeError: anything else.
    """
    return _requests.decode(body)


def parse_answer(body: bytes) -> Answer:
    """An answer, strictly.

    Raises:
        msgspec.DecodeError: anything else.
    """
    return _answers.decode(body)
