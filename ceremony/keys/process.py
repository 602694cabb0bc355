"""The parent's side of the module's process: spawn, ask with a time-out, end."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ceremony.errors import KeyStoreError
from ceremony.keys import protocol as p
from ceremony.keys.refusals import refusal

_FINISH_TIMEOUT_S = 2
_IN_PIPE = 3
CHILD = ("-I", "-m", "ceremony.keys.child")


class ModuleProcess:
    """A spawned process with one vendor's module in it.

    Any time-out, end or unreadable answer kills it; every later call then says
    `token.module_crashed`. Nothing is retried here. When this program ends without a word,
    the process ends with the call it is in; so it does after an interruption.

    Args:
        path: the module, already checked.
        environment: the process's whole environment.
        child: arguments for the interpreter; ours by default.
        lock: descriptor of a lock that the process holds as long as it lives.
    """

    def __init__(
        self,
        path: Path,
        environment: Mapping[str, str],
        child: tuple[str, ...] = CHILD,
        *,
        lock: int | None = None,
    ) -> None:
        inner_read, self._requests = os.pipe()
        self._answers, inner_write = os.pipe()
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        command = [sys.executable, *child, str(inner_read), str(inner_write), str(path)]
        try:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(inner_read, inner_write, *(() if lock is None else (lock,))),
                start_new_session=True,
            )
        except OSError as exc:
            self._close_pipes()
            raise _crashed("could not be started", "") from exc
        finally:
            os.close(inner_read)
            os.close(inner_write)
        self._open = True

    @property
    def ended(self) -> bool:
        """Whether it was killed or has finished."""
        return not self._open

    def ask(
        self, request: p.Request, timeout_s: float, *, doing: str, silent: bool = False
    ) -> p.Answer:
        """One request, one answer.

        Args:
            request: anything but `Finish`.
            timeout_s: for the whole exchange.
            doing: what the time-out or crash interrupted, for the message.
            silent: the module never tells of its PIN's state.

        Raises:
            KeyStoreError: `token.timeout`, `token.module_crashed`,
                `token.module_answer`, or the module's refusal.
        """
        (answer,) = self.ask_each((request,), timeout_s, doing=doing, silent=silent)
        return answer

    def ask_each(
        self, requests: Iterable[p.Request], timeout_s: float, *, doing: str, silent: bool = False
    ) -> Iterator[p.Answer]:
        """As `ask`, for one request after the other; the next ones wait in the pipe.

        Args:
            requests: drawn as they are sent. Small enough that `_IN_PIPE` of them, and as
                many answers, fit into a pipe.
            timeout_s: for each answer.
            doing: as `ask`.
            silent: as `ask`.

        Raises:
            KeyStoreError: as `ask`; nothing is sent after a refusal.
        """
        source, waiting = iter(requests), 0
        try:
            while True:
                while waiting < _IN_PIPE and (request := next(source, None)) is not None:
                    with self._failures(timeout_s, doing):
                        self._send(p.call(request, timeout_s), time.monotonic() + timeout_s)
                    waiting += 1
                if waiting == 0:
                    return
                with self._failures(timeout_s, doing):
                    answer = self._answer(time.monotonic() + timeout_s)
                waiting -= 1
                if isinstance(answer, p.Refused):
                    raise refusal(answer, silent=silent)
                yield answer
        finally:
            # Nobody takes these; the next request gets its own answer.
            while waiting and self._open:
                with self._failures(timeout_s, doing):
                    self._answer(time.monotonic() + timeout_s)
                waiting -= 1

    def _answer(self, deadline: float) -> p.Answer:
        (length,) = p.LENGTH.unpack(self._receive(p.LENGTH.size, deadline))
        if length > p.MAX_ANSWER:
            raise msgspec.DecodeError("too long")
        return p.parse_answer(self._receive(length, deadline))

    @contextmanager
    def _failures(self, timeout_s: float, doing: str) -> Iterator[None]:
        """Whatever fails in an exchange ends the process, and says why."""
        if not self._open:
            raise _crashed("has ended", doing)
        try:
            yield
        except TimeoutError as exc:
            self.kill()
            raise KeyStoreError(
                "token.timeout",
                f"the PKCS#11 module gave no answer in {timeout_s:g} s ({doing}); it was ended",
                hint="Reconnect the token; the inventory is read anew before anything goes on.",
            ) from exc
        except (EOFError, OSError) as exc:
            status = self.kill()
            raise _crashed(_ending(status), doing) from exc
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            self.kill()
            raise refusal(p.Refused(reason=p.MODULE_ANSWER)) from exc
        except KeyboardInterrupt:  # as if this program were gone: the call is let finish
            self._leave()
            raise

    def _send(self, data: bytes, deadline: float) -> None:
        if len(data) > p.MAX_REQUEST:
            raise KeyStoreError(
                "token.request_size",
                "the PIN or label is longer than any token takes",
                hint="Type the PIN again.",
            )
        while data:
            _wait(self._requests, select.POLLOUT, deadline)
            data = data[os.write(self._requests, data) :]

    def _receive(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            _wait(self._answers, select.POLLIN, deadline)
            part = os.read(self._answers, size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def finish(self) -> None:
        """Logs out if the module still answers, and ends the process; safe to repeat."""
        if not self._open:
            return
        deadline = time.monotonic() + _FINISH_TIMEOUT_S
        try:
            self._send(p.call(p.Finish(), _FINISH_TIMEOUT_S), deadline)
            self._receive(1, deadline)
        except (TimeoutError, EOFError, OSError):
            pass
        self.kill()

    def kill(self) -> int:
        """Ends the process at once; its exit status, negative for a signal."""
        if self._open:
            self._open = False
            if self._process.poll() is None and _still_running(self._process):
                self._process.kill()
            self._process.wait()
            self._close_pipes()
        return self._process.returncode

    def _leave(self) -> None:
        self._open = False
        self._close_pipes()

    def _close_pipes(self) -> None:
        os.close(self._requests)
        os.close(self._answers)


def _still_running(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it is alive after a moment to end by itself, so that its status is its own."""
    try:
        process.wait(0.05)
    except subprocess.TimeoutExpired:
        return True
    return False


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    remaining_ms = (deadline - time.monotonic()) * 1000
    if remaining_ms <= 0 or not poll.poll(remaining_ms):
        raise TimeoutError


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _crashed(how: str, doing: str) -> KeyStoreError:
    during = f" ({doing})" if doing else ""
    return KeyStoreError(
        "token.module_crashed",
        f"the process of the PKCS#11 module {how}{during}",
        hint="Reconnect the token; the inventory is read anew before anything goes on.",
    )
