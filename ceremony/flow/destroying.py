"""Kind `destroy-key`: keys that an abandoned ceremony made are destroyed, and nothing else.

Only a key that the record of that ceremony generated, and only while that record knows of
no upload bundle and no custody: what left the room may be in use.
"""

from pathlib import Path

from ceremony.bundle.writing import write_file
from ceremony.core.ports import KeyStore
from ceremony.core.text import show
from ceremony.errors import KeyStoreError, VerificationError
from ceremony.flow.adoption import refuse_twice, spki_of
from ceremony.flow.asking import Flow, acknowledge
from ceremony.flow.keystores import log_in, note_store
from ceremony.flow.officers import check_network, fence
from ceremony.flow.prompts import Acknowledge, Facts, Step, Text, Tone, Working
from ceremony.flow.room import Room
from ceremony.flow.root import KEYS
from ceremony.record.chain import Line, sha256_hex
from ceremony.record.journal import Record

FINISHED = "finished"


def destroy_keys(room: Room) -> Flow[None]:
    """The fence, then each key that the plan names; both records tell of it.

    Raises:
        VerificationError: `destroy.exported`, `destroy.not_made`, `destroy.other_factory`.
        KeyStoreError: `token.other`, `token.key_twice`, and what the store refuses.
    """
    wanted = room.plan.destroy
    if wanted is None:
        raise LookupError("a plan of this kind without its table")
    if room.record.closed or room.has("destroyed", wanted.ceremony):
        return
    folder = room.directory.parent / wanted.ceremony
    with Record.open(folder, room.services.clock) as abandoned:
        _check(room, abandoned, wanted.keys)
        yield from fence(room, "destroy", Step.ROOT, "Fence: destroy keys", _body(room, abandoned))
        for name in wanted.keys:
            check_network(room, Step.ROOT)
            yield from _destroy(room, abandoned, folder, name)
        room.append(Step.ROOT, "destroyed", wanted.ceremony, head=abandoned.head.hex)
    write_file(folder, FINISHED, b"", private=True)
    yield from acknowledge(
        Acknowledge(
            key="destroy.done",
            step=Step.ROOT,
            title="The keys are gone",
            body=(
                Text(text="Each was looked for again, and is not there.", tone=Tone.GOOD),
                Text(text=f"{wanted.ceremony} cannot be gone on with; begin a new ceremony."),
            ),
        )
    )


def _check(room: Room, abandoned: Record, names: tuple[str, ...]) -> None:
    if abandoned.lines[0].data["factory"] != room.plan.factory:
        raise VerificationError(
            "destroy.other_factory",
            f"that ceremony was held for {show(str(abandoned.lines[0].data['factory']))}",
            hint="Correct destroy.ceremony in the plan, and have it approved.",
        )
    outside = ("export/", "custody/")
    left = [line for line in abandoned.all("intent") if line.key.startswith(outside)]
    if left:
        raise VerificationError(
            "destroy.exported",
            f"line {left[0].n + 1} of that record tells of something that left the room",
            hint="Do not destroy: certificates of these keys may be in use. Finish the ceremony.",
        )
    for name in names:
        if abandoned.find("done", f"key/{name}") is None:
            raise VerificationError(
                "destroy.not_made",
                f"that ceremony has made no key {name}",
                hint="Destroy only keys that its record generated; correct the plan.",
            )


def _body(room: Room, abandoned: Record) -> tuple[Text | Facts, ...]:
    names = () if room.plan.destroy is None else room.plan.destroy.keys
    rows = []
    for name in names:
        intent, done = _lines(abandoned, name)
        where = intent.data.get("token_serial") or intent.data["store"]
        told = f"{intent.data['label']} on {where}, SHA-256 {done.data['spki_sha256']}"
        rows.append((name, str(told)))
    return (
        Text(
            text="These keys are destroyed for good. No backup brings them back.", tone=Tone.DANGER
        ),
        Facts(caption=str(abandoned.lines[0].data["ceremony_id"]), rows=tuple(rows)),
        Text(text="Its record knows of no upload bundle and of no custody."),
    )


def _lines(abandoned: Record, name: str) -> tuple[Line, Line]:
    intent, done = (abandoned.find(kind, f"key/{name}") for kind in ("intent", "done"))
    if intent is None or done is None:
        raise LookupError(name)
    return intent, done


def _destroy(room: Room, abandoned: Record, folder: Path, name: str) -> Flow[None]:
    key = f"destroy/{name}"
    intent, made = _lines(abandoned, name)
    if not room.has("done", key):
        with _store(room, folder, intent) as store:
            yield from _in_store(room, store, intent, made, name)
    if not abandoned.find("destroyed", f"key/{name}"):
        data = {
            "spki_sha256": made.data["spki_sha256"],
            "ceremony": room.ceremony_id,
            "by": list(room.officers),
        }
        abandoned.append(abandoned.lines[-1].step, "destroyed", f"key/{name}", data)


def _in_store(room: Room, store: KeyStore, intent: Line, made: Line, name: str) -> Flow[None]:
    info, key, spki = store.info(), f"destroy/{name}", spki_of(made)
    note_store(room, Step.ROOT, store, name)
    if info.kind == "token" and show(info.name) != intent.data["token_serial"]:
        raise KeyStoreError(
            "token.other",
            f"this is token {show(info.name)}; that record's {name} key is on token "
            f"{intent.data['token_serial']}",
            hint="Put in that token; its serial is printed on it. Nothing was done on this one.",
        )
    if info.kind == "token" or info.initialized:
        yield from log_in(room, Step.ROOT, store, name)
        held = store.keys()
        found = [each for each in held if each.spki == spki]
    else:
        found, held = [], ()
    if not room.has("intent", key):
        if len(found) != 1:
            raise KeyStoreError(
                "token.key_missing",
                f"the key store does not hold the {name} key {sha256_hex(spki)[:16]}... once",
                hint="Put in the token that holds it; its serial is on the record.",
            )
        refuse_twice(held, found[0], name)
        room.append(
            Step.ROOT,
            "intent",
            key,
            store=info.kind,
            token_serial=intent.data.get("token_serial", ""),
            label=show(found[0].label),
            spki_sha256=sha256_hex(spki),
        )
    if found:
        yield Working(step=Step.ROOT, title=f"Destroying the key {name}")
        store.destroy(found[0])
    _discard_public(store, intent)
    left = store.keys() if info.kind == "token" else ()
    room.append(
        Step.ROOT,
        "done",
        key,
        spki_sha256=sha256_hex(spki),
        left=[sha256_hex(other.spki) for other in left],
    )


def _discard_public(store: KeyStore, intent: Line) -> None:
    """The public half goes too, if a cut came between the two."""
    if store.info().kind != "token":
        return
    mine = (str(intent.data["label"]), str(intent.data["key_id"]))
    halves = [each for each in store.objects(*mine) if (each.label, each.key_id) == mine]
    if halves and all(each.kind == "public" for each in halves):
        store.discard(halves)


def _store(room: Room, folder: Path, intent: Line) -> KeyStore:
    if intent.data["store"] == "token" and room.plan.root.token is not None:
        return room.services.token_store(room.plan.root.token)
    return room.services.file_store(folder / KEYS / f"{intent.data['label']}.key")
