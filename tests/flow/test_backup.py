"""The backup of the root key is proven on real tokens and real files, or refused."""

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony import config
from ceremony.config import Curve, Token
from ceremony.core.ports import KeyStore
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, KeyStoreError, PlanError
from ceremony.flow import backup
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, PickPath, Step, Working
from ceremony.flow.room import Room
from ceremony.keys.token import open_token
from ceremony.practice.backup_token import clone, planned_backup
from ceremony.practice.softhsm import create_token
from tests.flow.table import Table, plan_text

PIN = Secret("1234")


def drive(flow, frontend, room: Room) -> None:
    """Answers one part of the flow."""
    answer = None
    while True:
        try:
            prompt = flow.send(answer)
        except StopIteration:
            return
        if isinstance(prompt, Working):
            answer = None
        else:
            answer = frontend.ask(prompt, room.frame(prompt.step))


def key_pair(folder: Path, name: str) -> tuple[Path, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return path, spki


def import_key(token: Token, pem: Path) -> None:
    command = ["softhsm2-util", "--import", str(pem), "--token", str(token.label)]
    subprocess.run(
        [*command, "--label", "root-ca", "--id", "01", "--pin", PIN.reveal()],
        env={"PATH": "/usr/bin:/bin", **token.module_environment},
        check=True,
        capture_output=True,
    )


def tokens_plan(media: Path, root: Token, second: Token | None) -> bytes:
    def table(name: str, token: Token) -> str:
        conf = token.module_environment["SOFTHSM2_CONF"]
        return (
            f'[{name}]\nmodule = "{token.module}"\nserial = "{token.serial}"\nsoftware = true\n'
            f'module_environment = {{ SOFTHSM2_CONF = "{conf}" }}\n'
        )

    text = plan_text(media).replace('key_store = "file"', 'key_store = "token"', 1)
    text = text.replace('method = "none"', 'method = "vendor"')
    text += "\n" + table("root.token", root)
    return (text + (table("root.backup.token", second) if second else "")).encode()


@pytest.fixture
def seat(tmp_path: Path) -> Callable[[Token, Token | None], tuple[Table, Room]]:
    """A table whose plan names two tokens; the ceremony stands before the root's backup."""

    def make(root: Token, second: Token | None) -> tuple[Table, Room]:
        media = tmp_path / "media"
        media.mkdir()
        table = Table(media)
        table.plan_file = config.parse(tokens_plan(media, root, second))
        table.papers.pin = PIN
        table.services.token_store = lambda token: open_token(  # type: ignore[method-assign]
            token, timeout_s=20, generate_timeout_s=20
        )
        room = table.sit_down()
        room.append(Step.ROOT, "token", "root", name=root.serial)
        return table, room

    return make


@pytest.fixture
def two(tmp_path: Path) -> tuple[Token, Token]:
    folder = tmp_path / "softhsm"
    folder.mkdir()
    so_pin = Secret("87654321")
    return create_token(folder, "first", so_pin, PIN), create_token(folder, "second", so_pin, PIN)


def test_two_tokens_with_one_imported_key_pair_pass(seat, two, tmp_path: Path) -> None:
    pem, spki = key_pair(tmp_path, "root")
    for token in two:
        import_key(token, pem)
    table, room = seat(*two)
    with room.record:
        drive(backup.clone_and_prove(room, spki), table.officers(), room)
        line = room.need("backup-check", "token")
    assert line.data["where"] == two[1].serial
    public = serialization.load_der_public_key(spki)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(
        base64.b64decode(line.data["signature"]),
        base64.b64decode(line.data["challenge"]),
        ec.ECDSA(hashes.SHA256()),
    )


def test_a_token_with_another_key_fails_and_nothing_says_it_passed(
    seat, two, tmp_path: Path
) -> None:
    pem, spki = key_pair(tmp_path, "root")
    other, _ = key_pair(tmp_path, "other")
    import_key(two[0], pem)
    import_key(two[1], other)
    table, room = seat(*two)
    with room.record:
        with pytest.raises(KeyStoreError) as caught:
            drive(backup.clone_and_prove(room, spki), table.officers(), room)
        assert caught.value.code == "backup.key_differs"
        assert not room.has("backup-check", "token")


def test_an_empty_backup_token_fails(seat, two, tmp_path: Path) -> None:
    _, spki = key_pair(tmp_path, "root")
    table, room = seat(*two)
    with room.record, pytest.raises(KeyStoreError) as caught:
        drive(backup.clone_and_prove(room, spki), table.officers(), room)
    assert "it holds: no key" in caught.value.message


def test_the_roots_own_token_is_no_backup(seat, two, tmp_path: Path, monkeypatch) -> None:
    pem, spki = key_pair(tmp_path, "root")
    import_key(two[0], pem)
    table, room = seat(two[0], None)
    from ceremony.practice import officers

    answers = {**officers._TEXTS, "root.backup.serial": {"serial": two[0].serial}}
    monkeypatch.setattr(officers, "_TEXTS", answers)
    with room.record, pytest.raises(KeyStoreError) as caught:
        drive(backup.clone_and_prove(room, spki), table.officers(), room)
    assert caught.value.code == "backup.same_token"


def test_a_plan_that_names_one_token_twice_is_refused(tmp_path: Path, two) -> None:
    with pytest.raises(PlanError) as caught:
        config.parse(tokens_plan(tmp_path, two[0], two[0]))
    assert "root.backup.token.serial" in caught.value.message


def test_the_practice_vendors_clone_is_another_token_with_the_same_key(tmp_path: Path) -> None:
    token = create_token(tmp_path, "root", Secret("87654321"), PIN)
    with open_token(token, timeout_s=20, generate_timeout_s=20) as store:
        store.login(PIN)
        made = store.generate("root-ca", "01", Curve.P256)
    second = planned_backup(token)
    for _ in range(2):
        clone(tmp_path, token, second)
        with open_token(second, timeout_s=20, generate_timeout_s=20) as store:
            store.login(PIN)
            held = store.keys()
            assert [key.spki for key in held] == [made.spki]
            assert store.info().name != token.serial


# --- copies in files ------------------------------------------------------------------


class Sticks:
    """Officers who put each copy of the root key on a stick of its own."""

    def __init__(self, table: Table, folders: list[Path]) -> None:
        self.officers = table.officers()
        self.folders = folders
        self.problems: list[str] = []

    def progress(self, working: Working, frame: Frame) -> None:
        pass

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if isinstance(prompt, PickPath) and "root" in prompt.title and self.folders:
            from ceremony.flow.prompts import Picked

            if prompt.problem:
                self.problems.append(prompt.problem)
            return Picked(path=str(self.folders.pop(0)))
        return self.officers.ask(prompt, frame)


def copies_table(media: Path, copies: int) -> Table:
    media.mkdir()
    table = Table(media)
    method = f'method = "file"\ncopies = {copies}'
    text = plan_text(media).replace('method = "none"', method)
    table.plan_file = config.parse(text.encode())
    table.papers.words["plan.words"] = table.plan_file.fingerprint
    shutil.rmtree(table.request)
    table.request = table.write_request()
    from ceremony.bundle.request import read_request

    table.papers.words["request.words"] = read_request(table.request).fingerprint
    return table


def test_each_copy_is_opened_from_its_own_medium(tmp_path: Path) -> None:
    table = copies_table(tmp_path / "media", 2)
    sticks = [tmp_path / "stick-1", tmp_path / "stick-2"]
    for stick in sticks:
        stick.mkdir()
    room = table.sit_down()
    same = Sticks(table, [sticks[0], sticks[0], sticks[1]])
    with room.record:
        assert run(room, same) is Outcome.CLOSED
        checked = [line.key for line in room.record.all("backup-check")]
    assert checked == ["root", "root_2"]
    assert "the copy 'root' is on this medium already" in same.problems[0]
    for stick in sticks:
        assert list(stick.glob("*/root-ca.key"))
    assert not list((table.directory / "check").iterdir())


def test_a_copy_that_went_bad_on_the_medium_is_found(tmp_path: Path) -> None:
    """The bytes on the stick are opened, not those on the laptop."""
    table = copies_table(tmp_path / "media", 1)

    class Rot(Sticks):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            if prompt.key == "root.pin" and prompt.step is Step.EXPORT:
                raise Stop
            return super().ask(prompt, frame)

    class Stop(BaseException):
        pass

    room = table.sit_down()
    with room.record, pytest.raises(Stop):
        run(room, Rot(table, []))
    (copy,) = (tmp_path / "media" / "custody").glob("*key-root*/root-ca.key")
    copy.write_bytes(copy.read_bytes().replace(b"\nM", b"\nN", 1))
    room = table.sit_down()
    with room.record, pytest.raises(CeremonyError) as caught:
        run(room, table.officers())
    assert caught.value.code.startswith("file.")
    assert not room.has("backup-check", "root")


def test_the_file_check_asks_the_store_it_was_given(tmp_path: Path) -> None:
    """A copy of some other key is refused though its passphrase opens it."""
    table = copies_table(tmp_path / "media", 1)
    opened: list[KeyStore] = []

    def wrap(store: KeyStore) -> KeyStore:
        opened.append(store)
        return store

    table.services.wrap = wrap
    room = table.sit_down()
    with room.record:
        run(room, table.officers())
        (copy,) = (tmp_path / "media" / "custody").glob("*key-root*/root-ca.key")
        _, other = key_pair(tmp_path, "other")
        with pytest.raises(KeyStoreError) as caught:
            drive(
                backup.prove_file(room, Step.EXPORT, copy, other, "x", "stick", {}),
                table.officers(),
                room,
            )
    assert caught.value.code == "backup.key_differs"
    assert any("check" in store.info().name for store in opened)
