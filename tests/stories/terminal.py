"""A real terminal: tmux with a screen of a given size, keys pressed, screens read."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from screens.typeahead import PAUSE_S

_MOST: Final = 200


class Terminal:
    """One program in a tmux server of its own. Use as a context manager."""

    def __init__(self, directory: Path, *, columns: int = 80, rows: int = 24) -> None:
        self._socket = directory / "tmux.sock"
        self._status = directory / "status"
        self._columns, self._rows = columns, rows
        self._starts = 0

    def start(self, *command: str) -> None:
        """Runs the command; what it exits with is known to `wait_end`."""
        self._status.unlink(missing_ok=True)
        line = f"{shlex.join(command)}; echo $? > {self._status}.new; mv {self._status}.new "
        line += f"{self._status}; sleep 600"
        size = ["-x", str(self._columns), "-y", str(self._rows)]
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._tmux("kill-server", check=False)
        # A server of its own for each start: one that is still ending takes no session.
        self._starts += 1
        self._socket = self._socket.with_name(f"tmux-{self._starts}.sock")
        subprocess.run(
            ["tmux", "-S", self._socket, "-f", "/dev/null", "new-session", "-d", *size, line],
            check=True,
            env=environment,
        )

    def screen(self) -> str:
        """What is on the screen now."""
        return self._tmux("capture-pane", "-p")

    def scrollback(self) -> str:
        """What is on the screen, and all that went off its top."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def keys(self, *names: str) -> None:
        """Presses keys by tmux's names: ``Enter``, ``Escape``, ``F2``, ``C-q`` ..."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        """Types text as it is."""
        self._tmux("send-keys", "-l", "--", text)

    def wait(self, condition: Callable[[str], bool], *, timeout_s: float = 30) -> str:
        """The first screen for which `condition` holds.

        Raises:
            AssertionError: none did in time; its text is the last screen.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            screen = self.screen()
            if condition(screen):
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(f"the screen did not come; last seen:\n{screen}")
            time.sleep(0.03)

    def ended(self) -> bool:
        """Whether the command has ended."""
        return self._status.exists()

    def wait_end(self, *, timeout_s: float = 60) -> int:
        """The exit status of the command."""
        self.wait(lambda _: self.ended(), timeout_s=timeout_s)
        return int(self._status.read_text())

    def read_on(self, until: Callable[[str], bool], passphrase: str = "") -> None:
        """Presses Enter, no faster than the wizard takes it, and answers a rehearsal's prompt.

        Args:
            until: holds for the screen.
            passphrase: of the device CA's key, where that is asked for.
        """
        for _ in range(_MOST):
            screen = self.screen()
            if until(screen):
                return
            if "Passphrase of the" in screen.rstrip().rpartition("\n")[2]:
                self.type(passphrase)
            self.keys("Enter")
            time.sleep(2 * PAUSE_S)
        raise AssertionError(f"no end in sight; last seen:\n{screen}")

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments],
            check=check,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._tmux("kill-server", check=False)
