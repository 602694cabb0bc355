"""Step 4, root: the fence, the key, the self-signed root certificate."""

from collections.abc import Callable
from pathlib import Path

from ceremony.bundle.writing import make_folder
from ceremony.core.findings import Finding, Severity
from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.flow.asking import Flow, acknowledge, choose
from ceremony.flow.issuing import Order, issued, propose, sign
from ceremony.flow.keystores import log_in, make_key, note_store, recorded_spki, store_facts
from ceremony.flow.notes import acknowledge_findings
from ceremony.flow.officers import SEATS, check_network, fence
from ceremony.flow.passphrases import passphrase_for
from ceremony.flow.preflight import ceremony_time
from ceremony.flow.prompts import (
    Acknowledge,
    Block,
    Choose,
    Facts,
    Option,
    Print,
    Step,
    Text,
    Tone,
    Working,
)
from ceremony.flow.room import Room
from ceremony.flow.token_setup import ready_token
from ceremony.x509.certificate import Certificate
from ceremony.x509.issuing import Content, root_content
from ceremony.x509.profiles import Role

NAME = "root"
FILE = "factory_ca.pem"
KEYS = "keys"
_HISTORY = ("CKA_LOCAL", "CKA_ALWAYS_SENSITIVE", "CKA_NEVER_EXTRACTABLE")


def make_root(room: Room) -> Flow[Certificate]:
    """The root key and its certificate, once."""
    order = root_order(room)

    def finish(store: KeyStore, key: KeyInfo) -> Flow[None]:
        yield from propose(room, Step.ROOT, order, room.plan.root.curve)
        yield Working(step=Step.ROOT, title="Signing the root certificate")
        sign(room, Step.ROOT, order, store, key, None)

    if room.has("done", order.record_key):
        return issued(room, order)
    yield from with_root_key(room, finish)
    certificate = issued(room, order)
    yield from acknowledge(root_exists("signed, checked and written", certificate))
    return certificate


def with_root_key(room: Room, finish: Callable[[KeyStore, KeyInfo], Flow[None]]) -> Flow[None]:
    """Behind the fence: the root key, made once, and what it signs first, in one session.

    Args:
        finish: has the open store and the key.
    """
    yield from _backup(room)
    yield from fence(room, "root", Step.ROOT, "Fence: the root key", _warning(room))
    check_network(room, Step.ROOT)
    yield from ready_token(room)
    with root_store(room) as store:
        yield from open_root(room, Step.ROOT, store)
        plan = room.plan.root
        key = yield from make_key(room, Step.ROOT, store, NAME, plan.label, plan.key_id, plan.curve)
        yield from _show_key(room, store, key)
        yield from _weigh_key(room, key)
        yield from finish(store, key)


def root_exists(how: str, certificate: Certificate) -> Acknowledge:
    """The end of the step: the root and its fingerprint."""
    return Acknowledge(
        key="root.done",
        step=Step.ROOT,
        title="The root exists",
        body=(
            Text(text=f"The root certificate is {how}.", tone=Tone.GOOD),
            Print(caption="Fingerprint of the root", fingerprint=certificate.fingerprint),
        ),
    )


def root_store(room: Room) -> KeyStore:
    """The key store of the root, not yet open."""
    if room.plan.root.token is not None and room.plan.root.key_store == "token":
        return room.services.token_store(room.plan.root.token)
    folder = make_folder(room.directory, KEYS)
    return room.services.file_store(folder / f"{room.plan.root.label}.key")


def open_root(room: Room, step: Step, store: KeyStore) -> Flow[None]:
    """Logs in to the root's key store; a key file that is not there yet gets a passphrase."""
    if store.info().kind == "token":
        note_store(room, step, store, NAME)
        yield from log_in(room, step, store, NAME)
        return
    path = Path(store.info().name)
    if path.exists():
        yield from log_in(room, step, store, NAME)
    else:
        store.login((yield from passphrase_for(room, step, NAME)))
    note_store(room, step, store, NAME)


def root_order(room: Room) -> Order:
    """The root's certificate."""

    def content(serial: int) -> Content:
        plan = room.plan
        return root_content(
            factory=plan.factory,
            spki=recorded_spki(room, NAME),
            serial=serial,
            not_before=ceremony_time(room),
            days=plan.root.days,
            profile=plan.root.profile,
        )

    return Order(role=Role.ROOT, name=NAME, file=FILE, content=content)


def _warning(room: Room) -> tuple[Block, ...]:
    where = "on the token" if room.plan.root.key_store == "token" else "in an encrypted file"
    return (
        Text(
            text="The root of trust of a Factory can be set ONCE. A reset goes through the "
            "platform's support and cuts off every device that trusts it.",
            tone=Tone.DANGER,
        ),
        Text(text=f"Behind this fence the root key is generated {where}."),
        Facts(
            rows=(
                ("Factory", room.plan.factory),
                ("Label, id", f"{room.plan.root.label}, {room.plan.root.key_id}"),
                ("Curve", room.plan.root.curve.value),
                ("Valid", f"{room.plan.root.days} days{_asked(room)}"),
            )
        ),
    )


def _asked(room: Room) -> str:
    return ", asked of the higher CA, which decides" if room.plan.root_below else ""


def _backup(room: Room) -> Flow[None]:
    method = room.plan.root.backup.method
    if room.has("backup", method):
        return
    if method == "none":
        for seat in SEATS:
            yield from _confirm_none(room, seat)
    room.append(Step.ROOT, "backup", method, method=method, by=list(room.officers))


def _confirm_none(room: Room, seat: str) -> Flow[None]:
    while True:
        answer = yield from choose(
            Choose(
                key=f"root.no_backup.{seat}",
                step=Step.ROOT,
                title="No backup of the root key",
                body=(
                    Text(
                        text="The plan says that the root key is kept once. If its token is lost "
                        "or breaks, no certificate of this Factory can ever be renewed: every "
                        "device is cut off when the first one ends.",
                        tone=Tone.DANGER,
                    ),
                    Text(text="This stands on the first page of the report."),
                ),
                officer=room.officer(seat),
                irreversible=True,
                options=(
                    Option(value="wait", label="Not yet", detail="Ctrl+Q leaves the ceremony"),
                    Option(value="confirm", label="I confirm: no backup"),
                ),
            )
        )
        if answer == "confirm":
            return


def _show_key(room: Room, store: KeyStore, key: KeyInfo) -> Flow[None]:
    told = {True: "yes", False: "no", None: "not reported"}
    attributes = tuple((name, told[value]) for name, value in key.attributes.items())
    yield from acknowledge(
        Acknowledge(
            key="root.key",
            step=Step.ROOT,
            title="The root key, as read back",
            body=(
                store_facts(store.info()),
                Facts(
                    caption="Key",
                    rows=(
                        ("Label", key.label),
                        *((("Id", key.key_id),) if key.key_id else ()),
                        ("Curve", key.curve.value),
                        ("SHA-256 of the public key", recorded_sha256(room)),
                        *attributes,
                    ),
                ),
            ),
        )
    )


def _weigh_key(room: Room, key: KeyInfo) -> Flow[None]:
    if room.has("findings", "key/root"):
        return
    findings = tuple(
        Finding(
            severity=Severity.WARNING,
            code="token.key_history",
            where=name,
            message=f"the token says {name} is false: it does not vouch that the key was made in "
            "it and never left it",
        )
        for name in _HISTORY
        if key.attributes.get(name) is False
    )
    yield from acknowledge_findings(room, Step.ROOT, "key/root", findings)


def recorded_sha256(room: Room) -> str:
    """Hex SHA-256 of the root's SubjectPublicKeyInfo, from the record."""
    return str(room.need("done", f"key/{NAME}").data["spki_sha256"])
