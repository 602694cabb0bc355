"""Sticks by name: CSR IN, HIGHER CA, SIGNED OUT, EVIDENCE, and those that carry keys.

What was used under one name is refused under another, and told by its name: by the stick's
serial number, or by the label of its file system. A folder of the laptop counts by its path.
"""

import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ceremony.bundle.media import is_file
from ceremony.core.ports import Stick
from ceremony.core.text import show
from ceremony.errors import MediaError
from ceremony.flow.asking import Flow, choose, enter
from ceremony.flow.prompts import Choose, EnterText, Facts, Field, Option, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.record.chain import Line

CSR_IN = "CSR IN"
HIGHER_CA = "HIGHER CA"
SIGNED_OUT = "SIGNED OUT"
EVIDENCE = "EVIDENCE"
KEYS = "KEYS"
_NOTHING = -1
_MOST_ENTRIES = 1000
_LABELS = {
    "csrin": CSR_IN,
    "higherca": HIGHER_CA,
    "signedout": SIGNED_OUT,
    "evidence": EVIDENCE,
    "keys": KEYS,
}


def refuse_wrong(room: Room, role: str, path: str) -> int:
    """Nothing is read from or written to a stick that has another name.

    Returns:
        The file system that is there, for `refuse_pulled`.

    Raises:
        MediaError: `media.wrong_stick`.
    """
    stick = room.services.stick(path)
    mark = mark_of(stick, path)
    for line in room.record.all("stick"):
        if line.key != role and line.data["mark"] == mark and not _planned_together(room, path):
            raise _wrong(_told(stick, path), line.key, role)
    named = None if stick is None else _LABELS.get(_letters(stick.label))
    if stick is not None and named not in {None, role}:
        raise _wrong(stick.name, str(named), role)
    return _file_system(path)


def refuse_pulled(path: str, before: int) -> None:
    """What was written went to the stick, and not to the empty folder that it leaves behind.

    Args:
        before: from `refuse_wrong`, before anything was written.

    Raises:
        MediaError: `media.pulled`.
    """
    if _file_system(path) != before or before == _NOTHING:
        raise MediaError(
            "media.pulled",
            f"the stick at {show(path)} is not there any more",
            hint="Plug it in again and mount it, or take another one; then choose it once more.",
        )


def _file_system(path: str) -> int:
    try:
        return Path(path).stat().st_dev
    except OSError:
        return _NOTHING


def keep(room: Room, step: Step, role: str, path: str) -> None:
    """Records what the stick of that name is, once it has served."""
    stick = room.services.stick(path)
    mark, last = mark_of(stick, path), room.find("stick", role)
    known = last is not None and last.data["mark"] == mark and not _pulled(room, last)
    if room.record.closed or known:
        return
    room.append(step, "stick", role, mark=mark, path=show(path), **described(stick))


def holds(room: Room, role: str, path: str) -> bool:
    """Whether the stick at `path` is the one that the record knows by that name."""
    last = room.find("stick", role)
    return last is not None and last.data["mark"] == mark_of(room.services.stick(path), path)


def files_below(path: str, name: str) -> list[Path]:
    """Files of that name in the folders of a stick; one that cannot be listed has none.

    Hidden folders are passed over: what a cut left unfinished is one.
    """
    try:
        with os.scandir(path) as entries:
            folders = [entry.name for entry in islice(entries, _MOST_ENTRIES)]
    except OSError:
        return []
    files = (Path(path, folder, name) for folder in sorted(folders) if folder[0] != ".")
    return [file for file in files if is_file(file)]


def described(stick: Stick | None) -> dict[str, str]:
    """A stick for the record; None: a folder of the laptop."""
    if stick is None:
        return {"kind": "folder"}
    lacks = ", ".join(stick.lacks)
    access = "read-only" if stick.read_only else "writable"
    return {
        "kind": "stick",
        "model": stick.model,
        "serial": stick.serial,
        "label": stick.label,
        "fstype": stick.fstype,
        "mounted": access + (f", without {lacks}" if lacks else ", noexec, nosuid, nodev"),
    }


def mark_of(stick: Stick | None, path: str) -> str:
    """What tells it from others: its serial, else all that is known of it."""
    if stick is None:
        return f"folder {show(str(Path(path).absolute()))}"
    if stick.serial:
        return f"stick {stick.model} {stick.serial}"
    return f"stick {stick.model} {stick.label} {stick.device}"


def _letters(label: str) -> str:
    return "".join(char for char in label.casefold() if char.isalnum())


def _told(stick: Stick | None, path: str) -> str:
    return f"the folder {show(path)}" if stick is None else stick.name


def _planned_together(room: Room, path: str) -> bool:
    """Whether the plan itself, which was reviewed, names this folder twice."""
    media = room.plan.media
    named = (
        *(media.csr_in, media.higher_ca),
        *(media.signed_out, media.evidence, media.custody),
    )
    return sum(folder == path for folder in named) > 1


def _wrong(what: str, its_name: str, wanted: str) -> MediaError:
    return MediaError(
        "media.wrong_stick",
        f"this is {its_name} ({what}), and {wanted} is wanted here",
        hint=f"Pull it, plug in the stick {wanted}, and choose that.",
    )


# --- pulling --------------------------------------------------------------------------


def pull(room: Room, step: Step, role: str) -> Flow[None]:
    """Has a stick pulled that is no longer needed; a folder of the laptop is no stick."""
    line = room.find("stick", role)
    if line is None or line.data["kind"] != "stick" or _pulled(room, line):
        return
    path, mark = str(line.data["path"]), str(line.data["mark"])
    problem = None
    while True:
        unmounted = room.services.unmount(path)
        answer = yield from choose(_pull(step, role, line.data, unmounted, problem))
        if answer == "stays":
            yield from _stays(room, step, role)
            break
        stick = room.services.stick(path)
        if unmounted or stick is None or mark_of(stick, path) != mark:
            break
        problem = f"{stick.name} is still mounted at {path}."
    room.append(step, "pulled", mark, role=role, left_in=answer == "stays")


def _pulled(room: Room, stick: Line) -> bool:
    """Whether it was pulled since that line; the stick HIGHER CA comes back."""
    pulled = room.find("pulled", stick.data["mark"])
    return pulled is not None and pulled.n > stick.n


def _pull(
    step: Step, role: str, known: Mapping[str, Any], unmounted: bool, problem: str | None
) -> Choose:
    how = (
        "It is unmounted: pull it now."
        if unmounted
        else f"Unmount it (umount {known.get('path', '')}), wait for its light, then pull it."
    )
    return Choose(
        key="stick.pull",
        step=step,
        title=f"Pull the stick {role}",
        body=(
            Text(text=how, tone=Tone.WARN),
            Facts(
                rows=(
                    ("Stick", role),
                    ("Model", str(known.get("model", ""))),
                    ("Serial", str(known.get("serial", "")) or "not told"),
                    ("Label", str(known.get("label", "")) or "none"),
                )
            ),
        ),
        problem=problem,
        options=(
            Option(value="pulled", label="It is pulled", detail="and in its bag"),
            Option(value="stays", label="It stays in", detail="becomes an exception"),
        ),
        command=f"umount {known.get('path', '')}",
    )


def _stays(room: Room, step: Step, role: str) -> Flow[None]:
    values = yield from enter(
        EnterText(
            key="stick.stays",
            step=step,
            title=f"The stick {role} stays in",
            body=(Text(text="It is not pulled as the script says: this becomes an exception."),),
            fields=(Field(name="why", label="Why"), Field(name="by", label="Who decided")),
        )
    )
    what = f"the stick {role} was not pulled"
    room.exception(step, what, values["why"], "go on", [values["by"]])
