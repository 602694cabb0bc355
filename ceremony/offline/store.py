"""The state folder: one sub-folder a ceremony, found, begun, resumed."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ceremony.bundle.media import read_file
from ceremony.bundle.writing import make_folder, write_file
from ceremony.config import MAX_PLAN_BYTES, PlanFile, parse
from ceremony.core.text import show
from ceremony.errors import CeremonyError, MediaError, PlanError, StoppedError
from ceremony.flow.closing import FINISHED
from ceremony.flow.program import current_step
from ceremony.flow.prompts import CheckRow, CheckStatus
from ceremony.flow.room import Room, Services
from ceremony.kinds import Kind
from ceremony.offline.environment import check_folder
from ceremony.record.chain import MAX_RECORD_BYTES, SCHEMA, Line, read_lines, whole_lines
from ceremony.record.journal import LOCK, PARTIAL, Record, lock_directory
from ceremony.record.journal import NAME as RECORD
from ceremony.record.years import Link, years

PLAN = "plan.toml"
MODULES = "modules-lock"
_ANSWER = ("intent", "certificate/root")
_LOOK_S = 0.05
_UNBEGUN = frozenset({PLAN, f".{PLAN}.partial", LOCK, PARTIAL})
_ID = re.compile(rf"({'|'.join(Kind)})-[0-9]{{8}}-[0-9a-f]{{4}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One ceremony of the state folder.

    Attributes:
        finished: closed, and its evidence written.
        problem: why its record cannot be read; `lines` is empty then.
    """

    directory: Path
    lines: tuple[Line, ...]
    finished: bool
    problem: str = ""

    @property
    def waits(self) -> bool:
        """Whether its root CSR is with a higher CA, and no answer taken in."""
        taken = any((one.type, one.key) == _ANSWER for one in self.lines)
        return not taken and any(one.type == "wait" for one in self.lines)

    @property
    def plan_sha256(self) -> str:
        """Of the plan it was begun with."""
        return str(self.lines[0].data["plan_sha256"]) if self.lines else ""


def ceremonies(state: Path) -> tuple[Held, ...]:
    """Every ceremony of the folder, oldest first; one whose record is lost is told of, too."""
    found = []
    for directory in sorted(state.iterdir()):
        record = directory / RECORD
        if not record.is_file():
            if _was_begun(directory):
                problem = f"there is no {RECORD} in it"
                held = Held(directory=directory, lines=(), finished=False, problem=problem)
                found.append(held)
            continue
        try:
            with record.open("rb") as file:
                lines = read_lines(whole_lines(file.read(MAX_RECORD_BYTES + 1)))
            problem = ""
        except CeremonyError as exc:
            lines, problem = (), str(exc)
        finished = (directory / FINISHED).exists() and (not lines or _is_over(lines))
        found.append(Held(directory=directory, lines=lines, finished=finished, problem=problem))
    return tuple(sorted(found, key=lambda held: held.lines[0].at if held.lines else ""))


def _was_begun(directory: Path) -> bool:
    """Whether it is a ceremony's folder that holds more than a cut leaves of a beginning."""
    if not _ID.fullmatch(directory.name) or not directory.is_dir():
        return False
    return not {entry.name for entry in directory.iterdir()} <= _UNBEGUN


def _is_over(lines: tuple[Line, ...]) -> bool:
    """Whether the record says so too: who could put the mark there would have it forgotten."""
    return lines[-1].type == "close" or any(line.type == "destroyed" for line in lines)


@contextmanager
def occupied(
    state: Path, *, patience_s: float = 60, waiting: Callable[[], None] = lambda: None
) -> Iterator[int]:
    """The state folder for this process alone: one ceremony at a time is worked on in it.

    What a cut of power left of a folder whose record never began is removed first.

    Args:
        state: the folder.
        patience_s: how long a module of a sitting that was cut off may finish its call.
        waiting: is called once if there is one.

    Yields:
        A descriptor for each process of a module: what inherits it keeps the next sitting
        waiting when this one is gone.

    Raises:
        StoppedError: `state.locked`; `state.module_busy`.
    """
    lock = lock_directory(state)
    try:
        with _modules_idle(state, patience_s, waiting) as modules:
            for directory in sorted(state.iterdir()):
                # Whoever names any folder as the state folder keeps their own plans in it.
                if _ID.fullmatch(directory.name) and not directory.is_symlink():
                    with suppress(OSError):  # such a folder does no harm
                        _clear_unbegun(directory)
            yield modules
    finally:
        os.close(lock)


@contextmanager
def _modules_idle(state: Path, patience_s: float, waiting: Callable[[], None]) -> Iterator[int]:
    deadline = time.monotonic() + patience_s
    told = False
    while True:
        try:
            lock = lock_directory(state, MODULES)
            break
        except StoppedError as exc:
            if time.monotonic() > deadline:
                raise StoppedError(
                    "state.module_busy",
                    "the PKCS#11 module of a sitting that was cut off is still at work",
                    hint="Wait until its call is over or timed out, then resume.",
                ) from exc
        if not told:
            waiting()
            told = True
        time.sleep(_LOOK_S)
    try:
        yield lock
    finally:
        os.close(lock)


def _clear_unbegun(directory: Path) -> None:
    names = sorted(entry.name for entry in directory.iterdir())
    if not set(names) <= _UNBEGUN:
        return
    for name in names:
        (directory / name).unlink()
    directory.rmdir()


def begin(state: Path, plan_file: PlanFile, services: Services) -> Room:
    """Makes a ceremony's folder, with a copy of the plan and the first line of its record.

    Raises:
        MediaError: the disk refused.
    """
    plan = plan_file.plan
    suffix = services.randbytes(2).hex()
    ceremony_id = f"{plan.kind.value}-{services.clock.now():%Y%m%d}-{suffix}"
    held = [h for h in ceremonies(state) if h.finished and h.lines and _factory(h) == plan.factory]
    before = sorted(held, key=lambda h: h.lines[-1].at)  # in the order in which they ended
    directory = state / ceremony_id
    make_folder(state, ceremony_id)
    write_file(directory, PLAN, plan_file.raw, private=True)
    record = Record.create(
        directory,
        services.clock,
        {
            "schema": SCHEMA,
            "ceremony_id": ceremony_id,
            "factory": plan.factory,
            "kind": plan.kind.value,
            "rehearsal": plan.rehearsal,
            "plan_sha256": plan_file.fingerprint.hex,
            "tool_version": services.tool.version,
            "tool_sha256": services.tool.sha256,
            "python": show(services.tool.python),
            "bags_before": _bags(before[-1]) if before else [],
            "previous_head": before[-1].lines[-1].fingerprint.hex if before else None,
        },
    )
    return Room(plan_file=plan_file, directory=directory, record=record, services=services)


def _bags(held: Held) -> list[dict[str, str]]:
    """What was sealed at its end, or stayed in its bag: item, bag, holder.

    A ceremony that asked for no bags, or was destroyed before its end, left them as they were.
    """
    sealed = [line for line in held.lines if (line.type, line.key) == ("bags", "sealed")]
    rows = sealed[-1].data["items"] if sealed else held.lines[0].data.get("bags_before") or []
    members = ("item", "bag", "holder")
    return [{name: str(row.get(name, "")) for name in members} for row in rows]


def read_plan(directory: Path) -> PlanFile:
    """The plan that a ceremony was begun with.

    Raises:
        MediaError: `state.plan`: it is missing, or not the one on record.
    """
    try:
        return parse(read_file(directory / PLAN, MAX_PLAN_BYTES))
    except (MediaError, PlanError) as exc:
        raise _plan_error(directory) from exc


def resume(directory: Path, plan_file: PlanFile, services: Services) -> Room:
    """Opens a ceremony's record to go on with it.

    Raises:
        MediaError: `state.plan`; `state.foreign`, `state.open`: the folder is not ours alone.
        VerificationError: the record's chain does not hold.
        StoppedError: `state.locked`.
    """
    check_folder(directory)
    record = Record.open(directory, services.clock)
    try:
        if record.lines[0].data["plan_sha256"] != plan_file.fingerprint.hex:
            raise _plan_error(directory)
        room = Room(plan_file=plan_file, directory=directory, record=record, services=services)
        if not record.closed:
            room.append(
                current_step(room),
                "reopen",
                str(len(record.all("reopen")) + 1),
                tool_version=services.tool.version,
                tool_sha256=services.tool.sha256,
            )
    except BaseException:
        record.close()
        raise
    return room


def _factory(held: Held) -> str:
    return str(held.lines[0].data["factory"])


def _plan_error(directory: Path) -> MediaError:
    return MediaError(
        "state.plan",
        f"{show(str(directory / PLAN))} is missing, or not the plan on record",
        hint="Restore the ceremony's folder from a copy.",
    )


def history_row(state: Path) -> CheckRow:
    """Whether each ceremony of the folder names the record of one that is here, for preflight."""
    held = ceremonies(state) if state.is_dir() else ()
    found = years({one.directory.name: one.lines for one in held})
    unread = [one for one in held if one.problem]
    broken = [name for name, year in found.items() if year.link is Link.BROKEN]
    if unread:
        return CheckRow(
            status=CheckStatus.WARN,
            code="history.unreadable",
            sentence=f"the record of {show(unread[0].directory.name)} cannot be read: "
            f"{unread[0].problem}",
            hint="Compare it with its evidence. A new ceremony does not name it as the one before.",
        )
    if not broken:
        told = "no ceremony was held in this state folder before"
        if held:
            told = f"{len(held)} record(s) in the state folder; none lacks the one before it"
        return CheckRow(status=CheckStatus.PASS, code="history.link", sentence=told)
    return CheckRow(
        status=CheckStatus.WARN,
        code="history.broken",
        sentence=f"the record before that of {show(broken[0])} is not here, or was replaced",
        hint="Run `ceremony verify` on the state folder; compare heads with the paper.",
    )
