"""Drives the flow with a front end: back, exception, pause and quit, for all front ends alike."""

from contextlib import closing as closing_generator
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from ceremony.errors import CeremonyError, StoppedError
from ceremony.flow.advising import advised
from ceremony.flow.asking import Flow
from ceremony.flow.interludes import (
    ABORT,
    PlannedPause,
    begin_pause,
    locked_by,
    may_pause,
    record_exception,
    unlock,
)
from ceremony.flow.leaving import head_for_paper
from ceremony.flow.program import ceremony, current_step
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    Done,
    Frontend,
    Option,
    Step,
    Text,
    Tone,
    Working,
)
from ceremony.flow.room import Room

T = TypeVar("T")


class Outcome(Enum):
    """How a drive ended."""

    CLOSED = "closed"
    QUIT = "quit"
    WAITS = "waits, as planned"


# No second try can change these.
_FINAL = frozenset({"typeback.mismatch", "review.refused", "request.root_exists"})

_NO_WAY_BACK = "There is nothing to go back to: what came before this is on record."
_NOBODY_TO_UNLOCK = "No pause yet: both officers' phrases end it, so both are enrolled first."
_CLOSED = "The record is closed: nothing can be added to it."


class _Quit(Exception):  # noqa: N818 - it is no error
    pass


class _Back(Exception):  # noqa: N818
    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(key)


def run(room: Room, frontend: Frontend) -> Outcome:
    """Runs the ceremony until it is closed or left, or waits as its plan wants.

    Going back abandons the questions since the last recorded line: the program is run
    again over the record, which brings it to the first question that is not answered there.

    Raises:
        CeremonyError: what stopped it; it is on record as `refused` or `stop`.
    """
    left = ""
    while True:
        try:
            _unlock(room, frontend)
            _drive(room, frontend, ceremony(room), left=left)
        except _Back as back:
            left = back.key
            continue
        except _Quit:
            if not room.record.closed:
                room.append(current_step(room), "quit", "quit")
                _write_down(room, frontend)
            return Outcome.QUIT
        except PlannedPause:
            _write_down(room, frontend)
            return Outcome.WAITS
        except CeremonyError as exc:
            if not _try_again(room, frontend, exc):
                raise
            left = ""
            continue
        return Outcome.CLOSED


def _write_down(room: Room, frontend: Frontend) -> None:
    """The head goes on paper, once there are two officers who may have to know it again."""
    if room.record.closed or not may_pause(room):
        return
    step, head = current_step(room), room.record.head.hex
    answer = frontend.ask(advised(head_for_paper(room, step)), room.frame(step))
    if isinstance(answer, Done):
        room.append(step, "paper", head, record_head=head, by=list(room.officers))


def _unlock(room: Room, frontend: Frontend) -> None:
    """A ceremony left while it was locked stays so; behind a fence, its resumption asks."""
    if locked_by(room) is not None and not room.record.all("fence") and not room.record.closed:
        _drive(room, frontend, unlock(room, current_step(room)), locked=True)


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
    answer = frontend.ask(advised(prompt), room.frame(step))
    if isinstance(answer, Chosen) and answer.value == "again":
        return True
    _write_down(room, frontend)
    return False


def _drive(
    room: Room, frontend: Frontend, flow: Flow[T], *, locked: bool = False, left: str = ""
) -> T:
    """Asks what the flow asks. `left` is the key of the question that was just gone back from."""
    with closing_generator(flow):
        answer: Answer | None = None
        while True:
            try:
                prompt = flow.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(prompt, Working):
                frontend.progress(prompt, room.frame(prompt.step))
                answer = None
            else:
                if prompt.key == left and prompt.problem is None:
                    prompt = replace(prompt, problem=_NO_WAY_BACK)
                left = ""
                answer = _ask(room, frontend, prompt, locked=locked)


def _ask(room: Room, frontend: Frontend, prompt: AnyPrompt, *, locked: bool) -> Answer:
    while True:
        answer = frontend.ask(advised(prompt), room.frame(prompt.step))
        if not isinstance(answer, Command):
            return answer
        if answer is Command.QUIT:
            raise _Quit
        if locked:  # nothing goes past a lock, not even back
            prompt = replace(prompt, problem="Locked: both phrases go on.")
            continue
        match answer:
            case Command.BACK:
                raise _Back(prompt.key)
            case Command.EXCEPTION if not room.record.closed:
                _record_exception(room, frontend, prompt.step)
            case Command.PAUSE if not room.record.closed and may_pause(room):
                _pause(room, frontend, prompt.step)
            case Command.EXCEPTION | Command.PAUSE:
                why = _CLOSED if room.record.closed else _NOBODY_TO_UNLOCK
                prompt = replace(prompt, problem=why)


def _record_exception(room: Room, frontend: Frontend, step: Step) -> None:
    try:
        decision = _drive(room, frontend, record_exception(room, step))
    except _Back:
        return
    if decision == ABORT:
        raise _Quit


def _pause(room: Room, frontend: Frontend, step: Step) -> None:
    try:
        _drive(room, frontend, begin_pause(room, step))
    except _Back:
        return
    _drive(room, frontend, unlock(room, step), locked=True)
