"""pkilint as a `ceremony.core.ports.Linter`, in a child process that sees only DER."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from ceremony.core.findings import Finding, Severity
from ceremony.core.text import show
from ceremony.offline.lint_child import HEADER

_MAX_ANSWER: Final = 1024 * 1024
_COMMAND: Final = (sys.executable, "-I", "-m", "ceremony.offline.lint_child")

_SEVERITIES: Final[Mapping[str, Severity]] = {
    "FATAL": Severity.ERROR,
    "ERROR": Severity.ERROR,
    "WARNING": Severity.WARNING,
    "NOTICE": Severity.NOTE,
    "INFO": Severity.NOTE,
    "DEBUG": Severity.NOTE,
}

# Findings that contradict a documented profile: shown as notes, with the reason.
NOTED: Final[Mapping[str, str]] = {
    "pkix.certificate_skid_end_entity_missing": (
        "RFC 5280 4.2.1.2 asks for it of CAs and only recommends it here; "
        "the platform's own leaf certificates have none"
    ),
}
# The same where issuer and subject are one name: pkilint sees no self-signed root in a
# twin, which has the root's content under the signature of a throw-away key.
NOTED_SELF_ISSUED: Final[Mapping[str, str]] = {
    "pkix.authority_key_identifier_extension_absent": (
        "RFC 5280 4.2.1.1 lets a self-signed certificate go without; "
        "what is linted may be its twin under a throw-away key"
    ),
}
# The same for a root that the plan wants in the OpenSSL recipe's form.
NOTED_RECIPE: Final[Mapping[str, str]] = dict.fromkeys(
    (
        "pkix.basic_constraints_extension_not_critical",
        "pkix.certificate_skid_ca_missing",
        "pkix.key_usage_extension_not_critical",
    ),
    "the plan asks for the OpenSSL recipe's root, to match one that exists",
)


class _Reported(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    severity: Literal["FATAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]
    code: str
    where: str
    message: str


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    self_issued: bool
    findings: tuple[_Reported, ...]


class _SilentError(Exception):
    """The child gave no true answer in time."""


class PkilintLinter:
    """Runs pkilint. The child starts with the object, so that its import overlaps.

    A child that hangs, dies or talks nonsense is killed; the answer is then a WARNING
    `pkilint.not_checked`, and the next certificate gets a new child.

    Args:
        recipe: the plan's root has `profile = "openssl-recipe"`.
        timeout_s: for one certificate, the child's start included.
        command: what to run as the child.
    """

    def __init__(
        self,
        *,
        recipe: bool = False,
        timeout_s: float = 30,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._recipe = recipe
        self._timeout_s = timeout_s
        self._command = tuple(command)
        self._child: subprocess.Popen[bytes] | None = self._spawn()

    def lint(self, der: bytes, issuer_der: bytes | None) -> tuple[Finding, ...]:
        """Findings over one certificate, worst first; none is left out.

        Args:
            der: may be a twin under a throw-away key: signatures are not looked at.
            issuer_der: compared by name and key identifier; None where there is none.
        """
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = self._spawn()
        try:
            answer = self._ask(self._child, der, issuer_der or b"")
        except (_SilentError, OSError, msgspec.DecodeError) as exc:
            self.close()
            return (_not_checked(exc),)
        found = [self._finding(reported, answer.self_issued) for reported in answer.findings]
        order = list(Severity)
        return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))

    def close(self) -> None:
        """Ends the child; safe to call twice."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )

    def _ask(self, child: "subprocess.Popen[bytes]", der: bytes, issuer: bytes) -> _Answer:
        if child.stdin is None or child.stdout is None:
            raise _SilentError("it has no pipes")
        deadline = time.monotonic() + self._timeout_s
        frames = HEADER.pack(len(der)) + der + HEADER.pack(len(issuer)) + issuer
        _write(child.stdin.fileno(), frames, deadline)
        (length,) = HEADER.unpack(_read(child.stdout.fileno(), HEADER.size, deadline))
        if length > _MAX_ANSWER:
            raise _SilentError("its answer is too long")
        payload = _read(child.stdout.fileno(), length, deadline)
        return msgspec.json.decode(payload, type=_Answer)

    def _noted(self, self_issued: bool) -> Mapping[str, str]:
        if not self_issued:
            return NOTED
        return {**NOTED, **NOTED_SELF_ISSUED, **(NOTED_RECIPE if self._recipe else {})}

    def _finding(self, reported: _Reported, self_issued: bool) -> Finding:
        severity = _SEVERITIES[reported.severity]
        message = show(reported.message) or show(reported.code).rpartition(".")[2].replace("_", " ")
        reason = self._noted(self_issued).get(reported.code)
        if reason is not None:
            message = f"{message} ({severity.value} of pkilint, noted only: {reason})"
            severity = Severity.NOTE
        return Finding(
            severity=severity,
            code=f"pkilint.{show(reported.code)}",
            where=show(reported.where),
            message=message,
        )


def _not_checked(exc: Exception) -> Finding:
    said = show(str(exc)) if isinstance(exc, _SilentError) else show(type(exc).__name__)
    return Finding(
        severity=Severity.WARNING,
        code="pkilint.not_checked",
        where="certificate",
        message=f"pkilint gave no answer ({said}); this certificate was not checked by it",
    )


def _wait(fd: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise _SilentError("it took too long")


def _write(fd: int, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        _wait(fd, select.POLLOUT, deadline)
        view = view[os.write(fd, view[: select.PIPE_BUF]) :]


def _read(fd: int, size: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        _wait(fd, select.POLLIN, deadline)
        part = os.read(fd, size - len(data))
        if not part:
            raise _SilentError("it ended")
        data += part
    return bytes(data)
