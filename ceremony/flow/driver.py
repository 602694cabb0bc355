"""Drives the flow with a front end: back, exception, pause and quit, for all front ends alike."""

from contextlib import closing as closing_generator
from enum import Enum

from ceremony.errors import CeremonyError, StoppedError
from ceremony.flow.asking import Flow, choose, enter
from ceremony.flow.officers import SEATS, prove
from ceremony.flow.program import ceremony, current_step
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    EnterText,
    Field,
    Frontend,
    Option,
    Step,
    Text,
    Tone,
    Working,
)
from ceremony.flow.room import Room


class Outcome(Enum):
    """How a drive ended."""

    CLOSED = "closed"
    QUIT = "quit"


# No second try can change these.
_FINAL = frozenset({"typeback.mismatch", "review.refused", "request.root_exists"})


class _Quit(Exception):  # noqa: N818 - it is no error
    pass


class _Back(Exception):  # noqa: N818
    pass


def run(room: Room, frontend: Frontend) -> Outcome:
    """Runs the ceremony until it is closed or left.

    Going back abandons the questions since the last recorded line: the program is run
    again over the record, which brings it to the first question that is not answered there.

    Raises:
        CeremonyError: what stopped it; it is on record as `refused` or `stop`.
    """
    while True:
        try:
            _drive(room, frontend, ceremony(room))
        except _Back:
            continue
        except _Quit:
            if not room.record.closed:
                room.append(current_step(room), "quit", "quit")
            return Outcome.QUIT
        except CeremonyError as exc:
            if not _try_again(room, frontend, exc):
                raise
            continue
        return Outcome.CLOSED


def _try_again(room: Room, frontend: Frontend, error: CeremonyError) -> bool:
    step = current_step(room)
    if error.code == "state.write":
        return False
    if not room.record.closed:
        room.append(step, "stop", error.code, message=error.message)
    final = error.code in _FINAL or isinstance(error, StoppedError)
    leave = Option(value="leave", label="Leave", detail="the same command resumes")
    again = Option(value="again", label="Try again", detail="from the last recorded line")
    prompt = Choose(
        key="stopped",
        step=step,
        title="This stops here" if final else "This was refused",
        body=(
            Text(text=f"{error.message}.", tone=Tone.DANGER),
            Text(text=error.hint),
            Text(text=f"Code {error.code}. It is on the record.", tone=Tone.DIM),
        ),
        options=(leave,) if final else (again, leave),
    )
    answer = frontend.ask(prompt, room.frame(step))
    return isinstance(answer, Chosen) and answer.value == "again"


def _drive(room: Room, frontend: Frontend, flow: Flow[None]) -> None:
    with closing_generator(flow):
        answer: Answer | None = None
        while True:
            try:
                prompt = flow.send(answer)
            except StopIteration:
                return
            if isinstance(prompt, Working):
                frontend.progress(prompt, room.frame(prompt.step))
                answer = None
            else:
                answer = _ask(room, frontend, prompt)


def _ask(room: Room, frontend: Frontend, prompt: AnyPrompt) -> Answer:
    while True:
        answer = frontend.ask(prompt, room.frame(prompt.step))
        if not isinstance(answer, Command):
            return answer
        match answer:
            case Command.BACK:
                raise _Back
            case Command.QUIT:
                raise _Quit
            case Command.EXCEPTION:
                _interlude(room, frontend, _exception(room, prompt.step))
            case Command.PAUSE:
                _interlude(room, frontend, _pause(room, prompt.step))


def _interlude(room: Room, frontend: Frontend, flow: Flow[None]) -> None:
    if room.record.closed:
        flow.close()
        return
    try:
        _drive(room, frontend, flow)
    except _Back:
        return


def _exception(room: Room, step: Step) -> Flow[None]:
    values = yield from enter(
        EnterText(
            key="exception",
            step=step,
            title="Record an exception",
            body=(Text(text="Anything that did not go by the script."),),
            fields=(
                Field(name="what", label="What happened"),
                Field(name="why", label="Why"),
                Field(name="by", label="Who decided"),
            ),
        )
    )
    decision = yield from choose(
        Choose(
            key="exception.decision",
            step=step,
            title="The decision",
            options=(
                Option(value="continue", label="Continue"),
                Option(value="abort", label="Stop the ceremony here"),
            ),
        )
    )
    room.exception(step, values["what"], values["why"], decision, [values["by"]])
    if decision == "abort":
        raise _Quit


def _pause(room: Room, step: Step) -> Flow[None]:
    if not all(room.has("officer", seat) for seat in SEATS):
        return
    values = yield from enter(
        EnterText(
            key="pause",
            step=step,
            title="Pause",
            fields=(
                Field(name="why", label="Why"),
                Field(name="stays", label="Who stays in the room"),
            ),
        )
    )
    room.append(step, "pause", "pause", **values)
    body = (Text(text="Paused. Both phrases go on with the ceremony.", tone=Tone.WARN),)
    for seat in SEATS:
        while True:
            try:
                yield from prove(room, f"resume.phrase.{seat}", seat, step, "Paused", body)
            except CeremonyError as exc:
                room.refused(step, exc)
            else:
                break
    room.append(step, "resume", "resume", by=list(room.officers))
