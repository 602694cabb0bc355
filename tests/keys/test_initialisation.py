"""A blank token is made ready; an initialised one is never touched."""

import msgspec
import pytest

from ceremony.config import Curve, Token
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys import protocol as p
from ceremony.keys.initialisation import blank_token, initialise_token
from ceremony.keys.module import check_module, environment
from ceremony.keys.token import list_tokens, spawn_child

PIN, SO_PIN = Secret("246810"), Secret("so-pin-987")


@pytest.fixture
def plan(softhsm: Token) -> Token:
    """A plan's token that is not there yet, beside one that is (SoftHSM has one blank slot)."""
    return msgspec.structs.replace(softhsm, serial=None, label="new root", initialize=True)


def initialise(token: Token) -> str:
    return initialise_token(token, SO_PIN, PIN, timeout_s=20).name


def test_a_blank_token_gets_label_and_pin_and_makes_keys(plan: Token, open_store) -> None:
    assert blank_token(plan, timeout_s=20) is not None
    serial = initialise(plan)
    assert blank_token(plan, timeout_s=20) is None
    store = open_store(plan)
    assert (store.info().name, store.info().label) == (serial, "new root")
    store.login(PIN)
    store.sign(store.generate("root-ca", "01", Curve.P256), b"data")


def test_an_initialised_token_is_refused_and_keeps_its_keys(softhsm: Token, open_store) -> None:
    with open_store(softhsm) as store:
        store.login(Secret("1234"))
        made = store.generate("root-ca", "01", Curve.P256)
    with pytest.raises(KeyStoreError) as error:
        initialise(softhsm)
    assert error.value.code == "token.initialized"
    with open_store(softhsm) as store:
        store.login(Secret("1234"))
        assert store.keys() == (made,)


def test_the_child_too_refuses_a_token_that_is_initialised(softhsm: Token, open_store) -> None:
    """Even a request for that serial number reaches no C_InitToken."""
    process = spawn_child(check_module(softhsm), environment(softhsm))
    request = p.InitToken(
        serial=str(softhsm.serial), label="x", so_pin=SO_PIN.reveal(), pin=PIN.reveal()
    )
    with pytest.raises(KeyStoreError) as error:
        process.ask(request, 20, doing="initialising")
    process.finish()
    assert error.value.code == "token.removed"
    with open_store(softhsm) as store:
        store.login(Secret("1234"))


def test_a_token_that_tells_another_serial_than_the_plan_is_an_error(plan: Token) -> None:
    named = msgspec.structs.replace(plan, serial="0123456789abcdef")
    with pytest.raises(KeyStoreError) as error:
        initialise(named)
    assert error.value.code == "token.serial_changed"


def test_a_new_pin_is_the_only_one_that_opens(softhsm: Token, open_store) -> None:
    store = open_store(softhsm)
    store.login(Secret("1234"))
    store.set_pin(Secret("1234"), PIN)
    with pytest.raises(KeyStoreError) as error:
        store.login(Secret("1234"))
    assert error.value.code == "token.pin_wrong"
    store.login(PIN)


def test_a_wrong_old_pin_changes_nothing(softhsm: Token, open_store) -> None:
    store = open_store(softhsm)
    store.login(Secret("1234"))
    with pytest.raises(KeyStoreError):
        store.set_pin(Secret("9999"), PIN)
    store.login(Secret("1234"))


@pytest.mark.parametrize(
    "request_",
    [
        p.InitToken(serial="", label="x", so_pin="hunter2", pin="hunter2"),
        p.SetPin(old="hunter2", new="hunter2"),
    ],
)
def test_requests_with_secrets_do_not_print_them(request_: p.Request) -> None:
    assert "hunter2" not in repr(request_)


def test_the_label_is_cut_off_nowhere(plan: Token) -> None:
    initialise(msgspec.structs.replace(plan, label="a" * 32))
    labels = {info.label for info in list_tokens(plan, timeout_s=20)}
    assert "a" * 32 in labels
