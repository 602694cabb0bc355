"""Step 6, sign: the fence, every certificate reviewed, then one session signs them all."""

from collections.abc import Mapping

from ceremony.bundle.upload import Issued
from ceremony.config import Slot
from ceremony.core.findings import errors
from ceremony.errors import VerificationError
from ceremony.flow.asking import Flow
from ceremony.flow.chosen import effects, fence_effects
from ceremony.flow.existing_root import root_key
from ceremony.flow.foreign_csrs import csr_orders
from ceremony.flow.intake import Intake
from ceremony.flow.issuing import Order, csr_order, issued, propose, sign
from ceremony.flow.keystores import recorded_spki
from ceremony.flow.local_cas import local_ca_order
from ceremony.flow.officers import check_network, fence
from ceremony.flow.prompts import Block, Facts, Step, Text, Tone, Working
from ceremony.flow.revocation import CrlOrder, crl_order, issued_crl, propose_crl
from ceremony.flow.room import Room
from ceremony.flow.root import NAME as ROOT
from ceremony.flow.root import open_root, root_store
from ceremony.flow.work import Work
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr, check_keys

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
    return (*from_csrs, *local, *csr_orders(room, root))


def sign_all(room: Room, work: Work) -> Flow[None]:
    """Certificates and the CRL, each signed once."""
    certificates = orders(room, work.intake, work.root)
    crl = crl_order(room, work.root, work.chosen)
    wanted: tuple[Order | CrlOrder, ...] = (*certificates, *(() if crl is None else (crl,)))
    if any(not room.has("done", order.record_key) for order in wanted):
        yield from _sign(room, work, wanted)
    work.certificates = tuple(
        Issued(role=order.role, name=order.name, certificate=issued(room, order))
        for order in certificates
    )
    work.crl = None if crl is None else issued_crl(room, crl)


def _sign(room: Room, work: Work, wanted: tuple[Order | CrlOrder, ...]) -> Flow[None]:
    _check_keys(room, work)
    if work.chosen:
        yield from fence_effects(room, work.intake.bundle, work.chosen)
    yield from fence(room, "sign", Step.SIGN, "Fence: sign", _what(room, work, wanted))
    for order in wanted:
        if isinstance(order, CrlOrder):
            yield from propose_crl(room, order)
        else:
            yield from propose(room, Step.SIGN, order, work.root.curve or room.plan.root.curve)
    check_network(room, Step.SIGN)
    with root_store(room) as store:
        yield from open_root(room, Step.SIGN, store)
        key = root_key(room, store, work.root)
        for number, order in enumerate(wanted):
            yield Working(
                step=Step.SIGN, title=f"Signing {order.file}", done=number, total=len(wanted)
            )
            sign(room, Step.SIGN, order, store, key, work.root)


def _what(room: Room, work: Work, wanted: tuple[Order | CrlOrder, ...]) -> tuple[Block, ...]:
    count = sum(isinstance(order, Order) for order in wanted)
    blocks: list[Block] = []
    if count:
        sentence = f"{count} certificate{'s' * (count != 1)} will be signed with the root key."
        rows = tuple((one.file, one.role.value) for one in wanted if isinstance(one, Order))
        blocks += [Text(text=sentence, tone=Tone.WARN), Facts(rows=rows)]
    if work.chosen:
        blocks.append(Text(text="A CRL will be signed with the root key.", tone=Tone.WARN))
        told = effects(room, work.intake.bundle, work.chosen)
        blocks += [Text(text=f"{sentence}.", tone=Tone.DANGER) for sentence in told]
    return tuple(blocks)


def _check_keys(room: Room, work: Work) -> None:
    keys = {slot.value: csr.spki for slot, csr in work.intake.csrs.items()}
    keys |= {ca.name: recorded_spki(room, ca.name) for ca in room.plan.local_ca}
    keys |= {one.name: one.csr.spki for one in csr_orders(room, work.root) if one.csr is not None}
    held = {f"device CA {ca.serial}": ca.spki for ca in work.intake.bundle.current_device_cas}
    held[ROOT] = work.root.spki
    stopping = [one for one in errors(check_keys(held | keys)) if one.where in keys]
    if stopping:
        raise VerificationError(
            stopping[0].code,
            stopping[0].message,
            hint="Find out why a key appears twice; nothing was signed.",
        )


def _csr_order(room: Room, slot: Slot, csr: Csr, root: Certificate) -> Order:
    limits = room.plan.limits
    days = limits.online_ca_days if slot is Slot.ONLINE_CA else limits.tls_days
    return csr_order(room, slot, csr, root, name=slot.value, file=FILES[slot], days=days)
