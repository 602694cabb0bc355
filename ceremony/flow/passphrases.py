"""Passphrases of key files: generated, shown once, typed back, forgotten."""

from dataclasses import replace

from ceremony.core.secret import Secret
from ceremony.flow.asking import Flow, acknowledge, enter_secret
from ceremony.flow.officers import SEATS
from ceremony.flow.prompts import EnterSecret, ShowSecret, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.flow.split import take_seat


def passphrase_for(room: Room, step: Step, name: str) -> Flow[Secret]:
    """A new passphrase for the key file of that name, proven to be on paper.

    In two parts, where the plan says so: each is as strong as a whole one, and known to
    one officer.
    """
    if not room.plan.rules.split_pin:
        return (yield from _shown(room, step, f"{name}.passphrase", name, None))
    parts = []
    for seat in SEATS:
        yield from take_seat(room, step, seat)
        part = yield from _shown(room, step, f"{name}.passphrase.{seat}", name, seat)
        parts.append(part.reveal())
    return Secret("-".join(parts))


def _shown(room: Room, step: Step, key: str, name: str, seat: str | None) -> Flow[Secret]:
    part = "" if seat is None else f", {'first' if seat == 'A' else 'second'} part"
    officer = None if seat is None else room.officer(seat)
    alone = "" if officer is None else f" Only {officer} looks at the screen now."
    while True:
        secret = room.services.new_passphrase()
        yield from acknowledge(
            ShowSecret(
                key=key,
                step=step,
                title=f"Passphrase of the {name} key{part}",
                body=(
                    Text(
                        text="Copy it to paper now. It is shown this once, stored nowhere, and "
                        f"without it the key file cannot be opened.{alone}",
                        tone=Tone.WARN,
                    ),
                ),
                officer=officer,
                label=f"Passphrase{part}",
                secret=secret,
                help="The paper goes into an envelope of its own, never with the key file.",
            )
        )
        prompt = EnterSecret(
            key=f"{key}.typed",
            step=step,
            title=f"Type the passphrase of the {name} key{part}",
            officer=officer,
            body=(
                Text(
                    text="Read it from the paper, not from memory. Capitals, spaces and hyphens "
                    "do not matter."
                ),
            ),
            label="From the paper",
            help="After three wrong tries a new passphrase is made and shown.",
        )
        if (yield from _typed_back(prompt, secret)):
            return secret


def _typed_back(prompt: EnterSecret, secret: Secret) -> Flow[bool]:
    for _ in range(3):
        typed = yield from enter_secret(prompt)
        if normal(typed) == secret:
            return True
        prompt = replace(prompt, problem="That is not what was shown. Read the paper again.")
    return False


def normal(secret: Secret) -> Secret:
    """A typed passphrase as it was generated: lower case, one hyphen between words."""
    return Secret("-".join(secret.reveal().lower().replace("-", " ").split()))
