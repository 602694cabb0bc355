import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.core.secret import Secret
from ceremony.core.text import LETTERS, alike, is_plain, show, show_typed, written
from ceremony.errors import PlanError


@given(st.text())
def test_whatever_comes_in_only_printable_ascii_goes_out(text: str) -> None:
    assert all(0x20 <= ord(char) < 0x7F for char in show(text))


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\u202eevil", "\\u202eevil"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("C1\x9b31m", "C1\\x9b31m"),
        ("back\\slash", "back\\\\slash"),
        ("\U0001f511", "\\U0001f511"),
    ],
)
def test_escapes_are_told_and_not_acted_upon(foreign: str, shown: str) -> None:
    assert show(foreign) == shown


@given(st.text(max_size=50), st.text(max_size=50))
def test_two_texts_never_look_the_same(one: str, other: str) -> None:
    assert (show(one) == show(other)) == (one == other)


def test_a_long_text_says_how_long_it_is() -> None:
    assert show("x" * 500) == "x" * 200 + "... (500 characters)"


@given(st.text())
def test_what_people_typed_is_taken_whole_or_refused_and_shown_as_it_is(text: str) -> None:
    composed = unicodedata.normalize("NFC", text).strip()
    if not is_plain(composed):
        with pytest.raises(PlanError) as refused:
            written(text, "Name")
        assert refused.value.message.isascii()
        assert refused.value.message.isprintable()
        return
    assert written(text, "Name") == composed == composed.encode("latin-1").decode("latin-1")
    assert show_typed(composed, 10_000).replace("\\\\", "\\") == composed


@given(st.text())
def test_of_what_was_typed_nothing_but_ascii_and_letters_is_shown(text: str) -> None:
    assert is_plain(show_typed(text))
    assert show_typed(text).isprintable()


def test_letters_are_letters_that_are_whole_and_single() -> None:
    assert len(LETTERS) == 62
    assert not LETTERS & set("\xd7\xf7\xaa\xba\xb5")


@given(st.text(alphabet=st.characters(max_codepoint=0xFF)))
def test_names_read_alike_whatever_their_case(text: str) -> None:
    assert alike(text) == alike(text.upper()) or "\xb5" in text or "\xff" in text
    assert alike(f" {text} ") == alike(text)


def test_a_secret_is_in_no_text_made_of_it() -> None:
    secret = Secret("1234567")
    assert "1234567" not in f"{secret!r} {secret} {secret:>20}"
    with pytest.raises(TypeError):
        secret.__reduce__()
