"""The root's token made ready, where it is blank or its PIN is a default one."""

from ceremony.config import Token
from ceremony.core.ports import StoreInfo
from ceremony.core.text import show
from ceremony.errors import KeyStoreError, StoppedError
from ceremony.flow.asking import Flow, acknowledge, choose, enter_secret
from ceremony.flow.officers import SEATS
from ceremony.flow.pins import agree_to_try
from ceremony.flow.prompts import (
    Acknowledge,
    Choose,
    EnterSecret,
    Facts,
    Option,
    Step,
    Text,
    Tone,
    Working,
)
from ceremony.flow.room import Room
from ceremony.flow.split import new_pin, secret_of

_KEY = "token/root"
_RETRY = frozenset({"token.pin_form", "token.pin_wrong"})


def ready_token(room: Room) -> Flow[None]:
    """Initialises the plan's blank token, or replaces a PIN that must be changed.

    Nothing is asked when the token is ready, or the plan does not allow initialisation.

    Raises:
        StoppedError: `token.not_initialized`: an officer declined.
        KeyStoreError: what the token refuses.
    """
    token = room.plan.root.token
    if room.plan.root.key_store != "token" or token is None:
        return
    if token.initialize and not room.has("done", _KEY):
        blank = room.services.blank_token(token)
        if blank is not None:
            yield from _initialise(room, token, blank)
        elif room.has("intent", _KEY):
            with room.services.token_store(token) as store:
                _done(room, store.info())  # a cut of power came between the two
    with room.services.token_store(token) as store:
        info = store.info()
    if info.pin_to_be_changed and not info.pin_pad and not room.has("new-pin", "root"):
        yield from _change_pin(room, token, info)


def _initialise(room: Room, token: Token, blank: StoreInfo) -> Flow[None]:
    for seat in SEATS:
        answer = yield from choose(_warning(room, token, blank, seat))
        if answer == "stop":
            raise StoppedError(
                "token.not_initialized",
                f"{room.officer(seat)} did not want the token initialised",
                hint="Settle the vendor's backup scheme, then resume.",
            )
    problem = None
    room.append(
        Step.ROOT,
        "intent",
        _KEY,
        token_serial=show(blank.name),
        label=show(token.label or "ceremony"),
        by=list(room.officers),
    )
    while True:
        yield from agree_to_try(room, Step.ROOT, blank.pin_state)
        so_pin = yield from secret_of(room, _so_pin(problem))
        pin = yield from new_pin(room, Step.ROOT, "the token's user")
        yield Working(step=Step.ROOT, title="Initialising the token")
        try:
            made = room.services.initialise_token(token, so_pin, pin)
            break
        except KeyStoreError as exc:
            if exc.code not in _RETRY or room.services.blank_token(token) is None:
                raise
            room.refused(Step.ROOT, exc)
            problem = f"{exc.message}. {exc.hint}"
    _done(room, made)
    yield from acknowledge(
        Acknowledge(
            key="root.initialised",
            step=Step.ROOT,
            title="The token is initialised",
            body=(
                Facts(rows=(("Serial", show(made.name)), ("Label", show(made.label)))),
                Text(text="Put the SO PIN into its envelope: it resets the user PIN."),
            ),
        )
    )


def _done(room: Room, made: StoreInfo) -> None:
    room.append(Step.ROOT, "done", _KEY, serial=show(made.name), label=show(made.label))


def _warning(room: Room, token: Token, blank: StoreInfo, seat: str) -> Choose:
    return Choose(
        key=f"root.initialise.{seat}",
        step=Step.ROOT,
        title="The token is blank",
        body=(
            Text(
                text="The vendor's backup scheme is set WHEN A TOKEN IS INITIALISED, never later: "
                "the DKEK of a SmartCard-HSM or Nitrokey HSM, the wrap key of a YubiHSM, a Luna's "
                "cloning domain. Initialised here, it has none.",
                tone=Tone.DANGER,
            ),
            Text(
                text=f"The plan's backup is '{room.plan.root.backup.method}'. If it needs such a "
                "scheme, stop here and initialise the token with the vendor's tool."
            ),
            Facts(
                rows=(
                    ("Model", f"{show(blank.manufacturer)} {show(blank.model)}".strip() or "-"),
                    ("Serial", show(blank.name) or "not told while blank"),
                    ("Label it will get", show(token.label or "ceremony")),
                )
            ),
        ),
        officer=room.officer(seat),
        irreversible=True,
        options=(
            Option(value="stop", label="Stop here", detail="nothing is changed"),
            Option(value="initialise", label="Initialise it", detail="without a backup scheme"),
        ),
        help="Only a token that says it was never initialised is initialised; nothing is erased.",
    )


def _so_pin(problem: str | None) -> EnterSecret:
    return EnterSecret(
        key="root.new_so_pin",
        step=Step.ROOT,
        title="The SO PIN of the token",
        body=(Text(text="It can set the PIN anew, and opens no key. It is typed twice."),),
        label="SO PIN",
        twice=True,
        problem=problem,
        help="The security officer's PIN: it can set the user PIN anew. Some tokens are "
        "delivered with one that must be used here; the vendor's manual says so.",
    )


def _change_pin(room: Room, token: Token, info: StoreInfo) -> Flow[None]:
    problem = None
    while True:
        yield from agree_to_try(room, Step.ROOT, info.pin_state)
        old = yield from enter_secret(
            EnterSecret(
                key="root.old_pin",
                step=Step.ROOT,
                title="The token's PIN must be changed",
                body=(
                    Text(
                        text=f"Token {show(info.name)} says that its PIN is the one it was "
                        "delivered with, or has expired. It gets a new one before it holds a key.",
                        tone=Tone.WARN,
                    ),
                    Facts(rows=(("PIN", info.pin_state.value),)),
                ),
                label="The PIN as it is now",
                problem=problem,
                help="A wrong PIN counts on the token.",
            )
        )
        new = yield from new_pin(room, Step.ROOT, f"token {show(info.name)}")
        yield Working(step=Step.ROOT, title="Setting the new PIN")
        try:
            room.services.change_pin(token, old, new)
            break
        except KeyStoreError as exc:
            if exc.code not in _RETRY:
                raise
            room.refused(Step.ROOT, exc)
            problem = f"{exc.message}. {exc.hint}"
            with room.services.token_store(token) as store:
                info = store.info()
    room.append(Step.ROOT, "new-pin", "root", serial=show(info.name), by=list(room.officers))
