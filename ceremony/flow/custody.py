"""Custody: a key file leaves the room on a stick, with one person."""

from collections.abc import Callable, Mapping
from pathlib import Path

from ceremony.bundle.sums import format_sums
from ceremony.bundle.writing import read_back, write_directory
from ceremony.core.text import show
from ceremony.errors import MediaError
from ceremony.flow.asking import Flow, enter, pick
from ceremony.flow.prompts import EnterText, Field, PickPath, Step, Text, Working
from ceremony.flow.room import Room
from ceremony.flow.sticks import KEYS, keep, refuse_wrong
from ceremony.record.chain import Line, sha256_hex


def hand_over(
    room: Room,
    name: str,
    contents: Callable[[], Mapping[str, bytes]],
    *,
    taken: frozenset[str] = frozenset(),
) -> Flow[Line]:
    """Writes a key and its certificate to a stick, reads them back, and records who has them.

    Args:
        name: of the key, or of one of its copies: key of the `custody` line.
        contents: file name to bytes, asked for when they are written.
        taken: folders that hold other copies already.
    """
    values = yield from enter(_receiver(name))
    folder = f"{room.plan.factory}-key-{name}-{room.ceremony_id}"
    problem = None
    while True:
        path = yield from pick(_stick(room, name, folder, problem))
        yield Working(step=Step.EXPORT, title="Writing the stick and reading it back")
        try:
            refuse_wrong(room, KEYS, path)
            _refuse_taken(room, path, taken)
            files = dict(contents())
            files["SHA256SUMS"] = format_sums(files)
            target = Path(path) / folder
            if not target.exists():
                write_directory(Path(path), folder, files, private=True)
            read_back(target, files)
            break
        except MediaError as exc:
            room.refused(Step.EXPORT, exc)
            problem = f"{exc} {exc.hint}"
    keep(room, Step.EXPORT, KEYS, path)
    return room.append(
        Step.EXPORT,
        "custody",
        name,
        path=show(str(target)),
        files=[{"name": n, "sha256": sha256_hex(data)} for n, data in sorted(files.items())],
        **values,
    )


def key_and_certificate(key: Path, certificate: Path) -> Mapping[str, bytes]:
    """An encrypted key file and its certificate, under their own names."""
    return {path.name: path.read_bytes() for path in (key, certificate)}


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


def _stick(room: Room, name: str, folder: str, problem: str | None) -> PickPath:
    return PickPath(
        key="export.custody.path",
        step=Step.EXPORT,
        title=f"The stick for the {name} key",
        body=(Text(text=f"The folder {folder} is written to it."),),
        problem=problem,
        candidates=room.services.places(room.plan.media.custody),
        help="The folder is written completely or not at all, and every byte is read "
        "back from the medium.",
    )


def _refuse_taken(room: Room, path: str, taken: frozenset[str]) -> None:
    if not room.plan.rehearsal and str(Path(path).resolve()) in taken:
        raise MediaError(
            "backup.same_medium",
            "this folder holds another copy of the key already",
            hint="Plug in another stick: a second copy beside the first is no backup.",
        )
