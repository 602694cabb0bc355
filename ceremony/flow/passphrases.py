"""Passphrases of key files: generated, shown once, typed back, forgotten."""

from dataclasses import replace

from ceremony.core.secret import Secret
from ceremony.flow.asking import Flow, acknowledge, enter_secret
from ceremony.flow.prompts import EnterSecret, ShowSecret, Step, Text, Tone
from ceremony.flow.room import Room


def passphrase_for(room: Room, step: Step, name: str) -> Flow[Secret]:
    """A new passphrase for the key file of that name, proven to be on paper."""
    while True:
        secret = room.services.new_passphrase()
        yield from acknowledge(
            ShowSecret(
                key=f"{name}.passphrase",
                step=step,
                title=f"Passphrase of the {name} key",
                body=(
                    Text(
                        text="Copy it to paper now. It is shown this once, stored nowhere, and "
                        "without it the key file cannot be opened.",
                        tone=Tone.WARN,
                    ),
                ),
                label="Passphrase",
                secret=secret,
                help="The paper goes into an envelope of its own, never with the key file.",
            )
        )
        typed = yield from _typed_back(step, name, secret)
        if typed:
            return secret


def _typed_back(step: Step, name: str, secret: Secret) -> Flow[bool]:
    prompt = EnterSecret(
        key=f"{name}.passphrase.typed",
        step=step,
        title=f"Type the passphrase of the {name} key",
        label="From the paper (case, spaces and hyphens do not matter)",
        help="After three wrong tries a new passphrase is made and shown.",
    )
    for _ in range(3):
        typed = yield from enter_secret(prompt)
        if normal(typed) == secret:
            return True
        prompt = replace(prompt, problem="That is not what was shown. Read the paper again.")
    return False


def normal(secret: Secret) -> Secret:
    """A typed passphrase as it was generated: lower case, one hyphen between words."""
    return Secret("-".join(secret.reveal().lower().replace("-", " ").split()))
