"""PINs that tokens are delivered with: anybody can look them up."""

from collections.abc import Mapping

from ceremony.core.ports import StoreInfo
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.flow.asking import Flow
from ceremony.flow.notes import note
from ceremony.flow.prompts import CheckRow, CheckStatus, Step
from ceremony.flow.room import Room

# From the vendors' manuals, and the examples of pkcs11-tool's and SoftHSM's.
DEFAULTS: Mapping[str, str] = {
    "123456": "Nitrokey, YubiKey PIV, many cards",
    "648219": "SmartCard-HSM and Nitrokey HSM examples",
    "12345678": "OpenPGP admin PIN, eToken",
    "0001password": "YubiHSM 2",
    "password": "CryptoServer, Luna examples",
    "1234567890": "SafeNet eToken",
    "123123": "ATOS CardOS",
    "12345": "Feitian",
    "1234": "SoftHSM examples",
    "0000": "SoftHSM examples",
    "00000000": "Feitian ePass",
    "fortanix": "examples",
    "changeit": "examples",
    "userpin": "AWS CloudHSM, TPM2 examples",
    "myuserpin": "TPM2 examples",
}
_CODE = "token.pin_default"


def weigh_pin(room: Room, step: Step, info: StoreInfo, secret: Secret) -> Flow[None]:
    """A PIN that the token was delivered with is a warning, with a note on record."""
    source = DEFAULTS.get(secret.reveal())
    if info.kind != "token" or source is None or room.has("note", _CODE):
        return
    row = CheckRow(
        status=CheckStatus.WARN,
        code=_CODE,
        sentence=f"token {show(info.name)} opens with a PIN that stands in manuals ({source})",
        hint="Change it with the vendor's tool before the token holds a key.",
    )
    if room.plan.rehearsal:
        room.append(step, "note", _CODE, text="a rehearsal", code=_CODE, sentence=row.sentence)
        return
    yield from note(room, step, row)
