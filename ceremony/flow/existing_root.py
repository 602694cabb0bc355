"""Step 4 of later ceremonies: the root that the Factory has, and its key found again.

The key is the one whose public half stands in that root certificate, under the plan's
label: never one found by its id alone.
"""

import base64
from functools import partial
from pathlib import Path

from ceremony.bundle.media import read_file
from ceremony.bundle.writing import make_folder, write_file
from ceremony.core.findings import Finding
from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import KeyStoreError, VerificationError
from ceremony.flow.adoption import inventory
from ceremony.flow.arrival import CAP, take
from ceremony.flow.asking import Flow, acknowledge
from ceremony.flow.intake import Intake
from ceremony.flow.keystores import find_key, store_facts
from ceremony.flow.notes import acknowledge_findings
from ceremony.flow.officers import check_network
from ceremony.flow.prompts import (
    Acknowledge,
    Block,
    Facts,
    FindingList,
    PickPath,
    Place,
    Print,
    Step,
    Text,
    Tone,
)
from ceremony.flow.room import Room
from ceremony.flow.root import KEYS, NAME, open_root, root_store
from ceremony.flow.sticks import files_below
from ceremony.record.chain import sha256_hex
from ceremony.x509.certificate import Certificate
from ceremony.x509.checks import check_certificate
from ceremony.x509.profiles import Role


def use_root(room: Room, intake: Intake) -> Flow[Certificate]:
    """The root of the request bundle, once its key was found and its findings weighed.

    Raises:
        VerificationError: `root.key_unsupported`: no key of ours can be meant.
        KeyStoreError: `token.key_missing`, `token.label_differs`, ...
    """
    root = intake.bundle.current_root
    if root is None:
        raise LookupError("a later ceremony was let in without the Factory's root")
    if room.has("root", NAME):
        return root
    if root.curve is None:
        raise VerificationError(
            "root.key_unsupported",
            f"the Factory's root has the key {root.key}",
            hint="Use a root with a P-256 or P-384 key; others cannot sign here.",
        )
    check_network(room, Step.ROOT)
    if room.plan.root.key_store == "file":
        key, store_name = yield from _from_file(room, root)
    else:
        with root_store(room) as store:
            yield from open_root(room, Step.ROOT, store)
            key = root_key(room, store, root)
            store_name = show(store.info().name)
            yield from acknowledge(_found(root, key, store))
    yield from _weigh(room, root)
    room.append(
        Step.ROOT,
        "root",
        NAME,
        sha256=root.fingerprint.hex,
        spki_sha256=root.spki_sha256.hex,
        der=base64.b64encode(root.der).decode(),
        subject=root.subject,
        serial=str(root.serial),
        not_after=format_time(root.not_after),
        store=room.plan.root.key_store,
        token_serial=store_name if room.plan.root.key_store == "token" else "",
        label=show(key.label),
        key_id=key.key_id,
    )
    return root


def root_key(room: Room, store: KeyStore, root: Certificate) -> KeyInfo:
    """The root's key in an open store, by public key and by label.

    Raises:
        KeyStoreError: `token.key_missing`, `token.key_twice`, `token.label_differs`.
    """
    key = find_key(inventory(room, store), root.spki, NAME)
    require_label(key, room.plan.root.label)
    return key


def require_label(key: KeyInfo, label: str) -> None:
    """The root's key bears the plan's label; its id may be any.

    Raises:
        KeyStoreError: `token.label_differs`.
    """
    if key.label != label:
        raise KeyStoreError(
            "token.label_differs",
            f"the root's key has the label {show(key.label)}, the plan says {show(label)}",
            hint="Correct root.label in the plan, and have it approved.",
        )


# --- a key file ----------------------------------------------------------------------


def _from_file(room: Room, root: Certificate) -> Flow[tuple[KeyInfo, str]]:
    """A copy of the encrypted file is taken into the ceremony's folder, and leaves at the end."""

    def receive(path: str) -> Flow[tuple[KeyInfo, str]]:
        discard_key_copy(room)
        data = read_file(Path(path), CAP)
        folder = make_folder(room.directory, KEYS)
        write_file(folder, f"{room.plan.root.label}.key", data, private=True)
        with root_store(room) as store:
            yield from open_root(room, Step.ROOT, store)
            key = root_key(room, store, root)
            yield from acknowledge(_found(root, key, store))
        room.append(Step.ROOT, "key-file", NAME, source=show(path), sha256=sha256_hex(data))
        return key, show(path)

    ask = partial(key_file_question, room, Step.ROOT)
    return (yield from take(room, Step.ROOT, ask, receive))


def key_file_question(room: Room, step: Step, problem: str | None) -> PickPath:
    """Where the root's encrypted key file lies."""
    return PickPath(
        key="root.key_file",
        step=step,
        title="The root's key file",
        body=(
            Text(
                text=f"Plug in the stick that holds {room.plan.root.label}.key, encrypted, "
                "and choose the file. Its passphrase is asked for next."
            ),
        ),
        problem=problem,
        candidates=_candidates(room),
        help="A copy is used during this ceremony and removed at its end.",
    )


def _candidates(room: Room) -> tuple[Place, ...]:
    """Key files of earlier ceremonies on this laptop, then those on sticks, then the sticks."""
    name = f"{room.plan.root.label}.key"
    held = sorted(room.directory.parent.glob(f"*/{KEYS}/{name}"), reverse=True)
    files = [path for path in held if path.parent.parent != room.directory]
    sticks = room.services.places(room.plan.media.custody)
    for stick in sticks:
        files += files_below(stick.path, name)
    return (
        *(Place(path=str(path), label=f"{name} in {path.parent.name}") for path in files),
        *sticks,
    )


def discard_key_copy(room: Room) -> None:
    """Removes the copy of the root's key file that a later ceremony made."""
    (room.directory / KEYS / f"{room.plan.root.label}.key").unlink(missing_ok=True)


# --- what is shown -------------------------------------------------------------------


def _findings(room: Room, root: Certificate) -> tuple[Finding, ...]:
    recipe = room.plan.root.profile == "openssl-recipe"
    external = room.plan.root.issuer == "external"
    return check_certificate(
        root, Role.ROOT, factory=room.plan.factory, recipe=recipe, external=external
    )


def _weigh(room: Room, root: Certificate) -> Flow[None]:
    """Each way in which the root departs from the profile: it cannot be changed any more."""
    if room.has("findings", NAME):
        return
    findings = _findings(room, root)
    if findings:
        body: tuple[Block, ...] = (
            Text(
                text="The Factory's root departs from the profile of new roots. It is set and "
                "cannot be changed; weigh what follows from each finding.",
                tone=Tone.WARN,
            ),
            FindingList(findings=findings),
        )
        yield from acknowledge(
            Acknowledge(
                key="root.findings", step=Step.ROOT, title="Findings on the root", body=body
            )
        )
        yield from acknowledge_findings(room, Step.ROOT, NAME, findings)


def _found(root: Certificate, key: KeyInfo, store: KeyStore) -> Acknowledge:
    return Acknowledge(
        key="root.found",
        step=Step.ROOT,
        title="The root's key is here",
        body=(
            store_facts(store.info()),
            Facts(
                caption="Root of the Factory",
                rows=(
                    ("Subject", root.subject),
                    ("Valid until", format_time(root.not_after)),
                    ("Label", show(key.label)),
                    *((("Id", key.key_id),) if key.key_id else ()),
                    ("SHA-256 of the public key", root.spki_sha256.hex),
                ),
            ),
            Print(caption="Fingerprint of the root", fingerprint=root.fingerprint),
        ),
        help="The key was found by the public key in the root certificate of the request bundle. "
        "Compare the fingerprint with the report of the first ceremony.",
    )
