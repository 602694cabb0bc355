import random

from hypothesis import given
from hypothesis import strategies as st

from ceremony.core import words
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.typeback import Policy, Verdict, draw, judge

VALUE = Fingerprint.of(b"a bundle")


def _typed(value: Fingerprint, positions: tuple[int, ...]) -> list[str]:
    return [value.words[position] for position in positions]


@given(st.integers())
def test_full_gives_each_officer_sixteen_and_together_all(seed: int) -> None:
    a, b = draw(Policy.FULL, 2, random.Random(seed).randrange)
    assert len(a) == len(b) == 16
    assert sorted(a + b) == list(range(32))


@given(st.integers(), st.sampled_from([Policy.SAMPLE, Policy.PROOF]))
def test_samples_are_disjoint_and_in_reading_order(seed: int, policy: Policy) -> None:
    a, b = draw(policy, 2, random.Random(seed).randrange)
    assert len(a) == len(b) == policy.words_each
    assert not set(a) & set(b)
    assert list(a) == sorted(a)


def test_every_position_is_drawn_equally_often() -> None:
    source = random.Random(1)
    counts = [0] * 32
    for _ in range(4000):
        for position in draw(Policy.SAMPLE, 1, source.randrange)[0]:
            counts[position] += 1
    assert min(counts) > 850
    assert max(counts) < 1150


def test_the_right_words_match_whatever_their_case() -> None:
    positions = (0, 7, 31)
    typed = [word.upper() + " " for word in _typed(VALUE, positions)]
    assert judge(VALUE, positions, typed).verdict is Verdict.MATCH


def test_a_word_of_the_other_list_is_a_slip_and_is_named() -> None:
    positions = (0, 1)
    typed = [VALUE.words[1], VALUE.words[1]]
    judgement = judge(VALUE, positions, typed)
    assert judgement.verdict is Verdict.SLIP
    assert judgement.slips == (0,)


def test_a_slip_hides_whether_other_words_are_wrong() -> None:
    other = words.encode(bytes([VALUE.digest[0] ^ 1]))[0]
    judgement = judge(VALUE, (0, 1), [other, "nonsense"])
    assert judgement.verdict is Verdict.SLIP
    assert judgement.wrong == 0


@given(st.integers(0, 31), st.integers(1, 255))
def test_any_other_word_of_the_list_is_a_mismatch(position: int, flip: int) -> None:
    changed = bytearray(VALUE.digest)
    changed[position] ^= flip
    typed = _typed(Fingerprint(bytes(changed)), (position,))
    judgement = judge(VALUE, (position,), typed)
    assert judgement.verdict is Verdict.MISMATCH
    assert judgement.wrong == 1
