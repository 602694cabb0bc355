"""Kind `check-backup`: a restore drill. The backup of the root key is proven, years later.

The root's own key store stays in its bag. What the root is comes from its certificate, whose
words stand on the report of the ceremony that made it.
"""

import base64
from functools import partial
from pathlib import Path

from ceremony.bundle.media import read_file
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import CeremonyError, VerificationError
from ceremony.flow.arrival import CAP, prove_words, take
from ceremony.flow.asking import Flow
from ceremony.flow.backup import copies_on_record, copy_name, prove_file, prove_token
from ceremony.flow.officers import fence
from ceremony.flow.prompts import Facts, PickPath, Place, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.flow.root import FILE, NAME
from ceremony.flow.separation import keep_apart
from ceremony.flow.sticks import KEYS, files_below, keep, pull, refuse_wrong
from ceremony.record.chain import MAX_RECORD_BYTES, Line, read_lines
from ceremony.record.journal import NAME as RECORD
from ceremony.x509.certificate import Certificate, read_certificate

_NAME = "Factory-CA"  # its subject's CN, whoever made it


def check_backup(room: Room) -> Flow[None]:
    """Root certificate, fence, and the proof on each medium that the plan names.

    Raises:
        VerificationError: `typeback.mismatch`, `drill.other_factory`.
        KeyStoreError: `backup.key_differs`, `backup.same_token`.
    """
    if room.record.closed:
        return
    line = yield from take_root(room)
    spki = base64.b64decode(line.data["spki"])
    body = (
        Text(text="Behind this fence a backup of the root key signs a random challenge."),
        Text(text="Nothing is made, and nothing of it leaves the room.", tone=Tone.GOOD),
        Facts(rows=(("Root", str(line.data["subject"])), ("SHA-256", str(line.data["sha256"])))),
    )
    yield from fence(room, "check", Step.ROOT, "Fence: the root's backup", body)
    if room.plan.root.backup.method == "vendor":
        if not room.has("backup-check", "token"):
            yield from prove_token(room, Step.ROOT, spki)
        return
    for number in range(1, room.plan.root.backup.copies + 1):
        if not room.has("backup-check", copy_name(number)):
            yield from _prove_copy(room, copy_name(number), spki)


def take_root(room: Room) -> Flow[Line]:
    """The root certificate, known by its words; its line on record, once.

    Raises:
        VerificationError: `typeback.mismatch`.
    """

    def receive(path: str) -> Flow[Line]:
        certificate = _read(room, Path(path))
        paper = "report of the ceremony that made the root"
        yield from prove_words(room, Step.IMPORT, "root", paper, certificate.fingerprint)
        return room.append(
            Step.IMPORT,
            "drill",
            NAME,
            source=show(path),
            subject=certificate.subject,
            sha256=certificate.fingerprint.hex,
            spki=base64.b64encode(certificate.spki).decode(),
            spki_sha256=certificate.spki_sha256.hex,
            der=base64.b64encode(certificate.der).decode(),
            not_after=format_time(certificate.not_after),
        )

    held = room.find("drill", NAME)
    return held or (yield from take(room, Step.IMPORT, partial(_question, room), receive))


def _question(room: Room, problem: str | None) -> PickPath:
    return PickPath(
        key="drill.root",
        step=Step.IMPORT,
        title="The root certificate",
        body=(
            Text(
                text=f"Choose {FILE}: it is in the evidence and in the upload bundle of "
                "the ceremony that made the root."
            ),
        ),
        problem=problem,
        candidates=_candidates(room),
        help="It is known by its words, which stand on the report of that ceremony.",
        command=f"openssl x509 -in {FILE} -noout -fingerprint -sha256",
    )


def _read(room: Room, path: Path) -> Certificate:
    certificate = read_certificate(read_file(path, CAP), show(path.name))
    named = (certificate.common_name, certificate.organizational_unit)
    if not certificate.is_ca or named != (_NAME, room.plan.factory):
        raise VerificationError(
            "drill.other_factory",
            f"{certificate.subject} is not the root CA of {room.plan.factory}",
            hint=f"Choose {FILE} of this Factory.",
        )
    return certificate


def _candidates(room: Room) -> tuple[Place, ...]:
    """Root certificates of earlier ceremonies on this laptop, those on sticks, the sticks."""
    found = sorted(room.directory.parent.glob(f"*/certificates/{FILE}"), reverse=True)
    held = [path for path in found if not _is_destroyed(path.parent.parent)]
    sticks = room.services.places(room.plan.media.csr_in, read_only=True)
    for stick in sticks:
        held += files_below(stick.path, FILE)
    files = [Place(path=str(path), label=f"{FILE} in {path.parent.name}") for path in held]
    return (*files, *sticks)


def _is_destroyed(folder: Path) -> bool:
    """Whether the record there tells that its keys are gone; one that cannot be read tells not."""
    try:
        lines = read_lines(read_file(folder / RECORD, MAX_RECORD_BYTES))
    except CeremonyError:
        return False
    return any(line.type == "destroyed" for line in lines)


def _prove_copy(room: Room, name: str, spki: bytes) -> Flow[None]:
    file = f"{room.plan.root.label}.key"

    def question(problem: str | None) -> PickPath:
        sticks = room.services.places(room.plan.media.custody, read_only=True)
        files = [path for stick in sticks for path in files_below(stick.path, file)]
        found = tuple(Place(path=str(path), label=path.parent.name) for path in files)
        return PickPath(
            key="drill.copy",
            step=Step.ROOT,
            title=f"The copy '{name}' of the root key",
            body=(Text(text=f"Plug in the stick that holds it, and choose {file}."),),
            problem=problem,
            candidates=(*found, *sticks),
        )

    def receive(path: str) -> Flow[None]:
        refuse_wrong(room, KEYS, path)
        proven = copies_on_record(room, "backup-check")
        on = yield from keep_apart(room, Step.ROOT, name, path, proven)
        yield from prove_file(room, Step.ROOT, Path(path), spki, name, show(path), on)
        keep(room, Step.ROOT, KEYS, path)

    yield from take(room, Step.ROOT, question, receive)
    yield from pull(room, Step.ROOT, KEYS)
