"""Copies of a key are kept apart: each is on a medium of its own, and the record says which.

A stick is known by its serial number. A folder tells no more than the file system it lies on:
two copies on one may have come from two media, so people are asked, and it is an exception.
"""

from collections.abc import Iterable
from pathlib import Path

from ceremony.core.text import show
from ceremony.errors import MediaError
from ceremony.flow.asking import Flow, enter
from ceremony.flow.prompts import EnterText, Facts, Field, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.flow.sticks import described, mark_of
from ceremony.record.chain import Line


def medium(room: Room, path: str) -> dict[str, str]:
    """The medium that a path lies on, for the record.

    Raises:
        MediaError: `media.pulled`: there is nothing.
    """
    stick = room.services.stick(path)
    if stick is not None:
        return {"path": show(path), "mark": mark_of(stick, path), **described(stick)}
    try:
        device = Path(path).stat().st_dev
    except OSError as exc:
        raise MediaError(
            "media.pulled",
            f"there is nothing at {show(path)}",
            hint="Plug the stick in and mount it, then choose it once more.",
        ) from exc
    return {"path": show(path), "mark": f"file system {device}", **described(None)}


def keep_apart(
    room: Room, step: Step, name: str, path: str, others: Iterable[Line]
) -> Flow[dict[str, str]]:
    """The medium of the copy `name`, which holds no other copy; a doubt is an exception.

    Args:
        others: lines that tell by `on` which medium another copy is on.

    Raises:
        MediaError: `backup.same_medium`.
    """
    held = medium(room, path)
    for line in others:
        on = line.data.get("on") or {}
        if line.key == name or on.get("mark") != held["mark"]:
            continue
        certain = held["kind"] == "stick" and not room.plan.rehearsal
        if certain or on["path"] == held["path"]:
            raise MediaError(
                "backup.same_medium",
                f"the copy '{line.key}' is on this medium already: {on['path']}",
                hint="Plug in another stick: a second copy beside the first is no backup.",
            )
        if not room.plan.rehearsal:
            yield from _weigh(room, step, name, held["path"], line.key, on["path"])
    return held


def _weigh(room: Room, step: Step, name: str, path: str, other: str, there: str) -> Flow[None]:
    what = f"the copies '{other}' and '{name}' of the root key are on one file system of the laptop"
    if any(line.data.get("about") == what for line in room.record.all("exception")):
        return
    values = yield from enter(
        EnterText(
            key="backup.same_disk",
            step=step,
            title="Two copies on one file system",
            body=(
                Text(
                    text="Folders of the laptop cannot show that these copies are on media of "
                    "their own. To go on becomes an exception; Esc chooses another.",
                    tone=Tone.DANGER,
                ),
                Facts(rows=((f"Copy '{other}'", there), (f"Copy '{name}'", path))),
            ),
            fields=(
                Field(name="why", label="On which media they are"),
                Field(name="by", label="Who decided"),
            ),
            help="One disk that fails takes both copies with it. Use sticks: they tell their "
            "serial numbers.",
        )
    )
    room.exception(step, what, values["why"], "go on", [values["by"]], about=what)
