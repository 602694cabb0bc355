"""Step 5, local device CAs: a key for each, on a token, in a file, or made elsewhere."""

import base64
from pathlib import Path

from ceremony.bundle.writing import make_folder
from ceremony.config import Curve, LocalCa
from ceremony.core.findings import Finding
from ceremony.core.ports import KeyStore
from ceremony.core.text import show
from ceremony.flow.arrival import take_csr
from ceremony.flow.asking import Flow, acknowledge
from ceremony.flow.issuing import Order
from ceremony.flow.keystores import log_in, make_key, note_store, recorded_spki
from ceremony.flow.officers import check_network
from ceremony.flow.passphrases import passphrase_for
from ceremony.flow.preflight import issue_time
from ceremony.flow.prompts import Acknowledge, Facts, PickPath, Place, Step, Text
from ceremony.flow.room import Room
from ceremony.flow.root import KEYS, root_store
from ceremony.record.chain import sha256_hex
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr, check_local_ca_csr, rules_of
from ceremony.x509.issuing import Content, issuer_of, local_ca_content
from ceremony.x509.profiles import Role


def make_local_cas(room: Room) -> Flow[None]:
    """A key for each local CA of the plan; their certificates follow in the next step."""
    missing = [ca for ca in room.plan.local_ca if not room.has("done", f"key/{ca.name}")]
    for ca in missing:
        check_network(room, Step.LOCAL_CAS)
        match ca.key_store:
            case "file":
                yield from _in_file(room, ca)
            case "token":
                yield from _on_token(room, ca)
            case "csr":
                yield from _from_csr(room, ca)
    if missing:
        yield from acknowledge(_summary(room))


def key_file(room: Room, ca: LocalCa) -> Path:
    """Where a local CA's encrypted key lies until custody takes it out."""
    return room.directory / KEYS / f"local_ca-{ca.name}.key"


def local_ca_order(room: Room, ca: LocalCa, root: Certificate) -> Order:
    """Its certificate, to be signed by the root."""

    def content(serial: int) -> Content:
        return local_ca_content(
            factory=room.plan.factory,
            user_id=room.plan.owner(ca),
            spki=recorded_spki(room, ca.name),
            issuer=issuer_of(root),
            serial=serial,
            not_before=issue_time(room, root),
            days=ca.days,
            not_past=root.not_after,
        )

    return Order(role=Role.LOCAL_CA, name=ca.name, file=f"local_ca-{ca.name}.pem", content=content)


def _in_file(room: Room, ca: LocalCa) -> Flow[None]:
    path = key_file(room, ca)
    make_folder(room.directory, KEYS)
    with room.services.file_store(path) as store:
        if path.exists():
            yield from log_in(room, Step.LOCAL_CAS, store, ca.name)
        else:
            store.login((yield from passphrase_for(room, Step.LOCAL_CAS, ca.name)))
        note_store(room, Step.LOCAL_CAS, store, ca.name)
        yield from make_key(room, Step.LOCAL_CAS, store, ca.name, path.stem, "", Curve.P256)


def _on_token(room: Room, ca: LocalCa) -> Flow[None]:
    store = root_store(room) if ca.token is None else room.services.token_store(ca.token)
    with store:
        note_store(room, Step.LOCAL_CAS, store, ca.name)
        yield from log_in(room, Step.LOCAL_CAS, store, "root" if ca.token is None else ca.name)
        key_id = _key_id(room, store, ca)
        label = f"local-ca-{ca.name}"[:32]
        yield from make_key(room, Step.LOCAL_CAS, store, ca.name, label, key_id, Curve.P256)


def _key_id(room: Room, store: KeyStore, ca: LocalCa) -> str:
    """The CKA_ID that was intended, else the first free one from 10 on."""
    intent = room.find("intent", f"key/{ca.name}")
    if intent is not None:
        return str(intent.data["key_id"])
    held = store.keys()
    taken = {key.key_id for key in held}
    return next(free for number in range(0x10, 0x100) if (free := f"{number:02x}") not in taken)


def _from_csr(room: Room, ca: LocalCa) -> Flow[None]:
    def ask(offered: tuple[Place, ...], problem: str | None) -> PickPath:
        return PickPath(
            key="local_ca.csr",
            step=Step.LOCAL_CAS,
            title=f"The CSR of {ca.name}",
            body=(
                Text(
                    text="Its key was made elsewhere. Choose the CSR file that came from "
                    "there, with a sheet of words printed there."
                ),
            ),
            problem=problem,
            candidates=offered,
        )

    def check(csr: Csr) -> tuple[Finding, ...]:
        return check_local_ca_csr(csr, ca.name, rules_of(room.plan), room.plan.owner(ca))

    path, data, csr = yield from take_csr(room, ca.name, ask, check)
    _keep_csr_key(room, ca, csr.spki, data, path)


def _keep_csr_key(room: Room, ca: LocalCa, spki: bytes, data: bytes, path: str) -> None:
    record_key = f"key/{ca.name}"
    digest = sha256_hex(data)
    room.append(Step.LOCAL_CAS, "intent", record_key, store="csr", source=show(path), sha256=digest)
    room.append(
        Step.LOCAL_CAS,
        "done",
        record_key,
        spki_sha256=sha256_hex(spki),
        spki=base64.b64encode(spki).decode(),
        attributes={},
    )


def _summary(room: Room) -> Acknowledge:
    rows = [
        (ca.name, f"{ca.key_store}, key {sha256_hex(recorded_spki(room, ca.name))}")
        for ca in room.plan.local_ca
    ]
    return Acknowledge(
        key="local_cas.done",
        step=Step.LOCAL_CAS,
        title="Keys of the local device CAs",
        body=(
            Facts(caption="SHA-256 of each public key", rows=tuple(rows)),
            Text(
                text="The user id in a CA's subject becomes the owner of every device that "
                "registers with it."
            ),
        ),
        help="Their certificates are signed in the next step, behind the fence.",
    )
