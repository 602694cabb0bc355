"""People and bags: what is asked, what is refused, and what the next ceremony compares."""

import shutil
from pathlib import Path

import pytest

from ceremony.bundle.request import read_request
from ceremony.config import parse
from ceremony.documents.report import report
from ceremony.documents.text import render_text
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Entered, Frame, Working
from ceremony.offline import store
from ceremony.record.chain import Line
from tests.flow.table import Table, plan_text

OPENED = {"item0": "LAP-1", "item1": ""}
SEALED = {
    "item0": "LAP-2, Ada",
    "item1": "OUT-1, Ben",
    "item2": "EV-1, Dora",
    "item3": "-, Ada",
}


class Clerks:
    """Scripted officers who type these forms first, and then as always."""

    def __init__(self, table: Table, texts: dict[str, list[dict[str, str]]]) -> None:
        self.officers = table.officers()
        self.texts = texts
        self.asked: list[AnyPrompt] = []

    def progress(self, working: Working, frame: Frame) -> None:
        pass

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt)
        if self.texts.get(prompt.key):
            return Entered(values=self.texts[prompt.key].pop(0))
        return self.officers.ask(prompt, frame)

    def problems(self, key: str) -> list[str]:
        return [p.problem for p in self.asked if p.key == key and p.problem]


def hold(table: Table, clerks: Clerks) -> tuple[Line, ...]:
    held = store.ceremonies(table.media / "state")
    room = (
        store.begin(table.media / "state", table.plan_file, table.services)
        if all(each.finished for each in held)
        else table.sit_down()
    )
    with room.record:
        assert run(room, clerks) is Outcome.CLOSED
        return room.record.lines


def only(lines: tuple[Line, ...], kind: str, key: str) -> Line:
    (line,) = [line for line in lines if (line.type, line.key) == (kind, key)]
    return line


@pytest.mark.parametrize(
    "document", ["passport 123456789", "ID 12 34 56", "L-1-2-3-4", "C01X00T47 2211"]
)
def test_the_number_of_a_document_is_refused(tmp_path: Path, document: str) -> None:
    table = Table(tmp_path)
    person = {"name": "Ada", "role": "officer", "identity": document}
    clerks = Clerks(table, {"open.officer.A": [person, {**person, "identity": "passport"}]})
    lines = hold(table, clerks)
    assert "its number does not belong" in clerks.problems("open.officer.A")[0]
    assert only(lines, "officer", "A").data["identity"] == "passport"
    assert all(document.encode() not in line.raw for line in lines)


def test_a_name_without_a_document_is_asked_again(tmp_path: Path) -> None:
    table = Table(tmp_path)
    nobody = {
        "administrator": "Dora",
        "administrator_identity": "",
        "custodian": "",
        "custodian_identity": "",
    }
    clerks = Clerks(table, {"open.others": [nobody]})
    with pytest.raises(AssertionError, match="name and kind of document"):
        hold(table, clerks)


def test_bags_go_in_as_the_officers_say_and_nobody_is_forgotten(tmp_path: Path) -> None:
    table = Table(tmp_path)
    wrong = [
        {**SEALED, "item1": "OUT-1"},
        {**SEALED, "item1": "OUT-1, "},
        {**SEALED, "item1": "lap 2, Ben"},
    ]
    clerks = Clerks(table, {"open.bags": [OPENED], "close.bags": [*wrong, SEALED]})
    lines = hold(table, clerks)
    problems = clerks.problems("close.bags")
    assert ["number" in problem for problem in problems] == [True] * 3
    rows = only(lines, "bags", "sealed").data["items"]
    assert rows[1] == {"item": "stick SIGNED OUT", "bag": "OUT-1", "holder": "Ben"}
    assert rows[3] == {"item": "PINs and passphrases", "bag": "-", "holder": "Ada"}
    text = render_text(report(lines, plan=table.plan_file.plan, certificates={})).decode()
    told = " ".join(text.split())
    assert "EV-1" in told
    assert "Dora" in told


def test_the_next_ceremony_finds_an_exchanged_bag_and_says_which(tmp_path: Path) -> None:
    table = Table(tmp_path)
    hold(table, Clerks(table, {"open.bags": [OPENED], "close.bags": [SEALED]}))
    exchanged = {"item0": "LAP-9", "item1": "", "item2": "out 1", "item3": "EV-1"}
    clerks = Clerks(
        table,
        {
            "open.bags": [exchanged],
            "open.bags.differ": [{"why": "the courier was changed", "by": "Ada"}],
        },
    )
    for folder in ("usb-out", "evidence", "custody"):
        (table.media / folder).mkdir(exist_ok=True)
    lines = hold(table, clerks)
    opened = next(prompt for prompt in clerks.asked if prompt.key == "open.bags")
    assert "LAP-2" not in str(opened)
    before = {row["item"]: row["bag"] for row in lines[0].data["bags_before"]}
    assert before["laptop"] == "LAP-2"
    assert before["PINs and passphrases"] == "-"
    (exception,) = [line for line in lines if line.type == "exception"]
    assert exception.data["what"] == "laptop: bag LAP-9; the last record says LAP-2"


def test_the_same_bags_again_are_nothing_to_tell(tmp_path: Path) -> None:
    table = Table(tmp_path)
    hold(table, Clerks(table, {"open.bags": [OPENED], "close.bags": [SEALED]}))
    same = {"item0": "LAP-2", "item1": "", "item2": "OUT-1", "item3": "ev 1"}
    lines = hold(table, Clerks(table, {"open.bags": [same]}))
    assert not [line for line in lines if line.type == "exception"]


def test_what_is_not_brought_stays_on_the_list_and_is_compared_years_later(tmp_path: Path) -> None:
    table = Table(tmp_path)
    hold(table, Clerks(table, {"open.bags": [OPENED], "close.bags": [SEALED]}))
    absent = {"item0": "LAP-2", "item1": "", "item2": "", "item3": ""}
    later = {"item0": "LAP-3, Ada", "item1": "OUT-2, Ben", "item2": "EV-2, Dora", "item3": "-, Ada"}
    lines = hold(table, Clerks(table, {"open.bags": [absent], "close.bags": [later]}))
    assert not [line for line in lines if line.type == "exception"]
    rows = only(lines, "bags", "sealed").data["items"]
    stayed = f"stick EVIDENCE from before {lines[0].data['ceremony_id']}"
    assert {"item": stayed, "bag": "EV-1", "holder": "Dora"} in rows
    text = render_text(report(lines, plan=table.plan_file.plan, certificates={})).decode()
    assert "what was not brought was not looked at" in " ".join(text.split())
    third = Clerks(
        table,
        {
            "open.bags": [{"item0": "LAP-3", **{f"item{n}": "" for n in range(1, 4)},
                           "item4": "OUT-1", "item5": "EV-9"}],
            "open.bags.differ": [{"why": "none", "by": "Ada"}],
        },
    )  # fmt: skip
    lines = hold(table, third)
    (exception,) = [line for line in lines if line.type == "exception"]
    assert exception.data["what"] == f"{stayed}: bag EV-9; the last record says EV-1"


def test_what_is_needed_today_and_comes_without_its_bag_is_an_exception(tmp_path: Path) -> None:
    table = Table(tmp_path)
    hold(table, Clerks(table, {"open.bags": [OPENED], "close.bags": [SEALED]}))
    bare = {f"item{n}": "" for n in range(4)}
    why = {"open.bags.differ": [{"why": "the bag was cut at the door", "by": "Ada"}]}
    lines = hold(table, Clerks(table, {"open.bags": [bare], **why}))
    (exception,) = [line for line in lines if line.type == "exception"]
    assert exception.data["what"] == "laptop: bag -; the last record says LAP-2"


def test_a_plan_may_do_without_bags(tmp_path: Path) -> None:
    table = Table(tmp_path, extra="[rules]\nbags = false\n")
    lines = hold(table, Clerks(table, {}))
    assert not [line for line in lines if line.type == "bags"]


def test_what_was_taken_out_of_a_bag_and_not_needed_goes_into_one_again(tmp_path: Path) -> None:
    table = Table(tmp_path)
    hold(table, Clerks(table, {"open.bags": [OPENED], "close.bags": [SEALED]}))
    brought = {"item0": "LAP-2", "item1": "IN-1", "item2": "OUT-1", "item3": "EV-1"}
    sealed = {**SEALED, "item4": "IN-2, Ben"}
    lines = hold(table, Clerks(table, {"open.bags": [brought], "close.bags": [sealed]}))
    rows = only(lines, "bags", "sealed").data["items"]
    assert {"item": "stick CSR IN", "bag": "IN-2", "holder": "Ben"} in rows


def test_a_ceremony_without_bags_does_not_make_the_next_one_forget_them(tmp_path: Path) -> None:
    table = Table(tmp_path)
    hold(table, Clerks(table, {"open.bags": [OPENED], "close.bags": [SEALED]}))
    with_bags = table.plan_file
    without = parse(plan_text(table.media, extra="[rules]\nbags = false\n").encode())
    table.plan_file = without
    shutil.rmtree(table.request)
    request = read_request(table.write_request()).fingerprint
    table.papers.words.update({"plan.words": without.fingerprint, "request.words": request})
    assert not [line for line in hold(table, Clerks(table, {})) if line.type == "bags"]
    room = store.begin(table.media / "state", with_bags, table.services)
    with room.record:
        before = {row["item"]: row["bag"] for row in room.record.lines[0].data["bags_before"]}
    assert before["laptop"] == "LAP-2"


def test_a_rehearsal_does_not_teach_to_leave_a_key_store_and_its_secret_with_one_person(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path)
    lines = hold(table, Clerks(table, {}))
    holders = {row["item"]: row["holder"] for row in only(lines, "bags", "sealed").data["items"]}
    assert holders["laptop"] != holders["PINs and passphrases"]
