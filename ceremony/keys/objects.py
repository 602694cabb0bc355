"""Tokens and key objects in a module's process, read for the protocol."""

from typing import Any

from pkcs11.constants import Attribute, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.mechanisms import KeyType, Mechanism

from ceremony.keys import protocol as p
from ceremony.keys.templates import readable

# Read back after generation and recorded (PKCS#11 v3.1 §4.9, §4.10).
_REPORTED = {
    "CKA_SENSITIVE": Attribute.SENSITIVE,
    "CKA_EXTRACTABLE": Attribute.EXTRACTABLE,
    "CKA_SIGN": Attribute.SIGN,
    "CKA_TOKEN": Attribute.TOKEN,
    "CKA_PRIVATE": Attribute.PRIVATE,
    "CKA_LOCAL": Attribute.LOCAL,
    "CKA_ALWAYS_SENSITIVE": Attribute.ALWAYS_SENSITIVE,
    "CKA_NEVER_EXTRACTABLE": Attribute.NEVER_EXTRACTABLE,
    "CKA_ALWAYS_AUTHENTICATE": Attribute.ALWAYS_AUTHENTICATE,
    "CKA_DECRYPT": Attribute.DECRYPT,
    "CKA_UNWRAP": Attribute.UNWRAP,
    "CKA_DERIVE": Attribute.DERIVE,
}


def identity(token: Any) -> tuple[str, str]:
    """Serial number and label: what a token is told apart by."""
    return serial(token), token.label[:1024]


def serial(token: Any) -> str:
    """CK_TOKEN_INFO.serialNumber without its padding."""
    return readable(token.serial.rstrip(b"\0 "))


def flags_of(token: Any) -> int | None:
    """CK_TOKEN_INFO.flags, read anew; None where the token would not say."""
    try:
        return int(token.slot.get_token().flags)
    except PKCS11Error:
        return None


def token_entry(token: Any, path: str) -> p.TokenEntry:
    """A token as the protocol tells of it; `path` is its module's."""
    mechanisms = sorted(
        f"CKM_{each.name.lstrip('_')}" if isinstance(each, Mechanism) else f"0x{each:08x}"
        for each in token.slot.get_mechanisms()
    )
    return p.TokenEntry(
        serial=serial(token),
        label=token.label,
        model=token.model,
        manufacturer=token.manufacturer_id,
        firmware=".".join(str(part) for part in token.firmware_version),
        flags=int(token.flags),
        mechanisms=tuple(mechanisms[:2048]),
        free_bytes=_free_bytes(token, path),
    )


def _free_bytes(token: Any, path: str) -> int | None:
    from ceremony.keys.cryptoki import Functions

    try:
        return Functions(path).free_bytes(int(token.slot.slot_id))
    except (PKCS11Error, OSError):
        return None


def read(key: Any, attribute: Attribute, default: Any) -> Any:
    """One attribute, or `default` where the token would not say."""
    try:
        return key[attribute]
    except PKCS11Error:
        return default


def _flag(key: Any, attribute: Attribute) -> bool | None:
    value = read(key, attribute, None)
    return value if isinstance(value, bool) else None


def objects_of(session: Any, kind: ObjectClass) -> list[Any]:
    """All objects of a class; the search is over before anything else is asked."""
    return list(session.get_objects({Attribute.CLASS: kind}))


def name_of(key: Any) -> tuple[str, bytes]:
    """CKA_LABEL and CKA_ID; empty where there is none."""
    return read(key, Attribute.LABEL, ""), read(key, Attribute.ID, b"")


def names_of(session: Any, kind: ObjectClass) -> list[tuple[str, bytes]]:
    """Of all objects of a class."""
    return [name_of(key) for key in objects_of(session, kind)]


def halves(session: Any) -> list[tuple[p.KeyObject, Any]]:
    """Every private and public key object."""
    kinds = (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
    return [(_half(key, kind), key) for kind in kinds for key in objects_of(session, kind)]


def _half(key: Any, kind: ObjectClass) -> p.KeyObject:
    label, key_id = name_of(key)
    found = read(key, Attribute.KEY_TYPE, None)
    return p.KeyObject(
        private=kind is ObjectClass.PRIVATE_KEY,
        label=label,
        key_id=key_id,
        key_type=found.name if isinstance(found, KeyType) else "",
    )


def publics(session: Any) -> dict[bytes, list[Any]]:
    """Public key objects by CKA_ID."""
    found: dict[bytes, list[Any]] = {}
    for key in objects_of(session, ObjectClass.PUBLIC_KEY):
        found.setdefault(read(key, Attribute.ID, b""), []).append(key)
    return found


def key_entry(key: Any, publics: dict[bytes, list[Any]]) -> p.KeyEntry:
    """A private key with what `publics` tells of its public half."""
    key_id = read(key, Attribute.ID, b"")
    is_ec = read(key, Attribute.KEY_TYPE, None) is KeyType.EC
    own = read(key, Attribute.EC_POINT, b"") if is_ec else b""
    others = (read(each, Attribute.EC_POINT, b"") for each in publics.get(key_id, ()))
    points = {own, *others} if is_ec else set()
    return p.KeyEntry(
        label=read(key, Attribute.LABEL, ""),
        key_id=key_id,
        ec_params=read(key, Attribute.EC_PARAMS, b"") if is_ec else b"",
        ec_points=tuple(sorted(points - {b""})),
        attributes={name: _flag(key, attribute) for name, attribute in _REPORTED.items()},
    )
