"""`destroy-key`: only what an abandoned ceremony made and nothing exported certifies."""

from pathlib import Path

import pytest

from ceremony.bundle.evidence import check_evidence
from ceremony.bundle.media import read_directory
from ceremony.config import parse
from ceremony.core.ports import KeyObject
from ceremony.errors import CeremonyError, PlanError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame
from ceremony.offline import store
from ceremony.record.chain import Line, read_lines
from tests.documents.acts import unscripted
from tests.flow.memory import MemoryToken, memory_table
from tests.flow.sittings import Patient
from tests.flow.table import Table


class Until(Patient):
    """Officers whose program ends at a question."""

    def __init__(self, table: Table, key: str) -> None:
        super().__init__(table, again=False)
        self._key = key
        self.asked: list[str] = []

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt.key)
        if prompt.key == self._key:
            raise KeyboardInterrupt
        return super().ask(prompt, frame)


@pytest.fixture
def abandoned(tmp_path: Path) -> tuple[Table, MemoryToken, Path]:
    """A ceremony that has its root and is left at the fence of signing."""
    table, token = memory_table(tmp_path)
    leave(table, "sign.phrase.A")
    return table, token, table.directory


def leave(table: Table, key: str) -> None:
    room = table.sit_down()
    with room.record, pytest.raises(KeyboardInterrupt):
        run(room, Until(table, key))


def destroying(table: Table, folder: Path, keys: str = '"root"') -> Table:
    text = table.plan_file.raw.decode()
    before, _, after = text.partition("[[local_ca]]")
    text = before + "[media]" + after.partition("[media]")[2]
    text = text.replace('kind = "create"', 'kind = "destroy-key"').replace(
        'requests = ["tls"]', "requests = []"
    )
    text = text.replace('requests = ["tls"]', "requests = []")
    text += f'\n[destroy]\nceremony = "{folder.name}"\nkeys = [{keys}]\n'
    table.plan_file = parse(text.encode())
    table.papers.words["plan.words"] = table.plan_file.fingerprint
    return table


def hold(table: Table, key: str = "") -> Until:
    """A new ceremony with the table's plan, or its going on."""
    state = table.media / "state"
    officers = Until(table, key)
    mine = [h for h in store.ceremonies(state) if h.plan_sha256 == table.plan_file.fingerprint.hex]
    if mine:
        room = store.resume(mine[0].directory, table.plan_file, table.services)
    else:
        room = store.begin(state, table.plan_file, table.services)
    with room.record:
        assert run(room, officers) is Outcome.CLOSED
    return officers


def lines(folder: Path) -> tuple[Line, ...]:
    return read_lines((folder / "record.jsonl").read_bytes())


def test_the_key_of_an_abandoned_ceremony_is_destroyed_behind_a_fence(
    abandoned: tuple[Table, MemoryToken, Path],
) -> None:
    table, token, folder = abandoned
    other = token.plant("somebody-elses", "77")
    create = table.plan_file
    officers = hold(destroying(table, folder))
    assert [info.spki for info, _ in token.keys] == [other.spki]
    assert {"destroy.phrase.A", "destroy.phrase.B"} <= set(officers.asked)
    assert lines(folder)[-1].type == "destroyed"
    (evidence,) = (table.media / "evidence").iterdir()
    checks = check_evidence(read_directory(evidence))
    held = read_lines((evidence / "record.jsonl").read_bytes())
    assert unscripted(table.plan_file.plan, held) == []
    told = " ".join((evidence / "report.txt").read_text().split())
    assert "to the safe, with the paper" in told
    assert "SIGNED OUT" not in told
    assert "ceremony-online" not in told
    assert not [check for check in checks if check.outcome.value == "failed"]
    table.plan_file = create
    again = store.resume(folder, create, table.services)
    with again.record, pytest.raises(CeremonyError) as caught:
        run(again, Patient(table))
    assert caught.value.code == "destroy.abandoned"
    assert [held.finished for held in store.ceremonies(table.media / "state")] == [True, True]


@pytest.mark.parametrize("key", ["destroy.phrase.B", "root.pin", "destroy.done", "close.path"])
def test_28_destroying_that_is_cut_off_goes_on_to_the_same_end(
    abandoned: tuple[Table, MemoryToken, Path], key: str
) -> None:
    table, token, folder = abandoned
    destroying(table, folder)
    with pytest.raises(KeyboardInterrupt):
        hold(table, key)
    hold(table)
    assert token.keys == []
    assert [line.key for line in lines(folder) if line.type == "destroyed"] == ["key/root"]


def test_a_cut_between_the_token_and_the_record_is_adopted(
    abandoned: tuple[Table, MemoryToken, Path],
) -> None:
    table, token, folder = abandoned
    destroying(table, folder)
    whole = table.services.token_store

    class Cutting(type(whole(table.plan_file.plan.root.token))):  # type: ignore[misc]
        def destroy(self, key):  # type: ignore[no-untyped-def]
            super().destroy(key)
            half = KeyObject(kind="public", label=key.label, key_id=key.key_id, key_type="EC")
            token.halves.append(half)
            raise KeyboardInterrupt

    table.services.token_store = lambda _: Cutting(token)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        hold(table)
    table.services.token_store = whole  # type: ignore[method-assign]
    hold(table)
    assert token.keys == []
    assert token.halves == []


def refused(table: Table) -> str:
    with pytest.raises(CeremonyError) as caught:
        hold(table)
    return caught.value.code


def test_what_was_exported_is_never_destroyed(tmp_path: Path) -> None:
    table, token = memory_table(tmp_path)
    leave(table, "export.words")
    assert refused(destroying(table, table.directory)) == "destroy.exported"
    assert len(token.keys) == 1


def test_only_keys_of_that_record_are_destroyed(
    abandoned: tuple[Table, MemoryToken, Path],
) -> None:
    table, token, folder = abandoned
    assert refused(destroying(table, folder, '"line-9"')) == "destroy.not_made"
    assert len(token.keys) == 1


def test_another_token_of_the_same_label_is_left_alone(
    abandoned: tuple[Table, MemoryToken, Path],
) -> None:
    table, token, folder = abandoned
    other = MemoryToken(serial="M2", keys=list(token.keys))
    table.services.memory = other  # type: ignore[attr-defined]
    assert refused(destroying(table, folder)) == "token.other"
    assert len(other.keys) == 1


def test_the_table_and_the_kind_belong_together(
    abandoned: tuple[Table, MemoryToken, Path],
) -> None:
    table, _, folder = abandoned
    raw = table.plan_file.raw.decode()
    with pytest.raises(PlanError):
        parse(f'{raw}\n[destroy]\nceremony = "{folder.name}"\n'.encode())
