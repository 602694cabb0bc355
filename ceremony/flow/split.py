"""Secrets in two parts, where the plan says so: each officer knows one, unseen by the other."""

from dataclasses import replace

from ceremony.core.secret import Secret
from ceremony.flow.asking import Flow, acknowledge, enter_secret
from ceremony.flow.officers import SEATS
from ceremony.flow.prompts import Acknowledge, EnterSecret, Step, Text, Tone
from ceremony.flow.room import Room

_PLACES = {"A": "first", "B": "second"}
MIN_PART = 4


def secret_of(room: Room, prompt: EnterSecret, *, joined_by: str = "") -> Flow[Secret]:
    """A secret, whole or in two parts as `[rules] split_pin` says.

    Args:
        room: of the ceremony.
        prompt: for the whole; each part gets its key with `.A` or `.B` behind.
        joined_by: stands between the parts.
    """
    if not room.plan.rules.split_pin:
        return (yield from enter_secret(prompt))
    parts = []
    for seat in SEATS:
        if seat == "B":
            yield from take_seat(room, prompt.step, seat)
        parts.append((yield from _part(room, prompt, seat)).reveal())
        prompt = replace(prompt, problem=None)
    return Secret(joined_by.join(parts))


def _part(room: Room, prompt: EnterSecret, seat: str) -> Flow[Secret]:
    part = replace(
        prompt,
        key=f"{prompt.key}.{seat}",
        title=f"{prompt.title}: {_PLACES[seat]} part",
        officer=room.officer(seat),
        label=f"{prompt.label}, {_PLACES[seat]} part, of {room.officer(seat)}",
        body=(
            *prompt.body,
            Text(text=f"Only {room.officer(seat)} looks at the keyboard now.", tone=Tone.WARN),
        ),
    )
    while True:
        secret = yield from enter_secret(part)
        if not prompt.twice or len(secret.reveal()) >= MIN_PART:
            return secret
        part = replace(part, problem=f"A part has at least {MIN_PART} characters.")


def take_seat(room: Room, step: Step, seat: str) -> Flow[None]:
    """The other officer gets up before a part is typed, or shown."""
    other = room.officer(next(each for each in SEATS if each != seat))
    yield from acknowledge(
        Acknowledge(
            key="split.turn",
            step=step,
            title=f"The {_PLACES[seat]} part",
            body=(
                Text(
                    text=f"{other} gets up and looks away; {room.officer(seat)} sits down. "
                    "Neither part is on the screen."
                ),
            ),
            officer=room.officer(seat),
            action="I am at the keyboard",
        )
    )


def new_pin(room: Room, step: Step, whose: str) -> Flow[Secret]:
    """A PIN that nobody had before, typed twice, whole or in two parts."""
    prompt = EnterSecret(
        key="root.new_pin",
        step=step,
        title=f"A new PIN for {whose}",
        body=(Text(text="Think of one that nobody had before; it is typed twice."),),
        label="New PIN",
        twice=True,
        help="Write it on paper for the safe, each part on a sheet and in an envelope of its "
        "own. It is stored nowhere by this program, and without it the key is lost.",
    )
    while True:
        secret = yield from secret_of(room, prompt)
        if len(secret.reveal()) >= MIN_PART:
            return secret
        prompt = replace(
            prompt, problem=f"At least {MIN_PART} characters; the token may want more."
        )
