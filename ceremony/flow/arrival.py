"""What people bring into the room: picked, read once, checked, and known by words on paper."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ceremony.bundle.media import is_file, read_file
from ceremony.core.findings import Finding, errors
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.typeback import Policy
from ceremony.errors import KeyStoreError, MediaError, VerificationError
from ceremony.flow.asking import Flow, pick
from ceremony.flow.notes import acknowledge_findings
from ceremony.flow.prompts import PickPath, Place, Step
from ceremony.flow.room import Room
from ceremony.flow.words import type_back
from ceremony.x509.csr import Csr, read_csr

CAP = 64 * 1024
T = TypeVar("T")


def take(
    room: Room,
    step: Step,
    ask: Callable[[str | None], PickPath],
    receive: Callable[[str], Flow[T]],
    problem: str | None = None,
) -> Flow[T]:
    """Asks for a path until what lies there can be taken; each refusal is on record.

    Args:
        ask: the question, with what was wrong with the last answer.
        receive: reads and checks what lies at the path.
        problem: why this is asked again.

    Raises:
        VerificationError: `typeback.mismatch`: there is no other try.
    """
    while True:
        path = yield from pick(ask(problem))
        try:
            return (yield from receive(path))
        except (MediaError, VerificationError, KeyStoreError) as exc:
            room.refused(step, exc)
            if exc.code == "typeback.mismatch":
                raise
            problem = f"{exc} {exc.hint}"


def prove_words(room: Room, step: Step, what: str, paper: str, value: Fingerprint) -> Flow[None]:
    """Both officers type words of what came in, as many as the plan says.

    Raises:
        VerificationError: `typeback.mismatch`.
    """
    policy = Policy(room.plan.rules.type_back)
    yield from type_back(room, step=step, what=what, paper=paper, value=value, policy=policy)


def take_csr(
    room: Room,
    name: str,
    ask: Callable[[tuple[Place, ...], str | None], PickPath],
    check: Callable[[Csr], tuple[Finding, ...]],
) -> Flow[tuple[str, bytes, Csr]]:
    """A CSR whose key was made elsewhere: its path, the file's bytes, and the CSR.

    Args:
        name: of the certificate that it asks for; `NAME.csr` is offered first.
        ask: the question about its path, with what is offered, and what was wrong.
        check: its findings under the profile that the plan names.
    """

    def question(problem: str | None) -> PickPath:
        sticks = room.services.places(room.plan.media.csr_in, read_only=True)
        files = [Path(stick.path) / f"{name}.csr" for stick in sticks]
        there = [Place(path=str(path), label=str(path)) for path in files if is_file(path)]
        return ask((*there, *sticks), problem)

    def receive(path: str) -> Flow[tuple[str, bytes, Csr, tuple[Finding, ...]]]:
        data = read_file(Path(path), CAP)
        csr = read_csr(data, name)
        findings = check(csr)
        for finding in errors(findings):
            hint = "Do not sign it; ask where it comes from."
            raise VerificationError(finding.code, finding.message, hint=hint)
        paper, value = f"sheet of words of the CSR {name}", Fingerprint.of(data)
        yield from prove_words(room, Step.LOCAL_CAS, f"csr-{name}", paper, value)
        return path, data, csr, findings

    path, data, csr, findings = yield from take(room, Step.LOCAL_CAS, question, receive)
    yield from acknowledge_findings(room, Step.LOCAL_CAS, name, findings)
    return path, data, csr
