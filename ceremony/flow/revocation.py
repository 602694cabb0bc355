"""The CRL in the flow: reviewed, intended on record, signed once, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from ceremony.bundle.contents import CRL
from ceremony.config import Curve
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.serials import serial_hex
from ceremony.core.times import format_time
from ceremony.errors import CeremonyError
from ceremony.flow.asking import Flow
from ceremony.flow.issuing import FOLDER, Form, accept, issued_der, require_clean
from ceremony.flow.preflight import ceremony_time
from ceremony.flow.prompts import Compare, CompareRow, Review, Step, Text, Tone, Working
from ceremony.flow.room import Room
from ceremony.kinds import Reason, facts_of
from ceremony.x509.certificate import Certificate
from ceremony.x509.crls import (
    X509_CRL,
    CrlContent,
    RevocationList,
    assemble_crl,
    check_crl,
    crl_tbs_of,
    crl_twin,
    read_crl,
    verify_crl,
)
from ceremony.x509.issuing import issuer_of


def _check(der: bytes, where: str, issuer: Certificate | None) -> Fingerprint:
    crl = read_crl(der, where)
    if issuer is None:
        raise LookupError("a CRL has an issuer")
    verify_crl(crl, issuer)
    return crl.fingerprint


def _fingerprint(data: bytes, where: str) -> tuple[bytes, Fingerprint]:
    crl = read_crl(data, where)
    return crl.der, crl.fingerprint


CRL_FORM = Form(
    label=X509_CRL, assemble=assemble_crl, tbs_of=crl_tbs_of, check=_check, read=_fingerprint
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlOrder:
    """The CRL to be signed.

    Attributes:
        chosen: the device CAs that it acts on.
    """

    root: Certificate
    chosen: tuple[Certificate, ...]
    reason: Reason
    name: ClassVar[str] = "crl"
    file: ClassVar[str] = CRL
    record_key: ClassVar[str] = "crl/crl"
    form: ClassVar[Form] = CRL_FORM

    def recompose(self, room: Room, told: Mapping[str, Any], curve: Curve) -> bytes:
        """Its TBSCertList with the number that is told."""
        return crl_tbs_of(crl_twin(_content(room, self, int(told["number"])), curve))


def crl_order(room: Room, root: Certificate, chosen: tuple[Certificate, ...]) -> CrlOrder | None:
    """The CRL of this kind, if it has one."""
    reason = facts_of(room.plan.kind).reason
    return None if reason is None else CrlOrder(root=root, chosen=chosen, reason=reason)


def propose_crl(room: Room, order: CrlOrder) -> Flow[None]:
    """Composes, checks and shows the CRL; accepted, its intent goes on record.

    Raises:
        VerificationError: a finding that stops, or `review.refused`.
    """
    if room.has("intent", order.record_key) or order.root.curve is None:
        return
    yield Working(step=Step.SIGN, title="Composing and checking the CRL")
    number = max(int(room.services.clock.now().timestamp()), _last_number(room) + 1)
    content = _content(room, order, number)
    der = crl_twin(content, order.root.curve)
    crl = read_crl(der, order.file)
    require_clean(order.name, check_crl(crl, content))
    yield from accept(
        room,
        Step.SIGN,
        order,
        _review(order, content),
        (),
        crl_tbs_of(der),
        number=content.number,
        entries=[
            {"serial": str(serial), "reason": reason.value} for serial, reason in content.entries
        ],
        this_update=format_time(content.this_update),
        next_update=format_time(content.next_update),
    )


def _content(room: Room, order: CrlOrder, number: int) -> CrlContent:
    begin = ceremony_time(room)
    return CrlContent(
        issuer=issuer_of(order.root),
        entries=tuple((ca.serial, order.reason) for ca in order.chosen),
        number=number,
        this_update=begin,
        next_update=begin + timedelta(days=room.plan.limits.crl_days),
    )


def _last_number(room: Room) -> int:
    """The greatest number of a CRL that this laptop knows: ours may only grow."""
    numbers = [0]
    for path in room.directory.parent.glob(f"*/{FOLDER}/{CRL}"):
        try:
            numbers.append(read_crl(path.read_bytes(), path.name).number or 0)
        except (CeremonyError, OSError):
            continue  # what lies in another ceremony's folder cannot stop this one
    return max(numbers)


def _review(order: CrlOrder, content: CrlContent) -> Review:
    rows = [
        CompareRow(
            field=f"Serial {number}",
            asked=ca.subject,
            issued=f"{ca.serial} (hex {serial_hex(ca.serial)})",
            mark="set",
        )
        for number, ca in enumerate(order.chosen, start=1)
    ]
    rows += [
        CompareRow(field=field, asked="-", issued=value, mark="set")
        for field, value in (
            ("Reason", f"{order.reason.value} ({order.reason.code})"),
            ("Issuer", order.root.subject),
            ("Number", str(content.number)),
            ("This update", format_time(content.this_update)),
            ("Next update", format_time(content.next_update)),
        )
    ]
    return Review(
        key="review.crl",
        step=Step.SIGN,
        title="Will be signed: the CRL",
        body=(
            Compare(title=order.file, rows=tuple(rows)),
            Text(
                text="It names only the serials that it acts on: it is a command to the platform, "
                f"which must have it before {format_time(content.next_update)}.",
                tone=Tone.WARN,
            ),
        ),
        irreversible=order.reason is Reason.REVOKE,
        command=f"openssl crl -in {order.file} -noout -text",
    )


def issued_crl(room: Room, order: CrlOrder) -> RevocationList:
    """The CRL that is done, from the ceremony's folder."""
    return read_crl(issued_der(room, order), order.file)
