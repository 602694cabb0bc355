"""Bundles that leave the room: written to a stick, read back, and known by words on paper."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ceremony.bundle.qr import qr_png
from ceremony.bundle.writing import read_back, write_directory, write_file
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.core.typeback import Policy
from ceremony.errors import MediaError
from ceremony.flow.asking import Flow, acknowledge, pick
from ceremony.flow.prompts import Acknowledge, PickPath, Step, Working
from ceremony.flow.room import Room
from ceremony.flow.sticks import keep, pull, refuse_pulled, refuse_wrong
from ceremony.flow.words import type_back
from ceremony.record.chain import Line

_COMPARE = "What was typed did not match. Compare your paper with these words once more."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One bundle.

    Attributes:
        what: names it on record: ``export/WHAT``, ``proof WHAT``.
        name: of its folder.
        stick: that takes it.
        first: folder that the plan offers for that stick.
        ask: the question for the stick: the folder offered first, and what was wrong.
        words: what is copied to paper: the fingerprint, and where the folder is.
        build: its files, from the time it is made and the record's head at that time.
    """

    what: str
    step: Step
    name: str
    stick: str
    first: str | None
    ask: Callable[[str | None, str | None], PickPath]
    words: Callable[[Fingerprint, str], Acknowledge]
    build: Callable[[str, str], Mapping[str, bytes]]

    @property
    def key(self) -> str:
        """Of its intent and done lines."""
        return f"export/{self.what}"


def carry_out(room: Room, parcel: Parcel) -> Flow[Fingerprint]:
    """Written once, read back from the medium; copied to paper, and the copy proven.

    Returns:
        The bundle's fingerprint.
    """
    done = room.find("done", parcel.key)
    if done is None:
        done = yield from _write(room, parcel)
    fingerprint = Fingerprint.from_hex(done.data["fingerprint"])

    words = parcel.words(fingerprint, str(done.data["path"]))
    if not room.has("proof", parcel.what):
        yield from type_back(
            room,
            step=parcel.step,
            what=parcel.what,
            paper="sheet of words that you have just written",
            value=fingerprint,
            policy=Policy.PROOF,
            show=lambda again: acknowledge(replace(words, problem=_COMPARE if again else None)),
        )
        room.append(parcel.step, "proof", parcel.what, by=list(room.officers))
    yield from pull(room, parcel.step, parcel.stick)
    return fingerprint


def _write(room: Room, parcel: Parcel) -> Flow[Line]:
    problem = None
    while True:
        intent = room.find("intent", parcel.key)
        first = parcel.first if intent is None else str(intent.data["parent"])
        path = yield from pick(parcel.ask(first, problem))
        try:
            medium = refuse_wrong(room, parcel.stick, path)
            if intent is None or intent.data["parent"] != path:
                intent = _intend(room, parcel, path)
            files = parcel.build(str(intent.data["created_at"]), str(intent.data["record_head"]))
            yield Working(step=parcel.step, title="Writing the stick and reading it back")
            refuse_pulled(path, medium)
            target, how = _place(Path(path), parcel.name, files)
            refuse_pulled(path, medium)
        except MediaError as exc:  # nothing else is the stick's fault
            room.refused(parcel.step, exc)
            problem = f"{exc} {exc.hint}"
            continue
        keep(room, parcel.step, parcel.stick, path)
        return room.append(
            parcel.step,
            "done",
            parcel.key,
            path=show(str(target)),
            fingerprint=intent.data["fingerprint"],
            read_back=how,
        )


def _intend(room: Room, parcel: Parcel, parent: str) -> Line:
    head = room.record.head.hex
    created_at = format_time(room.services.clock.now())
    files = parcel.build(created_at, head)
    return room.append(
        parcel.step,
        "intent",
        parcel.key,
        parent=parent,
        path=show(f"{parent}/{parcel.name}"),
        created_at=created_at,
        record_head=head,
        fingerprint=Fingerprint.of(files["SHA256SUMS"]).hex,
    )


def _place(parent: Path, name: str, files: Mapping[str, bytes]) -> tuple[Path, str]:
    target = parent / name
    if not os.path.lexists(target):
        write_directory(parent, name, files)
    read_back(target, files)
    write_file(parent, f"{name}.qr.png", qr_png(Fingerprint.of(files["SHA256SUMS"]).hex.upper()))
    return target, "page cache dropped, every file read again and compared"
