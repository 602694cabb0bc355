"""A fault at every point between root key and adopted answer: one CSR, one root, the same end."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ceremony.errors import CeremonyError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Picked, PickPath, Step
from ceremony.offline import store
from ceremony.record.chain import sha256_hex
from ceremony.x509.certificate import read_certificate, tbs_of
from tests.flow.below import CA_STICK, Below, below_table
from tests.flow.faults import Gone, PointedStore, Points
from tests.flow.memory import MemoryServices
from tests.flow.sittings import CLEARED, Patient, Sittings, check_end, lost, second_tbs
from tests.flow.table import Table
from tests.flow.test_threat_28_power import act_at

SHARES = 2
TO_THE_END = 12
# Last lines of the record before the points that only such a root has.
NEW = {
    "intent csr/root",
    "done csr/root",
    "intent export/root-csr",
    "done export/root-csr",
    "proof root-csr",
    "wait root-csr",
    "stick HIGHER CA",
    "intent certificate/root",
}


class Waiting(Patient):
    """Officers who bring the higher CA's answer when they are asked for it.

    Args:
        leave: they go when the root is there; what comes then is the same for every root.
    """

    def __init__(self, below: Below, *, again: bool, leave: bool) -> None:
        super().__init__(below.table, again=again)
        self._below, self._leave = below, leave

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if self._leave and (prompt.key == "root.done" or prompt.step.number > Step.ROOT.number):
            return Command.QUIT
        if isinstance(prompt, PickPath) and prompt.key == "root.answer":
            if not (self._below.stick / "answer.pem").exists():
                self._below.answer()
            return Picked(path=str(self._below.stick / "answer.pem"))
        return super().ask(prompt, frame)


class BelowSittings(Sittings):
    """As many sittings as the plan wants: the first one ends with the CSR."""

    below: Below
    leave = False

    def sit(self, points: Points, *, again: bool = True) -> None:
        self.table.services.wrap = lambda key_store: PointedStore(key_store, points)
        while True:
            with points.watch(), store.occupied(self.table.media / "state") as modules:
                self.table.services.modules = modules
                room = self.table.sit_down()
                with room.record:
                    outcome = run(room, Waiting(self.below, again=again, leave=self.leave))
            if outcome is Outcome.CLOSED or (self.leave and outcome is Outcome.QUIT):
                return
            assert outcome is Outcome.WAITS


@dataclass
class Reference:
    """A ceremony that nothing cut off; which of its points are about the higher CA."""

    sittings: BelowSittings
    numbers: list[int]
    names: list[str]
    intended: list[tuple[str, ...]]


class Marking(Points):
    """Notes what the record's last line said when each point came."""

    def __init__(self, sittings: Sittings) -> None:
        super().__init__(sittings.table.media)
        self.steps: list[str] = []
        self._sittings = sittings

    def call(self, name, where, effect, half=None):  # type: ignore[no-untyped-def]
        lines = self._sittings.record
        self.steps.append(f"{lines[-1].type} {lines[-1].key}" if lines else "")
        return super().call(name, where, effect, half)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    below = below_table(tmp_path_factory.mktemp("below"))
    token = below.token

    def renew(table: Table) -> None:
        token.keys.clear()
        token.signed.clear()
        table.services = MemoryServices(table.media, memory=token)

    sittings = BelowSittings(below.table, renew, lambda: [info.label for info, _ in token.keys])
    sittings.below = below
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.flow.sittings.CLEARED", (*CLEARED, CA_STICK))
        sittings.clear()
        points = Marking(sittings)
        sittings.sit(points)
        check_end(sittings)
        numbers = [at for at, step in enumerate(points.steps) if step in NEW]
        numbers.append(points.steps.index("intent certificate/root") - 1)
        names = [name for name, _ in points.seen]
        yield Reference(sittings, numbers, names, sittings.intended())


def check_once(sittings: BelowSittings) -> None:
    """One CSR was signed, one answer taken in, and the token signed nothing else."""
    lines = sittings.record
    for key in ("csr/root", "certificate/root", "export/root-csr"):
        assert [line.key for line in lines if line.type == "intent"].count(key) == 1
    wanted = {line.data["tbs_sha256"] for line in lines if "tbs_sha256" in line.data}
    answer = read_certificate((sittings.below.stick / "answer.pem").read_bytes(), "answer")
    signed = {sha256_hex(data) for data in sittings.below.token.signed if data.startswith(b"0")}
    assert signed == wanted - {sha256_hex(tbs_of(answer.der))}
    assert second_tbs(sittings) == 0
    assert sittings.root_keys() == ["root-ca"]


@pytest.mark.parametrize("share", range(SHARES))
def test_28_a_fault_with_a_higher_ca_is_resumed_to_the_same_end(
    reference: Reference, share: int
) -> None:
    sittings = reference.sittings
    for count, at in enumerate(reference.numbers[share::SHARES]):
        sittings.leave = count % TO_THE_END != 0
        sittings.clear()
        act = act_at(at // SHARES, reference.names[at])
        points = Points(sittings.table.media, at, act)
        before = ()
        try:
            sittings.sit(points, again=at % 2 == 0)
        except (Gone, CeremonyError):
            before = sittings.record
            sittings.sit(Points(sittings.table.media))
        assert len(points.seen) > at, "the point was not reached"
        check_once(sittings)
        assert sittings.record[: len(before)] == before
        if not sittings.leave:
            check_end(sittings)
            assert lost(before, sittings.record) == 0
            assert sittings.intended() == reference.intended
