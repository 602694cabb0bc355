"""What a key store holds, weighed against the record: explained, adopted, or a stop.

A key that neither the inventory before an intent nor a done line explains was made by
somebody else. One that an unfinished intent describes may be the one that a cut of power
left, or one planted since: both officers look at it before it becomes the ceremony's.
"""

import base64

from ceremony.core.ports import KeyInfo, KeyStore, StoreInfo
from ceremony.core.text import show
from ceremony.errors import KeyStoreError, StoppedError, VerificationError
from ceremony.flow.asking import Flow, acknowledge, choose
from ceremony.flow.officers import SEATS
from ceremony.flow.prompts import Acknowledge, Choose, Facts, Option, Step, Text, Tone
from ceremony.flow.remains import clear
from ceremony.flow.room import Room
from ceremony.record.chain import Line, sha256_hex

_REQUIRED = {"CKA_SENSITIVE": True, "CKA_EXTRACTABLE": False, "CKA_SIGN": True}
_PROOF = b"ceremony: the public half read back belongs to this key"


def require_same_token(room: Room, store: KeyStore, name: str) -> None:
    """The token is the one on which the key of that name was begun; before that, any.

    Raises:
        KeyStoreError: `token.other`: another one, whatever its label says.
    """
    intent = room.find("intent", f"key/{name}")
    info = store.info()
    if intent is None or info.kind != "token" or _is_of(intent, info):
        return
    raise KeyStoreError(
        "token.other",
        f"this is token {show(info.name)} ({show(info.label)}); the record's {name} key is on "
        f"token {intent.data['token_serial']}",
        hint="Put in that token; its serial is printed on it. Nothing was done on this one.",
    )


def inventory(room: Room, store: KeyStore) -> tuple[KeyInfo, ...]:
    """The store's keys, each of them explained by the record once it has begun a key there.

    Raises:
        KeyStoreError: `token.key_unexplained`.
    """
    held, info = store.keys(), store.info()
    intents = [
        line
        for line in room.record.all("intent")
        if line.key.startswith("key/")
        and line.data["store"] == info.kind == "token"
        and _is_of(line, info)
    ]
    if not intents:
        return held
    known = {str(entry["spki_sha256"]) for line in intents for entry in line.data["inventory"]}
    known |= {str(line.data["spki_sha256"]) for line in room.record.all("done") if _is_key(line)}
    waiting = {
        (line.data["label"], line.data["key_id"], line.data["curve"])
        for line in intents
        if not room.has("done", line.key)
    }
    strange = [
        key
        for key in held
        if sha256_hex(key.spki) not in known
        and (key.label, key.key_id, key.curve.value) not in waiting
    ]
    if strange:
        raise _unexplained(strange)
    return held


def adopt(
    room: Room, step: Step, store: KeyStore, intent: Line, held: tuple[KeyInfo, ...]
) -> Flow[KeyInfo | None]:
    """The key that an unfinished intent left in the store, once both officers take it.

    Raises:
        KeyStoreError: `token.key_unexplained`, `token.attributes`, `token.signature_wrong`.
        StoppedError: `token.key_refused`: an officer does not take it.
    """
    before = {entry["spki_sha256"] for entry in intent.data["inventory"]}
    done = {line.data["spki_sha256"] for line in room.record.all("done") if _is_key(line)}
    found = [key for key in held if sha256_hex(key.spki) not in before | done]
    if not found:
        if not (yield from clear(room, step, store, intent)):
            yield from acknowledge(_absent(step, intent, len(held)))
        return None
    key = found[0]
    wanted = (intent.data["label"], intent.data["key_id"], intent.data["curve"])
    if len(found) > 1 or (key.label, key.key_id, key.curve.value) != wanted:
        raise _unexplained(found)
    _require_attributes(key)
    store.sign(key, _PROOF)
    for seat in SEATS:
        answer = yield from choose(_question(room, seat, step, intent, key))
        if answer != "adopt":
            raise StoppedError(
                "token.key_refused",
                f"{room.officer(seat)} did not take the key that was found",
                hint="Find out who made it. Then go on with this token, or begin anew on another.",
            )
    digest = sha256_hex(key.spki)
    room.append(step, "adopted", intent.key, spki_sha256=digest, by=list(room.officers))
    return key


def refuse_twice(held: tuple[KeyInfo, ...], key: KeyInfo, name: str) -> None:
    """No other key of the store bears the label of this one.

    Raises:
        KeyStoreError: `token.label_twice`.
    """
    same = [other for other in held if other.label == key.label]
    if len(same) > 1:
        raise KeyStoreError(
            "token.label_twice",
            f"the token holds {len(same)} keys called {show(key.label)}: {_list(same)}",
            hint=f"Find out who made the one that is not the {name} key. Nothing was signed.",
        )


def _is_of(intent: Line, info: StoreInfo) -> bool:
    label = intent.data.get("token_label")
    return bool(
        intent.data.get("token_serial") == show(info.name) and label in {None, show(info.label)}
    )


def _is_key(line: Line) -> bool:
    return line.key.startswith("key/")


def _list(keys: list[KeyInfo]) -> str:
    return "; ".join(f"{show(k.label)} id {k.key_id} {sha256_hex(k.spki)[:16]}" for k in keys)


def _unexplained(keys: list[KeyInfo]) -> KeyStoreError:
    return KeyStoreError(
        "token.key_unexplained",
        f"the key store holds what neither the record's inventory nor its intents explain: "
        f"{_list(keys)}",
        hint="Find out who made it. Do not delete anything before that is known.",
    )


def _require_attributes(key: KeyInfo) -> None:
    wrong = [
        name
        for name, wanted in _REQUIRED.items()
        if key.attributes and key.attributes.get(name) is not wanted
    ]
    if wrong:
        raise KeyStoreError(
            "token.attributes",
            f"the key {show(key.label)} that was found is not as this program makes keys: "
            f"{', '.join(wrong)}",
            hint="Find out who made it; it is not this ceremony's.",
        )


def _absent(step: Step, intent: Line, count: int) -> Acknowledge:
    return Acknowledge(
        key="key.absent",
        step=step,
        title="Nothing was made",
        body=(
            Text(
                text=f"The record says that the key {intent.data['label']} was about to be made "
                f"at {intent.at}. It is not there: nothing is lost, and it is made now."
            ),
            Facts(rows=(("Keys found", f"{count}, each of them known before"),)),
        ),
        action="Make it now",
    )


def _question(room: Room, seat: str, step: Step, intent: Line, key: KeyInfo) -> Choose:
    told = {True: "yes", False: "no", None: "not reported"}
    rows = [
        ("Label", show(key.label)),
        *([("Id", key.key_id)] if key.key_id else []),
        ("Curve", key.curve.value),
        ("SHA-256 of the public key", sha256_hex(key.spki)),
        ("About to be made at", intent.at),
        ("Found at", room.record.lines[-1].at),
        *((name, told[value]) for name, value in key.attributes.items()),
    ]
    return Choose(
        key=f"key.adopt.{seat}",
        step=step,
        title="A key was found",
        body=(
            Text(
                text="The ceremony was cut off while this key was being made. It is what the "
                "record intended. Was the key store out of sight of both officers since then? "
                "Then somebody with its PIN could have made it.",
                tone=Tone.WARN,
            ),
            Facts(rows=tuple(rows)),
        ),
        officer=room.officer(seat),
        irreversible=True,
        options=(
            Option(value="stop", label="Stop here", detail="nothing is changed"),
            Option(value="adopt", label="It is ours", detail="the ceremony goes on with it"),
        ),
        help="A second key is never made because a line of the record is missing.",
    )


def spki_of(line: Line) -> bytes:
    """The public key of a done line, DER SubjectPublicKeyInfo.

    Raises:
        VerificationError: `record.line`: it is not the key whose digest stands beside it.
    """
    spki = base64.b64decode(line.data["spki"])
    if sha256_hex(spki) != line.data["spki_sha256"]:
        raise VerificationError(
            "record.line",
            f"line {line.n + 1} of the record tells a key and the digest of another",
            hint="Compare with another copy of the record; do not go on with this one.",
        )
    return spki
