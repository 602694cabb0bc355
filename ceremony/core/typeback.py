"""Drawing and judging of type-backs: words typed from paper, the value never shown first.

`full`: each officer types sixteen of the 32 words, together all of them. `sample`:
eight each, disjoint. `proof`: four each, to show that a copy on paper is true.
Positions are drawn after the value is fixed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ceremony.core import words
from ceremony.core.fingerprints import Fingerprint

WORDS = 32


class Policy(StrEnum):
    """How many words each officer types."""

    FULL = "full"
    SAMPLE = "sample"
    PROOF = "proof"

    @property
    def words_each(self) -> int:
        """Words that one officer types."""
        return {Policy.FULL: 16, Policy.SAMPLE: 8, Policy.PROOF: 4}[self]


class Verdict(StrEnum):
    """What was typed, judged."""

    MATCH = "match"
    SLIP = "slip"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict over one officer's words.

    Attributes:
        slips: positions whose word is not in the list of that position.
        wrong: how many words belong to their list but to another value. Their
            positions are not told: that would help a guesser.
    """

    verdict: Verdict
    slips: tuple[int, ...]
    wrong: int


def draw(
    policy: Policy, officers: int, randbelow: Callable[[int], int]
) -> tuple[tuple[int, ...], ...]:
    """Disjoint positions for each officer, each in reading order.

    Args:
        policy: how many words each.
        officers: 1 or 2.
        randbelow: uniform integer below its argument, from a secure source.
    """
    deck = list(range(WORDS))
    for i in range(WORDS - 1, 0, -1):
        j = randbelow(i + 1)
        deck[i], deck[j] = deck[j], deck[i]
    each = policy.words_each
    return tuple(tuple(sorted(deck[i * each : (i + 1) * each])) for i in range(officers))


def judge(value: Fingerprint, positions: Sequence[int], typed: Sequence[str]) -> Judgement:
    """Compares typed words with `value`.

    A word that the list of its position lacks is a slip, and may be corrected; slips
    are told before anything is compared. A word of the list that differs is a mismatch.
    """
    if len(positions) != len(typed):
        raise ValueError("one word for each position")
    values = [words.value_at(at, word) for at, word in zip(positions, typed, strict=True)]
    slips = tuple(at for at, found in zip(positions, values, strict=True) if found is None)
    if slips:
        return Judgement(verdict=Verdict.SLIP, slips=slips, wrong=0)
    wrong = sum(value.digest[at] != found for at, found in zip(positions, values, strict=True))
    verdict = Verdict.MISMATCH if wrong else Verdict.MATCH
    return Judgement(verdict=verdict, slips=(), wrong=wrong)
