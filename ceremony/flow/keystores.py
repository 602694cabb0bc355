"""Key stores in the flow: login, making a key once, finding it again."""

import base64
from pathlib import Path

from ceremony.bundle.media import MAX_PEM_BYTES, read_file
from ceremony.config import Curve
from ceremony.core.ports import KeyInfo, KeyStore, PinState, StoreInfo
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.flow.adoption import (
    adopt,
    inventory,
    refuse_twice,
    require_same_token,
    spki_of,
)
from ceremony.flow.asking import Flow, acknowledge
from ceremony.flow.passphrases import normal
from ceremony.flow.pins import WRONG, agree_to_try, weigh_pin
from ceremony.flow.prompts import (
    Acknowledge,
    EnterSecret,
    Facts,
    Step,
    Text,
    Working,
)
from ceremony.flow.remains import refuse_taken
from ceremony.flow.room import Room
from ceremony.flow.split import secret_of
from ceremony.record.chain import sha256_hex


def store_facts(info: StoreInfo) -> Facts:
    """A key store on a table."""
    if info.kind == "file":
        return Facts(rows=(("Key file", show(info.name)),))
    return Facts(
        rows=(
            ("Token", f"{show(info.label)}, serial {show(info.name)}"),
            ("Model", f"{show(info.manufacturer)} {show(info.model)} {show(info.firmware)}"),
            ("Module", show(info.module)),
            ("SHA-256 of the module", info.module_sha256),
            ("PIN", info.pin_state.value),
        )
    )


def log_in(room: Room, step: Step, store: KeyStore, whose: str) -> Flow[None]:
    """Opens the store; after two wrong PINs both officers must agree to another.

    Raises:
        KeyStoreError: `token.other`, or the store refused for another reason than a PIN.
        StoppedError: `token.pin_tries`: an officer does not want another try.
    """
    require_same_token(room, store, whose)
    problem = None
    while True:
        info = store.info()
        if info.pin_state is PinState.LOCKED:
            raise KeyStoreError(
                "token.pin_locked",
                "the token's PIN is locked",
                hint="Unlock it with its SO PIN or PUK by the vendor's procedure, then resume.",
            )
        yield from agree_to_try(room, step, info.pin_state)
        secret = None
        if info.pin_pad:
            yield from acknowledge(_pin_pad(step, info, whose))
        else:
            between = "-" if info.kind == "file" else ""
            prompt = _pin(step, info, whose, problem)
            secret = yield from secret_of(room, prompt, joined_by=between)
        yield Working(step=step, title="Opening the key store")
        try:
            _open(store, info, secret)
        except KeyStoreError as exc:
            if exc.code not in WRONG:
                raise
            room.refused(step, exc)
            problem = f"{exc.message}. {exc.hint}"
        else:
            if secret is not None:
                yield from weigh_pin(room, step, info, secret)
            return


def _open(store: KeyStore, info: StoreInfo, secret: Secret | None) -> None:
    """A passphrase is taken as typed, or else as it was generated: case and spaces aside."""
    try:
        store.login(secret)
    except KeyStoreError as exc:
        if secret is None or info.kind != "file" or exc.code != "file.passphrase_wrong":
            raise
        if normal(secret) == secret:
            raise
        store.login(normal(secret))


def _pin(step: Step, info: StoreInfo, whose: str, problem: str | None) -> EnterSecret:
    what = "PIN" if info.kind == "token" else "passphrase"
    return EnterSecret(
        key=f"{whose}.pin",
        step=step,
        title=f"The {what} of {_name(info, whose)}",
        body=(store_facts(info),),
        label=f"User {what}" if info.kind == "token" else "Passphrase",
        problem=problem,
        help="It goes to the process that talks to the token, and ends with it. It is never "
        "written down by this program. A wrong PIN counts on the token too: the line PIN shows "
        "what the token says of its tries.",
    )


def _pin_pad(step: Step, info: StoreInfo, whose: str) -> Acknowledge:
    return Acknowledge(
        key=f"{whose}.pin_pad",
        step=step,
        title=f"Enter the PIN on {_name(info, whose)}",
        body=(store_facts(info), Text(text="Press Enter here, then type the PIN on the device.")),
        action="Ask the device",
    )


def _name(info: StoreInfo, whose: str) -> str:
    return f"token {show(info.name)}" if info.kind == "token" else f"the {whose} key file"


def note_store(room: Room, step: Step, store: KeyStore, role: str) -> None:
    """The store's description, on record once for each role and description."""
    info = store.info()
    data = {
        "kind": info.kind,
        "name": show(info.name),
        "label": show(info.label),
        "model": show(info.model),
        "manufacturer": show(info.manufacturer),
        "firmware": show(info.firmware),
        "module": show(info.module),
        "module_sha256": info.module_sha256,
        "pin_state": info.pin_state.value,
        "software": info.software,
        "role": role,
    }
    last = room.find("token", role)
    if last is None or dict(last.data) != data:
        room.append(step, "token", role, **data)


def make_key(
    room: Room, step: Step, store: KeyStore, name: str, label: str, key_id: str, curve: Curve
) -> Flow[KeyInfo]:
    """The key of that name: made once, adopted if a cut left it unrecorded, found if done.

    Raises:
        KeyStoreError: `token.label_taken`, `token.key_missing`, `token.key_unexplained`.
    """
    record_key = f"key/{name}"
    done = room.find("done", record_key)
    held = inventory(room, store)
    if done is not None:
        return find_key(held, spki_of(done), name)
    intent = room.find("intent", record_key)
    key = None
    if intent is not None:
        require_same_token(room, store, name)
        key = yield from adopt(room, step, store, intent, held)
    else:
        unnamed = refuse_taken(store, label, key_id)
        info = store.info()
        room.append(
            step,
            "intent",
            record_key,
            store=info.kind,
            token_serial=show(info.name) if info.kind == "token" else "",
            token_label=show(info.label) if info.kind == "token" else "",
            label=label,
            key_id=key_id,
            curve=curve.value,
            inventory=[
                {"label": show(k.label), "key_id": k.key_id, "spki_sha256": sha256_hex(k.spki)}
                for k in held
            ],
            unnamed=unnamed,
        )
    if key is None:
        yield Working(step=step, title=f"Generating the key {label}")
        key = store.generate(label, key_id, curve)
    room.append(
        step,
        "done",
        record_key,
        spki_sha256=sha256_hex(key.spki),
        spki=base64.b64encode(key.spki).decode(),
        attributes=dict(key.attributes),
        **_file(store.info()),
    )
    return key


def _file(info: StoreInfo) -> dict[str, str]:
    """The key file's digest, so that another file is noticed before one leaves the room."""
    if info.kind == "token":
        return {}
    return {"sha256": sha256_hex(read_file(Path(info.name), MAX_PEM_BYTES))}


def find_key(held: tuple[KeyInfo, ...], spki: bytes, name: str) -> KeyInfo:
    """The one key with that public half, and no other with its label.

    Raises:
        KeyStoreError: `token.key_missing`, `token.key_twice`, `token.label_twice`.
    """
    matches = [key for key in held if key.spki == spki]
    if not matches:
        raise KeyStoreError(
            "token.key_missing",
            f"the key store does not hold the {name} key {sha256_hex(spki)[:16]}...",
            hint="Put in the token that holds it; its serial is on the record.",
        )
    if len(matches) > 1:
        raise KeyStoreError(
            "token.key_twice",
            f"the token holds the {name} key {len(matches)} times",
            hint="Remove the copy that this ceremony did not make, then resume.",
        )
    refuse_twice(held, matches[0], name)
    return matches[0]


def recorded_spki(room: Room, name: str) -> bytes:
    """The public key of a key that is done, DER SubjectPublicKeyInfo."""
    return spki_of(room.need("done", f"key/{name}"))
