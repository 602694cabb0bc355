"""Kind `export-root-key`: a root key that lives in a file leaves in fioctl's plain form.

A ceremony of its own, so that plan, officers, fence and receiver are on a record like those of
any other deed. A key on a token cannot be exported: no token gives it out.
"""

import base64
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.text import show
from ceremony.flow.arrival import take
from ceremony.flow.asking import Flow
from ceremony.flow.backup import private_copy
from ceremony.flow.custody import hand_over
from ceremony.flow.drill import take_root
from ceremony.flow.existing_root import key_file_question
from ceremony.flow.keystores import find_key, log_in
from ceremony.flow.officers import check_network, fence
from ceremony.flow.prompts import Block, Facts, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.flow.root import FILE, NAME
from ceremony.flow.sticks import KEYS, pull
from ceremony.record.chain import Line
from ceremony.x509.pem import CERTIFICATE, write_pem

KEY_FILE = "factory_ca.key"  # fioctl's name
CUSTODY = "root-plain"
_EXPORT = "export/root-key"


def export_root_key(room: Room) -> Flow[None]:
    """Root certificate, fence, then the decrypted key to a stick and to one person.

    Raises:
        VerificationError: `typeback.mismatch`.
        KeyStoreError: what the key file refuses.
    """
    if room.record.closed:
        return
    root = yield from take_root(room)
    title = "Fence: the root key leaves in plain form"
    yield from fence(room, "root-key", Step.EXPORT, title, _body(root))
    line = room.find("custody", CUSTODY)
    if line is None:
        ask = partial(key_file_question, room, Step.EXPORT)
        line = yield from take(room, Step.EXPORT, ask, partial(_receive, room, root))
    if not room.has("done", _EXPORT):
        room.append(Step.EXPORT, "done", _EXPORT, path=str(line.data["path"]))
    yield from pull(room, Step.EXPORT, KEYS)


def _receive(room: Room, root: Line, path: str) -> Flow[Line]:
    check_network(room, Step.EXPORT)
    spki = base64.b64decode(root.data["spki"])
    with private_copy(room, Path(path)) as copy, room.services.file_store(copy) as store:
        yield from log_in(room, Step.EXPORT, store, NAME)
        key = find_key(store.keys(), spki, NAME)
        if not room.has("intent", _EXPORT):
            sha256 = str(root.data["spki_sha256"])
            room.append(Step.EXPORT, "intent", _EXPORT, source=show(path), spki_sha256=sha256)
        files = partial(_files, root, store, key)
        return (yield from hand_over(room, CUSTODY, files, plain=True))


def _files(root: Line, store: KeyStore, key: KeyInfo) -> Mapping[str, bytes]:
    certificate = write_pem(base64.b64decode(root.data["der"]), CERTIFICATE)
    return {FILE: certificate, KEY_FILE: store.plain(key).reveal().encode()}


def _body(root: Line) -> tuple[Block, ...]:
    return (
        Text(
            text="Behind this fence the root key leaves the room NOT encrypted. Whoever reads "
            "that stick, once, can sign gateways and device CAs of this Factory until the root "
            "ends. Nothing takes that back.",
            tone=Tone.DANGER,
        ),
        Facts(rows=(("Root", str(root.data["subject"])), ("SHA-256", str(root.data["sha256"])))),
        Text(text=f"It is written as {KEY_FILE}, SEC1, in the form that fioctl reads."),
    )
