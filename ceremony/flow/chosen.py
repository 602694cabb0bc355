"""Which device CAs a CRL acts on: chosen in the plan or here, and what follows from it."""

from pathlib import Path

from ceremony.bundle.media import read_file
from ceremony.bundle.request import RequestBundle
from ceremony.config import ChosenCa
from ceremony.core.serials import parse_serial
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.flow.asking import Flow, choose, enter
from ceremony.flow.intake import Intake
from ceremony.flow.officers import SEATS, fence
from ceremony.flow.prompts import Choose, EnterText, Facts, Field, Option, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.kinds import Reason, facts_of
from ceremony.x509.certificate import Certificate, read_certificate

_TRIES = 3
_CAP = 64 * 1024
_DONE = "done"


def choose_cas(room: Room, intake: Intake) -> Flow[tuple[Certificate, ...]]:
    """The device CAs, from the plan, or picked from those in the request bundle.

    Raises:
        VerificationError: `device_ca.unknown`, `device_ca.already_disabled`,
            `device_ca.not_disabled`, `device_ca.none`.
    """
    known = {str(ca.serial): ca for ca in intake.bundle.current_device_cas}
    line = room.find("chosen", "device-cas")
    if line is not None:
        return tuple(known[serial] for serial in line.data["serials"])
    if room.plan.device_ca:
        found = tuple(_look_up(ca, known) for ca in room.plan.device_ca)
        for ca in found:
            _require_state(room, intake.bundle, ca)
    else:
        found = yield from _pick(room, intake.bundle)
    unique = tuple({ca.serial: ca for ca in found}.values())
    room.append(
        Step.IMPORT,
        "chosen",
        "device-cas",
        serials=[str(ca.serial) for ca in unique],
        subjects=[ca.subject for ca in unique],
        by=list(room.officers),
    )
    return unique


def _look_up(chosen: ChosenCa, known: dict[str, Certificate]) -> Certificate:
    if chosen.serial is not None:
        found = known.get(str(parse_serial(chosen.serial)))
        told = f"serial {show(chosen.serial)}"
    else:
        path = Path(str(chosen.certificate))
        one = read_certificate(read_file(path, _CAP), path.name)
        found = known.get(str(one.serial))
        found = found if found is not None and found.der == one.der else None
        told = f"serial {one.serial}"
    if found is None:
        raise VerificationError(
            "device_ca.unknown",
            f"the Factory has no device CA with {told}",
            hint="Compare with the list in the request bundle; correct the plan.",
        )
    return found


def _disabled(bundle: RequestBundle) -> set[str]:
    current = bundle.document.current if bundle.document is not None else None
    return set(current.disabled_serials) if current is not None else set()


def _require_state(room: Room, bundle: RequestBundle, ca: Certificate) -> None:
    disabled = str(ca.serial) in _disabled(bundle)
    reason = facts_of(room.plan.kind).reason
    if reason is Reason.DISABLE and disabled:
        raise VerificationError(
            "device_ca.already_disabled",
            f"{ca.subject}, serial {ca.serial}, is disabled already",
            hint="Correct the plan; there is nothing to disable.",
        )
    if reason is Reason.ENABLE and not disabled:
        raise VerificationError(
            "device_ca.not_disabled",
            f"{ca.subject}, serial {ca.serial}, is not disabled",
            hint="Correct the plan; there is nothing to enable.",
        )


def _pick(room: Room, bundle: RequestBundle) -> Flow[tuple[Certificate, ...]]:
    disabled = _disabled(bundle)
    reason = facts_of(room.plan.kind).reason
    wanted = {Reason.DISABLE: False, Reason.ENABLE: True}
    able = {
        str(ca.serial): ca
        for ca in bundle.current_device_cas
        if reason not in wanted or (str(ca.serial) in disabled) is wanted[reason]
    }
    if not able:
        raise VerificationError(
            "device_ca.none",
            f"the Factory has no device CA that {room.plan.kind.value} could act on",
            hint="Look at the list in the request bundle.",
        )
    chosen: list[str] = []
    while len(chosen) < len(able):
        options = [
            Option(value=serial, label=ca.subject, detail=f"serial {serial} (hex {ca.serial_hex})")
            for serial, ca in able.items()
            if serial not in chosen
        ]
        if chosen:
            options.append(Option(value=_DONE, label="That is all", detail=", ".join(chosen)))
        answer = yield from choose(
            Choose(
                key="import.device_ca",
                step=Step.IMPORT,
                title=f"{facts_of(room.plan.kind).title}: which one?",
                body=(Text(text="The approved plan leaves it open. Both officers agree on each."),),
                options=tuple(options),
            )
        )
        if answer == _DONE:
            break
        chosen.append(answer)
    return tuple(able[serial] for serial in chosen)


# --- at the fence --------------------------------------------------------------------


def type_serials(room: Room, chosen: tuple[Certificate, ...]) -> Flow[None]:
    """Both officers type each serial back; the screen does not show it.

    Raises:
        VerificationError: `device_ca.serial_mismatch`: three wrong tries.
    """
    for ca in chosen:
        for seat in SEATS:
            if not room.has("typed", f"serial/{ca.serial}/{seat}"):
                yield from _type(room, ca, seat)


def _type(room: Room, ca: Certificate, seat: str) -> Flow[None]:
    key = f"serial/{ca.serial}/{seat}"
    wrong = 0

    def problem_with(values: dict[str, str]) -> str | None:
        nonlocal wrong
        try:
            if parse_serial(values["serial"]) == ca.serial:
                return None
            problem = "That is not the serial of this device CA."
        except ValueError:
            problem = "Type it in decimal, or in hex."
        wrong += 1
        if wrong < _TRIES:
            return f"{problem} Tries left: {_TRIES - wrong}."
        error = VerificationError(
            "device_ca.serial_mismatch",
            f"{room.officer(seat)} typed another serial than that of {ca.subject}",
            hint="Find out which device CA is meant; nothing was signed.",
        )
        room.refused(Step.SIGN, error)
        raise error

    prompt = EnterText(
        key="sign.serial",
        step=Step.SIGN,
        title="Type the serial back",
        body=(
            Facts(rows=(("Device CA", ca.subject), ("SHA-256", ca.fingerprint.hex))),
            Text(text="Read its serial from the approved script, or from your own notes."),
        ),
        fields=(Field(name="serial", label="Serial, decimal or hex"),),
        officer=room.officer(seat),
        irreversible=facts_of(room.plan.kind).reason is Reason.REVOKE,
        help="All local CAs of one user have the same subject: only the serial tells them apart.",
    )
    yield from enter(prompt, lambda values: problem_with(dict(values)))
    room.append(
        Step.SIGN,
        "typed",
        key,
        what=f"serial {ca.serial} of {ca.subject}",
        officer=room.officer(seat),
    )


def usable_after(room: Room, bundle: RequestBundle, chosen: tuple[Certificate, ...]) -> int:
    """How many device CAs new devices can register with, once this CRL is applied."""
    disabled = _disabled(bundle)
    serials = {str(ca.serial) for ca in chosen}
    if facts_of(room.plan.kind).reason is Reason.ENABLE:
        disabled -= serials
        serials = set()
    return sum(str(ca.serial) not in disabled | serials for ca in bundle.current_device_cas)


def effects(room: Room, bundle: RequestBundle, chosen: tuple[Certificate, ...]) -> list[str]:
    """What will stop working, or work again: one sentence each."""
    tell = {
        Reason.DISABLE: "no new device can register with it; its registered devices go on",
        Reason.ENABLE: "new devices can register with it again",
        Reason.REVOKE: "every device with a certificate of it is cut off, for good",
        None: "",
    }[facts_of(room.plan.kind).reason]
    told = [f"{ca.subject}, serial {ca.serial} (hex {ca.serial_hex}): {tell}" for ca in chosen]
    if usable_after(room, bundle, chosen) == 0:
        told.append("No usable device CA is left: no new device of any kind can register")
    if facts_of(room.plan.kind).reason is Reason.REVOKE and len(chosen) == len(
        bundle.current_device_cas
    ):
        told.append("No device CA is left at all: no device can connect")
    return told


def fence_effects(room: Room, bundle: RequestBundle, chosen: tuple[Certificate, ...]) -> Flow[None]:
    """Serials typed back, what follows on record, and a second fence for the last usable CA."""
    yield from type_serials(room, chosen)
    told = effects(room, bundle, chosen)
    if not room.has("effect", "device-cas"):
        room.append(Step.SIGN, "effect", "device-cas", sentences=told, by=list(room.officers))
    if usable_after(room, bundle, chosen) == 0:
        body = tuple(Text(text=f"{sentence}.", tone=Tone.DANGER) for sentence in told)
        yield from fence(room, "last-ca", Step.SIGN, "Fence: the last usable device CA", body)
