"""Keys as a token's process tells of them, weighed before anything believes in them."""

from ceremony.config import Curve
from ceremony.core.ports import KeyInfo
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.keys import ecdsa
from ceremony.keys import protocol as p


def key_info(entry: p.KeyEntry) -> KeyInfo | None:
    """The key with its public half; None for one that is not of our curves, or has no public half.

    Raises:
        KeyStoreError: `token.public_key_ambiguous`: two different public keys claim it.
    """
    curve = ecdsa.curve_of(entry.ec_params)
    if curve is None:
        return None
    found = {ecdsa.spki_of_point(curve, point) for point in entry.ec_points} - {None}
    if len(found) > 1:
        raise KeyStoreError(
            "token.public_key_ambiguous",
            f"{len(found)} different public keys claim the private key '{show(entry.label)}'",
            hint="Remove the public key object that does not belong there.",
        )
    for spki in found:
        if spki is not None:
            return KeyInfo(
                label=entry.label,
                key_id=entry.key_id.hex(),
                curve=curve,
                spki=spki,
                attributes=entry.attributes,
            )
    return None


def check_generated(made: p.Generated, label: str, key_id: str, curve: Curve) -> KeyInfo:
    """The new key, if the token made what was asked for.

    Raises:
        KeyStoreError: `token.key_duplicate`, `token.attributes`, `token.public_key_missing`.
    """
    where = f"the new key is on the token as '{show(label)}', id {key_id}"
    if made.matches != 1:
        raise KeyStoreError(
            "token.key_duplicate",
            f"after generation {made.matches} private keys bear this label or id; {where}",
            hint="Stop and look at the inventory with the vendor's tool.",
        )
    wrong = [
        f"{name} is {shown}"
        for name, expected in (
            ("CKA_SENSITIVE", True),
            ("CKA_EXTRACTABLE", False),
            ("CKA_SIGN", True),
            ("CKA_TOKEN", True),
        )
        if (value := made.key.attributes.get(name)) is not expected
        for shown in ("not told" if value is None else str(value).lower(),)
    ]
    if wrong:
        raise KeyStoreError(
            "token.attributes",
            f"the token did not keep to the attributes asked for: {', '.join(wrong)}; {where}",
            hint="Destroy this key with the vendor's tool and use another token.",
        )
    key = key_info(made.key)
    if key is None or (key.label, key.key_id, key.curve) != (label, key_id, curve):
        raise KeyStoreError(
            "token.public_key_missing",
            f"the public half of the new key cannot be read back as it was asked for; {where}",
            hint="Look at the inventory with the vendor's tool before anything is repeated.",
        )
    return key


def not_destroyed(label: str) -> KeyStoreError:
    """The refusal over a key that a token kept against its word."""
    return KeyStoreError(
        "token.not_destroyed",
        f"the token still holds the key {show(label)} that it was told to destroy",
        hint="Destroy it with the vendor's tool, or destroy the token.",
    )
