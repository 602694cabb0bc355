"""Type-back in the flow: drawn once the value is fixed, each officer's words judged and recorded.

A wrong word is an exception, and new positions are drawn for both officers; the second
mismatch stops. There is no way to go on anyway.
"""

from collections.abc import Callable
from dataclasses import replace

from ceremony.core.fingerprints import Fingerprint, place
from ceremony.core.typeback import Policy, Verdict, draw, judge
from ceremony.errors import VerificationError
from ceremony.flow.asking import Flow, type_words
from ceremony.flow.officers import SEATS
from ceremony.flow.prompts import Step, Text, Tone, TypeBack
from ceremony.flow.room import Room
from ceremony.record.chain import Line

_MISMATCHES = 2


def type_back(
    room: Room,
    *,
    step: Step,
    what: str,
    paper: str,
    value: Fingerprint,
    policy: Policy,
    show: Callable[[bool], Flow[None]] | None = None,
) -> Flow[None]:
    """Both officers type their words of `value` from `paper`.

    Args:
        what: `plan`, `request`, `upload` ...: part of the record's keys.
        show: where the paper is copied from this screen: shows the words, before each try;
            told whether the one before it failed.

    Raises:
        VerificationError: `typeback.mismatch`: wrong for the second time.
    """
    scope = f"{what}/{value.hex}"  # all of it: 64 bits are made to agree in an afternoon
    while True:
        _explain(room, step, what, paper, scope)
        failed = _mismatches(room, scope)
        if len(failed) >= _MISMATCHES:
            raise VerificationError(
                "typeback.mismatch",
                f"the words typed from the {paper} are not those of what lies here",
                hint="Find out which of the two is false; fetch or print again, and start anew.",
            )
        if show is not None:
            yield from show(bool(failed))
        drawn = _drawn(room, step, f"{scope}/{len(failed) + 1}", policy)
        matched = True
        for seat in SEATS:
            matched = yield from _officer(room, step, what, paper, value, drawn, seat)
            if not matched:
                break
        if matched:
            return


def _explain(room: Room, step: Step, what: str, paper: str, scope: str) -> None:
    """An exception for each mismatch on record that has none yet."""
    for line in _mismatches(room, scope):
        room.exception(
            step,
            f"wrong word in type-back of {what}",
            f"{line.data['wrong']} of {len(line.data['positions'])} words differ from the {paper}",
            "new places drawn for both officers; a second mismatch stops the ceremony",
            [f"the rule of the type-back; {line.data['officer']} typed"],
            about=f"type-back {line.key}",
        )


def _mismatches(room: Room, scope: str) -> list[Line]:
    return [
        line
        for line in room.record.all("type-back")
        if line.key.startswith(f"{scope}/") and line.data["verdict"] == Verdict.MISMATCH.value
    ]


def _told(failed: list[Line]) -> tuple[Text, ...]:
    """New places alone would look like the next screen: that the first try failed is said."""
    return tuple(
        Text(
            text=f"The words that {line.data['officer']} typed did not match: an exception, on "
            "record. These places are new for both officers; one more wrong word stops the "
            "ceremony.",
            tone=Tone.WARN,
        )
        for line in failed
    )


def _drawn(room: Room, step: Step, key: str, policy: Policy) -> Line:
    line = room.find("draw", key)
    if line is not None:
        return line
    for_a, for_b = draw(policy, len(SEATS), room.services.randbelow)
    return room.append(step, "draw", key, policy=policy.value, A=list(for_a), B=list(for_b))


def _officer(
    room: Room, step: Step, what: str, paper: str, value: Fingerprint, drawn: Line, seat: str
) -> Flow[bool]:
    key = f"{drawn.key}/{seat}"
    if room.has("type-back", key):
        return True
    positions = tuple(drawn.data[seat])
    prompt = TypeBack(
        key=f"{what}.words",
        step=step,
        title=f"Type back: {paper}",
        body=(
            *_told(_mismatches(room, drawn.key.rpartition("/")[0])),
            Text(
                text=f"{room.officer(seat)}, read these {len(positions)} words from the {paper} "
                "and type them. The other officer watches the paper.",
                tone=Tone.PLAIN,
            ),
        ),
        officer=room.officer(seat),
        paper=paper,
        positions=positions,
        help="The paper came from the other machine. This screen never shows the expected "
        "words. A word that the list does not know is marked and can be corrected; a wrong "
        "word is recorded as an exception, new places are drawn, and a second wrong try stops.",
    )
    typed: tuple[str, ...] = ()
    slips: tuple[int, ...] = ()
    while True:
        places = ", ".join(place(at) for at in slips)
        problem = f"Not in the list of its place: {places}. Look again." if slips else None
        typed = yield from type_words(replace(prompt, typed=typed, slips=slips, problem=problem))
        judgement = judge(value, positions, typed)
        if judgement.verdict is not Verdict.SLIP:
            break
        slips = judgement.slips
    room.append(
        step,
        "type-back",
        key,
        what=what,
        officer=room.officer(seat),
        positions=list(positions),
        verdict=judgement.verdict.value,
        wrong=judgement.wrong,
    )
    return judgement.verdict is Verdict.MATCH
