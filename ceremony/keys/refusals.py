"""Our own words for what a module refuses: its exceptions carry no message.

Keys are the class names of python-pkcs11's exceptions (CKR_*) and the reasons of
`ceremony.keys.protocol`.
"""

from dataclasses import dataclass

from ceremony.core.ports import PinState
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.keys import protocol as p

# CK_TOKEN_INFO.flags (PKCS#11 v3.1 §4.5).
CKF_USER_PIN_INITIALIZED = 0x8
CKF_TOKEN_INITIALIZED = 0x400
CKF_USER_PIN_TO_BE_CHANGED = 0x80000
CKF_USER_PIN_COUNT_LOW = 0x10000
CKF_USER_PIN_FINAL_TRY = 0x20000
CKF_USER_PIN_LOCKED = 0x40000
CKF_PROTECTED_AUTHENTICATION_PATH = 0x100


@dataclass(frozen=True, slots=True)
class Words:
    """Code, sentence and hint of one refusal."""

    code: str
    sentence: str
    hint: str


_REMOVED = Words(
    "token.removed",
    "the token is no longer in its slot, or its session is lost",
    "Connect the token again; the inventory is read anew before anything goes on.",
)
_DEVICE = Words(
    "token.device",
    "the token reports a fault",
    "Reconnect the token; if it stays so, ask the vendor and use the backup.",
)
_FULL = Words(
    "token.memory",
    "the token or this machine has no memory left for it",
    "Free space on the token; `ceremony doctor` lists what is there.",
)
_MECHANISM = Words(
    "token.mechanism_missing",
    "the token cannot do this: it lacks EC keys on this curve, or raw CKM_ECDSA",
    "Choose a token with CKM_EC_KEY_PAIR_GEN and CKM_ECDSA, or another curve in the plan.",
)
_TEMPLATE = Words(
    "token.template",
    "the token refuses the attributes asked for: sensitive, not extractable, for signing only",
    "Check the token's policy and mode; a key is not made with weaker attributes.",
)
_LOGGED_OUT = Words(
    "token.not_logged_in",
    "no user is logged in to the token",
    "Log in with the PIN and repeat.",
)
_LOGIN_STATE = Words(
    "token.login_state",
    "the token is in use by another login or has no sessions left",
    "Close other programs that use the token, then repeat.",
)
_READ_ONLY = Words(
    "token.read_only",
    "the token is write-protected",
    "Remove the write protection, or choose another token.",
)
_KEY = Words(
    "token.key_unusable",
    "the token does not let this key sign",
    "Compare the key's attributes with the record; it may be another key.",
)
_FAILED = Words(
    "token.failed",
    "the module reports a failure without a reason",
    "Reconnect the token and repeat; the vendor's log may say more.",
)
_PIN_FORM = Words(
    "token.pin_form",
    "the token does not take a PIN of this length or with these characters",
    "Type the PIN again; check the keyboard layout.",
)

WORDS = {
    "PinIncorrect": Words(
        "token.pin_wrong", "the PIN is wrong", "Compare the PIN on paper, then type it again."
    ),
    "PinLocked": Words(
        "token.pin_locked",
        "the PIN is locked: too many wrong ones",
        "Unlock it with the security officer's PIN (SO PIN), by the vendor's tool.",
    ),
    "PinExpired": Words(
        "token.pin_expired",
        "the PIN has expired or must be changed first",
        "Change the PIN with the vendor's tool, then start again.",
    ),
    "PinInvalid": _PIN_FORM,
    "PinLenRange": _PIN_FORM,
    "PinTooWeak": _PIN_FORM,
    "UserPinNotInitialized": Words(
        "token.pin_unset",
        "the token has no user PIN yet",
        "Set the user PIN with the vendor's tool.",
    ),
    "FunctionCancelled": Words(
        "token.cancelled",
        "the entry was cancelled on the device, or took too long there",
        "Repeat, and enter the PIN on the device.",
    ),
    **dict.fromkeys(
        (
            "DeviceRemoved",
            "TokenNotPresent",
            "TokenNotRecognised",
            "SessionClosed",
            "SessionHandleInvalid",
            "SlotIDInvalid",
            "ObjectHandleInvalid",
            "KeyHandleInvalid",
        ),
        _REMOVED,
    ),
    "DeviceError": _DEVICE,
    "DeviceMemory": _FULL,
    "HostMemory": _FULL,
    **dict.fromkeys(
        (
            "MechanismInvalid",
            "MechanismParamInvalid",
            "DomainParamsInvalid",
            "FunctionNotSupported",
            "KeySizeRange",
        ),
        _MECHANISM,
    ),
    **dict.fromkeys(
        (
            "AttributeReadOnly",
            "AttributeTypeInvalid",
            "AttributeValueInvalid",
            "TemplateIncomplete",
            "TemplateInconsistent",
        ),
        _TEMPLATE,
    ),
    "UserNotLoggedIn": _LOGGED_OUT,
    p.NOT_LOGGED_IN: _LOGGED_OUT,
    **dict.fromkeys(
        (
            "AnotherUserAlreadyLoggedIn",
            "SessionCount",
            "SessionExists",
            "SessionReadOnlyExists",
            "SessionReadWriteSOExists",
            "UserAlreadyLoggedIn",
            "UserTooManyTypes",
        ),
        _LOGIN_STATE,
    ),
    "SessionReadOnly": _READ_ONLY,
    "TokenWriteProtected": _READ_ONLY,
    **dict.fromkeys(
        ("FunctionRejected", "KeyTypeInconsistent", "KeyIndigestible", p.KEY_UNUSABLE), _KEY
    ),
    p.MODULE_UNLOADABLE: Words(
        "token.module_unloadable",
        "the file could not be loaded and initialised as a PKCS#11 module",
        "Check root.token.module and module_environment in the plan against the vendor's manual.",
    ),
    p.MODULE_ANSWER: Words(
        "token.module_answer",
        "the module returned values that make no sense",
        "Reconnect the token; update the vendor's module if it stays so.",
    ),
    p.TOKEN_MISSING: _REMOVED,
    p.TOKEN_AMBIGUOUS: Words(
        "token.ambiguous",
        "two tokens with the same serial number and label are connected",
        "Leave one of them connected.",
    ),
    p.TOKEN_CHANGED: Words(
        "token.changed",
        "another token is in the slot now",
        "Connect the token that the plan names, and record what happened.",
    ),
    p.LABEL_TAKEN: Words(
        "token.label_taken",
        "a key with this label is already on the token; nothing was made",
        "Look at the inventory (`ceremony doctor`); never overwrite a key.",
    ),
    p.ID_TAKEN: Words(
        "token.id_taken",
        "a key with this id (CKA_ID) is already on the token; nothing was made",
        "Look at the inventory (`ceremony doctor`), or plan another key_id.",
    ),
    p.KEY_MISSING: Words(
        "token.key_missing",
        "no private key with this label and id is on the token",
        "Check that this is the token that holds the key.",
    ),
    p.KEY_AMBIGUOUS: Words(
        "token.key_ambiguous",
        "two private keys on the token share this label and id",
        "Find out which one the certificate belongs to; a choice is never made here.",
    ),
    p.PIN_PAD: Words(
        "token.pin_needed",
        "the token has no PIN pad of its own",
        "Type the PIN at the keyboard.",
    ),
}

_MADE = "; a key pair may be on the token all the same"


def refusal(answer: p.Refused, *, silent: bool = False) -> KeyStoreError:
    """The error for a refused request; `silent` as in `pin_state`."""
    words = WORDS.get(answer.reason, _FAILED)
    sentence = words.sentence
    if words is _FAILED:
        sentence += f" ({show(answer.reason, 60)})"
    if answer.flags is not None:
        sentence += f"; the token says of its PIN: {pin_state(answer.flags, silent=silent)}"
    if answer.made:
        sentence += _MADE
    return KeyStoreError(words.code, sentence, hint=words.hint)


def pin_state(flags: int, *, silent: bool = False) -> PinState:
    """What CKF_USER_PIN_* say.

    Args:
        flags: CK_TOKEN_INFO.flags.
        silent: the module is known never to set them, so that none set means nothing.
    """
    if flags & CKF_USER_PIN_LOCKED:
        return PinState.LOCKED
    if flags & CKF_USER_PIN_FINAL_TRY:
        return PinState.FINAL_TRY
    if flags & CKF_USER_PIN_COUNT_LOW:
        return PinState.COUNT_LOW
    return PinState.NOT_REPORTED if silent else PinState.OK
