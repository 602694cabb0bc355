"""Step 3 of later ceremonies: what the Factory has today, and what changes against it."""

from collections.abc import Mapping
from dataclasses import replace

from ceremony.bundle.request import RequestBundle
from ceremony.core.findings import Finding
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.flow.asking import Flow, enter
from ceremony.flow.prompts import Block, EnterText, Facts, Field, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.kinds import Slot, facts_of
from ceremony.x509.csr import Csr, check_keys
from ceremony.x509.higher_ca import require_issuer

_TRIES = 3
_CHANGED = "csr.san_changed"


def check_root_state(room: Room, bundle: RequestBundle) -> None:
    """A first ceremony needs a Factory without a root, every later one the root it has.

    Raises:
        VerificationError: `request.root_exists`, `request.no_root`, `request.bundle_needed`,
            `request.root_issuer`.
    """
    if facts_of(room.plan.kind).makes_root:
        if bundle.document is not None and bundle.document.current is not None:
            raise VerificationError(
                "request.root_exists",
                "the Factory already has a root of trust; it can be set once",
                hint="Do not create another root. A reset goes through the platform's support.",
            )
        return
    if bundle.document is None:
        raise VerificationError(
            "request.bundle_needed",
            "bare CSRs do not tell which root and which device CAs the Factory has",
            hint="Use `ceremony-online fetch` with this plan, and bring its request bundle.",
        )
    if bundle.current_root is None:
        raise VerificationError(
            "request.no_root",
            "the Factory had no root of trust when this was fetched",
            hint="Hold the first ceremony (kind create) before any other.",
        )
    require_issuer(bundle.current_root, room.plan.root.issuer)


def check_new_keys(bundle: RequestBundle) -> tuple[Finding, ...]:
    """A CSR's key is neither another CSR's nor that of a CA which the Factory has."""
    keys = {f"device CA {ca.serial}": ca.spki for ca in bundle.current_device_cas}
    if bundle.current_root is not None:
        keys["root"] = bundle.current_root.spki
    csrs = {slot.value: csr.spki for slot, csr in bundle.csrs.items()}
    return tuple(finding for finding in check_keys(keys | csrs) if finding.where in csrs)


def current_blocks(bundle: RequestBundle) -> list[Block]:
    """What the Factory has, for the review; nothing in a first ceremony."""
    root, document = bundle.current_root, bundle.document
    if root is None or document is None or document.current is None:
        return []
    disabled = set(document.current.disabled_serials)
    blocks: list[Block] = [
        Facts(
            caption="Root of the Factory",
            rows=(("Subject", root.subject), ("SHA-256", root.fingerprint.hex)),
        )
    ]
    for ca in bundle.current_device_cas:
        state = "DISABLED" if str(ca.serial) in disabled else "usable"
        blocks.append(
            Facts(
                caption=f"Device CA, {state}",
                rows=(
                    ("Subject", ca.subject),
                    ("Serial", f"{ca.serial} (hex {ca.serial_hex})"),
                    ("Valid until", format_time(ca.not_after)),
                    ("SHA-256", ca.fingerprint.hex),
                ),
            )
        )
    for slot, one in bundle.current_servers.items():
        names = tuple((f"DNS name {i + 1}", show(n)) for i, n in enumerate(one.dns_names))
        rows = (("Subject", one.subject), ("Valid until", format_time(one.not_after)), *names)
        blocks.append(Facts(caption=f"Certificate of today: {slot.value}", rows=rows))
    return blocks


def list_change(bundle: RequestBundle, new: Mapping[str, str]) -> Facts:
    """The list of device CAs as a difference: every one that is kept, every new one.

    Args:
        new: name to subject.
    """
    rows = [("= keeps", f"{ca.subject}, serial {ca.serial}") for ca in bundle.current_device_cas]
    rows += [(f"+ {name}", subject) for name, subject in new.items()]
    return Facts(caption="The list of device CAs that replaces the Factory's", rows=tuple(rows))


def type_names(room: Room, bundle: RequestBundle, findings: tuple[Finding, ...]) -> Flow[None]:
    """New names of a server are typed by both officers, from another source than this CSR.

    Raises:
        VerificationError: `names.mismatch`: three wrong tries.
    """
    changed = {finding.where for finding in findings if finding.code == _CHANGED}
    for slot, csr in bundle.csrs.items():
        if slot.value in changed:
            for seat in ("A", "B"):
                yield from _type(room, slot, csr, seat)


def _type(room: Room, slot: Slot, csr: Csr, seat: str) -> Flow[None]:
    key = f"names/{slot.value}/{seat}"
    prompt = EnterText(
        key=f"import.names.{slot.value}",
        step=Step.IMPORT,
        title=f"Names of the {slot.value} certificate change",
        body=(
            Text(
                text="The CSR names other servers than the certificate of today. Type each name, "
                "in its order, from what the platform told you by other means.",
                tone=Tone.WARN,
            ),
        ),
        fields=tuple(
            Field(name=f"name{i}", label=f"DNS name {i + 1}") for i in range(len(csr.dns_names))
        ),
        officer=room.officer(seat),
        help="A gateway with a foreign name in its certificate could be anybody's.",
    )
    for _ in range(_TRIES):
        typed = yield from enter(prompt)
        names = [typed[field.name].lower() for field in prompt.fields]
        if names == [name.lower() for name in csr.dns_names]:
            room.append(Step.IMPORT, "typed", key, what=key, officer=room.officer(seat))
            return
        prompt = replace(prompt, problem="These are not the names in the CSR.")
    error = VerificationError(
        "names.mismatch",
        f"the names of the {slot.value} CSR are not those that {room.officer(seat)} expects",
        hint="Do not sign it; ask the platform for the names of its servers.",
    )
    room.refused(Step.IMPORT, error)
    raise error
