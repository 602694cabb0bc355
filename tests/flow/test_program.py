from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ceremony.bundle.checking import check_upload_files, require
from ceremony.bundle.media import MAX_PEM_BYTES, read_directory
from ceremony.bundle.request import read_request
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, StoppedError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Command,
    EnterSecret,
    Frame,
    SecretEntered,
    Text,
    TypeBack,
    Typed,
    Working,
)
from ceremony.plan import MAX_LOCAL_CAS
from ceremony.record.chain import verify_chain
from tests.flow.table import Table


class PowerCut(BaseException):
    """The process is gone."""


class Interrupting:
    """Scripted officers who at one question do something else first."""

    def __init__(self, table: Table, at: int, act: Command | type[BaseException]) -> None:
        self.officers = table.officers()
        self.asked: list[str] = []
        self._at, self._act = at, act

    def progress(self, working: Working, frame: Frame) -> None:
        pass

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt.key)
        if len(self.asked) - 1 == self._at:
            if isinstance(self._act, Command):
                return self._act
            raise self._act
        if len(self.asked) - 2 == self._at:  # what came of the key is said here, and no more
            prompt = replace(prompt, problem=None)
        return self.officers.ask(prompt, frame)


def _hold(table: Table, frontend: object) -> Outcome:
    room = table.sit_down()
    with room.record:
        return run(room, frontend)  # type: ignore[arg-type]


def _check_end(table: Table) -> None:
    files = read_directory(table.upload)
    require(check_upload_files(files, read_request(table.request)))
    lines = verify_chain((table.directory / "record.jsonl").read_bytes())
    assert lines[-1].type == "close"
    counts = Counter((line.type, line.key) for line in lines if line.type in {"intent", "done"})
    assert all(
        count == 1
        for (kind, key), count in counts.items()
        if key.startswith(("key/", "certificate/"))
    )
    for line in lines:
        if line.type == "done" and line.key.startswith("certificate/"):
            assert Fingerprint.from_hex(line.data["sha256"])


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> int:
    table = Table(tmp_path_factory.mktemp("count"))
    watcher = Interrupting(table, -1, PowerCut)
    assert _hold(table, watcher) is Outcome.CLOSED
    assert len(watcher.asked) > 30
    return len(watcher.asked)


SHARES = 4


def test_two_careful_officers_reach_the_end(tmp_path: Path) -> None:
    table = Table(tmp_path)
    assert _hold(table, table.officers()) is Outcome.CLOSED
    _check_end(table)


@pytest.mark.parametrize("share", range(SHARES))
def test_28_a_cut_at_any_question_is_resumed_to_the_same_end(
    tmp_path: Path, questions: int, share: int
) -> None:
    for at in range(share, questions, SHARES):
        media = tmp_path / str(at)
        media.mkdir()
        table = Table(media)
        with pytest.raises(PowerCut):
            _hold(table, Interrupting(table, at, PowerCut))
        assert _hold(table, table.officers()) is Outcome.CLOSED
        _check_end(table)


@pytest.mark.parametrize("share", range(2))
def test_going_back_at_any_question_changes_nothing_that_is_recorded(
    tmp_path: Path, questions: int, share: int
) -> None:
    for at in range(share, questions, 4):
        media = tmp_path / str(at)
        media.mkdir()
        table = Table(media)
        assert _hold(table, Interrupting(table, at, Command.BACK)) is Outcome.CLOSED
        _check_end(table)


def test_leaving_is_on_record_and_the_next_run_goes_on(tmp_path: Path) -> None:
    table = Table(tmp_path)
    assert _hold(table, Interrupting(table, 9, Command.QUIT)) is Outcome.QUIT
    assert _hold(table, table.officers()) is Outcome.CLOSED
    lines = verify_chain((table.directory / "record.jsonl").read_bytes())
    assert [line.type for line in lines].count("quit") == 1
    assert [line.type for line in lines].count("reopen") == 1


class WrongWords(Interrupting):
    """Types a wrong word of the list a number of times."""

    def __init__(self, table: Table, what: str, times: int) -> None:
        super().__init__(table, -1, PowerCut)
        self._what, self._times = what, times

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if isinstance(prompt, TypeBack) and prompt.key == self._what and self._times:
            self._times -= 1
            wrong = Fingerprint(bytes(32)).words
            return Typed(words=tuple(wrong[position] for position in prompt.positions))
        if prompt.key == "export.words":  # it tells of the words that did not match
            prompt = replace(prompt, problem=None)
        return super().ask(prompt, frame)


@pytest.mark.parametrize("what", ["plan.words", "request.words", "upload.words"])
def test_a_wrong_word_is_an_exception_and_a_second_try_is_allowed(
    tmp_path: Path, what: str
) -> None:
    table = Table(tmp_path)
    room = table.sit_down()
    with room.record:
        assert run(room, WrongWords(table, what, 1)) is Outcome.CLOSED
        assert len(room.record.all("exception")) == 1
        draws = [line for line in room.record.all("draw") if line.key.startswith(what[:4])]
        assert len(draws) == 2
        assert draws[0].data["A"] != draws[1].data["A"]


def test_who_typed_a_wrong_word_is_told_so_before_the_second_try(tmp_path: Path) -> None:
    """Else the second grid, with other places, looks like the next one in order."""
    table = Table(tmp_path)
    told: list[str] = []

    class Reading(WrongWords):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            if isinstance(prompt, TypeBack) and prompt.key == "upload.words":
                told.append(" ".join(b.text for b in prompt.body if isinstance(b, Text)))
            if prompt.key == "export.words" and told:
                told.append(prompt.problem or "")
            return super().ask(prompt, frame)

    assert _hold(table, Reading(table, "upload.words", 1)) is Outcome.CLOSED
    first, copied, for_a, for_b = told
    assert "did not match" not in first
    assert "did not match" in copied
    for again in (for_a, for_b):
        assert "words that Ada Practice typed did not match" in again
        assert "one more wrong word stops the ceremony" in again


@pytest.mark.parametrize("what", ["plan.words", "request.words", "upload.words"])
def test_a_second_mismatch_stops_and_stays_stopped(tmp_path: Path, what: str) -> None:
    table = Table(tmp_path)
    for _ in range(2):
        with pytest.raises(CeremonyError) as caught:
            _hold(table, WrongWords(table, what, 2))
        assert caught.value.code == "typeback.mismatch"


def test_an_altered_stick_is_refused_by_its_words(tmp_path: Path) -> None:
    table = Table(tmp_path)
    original = table.papers.words["request.words"]
    evil = Table.__new__(Table)
    evil.__dict__.update(table.__dict__)
    import shutil

    shutil.rmtree(table.request)
    evil.write_request()
    assert read_request(table.request).fingerprint != original
    with pytest.raises(CeremonyError) as caught:
        _hold(table, table.officers())
    assert caught.value.code == "typeback.mismatch"
    assert not (table.directory / "keys").exists()


class WrongPhrase(Interrupting):
    """Officer B never finds the phrase."""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if isinstance(prompt, EnterSecret) and prompt.key == "root.phrase.B":
            return SecretEntered(secret=Secret("not the phrase"))
        return super().ask(prompt, frame)


def test_no_root_is_made_without_the_second_officer(tmp_path: Path) -> None:
    table = Table(tmp_path)
    with pytest.raises(CeremonyError) as caught:
        _hold(table, WrongPhrase(table, -1, PowerCut))
    assert caught.value.code == "fence.phrase"
    assert not (table.directory / "keys").exists()


def test_38_a_network_link_at_a_fence_stops(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.services.network = "eth0 is up"
    with pytest.raises(StoppedError) as caught:
        _hold(table, table.officers())
    assert caught.value.code == "fence.network"
    assert not (table.directory / "keys").exists()


class Excepting(Interrupting):
    """Records an exception, and pauses, at the third question."""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        from ceremony.flow.prompts import Chosen, Entered

        self.asked.append(prompt.key)
        match prompt.key:
            case "exception":
                return Entered(values={"what": "a fire drill", "why": "planned", "by": "Ada"})
            case "exception.decision":
                assert isinstance(prompt, Choose)
                return Chosen(value="continue")
            case "pause":
                return Entered(values={"why": "lunch", "stays": "Ben"})
            case "root.phrase.A" if "exception" not in self.asked:
                return Command.EXCEPTION
            case "root.phrase.A" if "pause" not in self.asked:
                return Command.PAUSE
        return self.officers.ask(prompt, frame)


def test_an_exception_and_a_pause_are_on_record_and_the_flow_goes_on(tmp_path: Path) -> None:
    table = Table(tmp_path)
    room = table.sit_down()
    with room.record:
        assert run(room, Excepting(table, -1, PowerCut)) is Outcome.CLOSED
        assert room.record.find("exception", "E-1") is not None
        assert room.record.find("pause", "pause") is not None
        assert room.record.find("resume", "resume") is not None


def test_the_longest_plan_is_held_to_its_end_and_its_papers_are_read_back(tmp_path: Path) -> None:
    names = (f"a-plant-with-a-long-name-{number:02}" for number in range(2, MAX_LOCAL_CAS + 1))
    cas = "".join(f'[[local_ca]]\nname = "{name}"\n' for name in names)
    table = Table(tmp_path, extra=cas)
    room = table.sit_down()
    with room.record:
        assert run(room, table.officers()) is Outcome.CLOSED
    (evidence,) = (tmp_path / "evidence").iterdir()
    assert len((evidence / "report.txt").read_bytes()) > MAX_PEM_BYTES
    read_directory(evidence)
