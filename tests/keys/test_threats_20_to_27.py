"""What a token does to a whole ceremony: SoftHSM2, NSS softokn, and a module that spoils."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ceremony.config import Curve, Token
from ceremony.core.ports import KeyObject, KeyStore, PinState, StoreInfo
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    EnterSecret,
    Frame,
    SecretEntered,
)
from ceremony.keys import protocol
from ceremony.keys.process import ModuleProcess
from ceremony.keys.token import open_token
from ceremony.offline.inventory import token_rows
from ceremony.practice.softhsm import create_token
from ceremony.record.chain import Line
from tests.flow.conftest import cheap_passwords  # noqa: F401 - a fixture
from tests.flow.memory import MemoryServices, MemoryToken, memory_table, token_plan
from tests.flow.sittings import Patient, Watched, second_tbs
from tests.flow.table import Table, TableServices

PIN, NSS_PIN, SO_PIN = Secret("1234"), Secret("Practice.123"), Secret("87654321")


@dataclass
class Services(TableServices):
    """The table's ports, with the plan's own token, or the one that is in its place."""

    instead: Token | None = None
    opened: list[str] = field(default_factory=list)
    timeout_s: float = 20

    def token_store(self, token: Token) -> KeyStore:
        found = self.instead or token
        self.opened.append(found.module)
        return open_token(found, timeout_s=self.timeout_s, generate_timeout_s=self.timeout_s)

    def blank_token(self, token: Token) -> StoreInfo | None:
        return None


def table_with(media: Path, token: Token, pin: Secret, requests: str = '"tls"') -> Table:
    media.mkdir()
    table = Table(media, plan=token_plan(media, token, requests))
    table.papers.pin = pin
    table.services = Services(media)
    return table


def sit(table: Table, **acts: Callable[[AnyPrompt], Answer]) -> Watched:
    officers = Watched(table, {key.replace("_", "."): act for key, act in acts.items()})
    room = table.sit_down()
    with room.record:
        assert run(room, officers) is Outcome.CLOSED
    return officers


def stopped(table: Table, **acts: Callable[[AnyPrompt], Answer]) -> str:
    """The code at which the officers left; it is on the record too."""
    with pytest.raises(CeremonyError) as caught:
        sit(table, **acts)
    last = next(line for line in reversed(lines(table)) if line.type != "paper")
    assert (last.type, last.key) == ("stop", caught.value.code)
    return caught.value.code


def lines(table: Table) -> tuple[Line, ...]:
    from ceremony.record.chain import read_lines

    return read_lines((table.directory / "record.jsonl").read_bytes())


def done(table: Table) -> list[str]:
    return [line.key for line in lines(table) if line.type == "done"]


def cut_at(code: str) -> Callable[[AnyPrompt], Answer]:
    """Officers who end the program at a question."""

    def act(_: AnyPrompt) -> Answer:
        raise KeyboardInterrupt(code)

    return act


def leave_at(table: Table, key: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        sit(table, **{key.replace(".", "_"): cut_at(key)})


@pytest.fixture
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    """A table with a real token: `softhsm` or `nss`."""
    token: Token = request.getfixturevalue(request.param)
    return table_with(tmp_path / "media", token, PIN if request.param == "softhsm" else NSS_PIN)


@pytest.mark.parametrize("real", ["softhsm", "nss"], indirect=True)
def test_24_a_token_that_does_not_vouch_for_its_key_is_on_record_and_serves(real: Table) -> None:
    sit(real)
    keys = next(line for line in lines(real) if (line.type, line.key) == ("done", "key/root"))
    found = [line.key for line in lines(real) if line.type == "findings"]
    assert ("key/root" in found) == (keys.data["attributes"]["CKA_LOCAL"] is False)
    assert second_tbs_of(real) == 0


def second_tbs_of(table: Table) -> int:
    from tests.flow.sittings import Sittings

    return second_tbs(Sittings(table, lambda _: None, list))


@pytest.fixture
def memory(tmp_path: Path) -> tuple[Table, MemoryToken]:
    return memory_table(tmp_path)


@pytest.mark.parametrize(("label", "key_id"), [("root-ca", "07"), ("other", "01")])
def test_20_a_key_with_the_label_or_id_stops_and_nothing_is_made(
    memory: tuple[Table, MemoryToken], label: str, key_id: str
) -> None:
    table, token = memory
    token.plant(label, key_id)
    assert stopped(table) == "token.label_taken"
    assert len(token.keys) == 1
    assert label in next(line for line in lines(table) if line.type == "stop").data["message"]


def test_20_a_second_key_of_the_label_planted_between_runs_stops(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    leave_at(table, "sign.phrase.A")
    token.plant("root-ca", "02")
    assert stopped(table) == "token.key_unexplained"
    assert done(table) == ["key/root", "certificate/root", "key/line-1"]


def test_20_a_root_that_is_not_the_certificates_does_not_sign(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    leave_at(table, "sign.phrase.A")
    token.keys.clear()
    token.plant("root-ca", "01")
    assert stopped(table) == "token.key_unexplained"
    token.keys.clear()
    assert stopped(table) == "token.key_missing"
    assert "certificate/tls" not in done(table)


def cut_in_generation(table: Table, token: MemoryToken) -> None:
    """The key is on the token, and its done line is not on the record."""

    class Cut(KeyboardInterrupt):
        pass

    class Cutting(type(table.services.token_store(table.plan_file.plan.root.token))):  # type: ignore[misc]
        def generate(self, label, key_id, curve):  # type: ignore[no-untyped-def]
            super().generate(label, key_id, curve)
            raise Cut

    services = table.services
    whole = services.token_store
    services.token_store = lambda _: Cutting(token)  # type: ignore[method-assign]
    with pytest.raises(Cut):
        sit(table)
    services.token_store = whole  # type: ignore[method-assign]


def choose(value: str) -> Callable[[AnyPrompt], Answer]:
    return lambda _: Chosen(value=value)


def test_20_a_key_that_a_cut_left_is_taken_only_by_both_officers(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    cut_in_generation(table, token)
    assert stopped(table, key_adopt_B=choose("stop")) == "token.key_refused"
    officers = sit(table)
    asked = [prompt.key for prompt in officers.prompts]
    assert asked.count("key.adopt.A") == asked.count("key.adopt.B") == 1
    (adopted,) = [line for line in lines(table) if line.type == "adopted"]
    assert len(adopted.data["by"]) == 2
    assert len(token.keys) == 1


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"CKA_SENSITIVE": True, "CKA_EXTRACTABLE": True, "CKA_SIGN": True}, "token.attributes"),
        ({"CKA_SENSITIVE": False, "CKA_EXTRACTABLE": False, "CKA_SIGN": True}, "token.attributes"),
    ],
)
def test_24_a_planted_key_with_weaker_attributes_is_never_adopted(
    memory: tuple[Table, MemoryToken], attributes: dict[str, bool | None], code: str
) -> None:
    table, token = memory
    cut_in_generation(table, token)
    token.keys.clear()
    token.plant("root-ca", "01", attributes)
    assert stopped(table) == code
    assert "key/root" not in done(table)


def test_20_two_keys_where_one_was_intended_are_no_choice(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    cut_in_generation(table, token)
    token.plant("root-ca", "01")
    assert stopped(table) == "token.key_unexplained"


def test_21_a_token_of_the_same_label_put_in_between_runs_gets_no_pin_and_no_key(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    cut_in_generation(table, token)
    other = MemoryToken(serial="M2", label=token.label)
    table.services.memory = other  # type: ignore[attr-defined]
    officers: list[str] = []

    def pin(prompt: AnyPrompt) -> Answer:
        officers.append(prompt.key)
        return SecretEntered(secret=token.pin)

    assert stopped(table, root_pin=pin) == "token.other"
    assert officers == []
    assert other.keys == []
    table.services.memory = token  # type: ignore[attr-defined]
    sit(table)
    assert len(token.keys) == 1


def test_21_on_a_real_module_two_tokens_of_one_label_are_told_apart(tmp_path: Path) -> None:
    store = tmp_path / "tokens-of-softhsm"
    first = create_token(store, "practice", SO_PIN, PIN)
    shutil.move(store / "tokens", tmp_path / "first")
    create_token(store, "practice", SO_PIN, PIN)
    shutil.move(store / "tokens", tmp_path / "second")
    shutil.copytree(tmp_path / "first", store / "tokens")
    by_label = Token(
        module=first.module, label="practice", module_environment=first.module_environment
    )
    table = table_with(tmp_path / "media", by_label, PIN)
    leave_at(table, "sign.phrase.A")
    shutil.rmtree(store / "tokens")
    shutil.copytree(tmp_path / "second", store / "tokens")
    assert stopped(table) == "token.other"


def test_22_after_two_wrong_pins_both_officers_agree_to_another(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    typed = [Secret("77777771"), Secret("77777772"), token.pin, token.pin]

    def pin(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, EnterSecret)
        token.pin_state = PinState.COUNT_LOW
        return SecretEntered(secret=typed.pop(0))

    def again(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, Choose)
        assert any("count low" in str(block) for block in prompt.body)
        return Chosen(value="again")

    officers = sit(table, root_pin=pin, pin_again_A=again, pin_again_B=again)
    asked = [prompt.key for prompt in officers.prompts]
    assert asked.count("pin.again.A") == asked.count("pin.again.B") == 1
    raw = (table.directory / "record.jsonl").read_text()
    assert raw.count("token.pin_wrong") == 2
    for secret in ("7777777", token.pin.reveal()):
        assert not [p for p in table.media.rglob("*") if p.is_file() and found(p, secret)]


def found(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()


def test_22_one_officer_who_says_stop_is_enough(memory: tuple[Table, MemoryToken]) -> None:
    table, token = memory

    def wrong(_: AnyPrompt) -> Answer:
        return SecretEntered(secret=Secret("77777771"))

    acts = {"root_pin": wrong, "pin_again_A": choose("again"), "pin_again_B": choose("stop")}
    assert stopped(table, **acts) == "token.pin_tries"
    assert token.keys == []


@pytest.mark.parametrize("way", [Command.BACK, Command.QUIT])
def test_22_who_goes_back_or_leaves_begins_no_new_count_of_wrong_pins(
    memory: tuple[Table, MemoryToken], way: Command
) -> None:
    table, _ = memory
    typed = 0

    class Alone(Patient):
        """One who types a wrong PIN and leaves the question, again and again."""

        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            nonlocal typed
            if prompt.key.startswith("pin.again"):
                raise KeyboardInterrupt
            if prompt.key == "root.pin":
                assert typed < 3, "nobody else was asked"
                if prompt.problem is not None and "PIN is wrong" in prompt.problem:
                    return way
                typed += 1
                return SecretEntered(secret=Secret("77777771"))
            return super().ask(prompt, frame)

    def try_on() -> None:
        while True:
            room = table.sit_down()
            with room.record:
                assert run(room, Alone(table)) is Outcome.QUIT

    with pytest.raises(KeyboardInterrupt):
        try_on()
    assert typed == 2
    assert [line.key for line in lines(table)].count("token.pin_wrong") == 2


def test_22_a_locked_pin_is_said_before_one_is_typed(
    spoiled: Callable[[str], Token], tmp_path: Path
) -> None:
    table = table_with(tmp_path / "media", spoiled("pin-locked"), PIN)
    asked: list[str] = []

    def pin(prompt: AnyPrompt) -> Answer:
        asked.append(prompt.key)
        return SecretEntered(secret=PIN)

    assert stopped(table, root_pin=pin) == "token.pin_locked"
    assert asked == []


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        ("crash", {"token.module_crashed"}),
        ("wrong-signature", {"token.signature_wrong"}),
        ("hang", {"token.timeout"}),
        ("crash-generate", {"token.module_crashed"}),
        ("hang-generate", {"token.timeout"}),
        ("device-error", {"token.device"}),
    ],
)
def test_23_a_module_that_fails_is_an_error_and_the_resume_has_one_root(
    softhsm: Token, spoiled: Callable[[str], Token], tmp_path: Path, mode: str, codes: set[str]
) -> None:
    table = table_with(tmp_path / "media", softhsm, PIN)
    services = table.services
    assert isinstance(services, Services)
    services.instead, services.timeout_s = spoiled(mode), 1.5
    assert stopped(table) in codes
    assert not list(table.media.rglob("*.pem"))
    services.instead, services.timeout_s = None, 20
    sit(table)
    with open_token(softhsm, timeout_s=20, generate_timeout_s=20) as store:
        store.login(PIN)
        assert [key.label for key in store.keys()] == ["root-ca"]  # noqa: SIM118
    assert second_tbs_of(table) == 0


def whole_and_torn(token: Token) -> tuple[list[str], int]:
    """Labels of the keys, and how many objects there are in all."""
    with open_token(token, timeout_s=20, generate_timeout_s=20) as store:
        store.login(PIN)
        found = store.keys()
        return [key.label for key in found], len(store.objects("root-ca", "01"))


@pytest.mark.parametrize("mode", ["half-public", "half-private"])
def test_28_half_a_key_pair_is_told_destroyed_by_both_officers_and_made_anew(
    softhsm: Token, spoiled: Callable[[str], Token], tmp_path: Path, mode: str
) -> None:
    table = table_with(tmp_path / "media", softhsm, PIN)
    services = table.services
    assert isinstance(services, Services)
    services.instead = spoiled(mode)
    assert stopped(table) == "token.module_crashed"
    services.instead = None
    assert whole_and_torn(softhsm) == ([], 1)
    leave_at(table, "remains.phrase.B")
    assert whole_and_torn(softhsm) == ([], 1)
    officers = sit(table)
    asked = [prompt.key for prompt in officers.prompts]
    assert asked.count("remains.phrase.A") == asked.count("remains.phrase.B") == 1
    assert whole_and_torn(softhsm) == (["root-ca"], 2)
    exception = [line for line in lines(table) if line.type == "exception"][-1]
    half = mode.removeprefix("half-")
    assert f"{half} key, label root-ca, id 01" in exception.data["what"]
    assert "remains/root/1" in done(table)
    assert second_tbs_of(table) == 0


@pytest.mark.parametrize("size", [32, 128, 320])
def test_28_a_private_object_cut_off_in_the_modules_own_write_goes_with_its_public_half(
    softhsm: Token, spoiled: Callable[[str], Token], tmp_path: Path, size: int
) -> None:
    table = table_with(tmp_path / "media", softhsm, PIN)
    services = table.services
    assert isinstance(services, Services)
    services.instead = spoiled("crash-generate")
    assert stopped(table) == "token.module_crashed"
    services.instead = None
    objects = [path for path in tmp_path.rglob("*.object") if path.name != "token.object"]
    with max(objects, key=lambda path: path.stat().st_size).open("r+b") as private:
        private.truncate(size)
    sit(table)
    assert whole_and_torn(softhsm) == (["root-ca"], 2)


@pytest.mark.parametrize("half", ["public", "private"])
def test_20_half_a_key_that_was_there_before_stops_and_is_never_called_ours(
    softhsm: Token, spoiled: Callable[[str], Token], tmp_path: Path, half: str
) -> None:
    with open_token(spoiled(f"half-{half}"), timeout_s=20, generate_timeout_s=20) as store:
        store.login(PIN)
        with pytest.raises(CeremonyError):
            store.generate("root-ca", "01", Curve.P256)
    table = table_with(tmp_path / "media", softhsm, PIN)
    assert stopped(table) == "token.label_taken"
    assert stopped(table) == "token.label_taken"
    assert "key/root" not in [line.key for line in lines(table) if line.type == "intent"]
    assert whole_and_torn(softhsm) == ([], 1)


@pytest.mark.parametrize(
    ("label", "key_id", "key_type"),
    [("root-ca", "07", "EC"), ("root-ca", "01", "RSA"), ("other", "01", "EC")],
)
def test_20_what_is_found_after_a_cut_and_was_not_intended_is_left_alone(
    memory: tuple[Table, MemoryToken], label: str, key_id: str, key_type: str
) -> None:
    table, token = memory
    cut_in_generation(table, token)
    token.keys.clear()
    strange = KeyObject(kind="public", label=label, key_id=key_id, key_type=key_type)
    token.halves.append(strange)
    assert stopped(table) == "token.key_unexplained"
    assert token.halves == [strange]


def test_20_a_nameless_object_goes_only_if_there_was_none_before(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    foreign = KeyObject(kind="public", label="", key_id="", key_type="EC")
    token.halves.append(foreign)
    cut_in_generation(table, token)
    token.keys.clear()
    token.halves.append(KeyObject(kind="private", label="root-ca", key_id="", key_type=""))
    sit(table)
    assert token.halves == [foreign]


@pytest.mark.parametrize(
    ("mode", "code"), [("swapped", "token.changed"), ("gone", "token.removed")]
)
def test_21_the_token_is_looked_at_before_each_signature_of_a_ceremony(
    softhsm: Token, spoiled: Callable[[str], Token], tmp_path: Path, mode: str, code: str
) -> None:
    requests = '"tls", "online-ca", "est-tls"'
    table = table_with(tmp_path / "media", softhsm, PIN, requests)
    leave_at(table, "sign.phrase.A")
    services = table.services
    assert isinstance(services, Services)
    services.instead = spoiled(mode)
    assert stopped(table) == code
    before = done(table)
    assert before[-1].startswith("certificate/")
    assert "certificate/line-1" not in before
    services.instead = None
    sit(table)
    assert done(table)[: len(before)] == before
    assert second_tbs_of(table) == 0


def test_23_a_token_that_is_pulled_and_returned_goes_on(softhsm: Token, tmp_path: Path) -> None:
    table = table_with(tmp_path / "media", softhsm, PIN)
    leave_at(table, "sign.phrase.A")
    tokens = next(tmp_path.rglob("softhsm2.conf")).parent / "tokens"
    tokens.rename(tmp_path / "pulled")
    tokens.mkdir()
    assert stopped(table) == "token.missing"
    tokens.rmdir()
    (tmp_path / "pulled").rename(tokens)
    sit(table)
    assert second_tbs_of(table) == 0


def module_copy(token: Token, folder: Path, mode: int) -> Token:
    copy = folder / "libcopy.so"
    shutil.copy(token.module, copy)
    copy.chmod(mode)
    return Token(module=str(copy), serial=token.serial, module_environment=token.module_environment)


@pytest.mark.parametrize("change", ["writable", "hash"])
def test_25_a_module_that_others_may_write_or_that_is_another_is_not_loaded(
    softhsm: Token, tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "module"
    folder.mkdir()
    token = module_copy(softhsm, folder, 0o777 if change == "writable" else 0o755)
    if change == "hash":
        from msgspec.structs import replace as changed

        token = changed(token, module_sha256="00" * 32)
    table = table_with(tmp_path / "media", token, PIN)
    code = stopped(table)
    assert code.startswith("token.module_"), code
    assert done(table) == []


@pytest.mark.parametrize("allowed", [True, False])
def test_26_a_software_token_fails_in_preflight_unless_the_plan_says_so(
    tmp_path: Path, allowed: bool
) -> None:
    table, token = memory_table(tmp_path)
    from msgspec.structs import replace as changed

    plan = table.plan_file.plan
    assert plan.root.token is not None
    planned = changed(plan.root.token, module=str(shutil.which("true")), software=allowed)
    real = changed(plan, root=changed(plan.root, token=planned))
    info = MemoryServices(tmp_path, memory=token).token_store(planned).info()
    rows = token_rows(real, lambda _: (replace(info, mechanisms=()),))
    failed = {row.code for row in rows if row.status.value == "FAIL"}
    assert failed == (set() if allowed else {"token.software"})


def test_27_a_pin_from_a_manual_is_an_exception_on_record(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    token.pin = table.papers.pin = Secret("648219")
    officers = sit(table)
    assert [prompt.key for prompt in officers.prompts].count("preflight.note") == 1
    (exception,) = [line for line in lines(table) if line.type == "exception"]
    assert "token.pin_default" in exception.data["what"]
    assert not [p for p in table.media.rglob("*") if p.is_file() and found(p, "648219")]


def test_22_no_core_of_the_modules_process_is_written_or_piped_to_a_handler(tmp_path: Path) -> None:
    """A limit of 0 stops files only: a `core_pattern` pipe would still get the PIN (core(5))."""
    token = create_token(tmp_path / "softhsm", "practice", SO_PIN, PIN)
    process = ModuleProcess(Path(token.module), dict(token.module_environment))
    try:
        process.ask(protocol.ListTokens(), 20, doing="listing")
        limits = Path(f"/proc/{process._process.pid}/limits").read_text(encoding="ascii")
        soft, hard = re.findall(r"Max core file size +(\w+) +(\w+)", limits)[0]
        assert soft == "1" or hard == "0"
    finally:
        process.finish()
    program = (
        "import ctypes; from ceremony.keys.child import refuse_core_dumps; refuse_core_dumps()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    told = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True)
    assert told.stdout.strip() == b"0"
