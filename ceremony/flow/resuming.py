"""A ceremony that goes on after the program had ended: what is known, who is here."""

import os
from pathlib import Path

from ceremony.errors import StoppedError
from ceremony.flow.asking import Flow, acknowledge
from ceremony.flow.issuing import FOLDER as CERTIFICATES
from ceremony.flow.leaving import compare_head, newest_paper
from ceremony.flow.officers import SEATS, prove
from ceremony.flow.prompts import Acknowledge, Facts, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.record.chain import Line

_MORE_THAN_THE_RESUME = 2


def resume(room: Room, step: Step) -> Flow[None]:
    """Tells what the record and the disk say; behind a fence, both officers prove to be back.

    Raises:
        VerificationError: `fence.phrase`, `typeback.mismatch`.
        StoppedError: `destroy.abandoned`: its keys were destroyed.
    """
    gone = room.record.all("destroyed")
    if gone and room.plan.destroy is None:
        raise StoppedError(
            "destroy.abandoned",
            f"keys of this ceremony were destroyed by {gone[0].data['ceremony']}",
            hint="Begin a new ceremony.",
        )
    visit = f"resume/{len(room.record.all('reopen'))}"
    if room.has("back", visit):
        return
    yield from acknowledge(_told(room, step))
    seats = SEATS if room.record.all("fence") else ()
    body = (Text(text="A fence was passed before. Both phrases go on from there."),)
    for seat in seats:
        key = f"resume.phrase.{seat}"
        yield from prove(room, key, seat, step, "The ceremony goes on", body)
    head = yield from compare_head(room, step)
    room.append(step, "back", visit, by=[room.officer(seat) for seat in seats], head=head)


def _told(room: Room, step: Step) -> Acknowledge:
    finished = [line.key for line in room.record.all("done")]
    finished += [f"custody/{line.key}" for line in room.record.all("custody")]
    open_ = {line.key: line for line in room.record.all("intent") if line.key not in finished}
    rows = [
        ("Began", room.record.lines[0].at),
        ("Last line before", _last(room).at),
        ("Lines on record", str(len(room.record.lines))),
        ("Its head on paper", _on_paper(room)),
        ("Done", ", ".join(dict.fromkeys(finished)) or "nothing irreversible yet"),
    ]
    rows += [
        (f"Cut off while writing, {line.at}", f"{line.data['bytes']} bytes, never acted upon")
        for line in room.record.all("torn")
    ]
    found = [(f"Begun: {key}", _found(room, line)) for key, line in open_.items()]
    return Acknowledge(
        key="resume",
        step=step,
        title="This ceremony goes on",
        body=(
            Facts(rows=tuple(rows)),
            Facts(
                caption="Begun and not finished",
                rows=tuple(found) or (("Nothing", "each thing that was begun is done"),),
            ),
            *_out_of_sight(room),
            Text(
                text="Nothing that is done is done again. What was begun is adopted where it is "
                "found, made where it is absent, and anything else stops.",
                tone=Tone.DIM,
            ),
        ),
        action="Resume",
        help="The record says before each effect what is intended, and after it what was done. "
        "The token is looked at when it is opened; what lies on the disk stands here.",
    )


def _unvouched(room: Room) -> int:
    """Lines that no head on paper speaks for; resuming makes one of them itself."""
    paper = newest_paper(room)
    return len(room.record.lines) - (0 if paper is None else paper.n + 1)


def _out_of_sight(room: Room) -> tuple[Text, ...]:
    """What a cut of power leaves open: nobody wrote the head down."""
    if _unvouched(room) < _MORE_THAN_THE_RESUME:
        return ()
    return (
        Text(
            text="No head on paper speaks for the last lines. Was the laptop out of sight of both "
            "officers since then? Then leave, and begin a new ceremony: what was accepted and "
            "is not signed yet may have been rewritten.",
            tone=Tone.WARN,
        ),
    )


def _on_paper(room: Room) -> str:
    paper = newest_paper(room)
    if paper is None:
        return "none so far; if you hold one, stop: lines were taken away"
    since = _unvouched(room)
    lines = "line" if since == 1 else "lines"
    return f"of {paper.at}; {since} {lines} since. If yours is later, stop: lines were taken away"


def _last(room: Room) -> Line:
    reopened = room.record.all("reopen")[-1]
    return room.record.lines[reopened.n - 1]


def _found(room: Room, intent: Line) -> str:
    kind, _, name = intent.key.partition("/")
    if kind == "key":
        if intent.data["store"] == "token":
            return f"looked up when token {intent.data['token_serial']} is opened"
        path = Path(str(intent.data.get("path", "")))
        return _on_disk(path) if path.name else "looked up when its key store is opened"
    if intent.data.get("issuer") == "external":
        return "the higher CA's certificate is on record: written from there"
    if kind in {"certificate", "csr"}:
        ending = {"certificate": "pem", "csr": "csr"}[kind]
        found = sorted((room.directory / CERTIFICATES).glob(f"*{name}*.{ending}"))
        names = ", ".join(path.name for path in found)
        return f"signed, found on the disk: {names}" if found else "not on the disk: signed again"
    if "path" in intent.data:
        return _on_disk(Path(str(intent.data["path"])))
    return "looked up when it is its turn"


def _on_disk(path: Path) -> str:
    if os.path.lexists(path.parent / f".{path.name}.partial"):
        return f"cut off while writing: a part of {path} is there"
    return f"{path} is there" if os.path.lexists(path) else f"{path} is not there"
