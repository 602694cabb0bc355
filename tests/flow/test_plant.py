"""A local CA whose key was made in a plant's own HSM: only its CSR comes in, by its words."""

from pathlib import Path

from ceremony.core.fingerprints import Fingerprint
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Picked
from ceremony.practice.officers import ScriptedOfficers
from ceremony.x509.certificate import read_certificate
from ceremony.x509.csr import read_csr
from tests.flow.table import Table, csr

PLANT = '\n[[local_ca]]\nname = "plant"\nkey_store = "csr"\n'


class Carrying(ScriptedOfficers):
    """Officers who have the plant's CSR on a stick."""

    path = ""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key == "local_ca.csr":
            return Picked(path=self.path)
        return super().ask(prompt, frame)


def test_the_plants_key_gets_a_local_ca_certificate_and_no_key_file(tmp_path: Path) -> None:
    table = Table(tmp_path, extra=PLANT)
    pem = csr("plant", (), "acme")
    (tmp_path / "plant.csr").write_bytes(pem)
    table.papers.words["csr-plant.words"] = Fingerprint.of(pem)
    officers = Carrying(table.papers, quiet=True)
    officers.path = str(tmp_path / "plant.csr")
    room = table.sit_down()
    with room.record:
        assert run(room, officers) is Outcome.CLOSED
    issued = read_certificate((table.upload / "local_ca-plant.pem").read_bytes(), "plant")
    assert issued.spki == read_csr(pem, "plant").spki
    assert issued.common_name == "fio-5e8a2f04"
    assert not list(tmp_path.rglob("*plant*.key"))
