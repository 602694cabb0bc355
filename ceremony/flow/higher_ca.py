"""Step 4 where a higher CA signs the root: its CSR goes out, and the ceremony waits.

Key and CSR are made behind the root's fence. The CSR is carried out like every bundle; then
the ceremony is left, as planned. The next sitting goes on with the higher CA's answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ceremony.bundle.root_csr import ROOT_CSR, root_csr_files, root_csr_name
from ceremony.config import Curve
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.times import parse_time
from ceremony.flow.answer import adopt_answer, adopted, chain_above, take_answer
from ceremony.flow.asking import Flow, acknowledge
from ceremony.flow.backup import clone_and_prove
from ceremony.flow.bags import wait_in_bags
from ceremony.flow.interludes import PlannedPause
from ceremony.flow.issuing import Form, accept, issued_der, sign
from ceremony.flow.keystores import recorded_spki
from ceremony.flow.parcels import Parcel, carry_out
from ceremony.flow.prompts import (
    Acknowledge,
    Facts,
    PickPath,
    Print,
    Review,
    Step,
    Text,
    Tone,
    Working,
)
from ceremony.flow.room import Room
from ceremony.flow.root import NAME as ROOT
from ceremony.flow.root import root_exists, with_root_key
from ceremony.flow.sticks import HIGHER_CA
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr, read_csr
from ceremony.x509.pem import CERTIFICATE_REQUEST
from ceremony.x509.root_csr import assemble_csr, csr_info_of, root_csr_info, shown_requests

_WHAT = "root-csr"


def _check(der: bytes, where: str, issuer: Certificate | None) -> Fingerprint:  # noqa: ARG001
    return Fingerprint.of(read_csr(der, where).der)  # it verifies the CSR with its own key


def _read(data: bytes, where: str) -> tuple[bytes, Fingerprint]:
    csr = read_csr(data, where)
    return csr.der, Fingerprint.of(csr.der)


_FORM = Form(
    label=CERTIFICATE_REQUEST,
    assemble=assemble_csr,
    tbs_of=csr_info_of,
    check=_check,
    read=_read,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CsrOrder:
    """The root's CSR, to be signed with the root's own key."""

    name: ClassVar[str] = "root CSR"
    file: ClassVar[str] = ROOT_CSR
    record_key: ClassVar[str] = "csr/root"
    form: ClassVar[Form] = _FORM

    def recompose(self, room: Room, told: Mapping[str, Any], curve: Curve) -> bytes:  # noqa: ARG002
        """Its CertificationRequestInfo: the same for one key and Factory."""
        return root_csr_info(factory=room.plan.factory, spki=recorded_spki(room, ROOT))


_ORDER = _CsrOrder()


def make_root_below(room: Room) -> Flow[tuple[Certificate, tuple[Certificate, ...]]]:
    """Key, CSR, pause, answer: the root that a higher CA signed, and the CAs above it.

    Raises:
        PlannedPause: the CSR is carried out; the next sitting takes the answer.
    """
    if room.has("done", f"certificate/{ROOT}"):
        return adopted(room), chain_above(room)
    if not room.has("done", _ORDER.record_key):
        yield from with_root_key(room, partial(_sign_csr, room))
    csr = read_csr(issued_der(room, _ORDER), ROOT_CSR)
    if not room.has("intent", f"certificate/{ROOT}"):
        yield from clone_and_prove(room, csr.spki)
        yield from carry_out(room, _parcel(room, csr))
        yield from _wait(room)
        yield from take_answer(room, csr)
    adopt_answer(room)
    certificate = adopted(room)
    yield from acknowledge(root_exists("taken in, checked and written", certificate))
    return certificate, chain_above(room)


# --- the CSR -------------------------------------------------------------------------


def _sign_csr(room: Room, store: KeyStore, key: KeyInfo) -> Flow[None]:
    if not room.has("intent", _ORDER.record_key):
        info = _ORDER.recompose(room, {}, key.curve)
        shown = shown_requests(info)
        told = {"subject": shown[0][1], "asked_days": room.plan.root.days}
        yield from accept(room, Step.ROOT, _ORDER, _review(room, shown), (), info, **told)
    yield Working(step=Step.ROOT, title="Signing the root CSR")
    sign(room, Step.ROOT, _ORDER, store, key, None)


def _review(room: Room, shown: tuple[tuple[str, str], ...]) -> Review:
    return Review(
        key="review.root-csr",
        step=Step.ROOT,
        title="Will be signed: the root CSR",
        body=(
            Facts(caption="What the higher CA is asked for", rows=shown),
            Facts(
                caption="What it decides",
                rows=(
                    ("Validity", f"{room.plan.root.days} days are asked for, on paper"),
                    ("Everything else", "serial, issuer, authorityKeyIdentifier, policies"),
                ),
            ),
            Text(
                text="What the higher CA signs is checked when it comes back. Certificates below "
                "the root end with it at the latest.",
            ),
        ),
        help="The CSR proves that the key is here. It is no certificate: nothing trusts it.",
    )


# --- out -----------------------------------------------------------------------------


def _parcel(room: Room, csr: Csr) -> Parcel:
    name = root_csr_name(room.plan.factory, room.ceremony_id)

    def build(created_at: str, head: str) -> Mapping[str, bytes]:
        return root_csr_files(
            plan=room.plan,
            ceremony_id=room.ceremony_id,
            created_at=parse_time(created_at),
            plan_sha256=room.plan_file.fingerprint.hex,
            record_head=head,
            csr=csr,
        )

    return Parcel(
        what=_WHAT,
        step=Step.ROOT,
        name=name,
        stick=HIGHER_CA,
        first=room.plan.media.higher_ca,
        ask=partial(_stick, room, name),
        words=_on_paper,
        build=build,
    )


def _stick(room: Room, name: str, first: str | None, problem: str | None) -> PickPath:
    return PickPath(
        key="root-csr.path",
        step=Step.ROOT,
        title="The stick for the higher CA",
        body=(Text(text=f"Plug in the stick HIGHER CA. The folder {name} is written to it."),),
        problem=problem,
        candidates=room.services.places(first),
        help="The folder is written completely or not at all, and every byte is read back from "
        "the medium. Its README.txt tells the higher CA's people what to check and what to sign.",
    )


def _on_paper(fingerprint: Fingerprint, path: str) -> Acknowledge:
    return Acknowledge(
        key="root-csr.paper",
        step=Step.ROOT,
        title="Words of the root CSR, for paper",
        body=(
            Text(
                text="Copy lines A to H to the sheet, each officer checking the other. The people "
                "at the higher CA compare the stick with this sheet before they sign.",
                tone=Tone.WARN,
            ),
            Print(caption="Root CSR: its folder", fingerprint=fingerprint),
            Facts(rows=(("On the stick", path),)),
        ),
        action="It is on paper",
        help="The next screen asks for four of the words from each officer, and no longer "
        "shows them.",
    )


# --- the pause -----------------------------------------------------------------------


def _wait(room: Room) -> Flow[None]:
    """Leaves, in the sitting that carried the CSR out; a later one has come back.

    Raises:
        PlannedPause: always, in that sitting.
    """
    proof = room.need("proof", _WHAT)
    if any(line.n > proof.n for line in room.record.all("reopen")):
        return
    yield from wait_in_bags(room)
    yield from acknowledge(_WAITING)
    if not room.has("wait", _WHAT):
        room.append(Step.ROOT, "wait", _WHAT, by=list(room.officers))
    raise PlannedPause


_WAITING = Acknowledge(
    key="root-csr.wait",
    step=Step.ROOT,
    title="The ceremony waits for the higher CA",
    body=(
        Text(
            text="This is planned, and all of it is on record. The program ends here; the "
            "same command goes on, with both officers, when the answer has come.",
            tone=Tone.GOOD,
        ),
        Facts(
            rows=(
                ("Stick HIGHER CA", "to the higher CA, apart from the sheet of words"),
                ("There", "its README.txt says what to check, what to sign, what to bring"),
                ("Comes back", "answer.pem, chain.pem; and its words on paper, apart"),
                ("Laptop and token", "each into its bag, to the safe"),
                ("Not online yet", "nothing of this ceremony is uploaded before its end"),
            )
        ),
        Text(
            text="The next screen has the head of the record, for paper: words of it are asked "
            "for when the ceremony goes on."
        ),
    ),
    action="Leave until the answer is here",
    help="Nothing has to be done twice: key and CSR are on record, and no other CSR is ever "
    "made for them.",
)
