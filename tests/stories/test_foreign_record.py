"""A record that somebody forged or damaged, line by line: always a refusal by code, never a bug."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ceremony.errors import CeremonyError
from ceremony.flow.driver import run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame
from ceremony.offline import cli
from ceremony.record.chain import FIRST, format_line, read_lines
from tests.flow.conftest import cheap_passwords
from tests.flow.memory import MemoryToken, memory_table
from tests.flow.sittings import Patient
from tests.flow.table import Table

__all__ = ["cheap_passwords"]

CUTS = ("root.key", "sign.phrase.A", "export.custody", "")
TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
LIKE = st.sampled_from(["", "ab" * 32, "AAAA", "root", "2026-02-30T00:00:00Z", "../x", "01", "M1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99) | LIKE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LIKE | TEXT, inner, max_size=3),
    max_leaves=5,
)


class GivesUp(BaseException):
    """The officers leave: a question came back too often."""


class Leaving(Patient):
    """Officers who leave at a question, and where one comes back again and again."""

    def __init__(self, table: Table, at: str = "") -> None:
        super().__init__(table, again=False)
        self._at, self._asked = at, 0

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self._asked += 1
        if prompt.key == self._at or prompt.problem or self._asked > 200:
            raise GivesUp
        return super().ask(prompt, frame)


def sit(table: Table, at: str = "") -> None:
    room = table.sit_down()
    with room.record:
        run(room, Leaving(table, at))


class Held:
    """A ceremony that was left, a copy of its folder, and the keys on its token."""

    def __init__(self, table: Table, token: MemoryToken) -> None:
        self.table, self._token, self._keys = table, token, list(token.keys)
        self._whole = table.media.with_name(f"{table.media.name}-whole")
        shutil.copytree(table.media, self._whole)

    def forged(self, forgery: tuple[float, str, Any, float]) -> Path:
        """Its record, with one line forged; all else as it was."""
        for path in self.table.media.iterdir():
            shutil.rmtree(path)
        shutil.copytree(self._whole, self.table.media, dirs_exist_ok=True)
        self._token.keys[:] = self._keys
        record = self.table.directory / "record.jsonl"
        record.write_bytes(forge(record.read_bytes(), *forgery))
        return record


@pytest.fixture(scope="module", params=CUTS, ids=lambda cut: cut or "finished")
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """A ceremony that was left at a question, or is finished."""
    table, token = memory_table(tmp_path_factory.mktemp("forged"))
    try:
        sit(table, request.param)
    except GivesUp:
        assert request.param
    return Held(table, token)


@st.composite
def forgeries(draw: st.DrawFn) -> tuple[float, str, Any, Any]:
    how = draw(st.sampled_from(["data", "member", "lacking", "type", "key", "step", "object"]))
    return draw(st.floats(0, 1)), how, draw(JSON), draw(st.floats(0, 1))


def forge(raw: bytes, where: float, how: str, value: Any, which: float) -> bytes:
    """One line is another one; those after it follow from it."""
    lines = read_lines(raw)
    at = round(where * (len(lines) - 1))
    out, previous = b"", FIRST
    for line in lines:
        told = {"at": line.at, "step": line.step, "type_": line.type, "key": line.key}
        data = dict(line.data)
        if line.n == at:
            names = sorted(data)
            name = names[round(which * (len(names) - 1))] if names else "name"
            match how:
                case "data":
                    data = value if isinstance(value, dict) else {name: value}
                case "member":
                    data[name] = value
                case "lacking":
                    data.pop(name, None)
                case "object":
                    return out + json.dumps(value).encode() + b"\n"
                case _:
                    told["type_" if how == "type" else how] = str(value)
        written = format_line(n=line.n, prev=previous, data=data, **told)
        out, previous = out + written.raw, written.fingerprint.hex
    return out


FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(forgery=forgeries())
@FEW
def test_29_no_command_that_reads_a_forged_record_ends_as_a_bug(
    held: Held, forgery: tuple[float, str, Any, float], capsys: pytest.CaptureFixture[str]
) -> None:
    record = held.forged(forgery)
    state = str(held.table.media / "state")
    for arguments in (
        ["history", "--dir", state],
        ["history", "--json", "--dir", state],
        ["report", str(held.table.directory), "-o", f"{held.table.media}-report.txt"],
        ["verify", str(held.table.directory)],
        ["verify", str(record), "--json"],
    ):
        status = cli._run(arguments)
        told = capsys.readouterr()
        assert status != 1, (arguments[0], told.err)
        assert "\x1b" not in told.out + told.err


@given(forgery=forgeries())
@FEW
def test_29_no_ceremony_that_goes_on_with_a_forged_record_ends_as_a_bug(
    held: Held, forgery: tuple[float, str, Any, float]
) -> None:
    held.forged(forgery)
    with suppress(CeremonyError, GivesUp):
        sit(held.table)


@pytest.mark.parametrize(
    "data", [{}, {"schema": "ceremony-record/1"}, {"schema": "ceremony-record/1", "factory": 7}]
)
def test_29_a_first_line_without_its_members_is_told_and_the_other_ceremonies_too(
    held: Held, data: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    held.forged((0.0, "data", data, 0.0))
    state = str(held.table.media / "state")
    assert cli._run(["history", "--dir", state]) == 0
    assert "cannot be read: this record was not written" in capsys.readouterr().out
    assert cli._run(["report", str(held.table.directory)]) == 3
    assert "[record.line]" in capsys.readouterr().err


def test_29_a_first_line_with_bags_of_another_type_is_refused(held: Held) -> None:
    held.forged((0.0, "member", [None], 0.0))  # the first of its members: bags_before
    with pytest.raises(CeremonyError) as caught:
        sit(held.table)
    assert caught.value.code == "record.line"
