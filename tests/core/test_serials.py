import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.core.serials import parse_serial, serial_hex


@given(st.integers(min_value=0, max_value=2**160 - 1))
def test_a_serial_is_read_as_any_tool_and_any_screen_shows_it(serial: int) -> None:
    decimal, digits = str(serial), serial_hex(serial)
    pairs = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    grouped = " ".join(decimal[at : at + 8] for at in range(0, len(decimal), 8))
    for text in (decimal, f"0x{digits}", f"0X{digits.upper()}", grouped, f"  {decimal}\n"):
        assert parse_serial(text) == serial
    if len(digits) > 2:
        assert parse_serial(pairs) == serial


@pytest.mark.parametrize("text", ["", "0x", "12g4", "1.5", "-7", "01:2", "0123", "1" * 61])
def test_what_is_no_serial_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        parse_serial(text)
