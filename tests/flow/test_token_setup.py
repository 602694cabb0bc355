"""A blank token is initialised after both agreed; PINs in two parts; a default PIN is replaced."""

from dataclasses import replace
from pathlib import Path

import pytest

from ceremony import config
from ceremony.config import Token
from ceremony.core.ports import KeyStore, StoreInfo
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, KeyStoreError, StoppedError
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
    ShowSecret,
    Step,
)
from ceremony.flow.token_setup import ready_token
from ceremony.keys.initialisation import blank_token, initialise_token
from ceremony.keys.token import list_tokens, open_token
from ceremony.practice.softhsm import create_token
from tests.flow.memory import MemoryStore, MemoryToken, memory_table
from tests.flow.table import Table, plan_text
from tests.flow.test_backup import drive

SO_PIN, PIN = Secret("87654321"), Secret("1234")


class Answers:
    """Scripted officers with own answers to some questions."""

    def __init__(self, table: Table, answers: dict[str, str]) -> None:
        self.officers = table.officers()
        self.answers = answers
        self.asked: list[AnyPrompt] = []

    def progress(self, working: object, frame: Frame) -> None:
        pass

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        self.asked.append(prompt)
        if prompt.key in self.answers:
            said = self.answers[prompt.key]
            if isinstance(prompt, Choose):
                return Chosen(value=said)
            return SecretEntered(secret=Secret(said))
        return self.officers.ask(prompt, frame)


def seat(tmp_path: Path, token: Token, *, rules: str = "") -> Table:
    media = tmp_path / "media"
    media.mkdir()
    table = Table(media)
    conf = token.module_environment["SOFTHSM2_CONF"]
    serial = f'serial = "{token.serial}"\n' if token.serial else ""
    text = plan_text(media).replace('key_store = "file"', 'key_store = "token"', 1)
    text += (
        f'\n[root.token]\nmodule = "{token.module}"\nlabel = "{token.label}"\n{serial}'
        f"software = true\ninitialize = {str(token.initialize).lower()}\n"
        f'module_environment = {{ SOFTHSM2_CONF = "{conf}" }}\n[rules]\n{rules}'
    )
    table.plan_file = config.parse(text.encode())
    services = table.services
    services.token_store = lambda asked: open_token(  # type: ignore[method-assign]
        asked, timeout_s=20, generate_timeout_s=20
    )
    services.blank_token = lambda asked: blank_token(  # type: ignore[method-assign]
        asked, timeout_s=20
    )
    services.initialise_token = (  # type: ignore[method-assign]
        lambda asked, so_pin, pin: initialise_token(asked, so_pin, pin, timeout_s=20)
    )
    return table


@pytest.fixture
def blank(tmp_path: Path) -> Token:
    """SoftHSM's free slot, beside a token that has nothing to do with it."""
    folder = tmp_path / "softhsm"
    folder.mkdir()
    other = create_token(folder, "other", SO_PIN, PIN)
    return Token(
        module=other.module,
        label="new root",
        initialize=True,
        module_environment=other.module_environment,
    )


YES = {"root.initialise.A": "initialise", "root.initialise.B": "initialise"}


def test_a_blank_token_is_initialised_with_a_pin_in_two_parts(tmp_path: Path, blank: Token) -> None:
    table = seat(tmp_path, blank, rules="split_pin = true\n")
    answers = {
        "root.new_so_pin.A": "so-half-a",
        "root.new_so_pin.B": "so-half-b",
        "root.new_pin.A": "1357",
        "root.new_pin.B": "2468",
    }
    officers = Answers(table, YES | answers)
    room = table.sit_down()
    with room.record:
        drive(ready_token(room), officers, room)
        line = room.need("done", "token/root")
        drive(ready_token(room), officers, room)
        assert len(room.record.all("done")) == 1
        raw = b"".join(each.raw for each in room.record.lines)
    for secret in answers.values():
        assert secret.encode() not in raw
    token = Token(
        module=blank.module,
        serial=line.data["serial"],
        module_environment=blank.module_environment,
    )
    with open_token(token, timeout_s=20, generate_timeout_s=20) as store:
        store.login(Secret("13572468"))
    warning = next(p for p in officers.asked if p.key == "root.initialise.A")
    assert "DKEK" in str(warning.body)
    assert "wrap key" in str(warning.body)


def test_28_a_cut_after_the_tokens_initialisation_initialises_nothing_again(
    tmp_path: Path, blank: Token
) -> None:
    table = seat(tmp_path, blank)

    class Cut(BaseException):
        pass

    def cut(asked: Token, so_pin: Secret, pin: Secret) -> StoreInfo:
        initialise_token(asked, so_pin, pin, timeout_s=20)
        raise Cut

    table.services.initialise_token = cut  # type: ignore[method-assign]
    answers = Answers(table, {**YES, "root.new_so_pin": "a-so-pin", "root.new_pin": "135790"})
    room = table.sit_down()
    with room.record, pytest.raises(Cut):
        drive(ready_token(room), answers, room)
    room = table.sit_down()
    with room.record:
        drive(ready_token(room), Answers(table, {}), room)
        assert room.has("done", "token/root")
    made = [i for i in list_tokens(blank, timeout_s=20) if i.label == "new root"]
    assert len(made) == 1


def test_one_officer_who_declines_leaves_the_token_blank(tmp_path: Path, blank: Token) -> None:
    table = seat(tmp_path, blank)
    officers = Answers(table, {**YES, "root.initialise.B": "stop"})
    room = table.sit_down()
    with room.record, pytest.raises(StoppedError) as caught:
        drive(ready_token(room), officers, room)
    assert caught.value.code == "token.not_initialized"
    assert blank_token(blank, timeout_s=20) is not None


def test_a_plan_that_does_not_say_so_initialises_nothing(tmp_path: Path, blank: Token) -> None:
    import msgspec

    table = seat(tmp_path, msgspec.structs.replace(blank, initialize=False))
    room = table.sit_down()
    with room.record, pytest.raises(CeremonyError) as caught:
        drive(ready_token(room), Answers(table, {}), room)
    assert caught.value.code == "token.missing"
    assert len([i for i in list_tokens(blank, timeout_s=20) if i.initialized]) == 1


def test_27_a_pin_that_must_be_changed_is_replaced_before_a_key_is_made(
    tmp_path: Path, blank: Token
) -> None:
    import msgspec

    token = create_token(tmp_path / "softhsm", "root", SO_PIN, PIN)
    table = seat(tmp_path, token)
    changed: list[tuple[str, str]] = []

    class Expired:
        """The store says that its PIN is the one it was delivered with."""

        def __init__(self, store: KeyStore) -> None:
            self._store = store

        def __enter__(self) -> "Expired":
            return self

        def __exit__(self, *exc: object) -> None:
            self._store.close()

        def info(self) -> StoreInfo:
            return replace(self._store.info(), pin_to_be_changed=True)

    real = table.services.token_store
    table.services.token_store = lambda t: Expired(real(t))  # type: ignore[method-assign,assignment,return-value]

    def change_pin(asked: Token, old: Secret, new: Secret) -> None:
        changed.append((old.reveal(), new.reveal()))
        with open_token(asked, timeout_s=20, generate_timeout_s=20) as store:
            store.login(old)
            store.set_pin(old, new)

    table.services.change_pin = change_pin  # type: ignore[method-assign]
    answers = {"root.old_pin": "1234", "root.new_pin": "975310"}
    room = table.sit_down()
    with room.record:
        drive(ready_token(room), Answers(table, answers), room)
        assert room.has("new-pin", "root")
    assert changed == [("1234", "975310")]
    named = msgspec.structs.replace(token, label=None)
    with open_token(named, timeout_s=20, generate_timeout_s=20) as store:
        store.login(Secret("975310"))


def test_22_wrong_pins_at_the_change_of_a_pin_are_counted_too(tmp_path: Path) -> None:
    table, _ = memory_table(tmp_path)

    class Expired(MemoryStore):
        def info(self) -> StoreInfo:
            return replace(super().info(), pin_to_be_changed=True)

    def change_pin(asked: Token, old: Secret, new: Secret) -> None:
        raise KeyStoreError("token.pin_wrong", "the PIN is wrong", hint="Type it again.")

    token = MemoryToken()
    table.services.token_store = lambda _: Expired(token)  # type: ignore[method-assign]
    table.services.change_pin = change_pin  # type: ignore[method-assign]
    room = table.sit_down()

    class Guess(Answers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            assert len(room.record.all("refused")) <= 2, "nobody else was asked"
            if prompt.key == "pin.again.A":
                return Chosen(value="stop")
            return super().ask(prompt, frame)

    guess = Guess(table, {"root.old_pin": "1234", "root.new_pin": "975310"})
    with room.record, pytest.raises(StoppedError) as caught:
        drive(ready_token(room), guess, room)
    assert caught.value.code == "token.pin_tries"


def split_table(media: Path) -> Table:
    return Table(media, extra="[rules]\nsplit_pin = true\n")


def test_a_passphrase_in_two_parts_is_shown_to_one_officer_at_a_time(tmp_path: Path) -> None:
    table = split_table(tmp_path)
    officers = Answers(table, {})
    room = table.sit_down()
    with room.record:
        assert run(room, officers) is Outcome.CLOSED
        names = dict(zip("AB", room.officers, strict=True))
    shown = [p for p in officers.asked if isinstance(p, ShowSecret)]
    assert [(p.key, p.officer) for p in shown[:2]] == [
        ("root.passphrase.A", names["A"]),
        ("root.passphrase.B", names["B"]),
    ]
    for prompt in shown:  # plain lines show it at once: its officer must be the one who sits there
        before = officers.asked[officers.asked.index(prompt) - 1]
        assert (before.key, before.officer) == ("split.turn", prompt.officer)
    typed = [p for p in officers.asked if isinstance(p, EnterSecret) and p.step is Step.SIGN]
    parts = [p for p in typed if ".pin." in p.key]
    assert [p.officer for p in parts] == [names["A"], names["B"]]


def test_half_a_passphrase_does_not_open_the_key(tmp_path: Path) -> None:
    table = split_table(tmp_path)
    officers = Answers(table, {"root.pin.B": "not my part"})
    room = table.sit_down()
    with room.record, pytest.raises(AssertionError, match="passphrase does not open"):
        run(room, officers)
    assert "done" not in {line.type for line in room.record.lines if line.step == "Sign"}


def test_a_passphrase_typed_with_spaces_and_capitals_opens_the_key(tmp_path: Path) -> None:
    table = Table(tmp_path)

    class Shouting(Answers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            answer = super().ask(prompt, frame)
            if isinstance(answer, SecretEntered) and prompt.key == "root.pin":
                loud = answer.secret.reveal().upper().replace("-", "  ")
                return SecretEntered(secret=Secret(loud))
            return answer

    room = table.sit_down()
    with room.record:
        assert run(room, Shouting(table, {})) is Outcome.CLOSED
        assert not [line for line in room.record.all("refused") if "passphrase" in line.key]
