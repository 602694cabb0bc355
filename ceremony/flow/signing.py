"""Step 6, sign: the fence, every certificate reviewed, then one session signs them all."""

from collections.abc import Mapping

from ceremony.config import Slot
from ceremony.core.findings import errors
from ceremony.core.ports import KeyInfo
from ceremony.errors import VerificationError
from ceremony.flow.adoption import inventory
from ceremony.flow.asking import Flow
from ceremony.flow.intake import Intake
from ceremony.flow.issuing import Order, issued, propose, sign
from ceremony.flow.keystores import find_key, recorded_spki
from ceremony.flow.local_cas import local_ca_order
from ceremony.flow.officers import check_network, fence
from ceremony.flow.preflight import ceremony_time
from ceremony.flow.prompts import Facts, Step, Text, Tone, Working
from ceremony.flow.room import Room
from ceremony.flow.root import NAME as ROOT
from ceremony.flow.root import open_root, root_store
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr, check_keys
from ceremony.x509.issuing import Content, Issuer, csr_content
from ceremony.x509.profiles import role_of

FILES: Mapping[Slot, str] = {
    Slot.TLS: "tls.pem",
    Slot.ONLINE_CA: "online_ca.pem",
    Slot.EST_TLS: "est-tls.pem",
}


def orders(room: Room, intake: Intake, root: Certificate) -> tuple[Order, ...]:
    """All certificates below the root, in the order in which they are signed."""
    from_csrs = [
        _csr_order(room, slot, intake.csrs[slot], root)
        for slot in (Slot.ONLINE_CA, Slot.TLS, Slot.EST_TLS)
        if slot in intake.csrs
    ]
    local = [local_ca_order(room, ca, root) for ca in room.plan.local_ca]
    return (*from_csrs, *local)


def sign_all(room: Room, intake: Intake, root: Certificate) -> Flow[dict[str, Certificate]]:
    """Certificates by name, each signed once."""
    wanted = orders(room, intake, root)
    if any(not room.has("done", order.record_key) for order in wanted):
        yield from _sign(room, intake, root, wanted)
    return {order.name: issued(room, order) for order in wanted}


def _sign(room: Room, intake: Intake, root: Certificate, wanted: tuple[Order, ...]) -> Flow[None]:
    _check_keys(room, intake, root)
    body = (
        Text(text=f"{len(wanted)} certificates will be signed with the root key.", tone=Tone.WARN),
        Facts(rows=tuple((order.file, order.role.value) for order in wanted)),
    )
    yield from fence(room, "sign", Step.SIGN, "Fence: sign", body)
    for order in wanted:
        yield from propose(room, Step.SIGN, order, room.plan.root.curve)
    check_network(room, Step.SIGN)
    with root_store(room) as store:
        yield from open_root(room, Step.SIGN, store)
        key: KeyInfo = find_key(inventory(room, store), recorded_spki(room, ROOT), ROOT)
        for number, order in enumerate(wanted):
            yield Working(
                step=Step.SIGN, title=f"Signing {order.file}", done=number, total=len(wanted)
            )
            sign(room, Step.SIGN, order, store, key, root)


def _check_keys(room: Room, intake: Intake, root: Certificate) -> None:
    keys = {slot.value: csr.spki for slot, csr in intake.csrs.items()}
    keys |= {ca.name: recorded_spki(room, ca.name) for ca in room.plan.local_ca}
    keys[ROOT] = root.spki
    stopping = errors(check_keys(keys))
    if stopping:
        raise VerificationError(
            stopping[0].code,
            stopping[0].message,
            hint="Nothing was signed. Find out why a key appears twice.",
        )


def _csr_order(room: Room, slot: Slot, csr: Csr, root: Certificate) -> Order:
    limits = room.plan.limits
    days = limits.online_ca_days if slot is Slot.ONLINE_CA else limits.tls_days

    def content(serial: int) -> Content:
        return csr_content(
            csr=csr,
            slot=slot,
            issuer=Issuer(subject_der=root.subject_der, spki=root.spki),
            serial=serial,
            not_before=ceremony_time(room),
            days=days,
            not_past=root.not_after,
        )

    return Order(role=role_of(slot), name=slot.value, file=FILES[slot], content=content, csr=csr)
