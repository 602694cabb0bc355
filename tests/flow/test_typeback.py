"""Type-back in the flow: what was typed counts for one value alone."""

from pathlib import Path

from ceremony.core.fingerprints import Fingerprint, place
from ceremony.core.typeback import Policy
from ceremony.flow.prompts import Step, TypeBack, Typed
from ceremony.flow.words import type_back
from tests.flow.table import Table


def test_11_words_of_another_bundle_that_begins_alike_are_asked_for_again(tmp_path: Path) -> None:
    """Who chooses both bundles makes 64 bits agree with 2^32 hashes: an afternoon."""
    table = Table(tmp_path)
    one, other = Fingerprint(bytes(32)), Fingerprint(bytes(8) + bytes(range(24)))
    with table.sit_down().record:
        pass
    room = table.sit_down()
    with room.record:
        for value in (one, other):
            flow = type_back(
                room,
                step=Step.IMPORT,
                what="request",
                paper="sheet",
                value=value,
                policy=Policy.FULL,
            )
            seen: set[int] = set()
            answer = None
            while True:
                try:
                    prompt = flow.send(answer)
                except StopIteration:
                    break
                assert isinstance(prompt, TypeBack)
                seen |= set(prompt.positions)
                answer = Typed(words=tuple(value.words[at] for at in prompt.positions))
            assert seen == set(range(32))


def test_a_slip_is_named_by_its_place_for_those_who_see_no_marks(tmp_path: Path) -> None:
    table = Table(tmp_path)
    value = Fingerprint(bytes(range(32)))
    room = table.sit_down()
    with room.record:
        flow = type_back(
            room, step=Step.OPEN, what="plan", paper="script", value=value, policy=Policy.FULL
        )
        first = flow.send(None)
        assert isinstance(first, TypeBack)
        words = [value.words[at] for at in first.positions]
        again = flow.send(Typed(words=("banana", *words[1:])))
        assert isinstance(again, TypeBack)
        missed = place(first.positions[0])
        assert again.problem == f"Not in the list of its place: {missed}. Look again."
