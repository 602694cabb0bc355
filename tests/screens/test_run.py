"""The wizard as a process on a pseudo-terminal: environment, exit, errors."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAM = """
import sys
sys.path.insert(0, {here!r})
import samples
from ceremony.errors import KeyStoreError
from screens.run import run_wizard

def flow(frontend):
    pin = "LOCAL-PIN-4711"
    frame = samples.frame(samples.PROMPTS["welcome"].step)
    frontend.ask(samples.PROMPTS["welcome"], frame)
    {end}

try:
    sys.exit(run_wizard(flow))
except (KeyStoreError, RuntimeError) as error:
    print("RAISED", type(error).__name__, error)
    sys.exit(4)
"""


def run(end, keys=b"\r", cwd=None, send=None, **environment):
    """Runs it, presses the keys (or sends a signal) at the first prompt; status and output."""
    pid, terminal = pty.fork()
    if pid == 0:
        code = PROGRAM.format(here=str(HERE), end=end)
        given = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", **environment}
        os.chdir(cwd or "/")
        os.execve(sys.executable, [sys.executable, "-c", code], given)
    written = b""
    pressed = False
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        if not select.select([terminal], [], [], 0.1)[0]:
            if b"quit" in written and not pressed:
                os.kill(pid, send) if send else os.write(terminal, keys)
                pressed = True
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        written += chunk
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written.decode(errors="replace")


def test_the_flows_status_is_the_result():
    status, written = run("return 8")
    assert status == 8
    assert "\x1b[?1049l" in written


def test_an_error_of_the_flow_comes_out_after_the_terminal_is_restored():
    status, written = run(
        'raise KeyStoreError("token.gone", "The token went away.", hint="Put it in.")'
    )
    assert status == 4
    left, _, after = written.rpartition("\x1b[?1049l")
    assert left
    assert "RAISED KeyStoreError The token went away. [token.gone]" in after
    assert "LOCAL-PIN" not in written


def test_a_crash_of_the_app_is_an_error_without_local_variables():
    crash = "frontend._display.call_later(lambda s=pin: [][0])"
    status, written = run(f"{crash}; frontend.ask(samples.PROMPTS['pin'], frame); return 0")
    assert status == 1
    assert "IndexError" in written.rpartition("\x1b[?1049l")[2]
    assert "LOCAL-PIN" not in written


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_after_the_terminal_is_restored(number):
    status, written = run("return 0", send=number)
    assert status == -number
    assert "\x1b[?1049l" in written
    assert "\x1b[?25h" in written
    assert "Traceback" not in written


def test_textuals_own_variables_are_ignored(tmp_path):
    log = tmp_path / "keys.log"
    status, _ = run(
        "return 0", cwd=tmp_path, TEXTUAL_LOG=str(log), TEXTUAL_DRIVER="os:system", TEXTUAL="debug"
    )
    assert status == 0
    assert list(tmp_path.iterdir()) == []


def test_starting_the_wizard_does_not_import_textual_first():
    code = "import sys, screens.run, screens.frontend; print('textual' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("term", ["linux", "xterm"])
def test_it_runs_without_colour_and_on_the_linux_console(term):
    status, written = run("return 0", TERM=term, NO_COLOR="1")
    assert status == 0
    assert "REHEARSAL" in written
