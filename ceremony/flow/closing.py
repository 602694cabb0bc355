"""Step 9, close: the record's last line, and the evidence that follows from the record alone."""

import os
from collections.abc import Mapping
from pathlib import Path

from ceremony.bundle.media import is_folder
from ceremony.bundle.sums import format_sums
from ceremony.bundle.writing import read_back, try_medium, write_directory, write_file
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.documents.departure import what_next
from ceremony.documents.evidence import evidence_documents
from ceremony.errors import MediaError
from ceremony.flow.asking import Flow, acknowledge, pick
from ceremony.flow.bags import close_bags
from ceremony.flow.existing_root import discard_key_copy
from ceremony.flow.export import bundle_name
from ceremony.flow.kept import signed_files
from ceremony.flow.prompts import Facts, Finished, PickPath, Print, Step, Text, Tone, Working
from ceremony.flow.room import Room
from ceremony.flow.sticks import EVIDENCE, holds, keep, refuse_pulled, refuse_wrong
from ceremony.flow.work import Work
from ceremony.kinds import facts_of
from ceremony.record.journal import NAME as RECORD

_STATEMENT = (
    "The officers named in this record passed its fences with phrases of their own and took the "
    "steps that it tells. Its head, which this line completes, is theirs to write on paper."
)
FINISHED = "finished"
_SPACE, _PER_BYTE = 1024 * 1024, 20


def close(room: Room, work: Work) -> Flow[None]:
    """Closes the record and writes the evidence; after a cut, writes what is missing."""
    upload = work.upload if work.exports else None
    yield from close_bags(room)
    path, target = yield from _leave_evidence(room, upload)
    if not facts_of(room.plan.kind).makes_root and room.plan.root.key_store == "file":
        discard_key_copy(room)
    write_file(room.directory, FINISHED, f"{show(str(target))}\n".encode(), private=True)
    yield from acknowledge(_finished(room, target, on_record=holds(room, EVIDENCE, path)))


def _leave_evidence(room: Room, upload: Fingerprint | None) -> Flow[tuple[str, Path]]:
    """Tries the stick, closes the record, and writes the evidence: where the stick is, and it."""
    problem = None
    while True:
        path = yield from _pick(room, problem)
        if not is_folder(Path(path)):
            problem = "That is not a folder."
            continue
        try:
            medium = refuse_wrong(room, EVIDENCE, path)
            if not room.record.closed:
                yield Working(step=Step.CLOSE, title="Trying the stick for the evidence")
                refuse_pulled(path, medium)
                signed_files(room)  # nothing can be added once the record is closed
                try_medium(Path(path), _room_for_evidence(room))
                keep(room, Step.CLOSE, EVIDENCE, path)
                _close(room, upload)
            yield Working(step=Step.CLOSE, title="Writing the evidence and reading it back")
            refuse_pulled(path, medium)
            target = _write(room, Path(path))
            refuse_pulled(path, medium)
        except MediaError as exc:
            if not room.record.closed:
                room.refused(Step.CLOSE, exc)
            problem = f"{exc} {exc.hint}"
            continue
        return path, target


def _pick(room: Room, problem: str | None) -> Flow[str]:
    return (
        yield from pick(
            PickPath(
                key="close.path",
                step=Step.CLOSE,
                title="The stick for the evidence",
                body=(
                    Text(
                        text="Plug in the stick EVIDENCE. Record, report and script are written "
                        "to it; it goes to the safe, never online."
                    ),
                    Text(
                        text="With this the record is closed: nothing can be added to it.",
                        tone=Tone.WARN,
                    ),
                ),
                problem=problem,
                candidates=room.services.places(room.plan.media.evidence),
                irreversible=True,
            )
        )
    )


def _close(room: Room, upload: Fingerprint | None) -> None:
    room.append(
        Step.CLOSE,
        "close",
        "close",
        record_head_before=room.record.head.hex,
        upload_fingerprint="" if upload is None else upload.hex,
        statement=_STATEMENT,
    )


def evidence_name(room: Room) -> str:
    """Name of the evidence's folder."""
    return f"{room.plan.factory}-evidence-{room.ceremony_id}"


def _room_for_evidence(room: Room) -> int:
    """More than report and script in three forms, and the record, ever take."""
    return _SPACE + _PER_BYTE * sum(len(line.raw) for line in room.record.lines)


def _write(room: Room, parent: Path) -> Path:
    files = evidence_files(room)
    target = parent / evidence_name(room)
    if not os.path.lexists(target):
        write_directory(parent, evidence_name(room), files)
    read_back(target, files)
    return target


def evidence_files(room: Room) -> Mapping[str, bytes]:
    """The evidence: a function of the record, the plan and the certificates alone.

    Raises:
        MediaError: `state.certificate`.
    """
    issued = signed_files(room)
    files = {
        RECORD: b"".join(line.raw for line in room.record.lines),
        "plan.toml": room.plan_file.raw,
        **evidence_documents(room.record.lines, room.plan_file, issued),
        **issued,
    }
    files["SHA256SUMS"] = format_sums(files)
    return files


def _finished(room: Room, target: Path, *, on_record: bool) -> Finished:
    elsewhere = Text(
        text="The closed record names another stick EVIDENCE than this one. Write beside the head, "
        f"on paper: evidence is in {show(str(target))}.",
        tone=Tone.DANGER,
    )
    count = len(room.record.all("exception"))
    return Finished(
        key="close.finished",
        step=Step.CLOSE,
        title="The ceremony is closed",
        body=(
            Text(text="Write the head of the record on paper, and sign it.", tone=Tone.WARN),
            *(() if on_record else (elsewhere,)),
            Print(caption="Head of the record", fingerprint=room.record.head),
            Facts(
                rows=(
                    ("Exceptions on record", str(count)),
                    ("Evidence", str(target)),
                    *what_next(room.plan, bundle_name(room)),
                )
            ),
        ),
    )
