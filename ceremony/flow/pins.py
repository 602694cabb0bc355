"""PINs that are wrong, and those that tokens are delivered with: anybody can look them up."""

from collections.abc import Mapping

from ceremony.core.ports import PinState, StoreInfo
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import StoppedError
from ceremony.flow.asking import Flow, choose
from ceremony.flow.notes import note
from ceremony.flow.officers import SEATS
from ceremony.flow.prompts import (
    CheckRow,
    CheckStatus,
    Choose,
    Facts,
    Option,
    Step,
    Text,
    Tone,
)
from ceremony.flow.room import Room

WRONG = frozenset({"token.pin_wrong", "file.passphrase_wrong"})
_OWN_TRIES = 2
# Lines that only an open key store, or both officers at a fence, can bring.
_AFTER_LOGIN = frozenset({"adopted", "backup-check", "done", "fence", "intent", "root"})

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


def agree_to_try(room: Room, step: Step, state: PinState) -> Flow[None]:
    """After two wrong PINs both officers agree to another, each time.

    They are counted on the record: who goes back, or leaves and resumes, begins no new count.

    Args:
        room: of the ceremony.
        step: where in the ceremony.
        state: what the token's flags say.

    Raises:
        StoppedError: `token.pin_tries`: an officer does not want another try.
    """
    if not _needs_both(room):
        return
    for seat in SEATS:
        answer = yield from choose(
            Choose(
                key=f"pin.again.{seat}",
                step=step,
                title="Another try?",
                body=(
                    Text(text="Two wrong tries. Some tokens lock for good.", tone=Tone.DANGER),
                    Facts(rows=(("The token says", state.value),)),
                ),
                officer=room.officer(seat),
                options=(
                    Option(value="stop", label="Stop here", detail="resume when the PIN is known"),
                    Option(value="again", label="Try once more"),
                ),
            )
        )
        if answer == "stop":
            raise StoppedError(
                "token.pin_tries",
                f"{room.officer(seat)} stopped after wrong PINs",
                hint="Find the right PIN, then resume: nothing is lost.",
            )
    room.append(step, "agreed", "pin", by=list(room.officers), pin_state=state.value)


def _needs_both(room: Room) -> bool:
    wrong = 0
    for line in reversed(room.record.lines):
        if line.type in _AFTER_LOGIN or (line.type == "agreed" and not wrong):
            break
        wrong += line.type == "refused" and line.key in WRONG
    return wrong >= _OWN_TRIES
