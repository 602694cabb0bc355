"""Custody: a key file leaves the room on a stick, with one person."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ceremony.bundle.sums import format_sums
from ceremony.bundle.writing import read_back, write_directory
from ceremony.core.text import show
from ceremony.errors import MediaError
from ceremony.flow.asking import Flow, enter, pick
from ceremony.flow.kept import key_changed
from ceremony.flow.prompts import EnterText, Facts, Field, PickPath, Step, Text, Tone, Working
from ceremony.flow.room import Room
from ceremony.flow.separation import keep_apart
from ceremony.flow.sticks import KEYS, keep, refuse_pulled, refuse_wrong
from ceremony.record.chain import Line, sha256_hex


def hand_over(
    room: Room,
    name: str,
    contents: Callable[[], Mapping[str, bytes]],
    *,
    others: Sequence[Line] = (),
    plain: bool = False,
) -> Flow[Line]:
    """Writes a key and its certificate to a stick, reads them back, and records who has them.

    Args:
        name: of the key, or of one of its copies: key of the `custody` line.
        contents: file name to bytes, asked for when they are written.
        others: custody of other copies of the same key, which are kept apart from this one.
        plain: the key is not encrypted: what a cut left on another stick is an exception.

    Raises:
        KeyStoreError: `file.unreadable`, `file.changed`, and what `contents` raises.
    """
    intent = room.find("intent", _key(name))
    values = yield from _who(name, intent)
    folder = f"{room.plan.factory}-key-{name}-{room.ceremony_id}"
    problem = None
    while room.find("done", _key(name)) is None:
        first = room.plan.media.custody if intent is None else str(intent.data["parent"])
        path = yield from pick(_stick(room, name, folder, first, problem))
        if plain and intent is not None and intent.data["parent"] != path:
            yield from _weigh_left(room, name, intent)
        yield Working(step=Step.EXPORT, title="Writing the stick and reading it back")
        try:
            stick = refuse_wrong(room, KEYS, path)
            on = yield from keep_apart(room, Step.EXPORT, name, path, others)
            files = dict(contents())
            files["SHA256SUMS"] = format_sums(files)
            intent = _intend(room, name, path, folder, files, values)
            refuse_pulled(path, stick)
            target = Path(path) / folder
            if not os.path.lexists(target):
                write_directory(Path(path), folder, files, private=True)
            read_back(target, files)
            refuse_pulled(path, stick)
        except MediaError as exc:
            room.refused(Step.EXPORT, exc)
            problem = f"{exc} {exc.hint}"
            continue
        keep(room, Step.EXPORT, KEYS, path)
        room.append(Step.EXPORT, "done", _key(name), path=intent.data["path"], on=on)
    told, on = room.need("intent", _key(name)).data, room.need("done", _key(name)).data["on"]
    return room.append(
        Step.EXPORT, "custody", name, path=told["path"], on=on, files=told["files"], **values
    )


def _key(name: str) -> str:
    return f"custody/{name}"


def _who(name: str, intent: Line | None) -> Flow[dict[str, str]]:
    """Receiver and stick: asked for once, kept by the intent."""
    if intent is None:
        return (yield from enter(_receiver(name)))
    return {field.name: str(intent.data[field.name]) for field in _receiver(name).fields}


def _intend(
    room: Room,
    name: str,
    parent: str,
    folder: str,
    files: Mapping[str, bytes],
    values: Mapping[str, str],
) -> Line:
    """On record once for each place.

    Raises:
        KeyStoreError: `file.changed`: these are not the files that were to be written.
    """
    told = [{"name": n, "sha256": sha256_hex(data)} for n, data in sorted(files.items())]
    before = room.find("intent", _key(name))
    if before is not None and before.data["files"] != told:
        raise key_changed(name)
    if before is not None and before.data["parent"] == parent:
        return before
    path = show(f"{parent}/{folder}")
    return room.append(
        Step.EXPORT, "intent", _key(name), parent=parent, path=path, files=told, **values
    )


def _receiver(name: str) -> EnterText:
    return EnterText(
        key="export.custody",
        step=Step.EXPORT,
        title=f"Custody of the {name} key",
        body=(
            Text(
                text="The key file leaves the room with one person, on a stick of its own; if "
                "it is encrypted, apart from the paper with its passphrase."
            ),
        ),
        fields=(
            Field(name="receiver", label="Who receives it"),
            Field(name="medium", label="On which stick", placeholder="its label or bag number"),
        ),
    )


def _begun(room: Room, name: str) -> tuple[Text, ...]:
    intent = room.find("intent", _key(name))
    if intent is None:
        return ()
    text = (
        f"Writing was begun at {intent.at} in {intent.data['path']}. Choose the same stick: what "
        "is left there goes. With another, that one keeps a part of the key."
    )
    return (Text(text=text, tone=Tone.WARN),)


def _weigh_left(room: Room, name: str, intent: Line) -> Flow[None]:
    """What becomes of a stick on which writing was begun and not finished."""
    path, about = str(intent.data["path"]), f"left {intent.data['path']}"
    if any(line.data.get("about") == about for line in room.record.all("exception")):
        return
    values = yield from enter(
        EnterText(
            key="export.custody.left",
            step=Step.EXPORT,
            title=f"The first stick for the {name} key",
            body=(
                Text(
                    text="Writing was begun there and not finished. That stick may hold the key, "
                    "or a part of it, NOT encrypted; a file that is deleted can be read again. To "
                    "go on with another becomes an exception; Esc chooses again.",
                    tone=Tone.DANGER,
                ),
                Facts(rows=(("Begun at", intent.at), ("In", path))),
            ),
            fields=(
                Field(name="why", label="What becomes of that stick", placeholder="destroyed by"),
                Field(name="by", label="Who decided"),
            ),
        )
    )
    what = f"the stick at {path} may hold a part of the {name} key, not encrypted"
    room.exception(Step.EXPORT, what, values["why"], "go on", [values["by"]], about=about)


def _stick(room: Room, name: str, folder: str, first: str | None, problem: str | None) -> PickPath:
    return PickPath(
        key="export.custody.path",
        step=Step.EXPORT,
        title=f"The stick for the {name} key",
        body=(Text(text=f"The folder {folder} is written to it."), *_begun(room, name)),
        problem=problem,
        candidates=room.services.places(first),
        help="The folder is written completely or not at all, and every byte is read "
        "back from the medium.",
    )
