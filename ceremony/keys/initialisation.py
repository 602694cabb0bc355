"""Initialisation of a token that has never been: found, made ready, read back."""

from ceremony.config import Token
from ceremony.core.ports import StoreInfo
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys import protocol as p
from ceremony.keys import refusals
from ceremony.keys.description import not_one
from ceremony.keys.module import check_module, environment
from ceremony.keys.token import Spawn, list_tokens, spawn_child


def blank_token(token: Token, *, timeout_s: float, spawn: Spawn = spawn_child) -> StoreInfo | None:
    """The plan's token while CKF_TOKEN_INITIALIZED is clear; None when it is initialised.

    A blank token may tell no serial number and no label yet: then the only blank one is
    meant.

    Raises:
        KeyStoreError: `token.ambiguous`, `token.missing`; or the module is refused.
    """
    seen = list_tokens(token, timeout_s=timeout_s, spawn=spawn)
    if any(_is_planned(token, info) for info in seen if info.initialized):
        return None
    blank = [i for i in seen if not i.initialized and token.serial in {None, "", i.name}]
    if not blank and token.serial is not None:
        blank = [i for i in seen if not i.initialized and not i.name]
    if len(blank) != 1:
        entries = tuple(_entry(info) for info in seen)
        raise not_one([_entry(info) for info in blank], entries)
    return blank[0]


def initialise_token(
    token: Token,
    so_pin: Secret,
    pin: Secret,
    *,
    timeout_s: float,
    spawn: Spawn = spawn_child,
) -> StoreInfo:
    """C_InitToken and the user PIN, on a blank token only.

    Args:
        token: its label, or `ceremony`, is given to the token.
        timeout_s: for each call of the module.

    Returns:
        The token as it describes itself afterwards.

    Raises:
        KeyStoreError: `token.initialized`: there is no blank one. `token.serial_changed`:
            it is initialised, and not the token that the plan names.
    """
    blank = blank_token(token, timeout_s=timeout_s, spawn=spawn)
    if blank is None:
        raise KeyStoreError(
            "token.initialized",
            "the token is initialised already; nothing was changed",
            hint="Go on with it as it is, or take another one.",
        )
    before = [i.name for i in list_tokens(token, timeout_s=timeout_s, spawn=spawn) if i.initialized]
    request = p.InitToken(
        serial=blank.name,
        label=token.label or "ceremony",
        so_pin=so_pin.reveal(),
        pin=pin.reveal(),
    )
    process = spawn(check_module(token), environment(token))
    try:
        process.ask(request, timeout_s, doing="initialising the token")
    finally:
        process.finish()
    made = [
        info
        for info in list_tokens(token, timeout_s=timeout_s, spawn=spawn)
        if info.initialized and info.name not in before and info.label == request.label
    ]
    if len(made) != 1 or token.serial not in {None, made[0].name}:
        told = made[0].name if made else "none"
        raise KeyStoreError(
            "token.serial_changed",
            f"after its initialisation the token tells the serial number {told}",
            hint="Compare the number on the token; correct the plan and have it reviewed.",
        )
    return made[0]


def _is_planned(token: Token, info: StoreInfo) -> bool:
    return token.serial in {None, info.name} and token.label in {None, info.label}


def _entry(info: StoreInfo) -> p.TokenEntry:
    return p.TokenEntry(
        serial=info.name,
        label=info.label,
        model=info.model,
        manufacturer=info.manufacturer,
        firmware=info.firmware,
        flags=refusals.CKF_TOKEN_INITIALIZED if info.initialized else 0,
        mechanisms=(),
    )
