"""Step 8, export: the fence, the upload bundle on its stick, its words on paper, custody."""

from collections.abc import Mapping
from functools import partial

from ceremony.bundle.contents import DEVICE_CA_ROLES
from ceremony.bundle.upload import Issued, upload_files, upload_name
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.times import parse_time
from ceremony.flow.asking import Flow
from ceremony.flow.backup import copies
from ceremony.flow.current import list_change
from ceremony.flow.custody import hand_over
from ceremony.flow.kept import key_and_certificate
from ceremony.flow.keystores import recorded_spki
from ceremony.flow.local_cas import key_file
from ceremony.flow.officers import fence
from ceremony.flow.parcels import Parcel, carry_out
from ceremony.flow.prompts import (
    Acknowledge,
    Block,
    Facts,
    PickPath,
    Print,
    Step,
    Text,
    Tone,
)
from ceremony.flow.room import Room
from ceremony.flow.root import KEYS
from ceremony.flow.root import NAME as ROOT
from ceremony.flow.sticks import KEYS as KEY_STICK
from ceremony.flow.sticks import SIGNED_OUT, pull
from ceremony.flow.work import Work
from ceremony.kinds import facts_of
from ceremony.x509.profiles import Role


def export(room: Room, work: Work) -> Flow[None]:
    """The upload bundle, read back and proven on paper; then the keys that leave in files."""
    yield from fence(room, "export", Step.EXPORT, "Fence: export", _what_leaves(room, work))
    work.upload = yield from carry_out(room, _parcel(room, work))
    yield from _custody(room)


def _custody(room: Room) -> Flow[None]:
    for ca in room.plan.local_ca:
        if ca.key_store == "file" and not room.has("custody", ca.name):
            files = partial(key_and_certificate, room, ca.name, key_file(room, ca))
            yield from hand_over(room, ca.name, files)
            yield from pull(room, Step.EXPORT, KEY_STICK)
    if room.plan.root.backup.method == "file" and facts_of(room.plan.kind).makes_root:
        key = room.directory / KEYS / f"{room.plan.root.label}.key"
        yield from copies(room, key, recorded_spki(room, ROOT))


def bundle_name(room: Room) -> str:
    """Name of the upload bundle's folder."""
    return upload_name(room.plan.factory, room.ceremony_id)


def _what_leaves(room: Room, work: Work) -> tuple[Block, ...]:
    blocks: list[Block] = [
        Text(text="Certificates leave the room on a stick. No key and no name of a person does."),
        Facts(
            rows=(
                ("Bundle", bundle_name(room)),
                ("Certificates", ", ".join(item.name for item in work.certificates) or "none"),
                *((("CRL", f"number {work.crl.number}"),) if work.crl is not None else ()),
                ("Sets at the Factory", ", ".join(facts_of(room.plan.kind).fields) or "nothing"),
            )
        ),
    ]
    new = {
        one.name: one.certificate.subject
        for one in work.certificates
        if one.role.value in DEVICE_CA_ROLES
    }
    if new and "ca-crt" in facts_of(room.plan.kind).fields:
        blocks.append(list_change(work.intake.bundle, new))
    return tuple(blocks)


def _parcel(room: Room, work: Work) -> Parcel:
    def build(created_at: str, head: str) -> Mapping[str, bytes]:
        request = room.need("request", "request")
        return upload_files(
            plan=room.plan,
            ceremony_id=room.ceremony_id,
            created_at=parse_time(created_at),
            plan_sha256=room.plan_file.fingerprint.hex,
            request_sha256=str(request.data["fingerprint"]),
            record_head=head,
            issued=[Issued(role=Role.ROOT, name=ROOT, certificate=work.root), *work.certificates],
            existing_device_cas=work.intake.bundle.current_device_cas,
            crl=work.crl,
            root_chain=work.above,
        )

    return Parcel(
        what="upload",
        step=Step.EXPORT,
        name=bundle_name(room),
        stick=SIGNED_OUT,
        first=room.plan.media.signed_out,
        ask=partial(_stick, room),
        words=_on_paper,
        build=build,
    )


def _on_paper(fingerprint: Fingerprint, path: str) -> Acknowledge:
    return Acknowledge(
        key="export.words",
        step=Step.EXPORT,
        title="Words of the upload bundle, for paper",
        body=(
            Text(
                text="Copy lines A to H to the sheet, each officer checking the other. The "
                "person at the online machine types words from this sheet.",
                tone=Tone.WARN,
            ),
            Print(caption="Upload bundle", fingerprint=fingerprint),
            Facts(rows=(("On the stick", path),)),
        ),
        action="It is on paper",
        help="The next screen asks for four of the words from each officer, and no longer "
        "shows them.",
    )


def _stick(room: Room, first: str | None, problem: str | None) -> PickPath:
    return PickPath(
        key="export.path",
        step=Step.EXPORT,
        title="The stick for the online machine",
        body=(
            Text(
                text=f"Plug in the stick SIGNED OUT. The folder {bundle_name(room)} is written "
                "to it."
            ),
        ),
        problem=problem,
        candidates=room.services.places(first),
        help="The folder is written completely or not at all, and every byte is read back from "
        "the medium.",
    )
