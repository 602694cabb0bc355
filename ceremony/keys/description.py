"""Tokens described for people and for preflight, from what their flags and names say."""

from collections.abc import Sequence

from ceremony.core.ports import PinState, StoreInfo
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.keys import protocol as p
from ceremony.keys import refusals
from ceremony.keys.module import ModuleFile

# Parts of manufacturer or model names of tokens that are software.
_SOFTWARE = (
    "softhsm",
    "nss ",
    "mozilla",
    "kryoptic",
    "opencryptoki",
    "softtok",
    "gnome keyring",
    "soft token",
)
# Parts of file names of modules that never set CKF_USER_PIN_* flags.
_SILENT = ("tpm2_pkcs11", "softokn")


def is_silent(module: ModuleFile) -> bool:
    """Whether the module never tells of its PIN's state."""
    return any(part in module.path.name for part in _SILENT)


def store_info(entry: p.TokenEntry, module: ModuleFile) -> StoreInfo:
    """A token as the ceremony describes it."""
    initialized = bool(entry.flags & refusals.CKF_TOKEN_INITIALIZED)
    state = refusals.pin_state(entry.flags, silent=is_silent(module))
    maker = f"{entry.manufacturer} {entry.model} ".lower()
    return StoreInfo(
        kind="token",
        name=entry.serial,
        label=entry.label,
        model=entry.model,
        manufacturer=entry.manufacturer,
        firmware=entry.firmware,
        module=str(module.path),
        module_sha256=module.sha256,
        mechanisms=entry.mechanisms,
        pin_state=state if initialized else PinState.NOT_REPORTED,
        pin_pad=bool(entry.flags & refusals.CKF_PROTECTED_AUTHENTICATION_PATH),
        initialized=initialized,
        software=any(part in maker for part in _SOFTWARE),
        pin_to_be_changed=bool(entry.flags & refusals.CKF_USER_PIN_TO_BE_CHANGED),
        pin_unset=initialized and not entry.flags & refusals.CKF_USER_PIN_INITIALIZED,
        free_bytes=entry.free_bytes,
    )


def not_one(found: Sequence[p.TokenEntry], there: Sequence[p.TokenEntry]) -> KeyStoreError:
    """The error when not exactly one token is the plan's."""
    lines = "; ".join(_describe(entry) for entry in there) or "none"
    if found:
        return KeyStoreError(
            "token.ambiguous",
            f"{len(found)} tokens match the plan. Present: {lines}",
            hint="Name the serial number in the plan, or leave one token connected.",
        )
    return KeyStoreError(
        "token.missing",
        f"no token matches the plan. Present: {lines}",
        hint="Connect the token that the plan names; `ceremony doctor` lists what is there.",
    )


def _describe(entry: p.TokenEntry) -> str:
    state = "" if entry.flags & refusals.CKF_TOKEN_INITIALIZED else ", not initialized"
    return (
        f"serial {show(entry.serial) or '-'}, label '{show(entry.label)}',"
        f" model {show(entry.model) or '-'}{state}"
    )
