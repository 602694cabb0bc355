"""Officers: enrolment, and the fences that need both of them.

A personal phrase is kept only as a salted scrypt hash (RFC 7914: N = 2^14, r = 8, p = 1)
in ``officers.json``, 0600, which no bundle contains; the record holds a SHA-256 of that.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ceremony.bundle.media import read_file
from ceremony.bundle.writing import replace_file
from ceremony.core.secret import Secret
from ceremony.core.text import alike
from ceremony.errors import MediaError, StoppedError, VerificationError
from ceremony.flow.asking import Flow, enter, enter_secret
from ceremony.flow.clock import check_clock
from ceremony.flow.notes import weigh_new_devices
from ceremony.flow.people import WHO, identity_problem
from ceremony.flow.prompts import Block, EnterSecret, EnterText, Step, Text
from ceremony.flow.room import Room

SEATS = ("A", "B")
MIN_PHRASE = 8
_TRIES = 3
_FILE = "officers.json"
_MAX_FILE = 4096


class _Phrase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    salt: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    scrypt: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


def enrol(room: Room) -> Flow[None]:
    """Officers A and B, and the witness where the plan wants one."""
    for seat in SEATS:
        if not room.has("officer", seat):
            yield from _enrol_officer(room, seat)
    if room.plan.rules.witness and not room.has("officer", "witness"):
        values = yield from enter(
            EnterText(
                key="open.witness",
                step=Step.OPEN,
                title="The witness",
                body=(Text(text="Who watches today, and signs at the end."),),
                fields=WHO,
                help="A witness watches and signs; a witness never types a word or a phrase.",
            ),
            lambda values: _name_problem(room, values) or identity_problem(values),
        )
        room.append(Step.OPEN, "officer", "witness", **values)


def _name_problem(room: Room, values: Mapping[str, str]) -> str | None:
    """Why this name cannot be taken: an officer's looks the same on paper.

    Case, accents and punctuation tell no two people apart: whoever could sit in both seats
    would be one person at every fence.
    """
    if not alike(values["name"]):
        return "A name has letters."
    for line in room.record.all("officer"):
        if alike(str(line.data["name"])) == alike(values["name"]):
            who = "witness" if line.key == "witness" else f"officer {line.key}"
            return f"'{values['name']}' reads like the name of {who}: two different people."
    return None


def _enrol_officer(room: Room, seat: str) -> Flow[None]:
    values = yield from enter(
        EnterText(
            key=f"open.officer.{seat}",
            step=Step.OPEN,
            title=f"Officer {seat}",
            body=(
                Text(
                    text=f"Who sits in seat {seat} today. The other officer looks at the identity "
                    "document."
                ),
            ),
            fields=WHO,
            help="Each officer enrols with a name, a role and a phrase that only they know.",
        ),
        lambda values: _name_problem(room, values) or identity_problem(values),
    )
    phrase = yield from _new_phrase(room, seat, values["name"])
    kept = _keep(room.directory, seat, phrase)
    room.append(Step.OPEN, "officer", seat, **values, phrase_kept=kept)


def _new_phrase(room: Room, seat: str, name: str) -> Flow[Secret]:
    prompt = EnterSecret(
        key=f"open.phrase.{seat}",
        step=Step.OPEN,
        title=f"A phrase for officer {seat}",
        officer=name,
        body=(
            Text(
                text=f"{name} types a phrase that nobody else knows, {MIN_PHRASE} characters or "
                "more. It opens each fence. Everybody else looks away."
            ),
        ),
        label="Personal phrase",
        twice=True,
        help="It is asked for at each fence: root, sign and export. Nobody else may see it. "
        "Only a salted hash of it is kept, on this laptop.",
    )
    while True:
        phrase = yield from enter_secret(prompt)
        if len(phrase.reveal()) < MIN_PHRASE:
            prompt = replace(prompt, problem=f"At least {MIN_PHRASE} characters.")
        elif seat == "B" and _matches(room, "A", phrase):
            prompt = replace(prompt, problem="Choose another phrase.")
        else:
            return phrase


def fence(room: Room, name: str, step: Step, title: str, body: tuple[Block, ...]) -> Flow[None]:
    """A step that needs both officers: each proves to be there with the phrase.

    Raises:
        StoppedError: `fence.network`: a network link is up; `clock.backwards`.
        VerificationError: `fence.phrase`: three wrong phrases.
    """
    if room.has("fence", name):
        return
    for seat in SEATS:
        yield from prove(room, f"{name}.phrase.{seat}", seat, step, title, body)
    check_network(room, step)
    yield from weigh_new_devices(room, step)
    check_clock(room)
    room.append(step, "fence", name, by=list(room.officers))


_FENCE = (
    "A fence: nothing goes on until both officers have typed their own phrase. "
    "Esc goes back; nothing is done before the second phrase."
)


def prove(
    room: Room,
    key: str,
    seat: str,
    step: Step,
    title: str,
    body: tuple[Block, ...],
    *,
    fenced: bool = True,
) -> Flow[None]:
    """One officer proves to be there.

    Args:
        room: of the ceremony.
        key: of the prompt.
        seat: A or B.
        step: where in the ceremony.
        title: of the screen.
        body: of the screen.
        fenced: something that cannot be undone comes next.

    Raises:
        VerificationError: `fence.phrase`: three wrong phrases.
        MediaError: `state.officers`, `state.officers_changed`: not what was enrolled.
    """
    prompt = EnterSecret(
        key=key,
        step=step,
        title=title,
        body=body,
        officer=room.officer(seat),
        irreversible=fenced and step is not Step.CLOSE,
        label=f"Phrase of officer {seat}",
        help=_FENCE
        if fenced
        else "Locked: nothing is shown and nothing goes on until both "
        "officers have typed their own phrase.",
    )
    for tries in range(_TRIES):
        phrase = yield from enter_secret(prompt)
        if _matches(room, seat, phrase):
            return
        room.append(step, "refused", "fence.phrase", message=f"officer {seat}: wrong phrase")
        left = _TRIES - tries - 1
        prompt = replace(prompt, problem=f"That is not the phrase. Tries left: {left}.")
    raise VerificationError(
        "fence.phrase",
        f"three wrong phrases for officer {seat}",
        hint="Resume when the officer who enrolled is at the table.",
    )


def check_network(room: Room, step: Step) -> None:
    """No private key is used while a network link is up.

    Raises:
        StoppedError: `fence.network`.
    """
    reason = room.services.network_up(room.plan)
    if reason is None or room.plan.rehearsal:
        return
    error = StoppedError(
        "fence.network",
        f"this laptop is not off the network: {reason}",
        hint="Take the link down, pull the cable, then resume.",
    )
    room.refused(step, error)
    raise error


def _hash(phrase: Secret, salt: bytes) -> bytes:
    return hashlib.scrypt(phrase.reveal().encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)


def _keep(directory: Path, seat: str, phrase: Secret) -> str:
    """Writes the hash; gives the SHA-256 of salt and hash, which binds it to the record."""
    salt = os.urandom(16)
    entry = _Phrase(salt=salt.hex(), scrypt=_hash(phrase, salt).hex())
    entries = {**_entries(directory), seat: entry}
    replace_file(directory, _FILE, msgspec.json.encode(entries))
    return _bound(entry)


def _bound(entry: _Phrase) -> str:
    """For the record: without the salt, 128 random bits, it helps nobody to guess a phrase."""
    return hashlib.sha256(bytes.fromhex(entry.salt + entry.scrypt)).hexdigest()


def _entries(directory: Path) -> Mapping[str, _Phrase]:
    if not os.path.lexists(directory / _FILE):
        return {}
    try:
        data = read_file(directory / _FILE, _MAX_FILE)
        return msgspec.json.decode(data, type=dict[str, _Phrase])
    except (msgspec.DecodeError, UnicodeDecodeError, MediaError) as exc:
        raise MediaError(
            "state.officers",
            "officers.json cannot be read or is damaged",
            hint="Restore it from a copy of the state folder; without it no fence can be passed.",
        ) from exc


def _matches(room: Room, seat: str, phrase: Secret) -> bool:
    entry = _entries(room.directory).get(seat)
    if entry is None:
        return False
    if _bound(entry) != room.need("officer", seat).data["phrase_kept"]:
        raise MediaError(
            "state.officers_changed",
            f"officers.json holds another phrase of officer {seat} than was enrolled",
            hint="Stop: somebody replaced it. Record an exception, and find out who was here.",
        )
    found = _hash(phrase, bytes.fromhex(entry.salt))
    return hmac.compare_digest(found, bytes.fromhex(entry.scrypt))
