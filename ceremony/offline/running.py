"""`ceremony run`: the wizard, or the plain line mode, over the one flow."""

import sys
from pathlib import Path

import click

from ceremony import config
from ceremony.command_line import Command
from ceremony.core.text import show
from ceremony.errors import ExitStatus, StoppedError
from ceremony.flow.advising import advised
from ceremony.flow.driver import Outcome
from ceremony.flow.driver import run as drive
from ceremony.flow.prompts import (
    Choose,
    Chosen,
    Frame,
    Frontend,
    Option,
    Step,
    Text,
    Working,
)
from ceremony.flow.room import Room
from ceremony.offline import cli, store
from ceremony.offline.environment import state_folder
from ceremony.offline.wiring import RealServices

_NEW = "new"
_MARGIN_S = 5
_BUSY = "The module is still finishing a call of the sitting that was cut off"


@click.command(name="run", cls=Command)
@click.argument("plan", type=click.Path(path_type=Path), default=Path("ceremony.toml"))
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="State folder (default: XDG)."
)
@click.option("--plain", is_flag=True, help="Plain lines: for screen readers, serial consoles.")
def command(plan: Path, directory: Path | None, plain: bool) -> int:
    """Hold the ceremony of PLAN, or go on with one that is unfinished."""
    plan_file = config.load(plan)
    state = state_folder(directory)

    def main(frontend: Frontend) -> int:
        return hold(plan_file, state, frontend)

    if plain:
        from ceremony.offline.plain import PlainFrontend

        return main(PlainFrontend(sys.stdin, sys.stdout))
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise click.UsageError("the wizard needs a terminal; use --plain without one")
    from screens.run import run_wizard

    return run_wizard(main)


def hold(plan_file: config.PlanFile, state: Path, frontend: Frontend) -> int:
    """Begins or resumes a ceremony and drives it.

    Returns:
        An exit status: done, exceptions on record.

    Raises:
        StoppedError: `state.locked`: another instance. `state.module_busy`: a module is
            still in a call of a sitting that was cut off.
        StoppedError: `stopped.left`: the officers left before the end. `stopped.waiting`:
            it waits for a higher CA, as planned; in order, and not finished.
    """
    limits = plan_file.plan.limits
    patience_s = max(limits.token_timeout_s, limits.generate_timeout_s) + _MARGIN_S

    def waiting() -> None:
        frontend.progress(Working(step=Step.OPEN, title=_BUSY), _frame(plan_file))

    with store.occupied(state, patience_s=patience_s, waiting=waiting) as modules:
        return _hold(plan_file, state, frontend, modules)


def _hold(plan_file: config.PlanFile, state: Path, frontend: Frontend, modules: int) -> int:
    directory = _choose(plan_file, state, frontend)
    kept = plan_file if directory is None else store.read_plan(directory)
    services = RealServices(kept.plan, cli.REMOVED, modules)
    try:
        if directory is None:
            room = store.begin(state, kept, services)
        else:
            room = store.resume(directory, kept, services)
        with room.record:
            return _drive(room, frontend)
    finally:
        services.close()


def _drive(room: Room, frontend: Frontend) -> int:
    outcome = drive(room, frontend)
    if outcome is Outcome.WAITS:
        raise StoppedError(
            "stopped.waiting",
            f"{room.ceremony_id} waits for the higher CA, as planned; all of it is on record",
            hint="Run the same command when the higher CA's certificate is here.",
        )
    if outcome is Outcome.QUIT:
        raise StoppedError(
            "stopped.left",
            f"the officers left {room.ceremony_id} before its end; all of it is on record",
            hint="Run the same command to go on.",
        )
    exceptions = len(room.record.all("exception"))
    return ExitStatus.EXCEPTIONS if exceptions else ExitStatus.DONE


def _choose(plan_file: config.PlanFile, state: Path, frontend: Frontend) -> Path | None:
    open_ = [held for held in store.ceremonies(state) if not held.finished]
    if not open_:
        return None
    if len(open_) == 1 and open_[0].plan_sha256 == plan_file.fingerprint.hex:
        return open_[0].directory
    options = [
        Option(
            value=held.directory.name,
            label=f"Go on with {show(held.directory.name)}",
            detail=held.problem or f"begun {held.lines[0].at}, last {held.lines[-1].step}",
        )
        for held in open_
    ]
    options.append(Option(value=_NEW, label="Begin a new ceremony"))
    prompt = Choose(
        key="choose.ceremony",
        step=Step.OPEN,
        title="Unfinished ceremonies",
        body=(Text(text="Go on with one of them, or begin anew. Each has a record of its own."),),
        options=tuple(options),
        help="Each ceremony keeps its own plan; going on uses that copy.",
    )
    answer = frontend.ask(advised(prompt), _frame(plan_file))
    if not isinstance(answer, Chosen):
        raise StoppedError("stopped.left", "nothing was chosen", hint="Run the command again.")
    return None if answer.value == _NEW else state / answer.value


def _frame(plan_file: config.PlanFile) -> Frame:
    plan = plan_file.plan
    return Frame(
        factory=plan.factory,
        kind=plan.kind.value,
        ceremony_id="",
        step=Step.OPEN,
        rehearsal=plan.rehearsal,
        head=None,
        exceptions=0,
    )
