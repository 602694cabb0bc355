"""Between two sittings the record lies on a laptop that others can reach: its head goes on paper.

Who puts back an older copy of the folder takes lines away, and the chain still holds. So when
people leave, the head of the record is shown for paper, and some of its words are typed back
before they go on. After a cut of power there is no newer paper: the record says so.
"""

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.typeback import Policy
from ceremony.documents.statements import COMPARED
from ceremony.flow.asking import Flow, choose, enter
from ceremony.flow.prompts import (
    Acknowledge,
    Choose,
    EnterText,
    Field,
    Option,
    Print,
    Step,
    Text,
    Tone,
)
from ceremony.flow.room import Room
from ceremony.flow.words import type_back
from ceremony.record.chain import Line

LOST, NONE = "the paper is lost", "nothing newer on paper"


def head_for_paper(room: Room, step: Step) -> Acknowledge:
    """The record's head, to be written down before the room is left."""
    return Acknowledge(
        key="quit.head",
        step=step,
        title="Before you leave: the head of the record, for paper",
        body=(
            Text(
                text="Copy lines A to H to paper, both officers sign it, and it stays with one of "
                "you, not with the laptop. Words of it are asked for when the ceremony goes on: "
                "they show that nobody put back an older copy of this record.",
                tone=Tone.WARN,
            ),
            Print(caption="Head of the record", fingerprint=room.record.head),
        ),
        action="It is on paper",
    )


def newest_paper(room: Room) -> Line | None:
    """The line on the last head that went on paper."""
    found = room.record.all("paper")
    return found[-1] if found else None


def compare_head(room: Room, step: Step) -> Flow[str]:
    """Both officers type words of the newest head on paper; how that went, for the record.

    Raises:
        VerificationError: `typeback.mismatch`: the paper is of another record than this.
    """
    paper = newest_paper(room)
    if paper is None or room.has("head", paper.key):
        return NONE
    if (yield from choose(_at_hand(step, paper))) == "lost":
        values = yield from enter(_why(step))
        what = f"the paper with the record's head of {paper.at} was not at hand"
        room.exception(step, what, values["why"], "go on", [values["by"]], about=paper.key)
        room.append(step, "head", paper.key, outcome=LOST, by=list(room.officers))
        return LOST
    yield from type_back(
        room,
        step=step,
        what="head",
        paper="paper with the head of the record",
        value=Fingerprint.from_hex(paper.data["record_head"]),
        policy=Policy.PROOF,
    )
    room.append(step, "head", paper.key, outcome=COMPARED, by=list(room.officers))
    return COMPARED


def _at_hand(step: Step, paper: Line) -> Choose:
    return Choose(
        key="resume.head",
        step=step,
        title="The head of the record, on paper",
        body=(
            Text(
                text=f"This record says that its head went on paper at {paper.at}. If yours is of "
                "a later time, stop: an older copy of the record was put in its place.",
                tone=Tone.WARN,
            ),
        ),
        options=(
            Option(value="paper", label="It is here", detail="four words of it from each officer"),
            Option(value="lost", label="It is not at hand", detail="becomes an exception"),
        ),
    )


def _why(step: Step) -> EnterText:
    return EnterText(
        key="resume.head_lost",
        step=step,
        title="The paper is not at hand",
        body=(Text(text="Nobody can tell now whether lines of the record were taken away."),),
        fields=(
            Field(name="why", label="Where it is, and why it is acceptable to go on"),
            Field(name="by", label="Who decided"),
        ),
    )
