"""The bytes shown are the bytes signed, whatever becomes of the stick meanwhile."""

from pathlib import Path

from ceremony.bundle.sums import format_sums
from ceremony.config import Slot
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame
from ceremony.practice.officers import ScriptedOfficers
from ceremony.x509.certificate import read_certificate
from ceremony.x509.csr import read_csr
from tests.flow.table import Table, csrs


class Swapping(ScriptedOfficers):
    """Officers at whose table the stick changes as soon as its words are asked for."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.papers, quiet=True)
        self.request = table.request
        self.swapped = False

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key.startswith("request.words") and not self.swapped:
            self.swapped = True
            files = {path.name: path.read_bytes() for path in self.request.iterdir()}
            files["tls.csr"] = csrs("acme")[Slot.TLS]
            del files["SHA256SUMS"]
            for name, data in (files | {"SHA256SUMS": format_sums(files)}).items():
                (self.request / name).write_bytes(data)
        return super().ask(prompt, frame)


def test_5_a_csr_that_changes_after_it_was_read_is_not_the_one_that_is_signed(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path)
    wanted = read_csr((table.request / "tls.csr").read_bytes(), "tls").spki
    officers = Swapping(table)
    room = table.sit_down()
    with room.record:
        assert run(room, officers) is Outcome.CLOSED
    assert officers.swapped
    assert read_csr((table.request / "tls.csr").read_bytes(), "tls").spki != wanted
    signed = read_certificate((table.upload / "tls.pem").read_bytes(), "tls.pem")
    assert signed.spki == wanted
