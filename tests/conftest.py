"""For all tests."""

import faulthandler
import signal
import sys
from collections.abc import Iterator

import pytest

_LONGEST_S = 900  # of one test, on the busiest machine
# A shell that starts the tests in the background has them ignore Ctrl+C, and so would every
# program that they start; a terminal's does not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_test_hangs() -> Iterator[None]:
    """Ends the process of a test that would never end, with its traceback."""
    faulthandler.dump_traceback_later(_LONGEST_S, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()
