"""The rehearsal of `destroy-key`: practice officers abandon a ceremony, and its keys go."""

from ceremony import config
from ceremony.errors import ExitStatus, StoppedError
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Step
from ceremony.offline.running import hold
from ceremony.offline.store import ceremonies
from ceremony.practice.factory import PracticeFactory
from ceremony.practice.officers import Papers, ScriptedOfficers
from ceremony.practice.rehearsal import Rehearsal, say
from ceremony.practice.runs import Run, run_for, write_head, write_passphrases
from ceremony.record.chain import Line


class Leaving(ScriptedOfficers):
    """Officers who make the keys, and leave before anything is signed with them."""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        """Answers as the papers say, until the step that signs."""
        if prompt.step is Step.SIGN and not prompt.key.startswith("quit"):
            return Command.QUIT
        return super().ask(prompt, frame)


class Destruction(Rehearsal):
    """Two runs: a ceremony that is abandoned, and the one that destroys what it made.

    On an empty practice Factory a first ceremony is abandoned, with its root; later on, one
    that adds a device CA.
    """

    def _rehearse(self, own: config.Plan, kind: config.Kind, factory: PracticeFactory) -> int:
        asked = self._asked(own, kind)
        run = run_for(self._directory, asked, say)
        if not run.is_for(asked):
            return self._hold_run(own, config.Kind.CREATE, factory)
        if not run.plan.exists() or config.load(run.plan).plan.kind is not kind:
            self._abandon(run, own, factory)
            run.finish()
            run = run_for(self._directory, asked, say)
        plan_file, pin = self._plan(run, own, kind, factory)
        if not self._options.auto:
            say("  note      An unfinished ceremony is found: choose to begin a new one.")
        status = self._hold(run, plan_file, self._papers(plan_file, "", None, pin))
        if status in {ExitStatus.DONE, ExitStatus.EXCEPTIONS}:
            run.finish()
            self._tell("done")
        return status

    def _abandon(self, run: Run, own: config.Plan, factory: PracticeFactory) -> None:
        rooted = factory.store.certs is not None
        kind = config.Kind.ADD_DEVICE_CA if rooted else config.Kind.CREATE
        say(f"  note      practice officers begin a ceremony of kind {kind.value}, and leave it")
        plan_file, pin = self._plan(run, own, kind, factory)
        request = self._fetch(run, plan_file, factory)
        papers = self._papers(plan_file, "request", request.fingerprint, pin)
        papers.choices["choose.ceremony"] = self._unfinished(plan_file) or "new"
        try:
            hold(plan_file, self._directory / "state", Leaving(papers))
        except StoppedError as exc:
            if exc.code != "stopped.left":
                raise
        finally:
            write_passphrases(self._directory, papers.passphrases)
            write_head(self._directory, papers.words)
        self._tell("abandoned: its keys are made, and nothing is signed with them")

    def _acts_on(
        self, kind: config.Kind, factory: PracticeFactory, papers: Papers
    ) -> dict[str, object]:
        if kind is not config.Kind.DESTROY_KEY:
            return super()._acts_on(kind, factory, papers)
        left = [one for one in ceremonies(self._directory / "state") if not one.finished][-1]
        return {"destroy": {"ceremony": left.directory.name, "keys": _made(left.lines)}}


def _made(lines: tuple[Line, ...]) -> list[str]:
    made = (line.key for line in lines if line.type == "done" and line.key.startswith("key/"))
    return [key.removeprefix("key/") for key in made]
