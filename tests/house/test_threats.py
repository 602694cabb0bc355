"""Each line of the threat model has a test that bears its number."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NUMBERED = re.compile(r"^(?:async )?def test_(?:threat_)?(\d\d?)_", re.M)
FOUND = {
    number
    for path in TESTS.rglob("test_*.py")
    for number in NUMBERED.findall(path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("number", range(1, 53))
def test_the_line_has_a_test(number: int) -> None:
    assert str(number) in FOUND
