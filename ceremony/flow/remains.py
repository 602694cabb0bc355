"""What an interrupted key generation left on a token: half a key pair, or torn objects.

A module that is cut off by power or a crash may leave a public half alone, or a private
object that nobody can use. Before the intent there was nothing of that label or id, and the
record never used such a key: so it is ours, no signature depends on it, and it may go.
"""

from collections.abc import Sequence

from ceremony.core.ports import KeyObject, KeyStore
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.flow.asking import Flow
from ceremony.flow.officers import SEATS, prove
from ceremony.flow.prompts import Block, Facts, Step, Text, Tone, Working
from ceremony.flow.room import Room
from ceremony.record.chain import Line


def refuse_taken(store: KeyStore, label: str, key_id: str) -> int:
    """Nothing on the store bears that label or id, not even half a key.

    Returns:
        How many key objects it holds that have neither: they are none of ours.

    Raises:
        KeyStoreError: `token.label_taken`.
    """
    found = store.objects(label, key_id)
    taken = [each for each in found if _is_named(each)]
    if taken:
        raise KeyStoreError(
            "token.label_taken",
            f"{show(store.info().name)} already holds: {_list(taken)}",
            hint="Use an empty token, or another label and id in the plan. Nothing was changed.",
        )
    return len(found)


def clear(room: Room, step: Step, store: KeyStore, intent: Line) -> Flow[bool]:
    """Destroys what an unfinished intent left, once both officers have typed their phrases.

    Returns:
        Whether there was something.

    Raises:
        KeyStoreError: `token.key_unexplained`: it is not what was intended.
        VerificationError: `fence.phrase`.
    """
    found = _ours(store, intent)
    begun = _begun(room, intent)
    if found:
        for seat in SEATS:
            title = "Half a key was found"
            yield from prove(
                room, f"remains.phrase.{seat}", seat, step, title, _body(room, intent, found)
            )
        begun = begun or _begin(room, step, intent, found)
        _note(room, step, intent, begun, found)
        yield Working(step=step, title="Destroying what was left of the key")
        store.discard(found)
    if begun is not None:
        room.append(step, "done", begun.key)
    return bool(found)


def _ours(store: KeyStore, intent: Line) -> tuple[KeyObject, ...]:
    wanted = (str(intent.data["label"]), str(intent.data["key_id"]))
    found = store.objects(*wanted)
    named = [each for each in found if _is_named(each)]
    strange = [each for each in named if not _fits(each, *wanted)]
    kinds = [each.kind for each in named]
    if strange or len(set(kinds)) < len(kinds):
        raise KeyStoreError(
            "token.key_unexplained",
            f"the key store holds what neither the record's inventory nor its intents explain: "
            f"{_list(strange or named)}",
            hint="Find out who made it. Do not delete anything before that is known.",
        )
    if intent.data.get("unnamed") != 0:  # whose they are cannot be told
        return tuple(named)
    return found


def _is_named(each: KeyObject) -> bool:
    return bool(each.label or each.key_id)


def _fits(each: KeyObject, label: str, key_id: str) -> bool:
    """Whether it is as intended, as far as it goes: a torn one may tell a wrong type."""
    if (each.label, each.key_id) == (label, key_id):
        return each.key_type in {"EC", ""}
    return (each.label, each.key_id) in {(label, ""), ("", key_id)}


def _begun(room: Room, intent: Line) -> Line | None:
    """The intent to destroy that has no end yet."""
    mine = [line for line in room.record.all("intent") if line.key.startswith(_prefix(intent))]
    return next((line for line in mine if not room.has("done", line.key)), None)


def _prefix(intent: Line) -> str:
    return f"remains/{intent.key.partition('/')[2]}/"


def _begin(room: Room, step: Step, intent: Line, found: Sequence[KeyObject]) -> Line:
    before = [line for line in room.record.all("done") if line.key.startswith(_prefix(intent))]
    return room.append(
        step,
        "intent",
        f"{_prefix(intent)}{len(before) + 1}",
        token_serial=intent.data["token_serial"],
        objects=[_told(each) for each in found],
        by=list(room.officers),
    )


def _note(room: Room, step: Step, intent: Line, begun: Line, found: Sequence[KeyObject]) -> None:
    """The exception; on record once, wherever the next cut comes."""
    room.exception(
        step,
        f"the generation of {intent.data['label']} was cut off in the token: {_list(found)}",
        "the power failed, or the module crashed",
        "destroyed; the key is generated anew",
        list(room.officers),
        about=f"intent {begun.key}",
    )


def _told(each: KeyObject) -> str:
    label = f"label {show(each.label)}" if each.label else "no label"
    key_id = f"id {each.key_id}" if each.key_id else "no id"
    return f"{each.kind} key, {label}, {key_id}"


def _list(found: Sequence[KeyObject]) -> str:
    return "; ".join(_told(each) for each in found)


def _body(room: Room, intent: Line, found: Sequence[KeyObject]) -> tuple[Block, ...]:
    return (
        Text(
            text="The ceremony was cut off while this key was being made, and the token kept only "
            "a part of it. No key can be used of that, and none ever was. Both phrases destroy "
            "it, and the key is made anew.",
            tone=Tone.WARN,
        ),
        Facts(
            rows=(
                ("Label, id", f"{intent.data['label']}, {intent.data['key_id']}"),
                ("About to be made at", intent.at),
                ("Found at", room.record.lines[-1].at),
                *((f"Found, {n}", _told(each)) for n, each in enumerate(found, 1)),
            )
        ),
        Text(
            text="If the token was out of sight of both officers since then, leave with Ctrl+Q, "
            "and find out who had it."
        ),
    )
