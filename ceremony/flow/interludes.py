"""What officers may ask for at any question: an exception, or a pause behind a lock."""

from collections.abc import Mapping

from ceremony.errors import CeremonyError
from ceremony.flow.asking import Flow, choose, enter
from ceremony.flow.officers import SEATS, prove
from ceremony.flow.prompts import (
    Choose,
    EnterText,
    Facts,
    Field,
    Option,
    Step,
    Text,
    Tone,
)
from ceremony.flow.room import Room
from ceremony.record.chain import Line


class PlannedPause(Exception):  # noqa: N818 - it is no error
    """The plan wants the ceremony left here, and gone on with by the same command."""


ABORT = "stop the ceremony here"
CONTINUE = "go on"


def record_exception(room: Room, step: Step) -> Flow[str]:
    """What happened, why, who decided what; numbered and on record.

    Returns:
        `CONTINUE` or `ABORT`.
    """
    number = f"E-{len(room.record.all('exception')) + 1}"
    values = yield from enter(_what(step, number))
    chosen = yield from choose(_decision(step, number, values))
    decision = ABORT if chosen == "abort" else CONTINUE
    room.exception(step, values["what"], values["why"], decision, [values["by"]])
    return decision


def _what(step: Step, number: str) -> EnterText:
    return EnterText(
        key="exception",
        step=step,
        title=f"Exception {number}",
        body=(
            Text(
                text="Anything that did not go by the script. Write the same on an exception "
                f"sheet, with the number {number}."
            ),
        ),
        fields=(
            Field(name="what", label="What happened"),
            Field(name="why", label="Why"),
            Field(name="by", label="Who decided"),
        ),
        help="An exception is no failure: it is what an auditor wants to read. The report "
        "tells all of them on a page of their own.",
    )


def _decision(step: Step, number: str, values: Mapping[str, str]) -> Choose:
    return Choose(
        key="exception.decision",
        step=step,
        title=f"Exception {number}: the decision",
        body=(
            Facts(
                rows=(
                    ("What", values["what"]),
                    ("Why", values["why"]),
                    ("Who decided", values["by"]),
                )
            ),
        ),
        options=(
            Option(value="continue", label="Continue", detail="the ceremony goes on from here"),
            Option(value="abort", label="Stop the ceremony here", detail="both phrases go on"),
        ),
    )


# --- pause ----------------------------------------------------------------------------


def may_pause(room: Room) -> bool:
    """Whether both officers are enrolled: before, nobody could unlock."""
    return all(room.has("officer", seat) for seat in SEATS)


def begin_pause(room: Room, step: Step) -> Flow[None]:
    """Asks why, and who stays; from its line on the ceremony is locked."""
    values = yield from enter(
        EnterText(
            key="pause",
            step=step,
            title="Pause",
            body=(
                Text(text="The screen is locked until both officers type their phrases."),
                Text(
                    text="Not over night: Ctrl+Q gives the record's head for paper, and the "
                    "laptop can go into its bag.",
                    tone=Tone.DIM,
                ),
            ),
            fields=(
                Field(name="why", label="Why"),
                Field(
                    name="stays",
                    label="Who stays in the room",
                    placeholder="token and sticks are never left alone",
                ),
            ),
        )
    )
    room.append(step, "pause", "pause", **values)


def locked_by(room: Room) -> Line | None:
    """The pause, or the decision to stop, after which nobody has proven to be back."""
    for line in reversed(room.record.lines):
        if line.type == "resume" or (line.type == "back" and len(line.data["by"]) == len(SEATS)):
            return None
        if line.type == "pause" or (
            line.type == "exception" and line.data.get("decision") == ABORT
        ):
            return line if may_pause(room) else None
    return None


def unlock(room: Room, step: Step) -> Flow[None]:
    """Both officers type their phrases; wrong ones are on record, and asked again."""
    line = locked_by(room)
    if line is None:
        return
    for seat in SEATS:
        while True:
            try:
                yield from prove(
                    room,
                    f"pause.phrase.{seat}",
                    seat,
                    step,
                    "Paused: the screen is locked",
                    _lock(line),
                    fenced=False,
                )
            except CeremonyError as exc:
                room.refused(step, exc)
            else:
                break
    room.append(step, "resume", "resume", by=list(room.officers))


def _lock(line: Line) -> tuple[Text | Facts, ...]:
    stays = str(line.data.get("stays", "not told"))
    return (
        Text(text="Both phrases go on with the ceremony.", tone=Tone.WARN),
        Facts(
            rows=(
                ("Since (UTC)", line.at),
                ("Why", str(line.data["why"])),
                ("Who stays", stays),
            )
        ),
    )
