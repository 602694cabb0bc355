"""The backup of the root key: proven, not believed.

Method `vendor`: a second token signs a random challenge with the root's key. Method `file`:
each copy is read back from its medium, opened with its passphrase, and signs one too.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from ceremony.bundle.media import read_file
from ceremony.config import Token
from ceremony.core.ports import KeyInfo, KeyStore
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.flow.asking import Flow, acknowledge, enter
from ceremony.flow.custody import hand_over
from ceremony.flow.kept import key_and_certificate
from ceremony.flow.keystores import log_in, note_store
from ceremony.flow.officers import check_network
from ceremony.flow.prompts import Acknowledge, EnterText, Facts, Field, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.flow.separation import medium
from ceremony.flow.sticks import KEYS, pull
from ceremony.record.chain import Line, sha256_hex

_CAP = 64 * 1024
_FOLDER = "check"
_ROOT = "root"
_TAG = b"ceremony: this signature proves that a backup of the root key works, nothing else\n"


def clone_and_prove(room: Room, spki: bytes) -> Flow[None]:
    """Method `vendor`: the vendor's clone step, then the proof on the backup token.

    Args:
        spki: the root's public key, DER SubjectPublicKeyInfo.
    """
    if room.plan.root.backup.method != "vendor" or room.has("backup-check", "token"):
        return
    yield from acknowledge(_clone(room))
    yield from prove_token(room, Step.ROOT, spki)


def prove_token(room: Room, step: Step, spki: bytes) -> Flow[None]:
    """The backup token signs a random challenge with the root's key, and it verifies.

    Raises:
        KeyStoreError: `backup.same_token`, `backup.key_differs`, and what the token refuses.
    """
    check_network(room, step)
    token = yield from _backup_token(room, step)
    with room.services.token_store(token) as store:
        _refuse_root_token(room, store)
        note_store(room, step, store, "backup")
        yield from log_in(room, step, store, "backup")
        _challenge(room, step, store, spki, "token", show(store.info().name))
    yield from acknowledge(_proven(room, step, "token"))


def copies(room: Room, key: Path, spki: bytes) -> Flow[None]:
    """Method `file`: each copy of the root's key file to a medium of its own, and opened."""
    if room.plan.root.backup.method != "file":
        return
    for number in range(1, room.plan.root.backup.copies + 1):
        name = copy_name(number)
        line = room.find("custody", name)
        if line is None:
            files = partial(key_and_certificate, room, _ROOT, key)
            line = yield from hand_over(room, name, files, others=copies_on_record(room, "custody"))
        if not room.has("backup-check", name):
            path = Path(str(line.data["path"])) / key.name
            on = medium(room, str(path))
            where = str(line.data["medium"])
            yield from prove_file(room, Step.EXPORT, path, spki, name, where, on)
        yield from pull(room, Step.EXPORT, KEYS)


def copy_name(number: int) -> str:
    """Name of a copy on record and in folders; no local CA can be called `root_2`."""
    return "root" if number == 1 else f"root_{number}"


def prove_file(
    room: Room,
    step: Step,
    path: Path,
    spki: bytes,
    name: str,
    where: str,
    on: Mapping[str, str],
) -> Flow[None]:
    """A key file on a medium is read, opened with its passphrase, and signs a challenge.

    Args:
        name: of the copy: key of the `backup-check` line.
        where: in words.
        on: the medium, from `separation.medium`.

    Raises:
        MediaError: it cannot be read.
        KeyStoreError: `backup.key_differs`, and what the file refuses.
    """
    check_network(room, step)
    with private_copy(room, path) as copy, room.services.file_store(copy) as store:
        yield from log_in(room, step, store, "root")
        _challenge(room, step, store, spki, name, where, on)
    yield from acknowledge(_proven(room, step, name))


@contextmanager
def private_copy(room: Room, path: Path) -> Iterator[Path]:
    """The bytes of a key file on a medium, where a key file may be opened: sticks know no modes."""
    data = read_file(path, _CAP)
    folder = room.directory / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    copy = folder / path.name
    copy.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(copy, flags, 0o600), "wb") as file:
        file.write(data)
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def copies_on_record(room: Room, kind: str) -> tuple[Line, ...]:
    """Lines of that type on copies of the root's key file."""
    return tuple(line for line in room.record.all(kind) if line.key.split("_")[0] == "root")


def _backup_token(room: Room, step: Step) -> Flow[Token]:
    root = room.plan.root
    if root.backup.token is not None:
        return root.backup.token
    if root.token is None:
        raise LookupError("a vendor's backup without a token of the root")
    values = yield from enter(
        EnterText(
            key="root.backup.serial",
            step=step,
            title="The backup token",
            body=(Text(text="Plug it in. Its serial number is printed on it."),),
            fields=(Field(name="serial", label="Serial number of the backup token"),),
            help="The plan does not name it. It must be another token than the root's.",
        )
    )
    return msgspec.structs.replace(root.token, serial=values["serial"], label=None)


def _refuse_root_token(room: Room, store: KeyStore) -> None:
    first, planned = room.find("token", "root"), room.plan.root.token
    own = {first.data["name"]} if first is not None else set()
    serial = show(store.info().name)
    if serial in own or (planned is not None and planned.serial == store.info().name):
        raise KeyStoreError(
            "backup.same_token",
            f"token {serial} is the root's own token, not its backup",
            hint="Put in the backup token; its serial number is another one.",
        )


def _challenge(
    room: Room,
    step: Step,
    store: KeyStore,
    spki: bytes,
    name: str,
    where: str,
    on: Mapping[str, str] | None = None,
) -> None:
    held = store.keys()
    matches = [key for key in held if key.spki == spki]
    if len(matches) != 1:
        raise _differs(where, spki, held)
    challenge = _TAG + room.ceremony_id.encode() + b"\n" + room.services.randbytes(32)
    # The port's contract: `sign` returns only what verifies with the key's public half,
    # and that is the root's, byte by byte.
    signature = store.sign(matches[0], challenge)
    room.append(
        step,
        "backup-check",
        name,
        where=where,
        on=on,
        spki_sha256=sha256_hex(spki),
        challenge=base64.b64encode(challenge).decode(),
        signature=base64.b64encode(signature).decode(),
        attributes=dict(matches[0].attributes),
        by=list(room.officers),
    )


def _differs(where: str, spki: bytes, held: tuple[KeyInfo, ...]) -> KeyStoreError:
    there = ", ".join(f"{show(k.label)} {sha256_hex(k.spki)[:16]}" for k in held) or "no key"
    return KeyStoreError(
        "backup.key_differs",
        f"{where} does not hold the root key {sha256_hex(spki)[:16]} exactly once; it holds: "
        f"{there}",
        hint="Clone the root key again by the vendor's procedure, or put in the right medium.",
    )


def _clone(room: Room) -> Acknowledge:
    token = room.plan.root.backup.token
    named = "another serial number" if token is None else _named(token)
    return Acknowledge(
        key="root.backup.clone",
        step=Step.ROOT,
        title="Clone the root key",
        body=(
            Text(
                text="Copy the root key to the backup token now, by the vendor's own procedure. "
                "This program cannot do it, and does not believe it: the backup token will sign "
                "a random challenge next."
            ),
            Facts(
                rows=(
                    ("Backup token", named),
                    ("SmartCard-HSM, Nitrokey HSM", "wrap with the DKEK, unwrap on the other"),
                    ("YubiHSM 2", "export and import under the wrap key"),
                    ("Luna, nShield, others", "the vendor's clone or backup command"),
                )
            ),
        ),
        action="It is cloned",
        help="The backup scheme (DKEK, wrap key, domain) is set when a token is initialised. If "
        "the two tokens do not share it, the key cannot be cloned: leave, and plan again before "
        "the root is given to the platform.",
    )


def _named(token: Token) -> str:
    return show(f"serial {token.serial}" if token.serial else f"label {token.label}")


def _proven(room: Room, step: Step, name: str) -> Acknowledge:
    line = room.need("backup-check", name)
    return Acknowledge(
        key="root.backup.proven",
        step=step,
        title="The backup works",
        body=(
            Text(text="It signed a random challenge with the root key.", tone=Tone.GOOD),
            Facts(
                rows=(
                    ("On", str(line.data["where"])),
                    ("SHA-256 of the public key", str(line.data["spki_sha256"])),
                )
            ),
            Text(text="Take it out now, into its bag, apart from the root's own."),
        ),
    )
