import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.core.secret import Secret
from ceremony.core.text import show


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


def test_a_secret_is_in_no_text_made_of_it() -> None:
    secret = Secret("1234567")
    assert "1234567" not in f"{secret!r} {secret} {secret:>20}"
    with pytest.raises(TypeError):
        secret.__reduce__()
