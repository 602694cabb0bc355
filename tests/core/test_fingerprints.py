import hashlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.core import words
from ceremony.core.fingerprints import Fingerprint, place

IANA = "78e1b1452d62b075d5658ac652ad6eeccf15a81d25d63f55b9fc983463ba91d4"
IANA_WORDS = (
    "island tolerance sailboat detector button gadgetry ruffled impartial sterling glossary "
    "Oakland responsive Dupont perceptive goldfish unicorn stagehand bifocals retouch breakaway "
    "bombast speculate cowbell equipment sentence Wilmington printer confidence flatfoot puberty "
    "pheasant souvenir"
)


def test_the_word_list_is_the_published_one() -> None:
    text = files("assets").joinpath("pgp-words.txt").read_text(encoding="ascii").lower()
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "a24d0bcb9d754b40963109851b38ae943464a66944ca76d5698fb002761c0138"


def test_the_words_of_the_iana_ceremony_image_come_out() -> None:
    assert Fingerprint.from_hex(IANA).words == tuple(IANA_WORDS.split())


def test_lines_are_eight_with_a_letter_eight_digits_and_four_words() -> None:
    first, *_, last = Fingerprint.from_hex(IANA).lines
    assert first == ("A", "78e1b145", ("island", "tolerance", "sailboat", "detector"))
    assert last == ("H", "63ba91d4", ("flatfoot", "puberty", "pheasant", "souvenir"))
    assert (place(0), place(4), place(31)) == ("A1", "B1", "H4")


@given(st.binary(min_size=32, max_size=32))
def test_hex_and_words_both_lead_back(digest: bytes) -> None:
    value = Fingerprint(digest)
    assert Fingerprint.from_hex(" ".join(value.groups)) == value
    assert Fingerprint.from_words("-".join(value.words).upper()) == value


@given(st.binary(min_size=32, max_size=32), st.integers(0, 30))
def test_two_neighbouring_words_swapped_are_never_read(digest: bytes, at: int) -> None:
    spoken = list(Fingerprint(digest).words)
    spoken[at], spoken[at + 1] = spoken[at + 1], spoken[at]
    with pytest.raises(ValueError, match="32 words"):
        Fingerprint.from_words(" ".join(spoken))


def test_the_two_lists_share_no_word() -> None:
    even = {words.encode(bytes([value]))[0] for value in range(256)}
    odd = {words.encode(bytes([0, value]))[1] for value in range(256)}
    assert len(even) == len(odd) == 256
    assert not even & odd
