"""CSRs that the plan names and people bring: each signed under a named profile, never guessed."""

import base64

from ceremony.config import SignCsr, Slot
from ceremony.core.findings import Finding
from ceremony.core.text import show
from ceremony.flow.arrival import take_csr
from ceremony.flow.asking import Flow
from ceremony.flow.issuing import Order, csr_order
from ceremony.flow.prompts import PickPath, Place, Step, Text
from ceremony.flow.room import Room
from ceremony.record.chain import sha256_hex
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr, check_csr, read_csr, rules_of

_SLOTS = {"device-ca": Slot.ONLINE_CA, "tls": Slot.TLS}


def take_csrs(room: Room) -> Flow[None]:
    """Each CSR of the plan: read once, checked against its profile, typed back, on record."""
    for asked in room.plan.sign_csr:
        if not room.has("csr", asked.name):
            yield from _take(room, asked)


def csr_orders(room: Room, root: Certificate) -> tuple[Order, ...]:
    """Their certificates, to be signed by the root."""
    return tuple(_order(room, asked, root) for asked in room.plan.sign_csr)


def _order(room: Room, asked: SignCsr, root: Certificate) -> Order:
    csr, file = _recorded(room, asked), f"signed-{asked.name}.pem"
    slot = _SLOTS[asked.profile]
    return csr_order(room, slot, csr, root, name=asked.name, file=file, days=asked.days)


def _recorded(room: Room, asked: SignCsr) -> Csr:
    line = room.need("csr", asked.name)
    return read_csr(base64.b64decode(line.data["csr"]), asked.name)


def _take(room: Room, asked: SignCsr) -> Flow[None]:
    def ask(offered: tuple[Place, ...], problem: str | None) -> PickPath:
        return _question(asked, offered, problem)

    def check(csr: Csr) -> tuple[Finding, ...]:
        return check_csr(csr, _SLOTS[asked.profile], rules_of(room.plan))

    path, data, csr = yield from take_csr(room, asked.name, ask, check)
    room.append(
        Step.LOCAL_CAS,
        "csr",
        asked.name,
        source=show(path),
        profile=asked.profile,
        sha256=sha256_hex(data),
        csr=base64.b64encode(csr.der).decode(),
        by=list(room.officers),
    )


def _question(asked: SignCsr, offered: tuple[Place, ...], problem: str | None) -> PickPath:
    return PickPath(
        key="sign_csr.path",
        step=Step.LOCAL_CAS,
        title=f"The CSR {asked.name}",
        body=(
            Text(
                text=f"The plan signs it under the profile {asked.profile}, whatever it asks for."
            ),
            Text(text="Choose its file. Its words come on a sheet from where it was made."),
        ),
        problem=problem,
        candidates=offered,
        help="Print the sheet there with `ceremony fingerprint FILE`.",
        command=f"openssl req -in {asked.name}.csr -noout -text -verify",
    )
