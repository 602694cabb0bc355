"""Names as people write them: shown right where they are read, and told apart."""

from pathlib import Path

import pytest

from ceremony.bundle.evidence import check_evidence
from ceremony.bundle.media import read_directory
from ceremony.documents.evidence import remake
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Entered, EnterText, Frame
from ceremony.record.chain import verify_chain
from tests.documents.paper import pages
from tests.flow.sittings import Patient
from tests.flow.table import Table

JUERGEN, ANDRE = "Jürgen Groß-O'Hara", "André Ångström"


class Named(Patient):
    """Officers who type these into the forms in turn; the last one is right."""

    def __init__(self, table: Table, texts: dict[str, list[dict[str, str]]]) -> None:
        super().__init__(table)
        self._texts = texts
        self.problems: list[str] = []

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.problem:
            self.problems.append(prompt.problem)
        if isinstance(prompt, EnterText) and self._texts.get(prompt.key):
            told = {field.name: f"a {field.name}" for field in prompt.fields}
            return Entered(values={**told, **self._texts[prompt.key].pop(0)})
        return super().ask(prompt, frame)


def held(table: Table, texts: dict[str, list[dict[str, str]]]) -> list[str]:
    officers = Named(table, texts)
    room = table.sit_down()
    with room.record:
        assert run(room, officers) is Outcome.CLOSED
    return officers.problems


def test_letters_of_names_are_kept_on_the_record_and_on_every_paper(tmp_path: Path) -> None:
    table = Table(tmp_path)
    place = {"place": "Zürich, Schloß", "purpose": "année zéro", "approval": "Ö-1"}
    apart = {"name": "Ju\u0308rgen Groß-O'Hara"}  # typed as u and a diaeresis
    problems = held(
        table,
        {
            "open.place": [place],
            "open.officer.A": [apart],
            "open.officer.B": [{"name": ANDRE}],
        },
    )
    assert problems == []
    (evidence,) = (table.media / "evidence").iterdir()
    files = read_directory(evidence)
    lines = verify_chain(files["record.jsonl"])
    names = [line.data["name"] for line in lines if line.type == "officer"]
    assert names == [JUERGEN, ANDRE]
    fences = [line.data["by"] for line in lines if line.type == "fence"]
    assert fences[0] == [JUERGEN, ANDRE]
    assert all(check.outcome.value != "failed" for check in check_evidence(files))
    made = remake(files, lines)
    paper = " ".join(" ".join(pages(made["report.pdf"], tmp_path)).split())
    text = " ".join(made["report.txt"].decode().split())
    page = made["report.html"].decode("ascii")
    for name in (JUERGEN, ANDRE, "Zürich, Schloß", "année zéro"):
        assert name in paper
        assert name in text
        assert name.encode("ascii", "xmlcharrefreplace").decode().replace("'", "&#x27;") in page
    assert "\\x" not in text


HOSTILE = [
    "Eve\x1b[2J",
    "Eve\u202eadA",
    "E\u200bve",
    "\u0415ve",  # Cyrillic
    "Eve\x9b31m",
    "\uff25ve",  # a wide E
    "Eve\xa0Ada",  # a space that is none
    "E\xadve",  # a hyphen that is not seen
    "Wa\u0142\u0119sa",  # a name, but no PDF font of its own has these
    "Eve\U0001f511",
    "E\u0336ve",  # struck through
    "Eve \xba",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_9_what_no_page_can_show_is_refused_where_it_is_typed(tmp_path: Path, name: str) -> None:
    table = Table(tmp_path)
    typed = {"open.officer.A": [{"name": name}, {"name": "Ada"}]}
    (problem,) = held(table, typed)
    assert "[text.unwritable]" in problem
    assert "U+" in problem
    assert problem.isascii()
    assert problem.isprintable()
    raw = (table.directory / "record.jsonl").read_text(encoding="ascii")
    assert '"name":"Ada"' in raw


@pytest.mark.parametrize("other", ["Jürgen  Gross", "JÜRGEN-GROSS", "Jurgen Groß", "jürgen.gróß"])
def test_two_officers_do_not_read_alike(tmp_path: Path, other: str) -> None:
    table = Table(tmp_path)
    typed = {
        "open.officer.A": [{"name": "Jürgen Groß"}],
        "open.officer.B": [{"name": other}, {"name": "--"}, {"name": "Ben"}],
    }
    first, second = held(table, typed)
    assert "reads like the name of officer A" in first
    assert second == "A name has letters."


def test_the_witness_is_neither_officer(tmp_path: Path) -> None:
    table = Table(tmp_path, extra="[rules]\nwitness = true\n")
    typed = {"open.witness": [{"name": "BEN"}, {"name": "Cleo"}]}
    (problem,) = held(table, typed)
    assert "officer B" in problem
