"""A module that hangs, crashes or lies; a PIN that is locked; a token that is swapped."""

import os
import subprocess
import time

import pytest

from ceremony.config import Curve
from ceremony.core.ports import PinState
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError

PIN = Secret("1234")


def refused(call) -> KeyStoreError:
    with pytest.raises(KeyStoreError) as error:
        call()
    assert error.value.hint.split()[0].isalpha()
    return error.value


def inventory(token, open_store) -> list[str]:
    with open_store(token) as store:
        store.login(PIN)
        found = store.keys()
    return [key.label for key in found]


def signing_store(softhsm, spoiled, open_store, mode, timeout_s=20):
    """A logged-in store behind the fake module; the key was made without it."""
    with open_store(softhsm) as plain:
        plain.login(PIN)
        key = plain.generate("root-ca", "01", Curve.P256)
    store = open_store(spoiled(mode), timeout_s=timeout_s)
    store.login(PIN)
    return store, key


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("crash", "token.module_crashed"),
        ("exit", "token.module_crashed"),
        ("wrong-signature", "token.signature_wrong"),
        ("zero-signature", "token.signature_wrong"),
        ("short-signature", "token.signature_wrong"),
        ("device-error", "token.device"),
    ],
)
def test_a_bad_signature_never_comes_back(softhsm, spoiled, open_store, mode, code):
    store, key = signing_store(softhsm, spoiled, open_store, mode)
    assert refused(lambda: store.sign(key, b"data")).code == code


def test_a_module_that_hangs_is_ended_in_time(softhsm, spoiled, open_store):
    store, key = signing_store(softhsm, spoiled, open_store, "hang", timeout_s=3)
    process = store._process._process
    error = refused(lambda: store.sign(key, b"data"))
    assert error.code == "token.timeout"
    assert "signing" in error.message
    assert process.returncode == -9
    assert refused(lambda: store.sign(key, b"data")).code == "token.not_logged_in"


def test_a_hang_while_tokens_are_listed_is_ended_in_time(spoiled, open_store):
    error = refused(lambda: open_store(spoiled("hang-list"), timeout_s=1))
    assert error.code == "token.timeout"


def test_the_crash_names_its_signal_and_the_next_login_works(softhsm, spoiled, open_store):
    store, key = signing_store(softhsm, spoiled, open_store, "crash")
    assert "SIGSEGV" in refused(lambda: store.sign(key, b"data")).message
    store.login(PIN)
    assert store.keys() == (key,)


def test_a_crash_at_login_is_an_error_and_no_core_file_holds_the_pin(
    spoiled, open_store, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    store = open_store(spoiled("login-crash"))
    assert refused(lambda: store.login(PIN)).code == "token.module_crashed"
    assert not list(tmp_path.glob("core*"))


def test_a_crash_after_generation_leaves_one_key_that_is_found(softhsm, spoiled, open_store):
    store = open_store(spoiled("crash-generate"))
    store.login(PIN)
    error = refused(lambda: store.generate("root-ca", "01", Curve.P256))
    assert error.code == "token.module_crashed"
    assert "generating" in error.message
    assert inventory(softhsm, open_store) == ["root-ca"]
    again = open_store(softhsm)
    again.login(PIN)
    again_error = refused(lambda: again.generate("root-ca", "01", Curve.P256))
    assert again_error.code == "token.label_taken"


def test_generation_has_a_time_out_of_its_own(spoiled, open_store):
    store = open_store(spoiled("hang-generate"), timeout_s=120, generate_timeout_s=1)
    store.login(PIN)
    start = time.monotonic()
    error = refused(lambda: store.generate("root-ca", "01", Curve.P256))
    assert error.code == "token.timeout"
    assert time.monotonic() - start < 60


def test_what_a_module_prints_does_not_reach_the_ceremony(spoiled, open_store, capfd):
    with open_store(spoiled("noisy")) as store:
        store.login(PIN)
        store.generate("root-ca", "01", Curve.P256)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("extractable", "CKA_EXTRACTABLE is true"),
        ("insensitive", "CKA_SENSITIVE is false"),
        ("no-sign", "CKA_SIGN is false"),
    ],
)
def test_a_key_with_weaker_attributes_stops_and_is_named(softhsm, spoiled, open_store, mode, said):
    store = open_store(spoiled(mode))
    store.login(PIN)
    error = refused(lambda: store.generate("root-ca", "01", Curve.P256))
    assert error.code == "token.attributes"
    assert said in error.message
    assert "is on the token" in error.message
    assert inventory(softhsm, open_store) == ["root-ca"]


def test_attributes_are_read_back_not_assumed(spoiled, open_store):
    store = open_store(spoiled("not-local"))
    store.login(PIN)
    attributes = store.generate("root-ca", "01", Curve.P256).attributes
    assert attributes["CKA_LOCAL"] is False
    assert attributes["CKA_SENSITIVE"] is True
    assert attributes["CKA_EXTRACTABLE"] is False
    assert attributes["CKA_DERIVE"] is False


def test_a_token_that_makes_two_keys_is_found_out(spoiled, open_store):
    store = open_store(spoiled("twice"))
    store.login(PIN)
    error = refused(lambda: store.generate("root-ca", "01", Curve.P256))
    assert error.code == "token.key_duplicate"


def test_two_keys_of_one_name_are_an_error_and_no_choice(softhsm, spoiled, open_store):
    store = open_store(spoiled("twice"))
    store.login(PIN)
    refused(lambda: store.generate("root-ca", "01", Curve.P256))
    with open_store(softhsm) as other:
        other.login(PIN)
        assert refused(other.keys).code == "token.public_key_ambiguous"


def test_a_public_half_off_the_curve_is_refused(spoiled, open_store):
    store = open_store(spoiled("bad-point"))
    store.login(PIN)
    error = refused(lambda: store.generate("root-ca", "01", Curve.P256))
    assert error.code == "token.public_key_missing"


def test_a_token_that_dislikes_false_values_gets_a_template_without(spoiled, open_store):
    store = open_store(spoiled("no-false"))
    store.login(PIN)
    key = store.generate("root-ca", "01", Curve.P256)
    assert key.attributes["CKA_EXTRACTABLE"] is False
    assert store.keys() == (key,)


def test_a_full_token_is_told_apart(spoiled, open_store):
    store = open_store(spoiled("device-memory"))
    store.login(PIN)
    assert refused(lambda: store.generate("root-ca", "01", Curve.P256)).code == "token.memory"


@pytest.mark.parametrize(
    ("mode", "code"), [("swapped", "token.changed"), ("gone", "token.removed")]
)
def test_the_token_is_looked_at_before_every_use_of_its_key(
    softhsm, spoiled, open_store, mode, code
):
    store, key = signing_store(softhsm, spoiled, open_store, mode)
    store.sign(key, b"one")
    store.sign(key, b"two")
    assert refused(lambda: store.sign(key, b"three")).code == code


def test_a_signature_that_turns_wrong_later_is_caught(softhsm, spoiled, open_store):
    store, key = signing_store(softhsm, spoiled, open_store, "wrong-later")
    store.sign(key, b"one")
    assert refused(lambda: store.sign(key, b"two")).code == "token.signature_wrong"


@pytest.mark.parametrize(
    ("mode", "state"),
    [("pin-locked", PinState.LOCKED), ("pin-final", PinState.FINAL_TRY)],
)
def test_the_flags_of_the_pin_are_shown_before_the_login(spoiled, open_store, mode, state):
    assert open_store(spoiled(mode)).info().pin_state is state


def test_a_locked_pin_is_said_with_the_flags(spoiled, open_store):
    store = open_store(spoiled("pin-locked"))
    error = refused(lambda: store.login(PIN))
    assert error.code == "token.pin_locked"
    assert "locked" in error.message


def test_an_expired_pin_is_said(spoiled, open_store):
    assert (
        refused(lambda: open_store(spoiled("pin-expired")).login(PIN)).code == "token.pin_expired"
    )


def test_a_wrong_pin_ends_the_process_and_the_flags_are_read_anew(softhsm, open_store):
    store = open_store(softhsm)
    process = store._process._process
    error = refused(lambda: store.login(Secret("4321")))
    assert error.code == "token.pin_wrong"
    assert "count low" in error.message
    assert process.returncode is not None
    assert store.info().pin_state is PinState.COUNT_LOW
    store.login(PIN)
    assert store.info().pin_state is PinState.OK


def test_a_pin_pad_takes_no_pin_from_us(spoiled, open_store):
    store = open_store(spoiled("pin-pad"))
    assert store.info().pin_pad
    store.login(None)
    store.sign(store.generate("root-ca", "01", Curve.P256), b"data")


def test_a_token_without_pin_pad_needs_a_pin(softhsm, open_store):
    assert refused(lambda: open_store(softhsm).login(None)).code == "token.pin_needed"


@pytest.mark.parametrize(("mode", "pin"), [("always", PIN), ("pin-pad-always", None)])
def test_a_key_that_always_authenticates_gets_its_login(softhsm, spoiled, open_store, mode, pin):
    with open_store(softhsm) as plain:
        plain.login(PIN)
        key = plain.generate("root-ca", "01", Curve.P256)
    store = open_store(spoiled(mode))
    store.login(pin)
    store.sign(key, b"data")


def pkcs11_tool(token, *arguments: str) -> None:
    subprocess.run(
        ["pkcs11-tool", "--module", token.module, "--login", "--pin", "1234", *arguments],
        env={**os.environ, **token.module_environment},
        check=True,
        capture_output=True,
    )


def generate_by_hand(token, label: str, key_id: str, kind: str = "EC:prime256v1") -> None:
    pkcs11_tool(token, "-k", "--key-type", kind, "--label", label, "--id", key_id)


@pytest.mark.parametrize(
    ("label", "key_id", "code"),
    [("root-ca", "07", "token.label_taken"), ("other", "01", "token.id_taken")],
)
@pytest.mark.parametrize("kind", ["EC:prime256v1", "rsa:2048"])
def test_a_planted_key_of_any_kind_takes_its_label_and_id(
    softhsm, open_store, label, key_id, code, kind
):
    generate_by_hand(softhsm, label, key_id, kind)
    store = open_store(softhsm)
    store.login(PIN)
    before = len(store.keys())
    assert refused(lambda: store.generate("root-ca", "01", Curve.P256)).code == code
    assert len(store.keys()) == before


def test_a_lone_public_key_takes_the_label_too(softhsm, open_store):
    generate_by_hand(softhsm, "root-ca", "07")
    pkcs11_tool(softhsm, "--delete-object", "--type", "privkey", "--id", "07")
    store = open_store(softhsm)
    store.login(PIN)
    error = refused(lambda: store.generate("root-ca", "01", Curve.P256))
    assert error.code == "token.label_taken"


def test_keys_made_by_other_tools_are_in_the_inventory_and_sign(softhsm, open_store):
    generate_by_hand(softhsm, "root-ca", "31")
    generate_by_hand(softhsm, "unrelated", "32", "rsa:2048")
    store = open_store(softhsm)
    store.login(PIN)
    (key,) = store.keys()
    assert (key.label, key.key_id) == ("root-ca", "31")
    store.sign(key, b"data")


def test_two_keys_with_one_label_and_id_made_by_hand_are_an_error(softhsm, open_store):
    generate_by_hand(softhsm, "root-ca", "01")
    generate_by_hand(softhsm, "root-ca", "01")
    store = open_store(softhsm)
    store.login(PIN)
    assert refused(store.keys).code == "token.public_key_ambiguous"
