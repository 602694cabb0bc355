"""What is signed, in the flow: reviewed as a twin, intended on record, signed once, checked.

The twin is the same content signed by a throw-away key; its TBSCertificate is what the
intent line keeps and what the key store signs. After a cut those very bytes are signed:
no second TBS is made for one intent.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ceremony.bundle.media import MAX_PEM_BYTES, read_file
from ceremony.bundle.writing import make_folder, write_file
from ceremony.config import Curve, Slot
from ceremony.core.findings import Finding, errors
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.times import format_time
from ceremony.errors import MediaError, VerificationError
from ceremony.flow.asking import Flow, review
from ceremony.flow.notes import acknowledge_findings
from ceremony.flow.preflight import issue_time
from ceremony.flow.prompts import Block, FindingList, Review, Step, Text, Tone, Working
from ceremony.flow.room import Room
from ceremony.flow.tables import compare
from ceremony.record.chain import sha256_hex
from ceremony.x509.certificate import Certificate, read_certificate, verify_signed_by
from ceremony.x509.checks import check_against, check_certificate
from ceremony.x509.csr import Csr
from ceremony.x509.issuing import (
    Content,
    assemble,
    csr_content,
    issuer_of,
    new_serial,
    tbs_of,
    twin,
)
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import Role, role_of

FOLDER = "certificates"

# A twin is signed by a throw-away key; the real signature is verified when it is made.
_OF_THE_TWIN = "certificate.root_not_self_signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A kind of signed structure: a certificate, a CSR, a CRL.

    Attributes:
        label: of its PEM block.
        assemble: the whole around TBS bytes and a DER ECDSA-Sig-Value.
        tbs_of: the TBS bytes of a whole one.
        check: verifies one (DER, name, issuer; None: its own) and gives its fingerprint.
        read: DER and fingerprint of a file's bytes.
    """

    label: str
    assemble: Callable[[bytes, bytes], bytes]
    tbs_of: Callable[[bytes], bytes]
    check: Callable[[bytes, str, Certificate | None], Fingerprint]
    read: Callable[[bytes, str], tuple[bytes, Fingerprint]]


def _check_certificate(der: bytes, where: str, issuer: Certificate | None) -> Fingerprint:
    certificate = read_certificate(der, where)
    verify_signed_by(certificate, issuer or certificate)
    return certificate.fingerprint


def _read_certificate(data: bytes, where: str) -> tuple[bytes, Fingerprint]:
    certificate = read_certificate(data, where)
    return certificate.der, certificate.fingerprint


CERTIFICATE_FORM = Form(
    label=CERTIFICATE,
    assemble=assemble,
    tbs_of=tbs_of,
    check=_check_certificate,
    read=_read_certificate,
)


class Signable(Protocol):
    """Something to be signed once."""

    @property
    def name(self) -> str:
        """On screens."""
        ...

    @property
    def file(self) -> str:
        """Name of its PEM file."""
        ...

    @property
    def record_key(self) -> str:
        """Key of its intent and done lines."""
        ...

    @property
    def form(self) -> Form:
        """What kind of structure it is."""
        ...

    def recompose(self, room: Room, told: Mapping[str, Any], curve: Curve) -> bytes:
        """The TBS bytes, made anew from what is at hand.

        Args:
            room: of the ceremony.
            told: data of the intent: its serial or number is kept.
            curve: of the issuer's key.

        Raises:
            ValueError: what is told fits nothing of this kind.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One certificate to be issued.

    Attributes:
        name: `root`, a slot, or a local CA's name; part of the record's keys.
        file: name of its PEM file.
        content: makes the content around a serial; called at most once for an intent.
        csr: what asked for it, where something did.
    """

    role: Role
    name: str
    file: str
    content: Callable[[int], Content]
    csr: Csr | None = None

    @property
    def record_key(self) -> str:
        """Key of its intent and done lines."""
        return f"certificate/{self.name}"

    @property
    def form(self) -> Form:
        """A certificate."""
        return CERTIFICATE_FORM

    def recompose(self, room: Room, told: Mapping[str, Any], curve: Curve) -> bytes:  # noqa: ARG002
        """Its TBSCertificate around the serial that is told."""
        return tbs_of(twin(self.content(int(str(told["serial"]))), curve))


def csr_order(
    room: Room, slot: Slot, csr: Csr, root: Certificate, *, name: str, file: str, days: int
) -> Order:
    """The certificate that answers a CSR under the profile of `slot`, to be signed by the root."""

    def content(serial: int) -> Content:
        return csr_content(
            csr=csr,
            slot=slot,
            issuer=issuer_of(root),
            serial=serial,
            not_before=issue_time(room, root),
            days=days,
            not_past=root.not_after,
        )

    return Order(role=role_of(slot), name=name, file=file, content=content, csr=csr)


def propose(room: Room, step: Step, order: Order, curve: Curve) -> Flow[None]:
    """Composes, lints and shows a certificate; accepted, its intent goes on record.

    Args:
        curve: of the issuer's key.

    Raises:
        VerificationError: a finding that stops, or `review.refused`.
    """
    if room.has("intent", order.record_key):
        return
    yield Working(step=step, title=f"Composing and checking {order.name}")
    content = order.content(new_serial(room.services.randbytes))
    der = twin(content, curve)
    certificate = read_certificate(der, order.name)
    findings = _judge(room, order, content, certificate)
    yield from accept(
        room,
        step,
        order,
        _review(step, order, content, certificate, findings),
        findings,
        tbs_of(der),
        role=order.role.value,
        name=order.name,
        subject=certificate.subject,
        serial=str(certificate.serial),
        not_before=format_time(certificate.not_before),
        not_after=format_time(certificate.not_after),
    )


def accept(
    room: Room,
    step: Step,
    order: Signable,
    prompt: Review,
    findings: tuple[Finding, ...],
    tbs: bytes,
    /,
    **told: object,
) -> Flow[None]:
    """Shows what will be signed; accepted, the intent to sign exactly `tbs` goes on record.

    Raises:
        VerificationError: `review.refused`.
    """
    if not (yield from review(prompt)):
        error = VerificationError(
            "review.refused",
            f"the officers refused the certificate {order.name}"
            if order.form is CERTIFICATE_FORM
            else f"the officers refused the {order.name}",
            hint="Correct the plan or the CSR, and start a new ceremony; nothing was signed.",
        )
        room.refused(step, error)
        raise error
    yield from acknowledge_findings(room, step, order.name, findings)
    room.append(
        step,
        "intent",
        order.record_key,
        **told,
        tbs_sha256=sha256_hex(tbs),
        tbs=base64.b64encode(tbs).decode(),
        accepted_by=list(room.officers),
    )


def _judge(
    room: Room, order: Order, content: Content, certificate: Certificate
) -> tuple[Finding, ...]:
    recipe = order.role is Role.ROOT and room.plan.root.profile == "openssl-recipe"
    own = check_certificate(certificate, order.role, factory=room.plan.factory, recipe=recipe)
    findings = (
        *(finding for finding in own if finding.code != _OF_THE_TWIN),
        *check_against(certificate, content),
        *room.services.linter.lint(certificate.der, None),
    )
    require_clean(order.name, findings)
    return findings


def require_clean(name: str, findings: tuple[Finding, ...]) -> None:
    """Stops at findings that may not be signed over.

    Raises:
        VerificationError: the code of the first.
    """
    stopping = errors(findings)
    if stopping:
        raise VerificationError(
            stopping[0].code,
            f"{name}: {stopping[0].message}",
            hint="Correct the plan or the CSR, and start a new ceremony; nothing was signed.",
        )


def _review(
    step: Step,
    order: Order,
    content: Content,
    certificate: Certificate,
    findings: tuple[Finding, ...],
) -> Review:
    blocks: list[Block] = [compare(order.file, content, certificate, order.csr)]
    if findings:
        blocks.append(FindingList(findings=findings))
    else:
        blocks.append(Text(text="No findings: own rules, pkilint.", tone=Tone.GOOD))
    return Review(
        key=f"review.{order.role.value}",
        step=step,
        title=f"Will be signed: {order.name}",
        body=tuple(blocks),
        irreversible=order.role is Role.ROOT,
        accept="Accept",
        refuse="Refuse",
        help="Left: what the CSR asked for. Right: what the certificate will say. The profile "
        "comes from the slot alone; what a CSR asks for beyond it is shown as ignored.",
        command=f"openssl x509 -in {order.file} -noout -text",
    )


def sign(
    room: Room,
    step: Step,
    order: Signable,
    store: KeyStore,
    key: KeyInfo,
    issuer: Certificate | None,
) -> None:
    """Signs the intended bytes, checks the result, writes it; does nothing if that was done.

    Args:
        issuer: None for what is signed with its own key.

    Raises:
        KeyStoreError: the store refused.
        VerificationError: `state.intent`: what is intended does not follow from plan, keys and
            CSRs. What was signed is not what was intended; nothing is written then.
        MediaError: `state.certificate`: the file on disk is not that of the record.
    """
    if room.has("done", order.record_key):
        return
    form = order.form
    intent = room.need("intent", order.record_key)
    tbs = _intended(room, order, intent.data, key.curve)
    path = room.directory / FOLDER / order.file
    der = _adopt(path, tbs, order) if path.exists() else form.assemble(tbs, store.sign(key, tbs))
    fingerprint = form.check(der, order.file, issuer)
    if not path.exists():
        make_folder(room.directory, FOLDER)
        write_file(path.parent, path.name, write_pem(der, form.label), private=True)
    room.append(step, "done", order.record_key, sha256=fingerprint.hex, file=order.file)


def _intended(room: Room, order: Signable, told: Mapping[str, Any], curve: Curve) -> bytes:
    """The bytes to be signed, from the record.

    The officers accepted them before the intent; if the ceremony was cut off since then, the
    record lay where others may have changed it.
    """
    tbs = base64.b64decode(told["tbs"])
    try:
        same = (order.recompose(room, told, curve), sha256_hex(tbs)) == (tbs, told["tbs_sha256"])
    except ValueError:
        same = False
    if not same:
        raise VerificationError(
            "state.intent",
            f"the record intends another {order.file} than plan, keys and CSRs make",
            hint="Compare the record with its head on paper; this was not signed. Begin anew.",
        )
    return tbs


def issued(room: Room, order: Order) -> Certificate:
    """A certificate that is done, from the ceremony's folder, as the record has it.

    Raises:
        MediaError: `state.certificate`.
    """
    return read_certificate(issued_der(room, order), order.file)


def issued_der(room: Room, order: Signable) -> bytes:
    """What was signed, from the ceremony's folder, as the record has it.

    Raises:
        MediaError: `state.certificate`.
    """
    done = room.need("done", order.record_key)
    path = room.directory / FOLDER / order.file
    try:
        der, fingerprint = order.form.read(read_file(path, MAX_PEM_BYTES), order.file)
    except (MediaError, VerificationError) as exc:
        raise changed(order.file) from exc
    if fingerprint.hex != done.data["sha256"]:
        raise changed(order.file)
    return der


def _adopt(path: Path, tbs: bytes, order: Signable) -> bytes:
    try:
        der, _ = order.form.read(read_file(path, MAX_PEM_BYTES), order.file)
    except (MediaError, VerificationError) as exc:
        raise changed(order.file) from exc
    if order.form.tbs_of(der) != tbs:
        raise changed(order.file)
    return der


def changed(file: str) -> MediaError:
    """A file in the ceremony's folder is not the one on record."""
    return MediaError(
        "state.certificate",
        f"{file} in the ceremony's folder is not the one on record",
        hint="Restore the ceremony's folder from a copy; nothing was signed again.",
    )
