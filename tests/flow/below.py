"""A table whose root a higher CA signs: the CSR is answered between two sittings."""

from dataclasses import dataclass, field
from pathlib import Path

from ceremony.config import Token
from ceremony.x509.certificate import read_certificate
from tests.flow.memory import MemoryServices, MemoryToken, token_plan
from tests.flow.table import Table
from tests.higher import Higher

CA_STICK = "usb-ca"


@dataclass
class Below:
    """The table, its token, and the higher CA."""

    table: Table
    token: MemoryToken
    higher: Higher
    answered: list[bytes] = field(default_factory=list)

    @property
    def stick(self) -> Path:
        return self.table.media / CA_STICK

    def answer(self, pem: bytes | None = None, chain: bytes | None = None) -> None:
        """An answer on the stick, and its words on paper: the right one by default."""
        (csr,) = self.stick.glob("*-root-csr-*/root.csr")
        answer = self.higher.sign(csr.read_bytes()) if pem is None else pem
        (self.stick / "answer.pem").write_bytes(answer)
        (self.stick / "chain.pem").write_bytes(self.higher.chain if chain is None else chain)
        self.answered.append(answer)
        words = read_certificate(answer, "answer").fingerprint
        self.table.papers.words["root-answer.words"] = words

    @property
    def csr(self) -> bytes:
        (path,) = self.stick.glob("*-root-csr-*/root.csr")
        return path.read_bytes()


def below_table(media: Path) -> Below:
    """A table whose root key lives on a token in memory, under a higher CA."""
    token = MemoryToken()
    planned = Token(module="/usr/lib/memory.so", serial=token.serial)
    text = token_plan(media, planned).replace("[root]\n", '[root]\nissuer = "external"\n', 1)
    text = text.replace("[media]\n", f'[media]\nhigher_ca = "{media}/{CA_STICK}"\n', 1)
    table = Table(media, plan=text)
    (media / CA_STICK).mkdir(mode=0o700)
    table.papers.pin = token.pin
    table.services = MemoryServices(media, memory=token)
    return Below(table, token, Higher(table.services.clock.time))
