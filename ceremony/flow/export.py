"""Step 8, export: the fence, the upload bundle on its stick, its words on paper, custody."""

from collections.abc import Mapping
from pathlib import Path

from ceremony.bundle.contents import DEVICE_CA_ROLES
from ceremony.bundle.qr import qr_png
from ceremony.bundle.upload import Issued, upload_files, upload_name
from ceremony.bundle.writing import read_back, write_directory, write_file
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.core.times import format_time, parse_time
from ceremony.core.typeback import Policy
from ceremony.errors import MediaError
from ceremony.flow.asking import Flow, acknowledge, pick
from ceremony.flow.backup import copies
from ceremony.flow.current import list_change
from ceremony.flow.custody import hand_over
from ceremony.flow.issuing import FOLDER as CERTIFICATES
from ceremony.flow.keystores import recorded_spki
from ceremony.flow.local_cas import key_file
from ceremony.flow.officers import fence
from ceremony.flow.prompts import (
    Acknowledge,
    Block,
    Facts,
    PickPath,
    Print,
    Step,
    Text,
    Tone,
    Working,
)
from ceremony.flow.room import Room
from ceremony.flow.root import FILE as ROOT_FILE
from ceremony.flow.root import KEYS
from ceremony.flow.root import NAME as ROOT
from ceremony.flow.sticks import KEYS as KEY_STICK
from ceremony.flow.sticks import SIGNED_OUT, keep, pull, refuse_wrong
from ceremony.flow.words import type_back
from ceremony.flow.work import Work
from ceremony.kinds import facts_of
from ceremony.record.chain import Line
from ceremony.x509.profiles import Role

_UPLOAD = "export/upload"


def export(room: Room, work: Work) -> Flow[None]:
    """The upload bundle, read back and proven on paper; then the keys that leave in files."""
    yield from fence(room, "export", Step.EXPORT, "Fence: export", _what_leaves(room, work))
    work.upload = yield from _upload(room, work)
    yield from pull(room, Step.EXPORT, SIGNED_OUT)
    yield from _custody(room)


def _custody(room: Room) -> Flow[None]:
    certificates = room.directory / CERTIFICATES
    for ca in room.plan.local_ca:
        if ca.key_store == "file" and not room.has("custody", ca.name):
            certificate = certificates / f"local_ca-{ca.name}.pem"
            yield from hand_over(room, ca.name, key_file(room, ca), certificate)
            yield from pull(room, Step.EXPORT, KEY_STICK)
    if room.plan.root.backup.method == "file" and facts_of(room.plan.kind).makes_root:
        key = room.directory / KEYS / f"{room.plan.root.label}.key"
        yield from copies(room, key, certificates / ROOT_FILE, recorded_spki(room, ROOT))


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


def _upload(room: Room, work: Work) -> Flow[Fingerprint]:
    done = room.find("done", _UPLOAD)
    if done is None:
        done = yield from _write_upload(room, work)
    fingerprint = Fingerprint.from_hex(done.data["fingerprint"])

    def show_again() -> Flow[None]:
        yield from acknowledge(_on_paper(fingerprint, str(done.data["path"])))

    if not room.has("proof", "upload"):
        yield from show_again()
        yield from type_back(
            room,
            step=Step.EXPORT,
            what="upload",
            paper="sheet of words that you have just written",
            value=fingerprint,
            policy=Policy.PROOF,
            show_again=show_again,
        )
        room.append(Step.EXPORT, "proof", "upload", by=list(room.officers))
    return fingerprint


def _write_upload(room: Room, work: Work) -> Flow[Line]:
    problem = None
    while True:
        intent = room.find("intent", _UPLOAD)
        path = yield from _stick(
            room,
            "export.path",
            "The stick for the online machine",
            f"Plug in the stick SIGNED OUT. The folder {bundle_name(room)} is written to it.",
            room.plan.media.signed_out if intent is None else str(intent.data["parent"]),
            problem,
        )
        try:
            refuse_wrong(room, SIGNED_OUT, path)
        except MediaError as exc:
            room.refused(Step.EXPORT, exc)
            problem = f"{exc} {exc.hint}"
            continue
        if intent is None or intent.data["parent"] != path:
            intent = _intend(room, work, path)
        files = _files(room, work, intent)
        yield Working(step=Step.EXPORT, title="Writing the stick and reading it back")
        try:
            target, how = _place(Path(path), bundle_name(room), files)
        except MediaError as exc:
            room.refused(Step.EXPORT, exc)
            problem = f"{exc} {exc.hint}"
            continue
        keep(room, Step.EXPORT, SIGNED_OUT, path)
        return room.append(
            Step.EXPORT,
            "done",
            _UPLOAD,
            path=show(str(target)),
            fingerprint=intent.data["fingerprint"],
            read_back=how,
        )


def _intend(room: Room, work: Work, parent: str) -> Line:
    head = room.record.head.hex
    created_at = format_time(room.services.clock.now())
    files = _build(room, work, created_at, head)
    return room.append(
        Step.EXPORT,
        "intent",
        _UPLOAD,
        parent=parent,
        path=show(f"{parent}/{bundle_name(room)}"),
        created_at=created_at,
        record_head=head,
        fingerprint=Fingerprint.of(files["SHA256SUMS"]).hex,
    )


def _files(room: Room, work: Work, intent: Line) -> Mapping[str, bytes]:
    return _build(room, work, str(intent.data["created_at"]), str(intent.data["record_head"]))


def _build(room: Room, work: Work, created_at: str, head: str) -> Mapping[str, bytes]:
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
    )


def _place(parent: Path, name: str, files: Mapping[str, bytes]) -> tuple[Path, str]:
    target = parent / name
    if not target.exists():
        write_directory(parent, name, files)
    read_back(target, files)
    write_file(parent, f"{name}.qr.png", qr_png(Fingerprint.of(files["SHA256SUMS"]).hex.upper()))
    return target, "page cache dropped, every file read again and compared"


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


def _stick(
    room: Room, key: str, title: str, text: str, first: str | None, problem: str | None
) -> Flow[str]:
    return (
        yield from pick(
            PickPath(
                key=key,
                step=Step.EXPORT,
                title=title,
                body=(Text(text=text),),
                problem=problem,
                candidates=room.services.places(first),
                help="The folder is written completely or not at all, and every byte is read "
                "back from the medium.",
            )
        )
    )
