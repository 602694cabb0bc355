"""CSRs that the plan names and people bring: each signed under a named profile, never guessed."""

import base64
from pathlib import Path

from ceremony.bundle.media import read_file
from ceremony.config import SignCsr, Slot
from ceremony.core.findings import errors, warnings
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.typeback import Policy
from ceremony.errors import MediaError, VerificationError
from ceremony.flow.asking import Flow, pick
from ceremony.flow.intake import acknowledge_findings
from ceremony.flow.issuing import Order
from ceremony.flow.preflight import ceremony_time
from ceremony.flow.prompts import PickPath, Place, Step, Text
from ceremony.flow.room import Room
from ceremony.flow.words import type_back
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr, check_csr, read_csr, rules_of
from ceremony.x509.issuing import Content, csr_content, issuer_of
from ceremony.x509.profiles import role_of

_CAP = 64 * 1024
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
    csr = _recorded(room, asked)
    slot = _SLOTS[asked.profile]

    def content(serial: int) -> Content:
        return csr_content(
            csr=csr,
            slot=slot,
            issuer=issuer_of(root),
            serial=serial,
            not_before=ceremony_time(room),
            days=asked.days,
            not_past=root.not_after,
        )

    file = f"signed-{asked.name}.pem"
    return Order(role=role_of(slot), name=asked.name, file=file, content=content, csr=csr)


def _recorded(room: Room, asked: SignCsr) -> Csr:
    line = room.need("csr", asked.name)
    return read_csr(base64.b64decode(line.data["csr"]), asked.name)


def _take(room: Room, asked: SignCsr) -> Flow[None]:
    problem = None
    while True:
        path = yield from pick(_question(room, asked, problem))
        try:
            data = read_file(Path(path), _CAP)
            csr = read_csr(data, asked.name)
            findings = check_csr(csr, _SLOTS[asked.profile], rules_of(room.plan))
            for finding in errors(findings):
                raise VerificationError(
                    finding.code, finding.message, hint="Do not sign it; ask where it comes from."
                )
            yield from type_back(
                room,
                step=Step.LOCAL_CAS,
                what=f"csr-{asked.name}",
                paper=f"sheet of words of the CSR {asked.name}",
                value=Fingerprint.of(data),
                policy=Policy(room.plan.rules.type_back),
            )
        except (MediaError, VerificationError) as exc:
            room.refused(Step.LOCAL_CAS, exc)
            if exc.code == "typeback.mismatch":
                raise
            problem = f"{exc} {exc.hint}"
            continue
        if warnings(findings):
            yield from acknowledge_findings(room, Step.LOCAL_CAS, asked.name, findings)
        room.append(
            Step.LOCAL_CAS,
            "csr",
            asked.name,
            source=show(path),
            profile=asked.profile,
            sha256=Fingerprint.of(data).hex,
            csr=base64.b64encode(csr.der).decode(),
            by=list(room.officers),
        )
        return


def _question(room: Room, asked: SignCsr, problem: str | None) -> PickPath:
    sticks = room.services.places(room.plan.media.csr_in)
    name = f"{asked.name}.csr"
    files = [Path(stick.path) / name for stick in sticks]
    there = [Place(path=str(path), label=str(path)) for path in files if path.is_file()]
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
        candidates=(*there, *sticks),
        help="Print the sheet there with `ceremony fingerprint FILE`.",
        command=f"openssl req -in {name} -noout -text -verify",
    )
