"""Which token: exactly one, by serial and label; and its module's file first."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

import msgspec
import pytest

from ceremony.config import Token
from ceremony.core.ports import PinState
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys.token import list_tokens
from ceremony.practice import softhsm as practice

PIN = Secret("1234")
SO_PIN = Secret("87654321")


def changed(token: Token, **fields: object) -> Token:
    return msgspec.structs.replace(token, **fields)


def code_of(call) -> KeyStoreError:
    with pytest.raises(KeyStoreError) as refused:
        call()
    return refused.value


def test_the_token_tells_of_itself_without_a_login(softhsm, open_store):
    info = open_store(softhsm).info()
    assert info.name == softhsm.serial
    assert info.label == "practice"
    assert info.software
    assert info.initialized
    assert info.pin_state is PinState.OK
    assert not info.pin_pad
    assert {"CKM_ECDSA", "CKM_EC_KEY_PAIR_GEN"} <= set(info.mechanisms)
    assert info.module == str(Path(softhsm.module).resolve())
    assert info.module_sha256 == hashlib.sha256(Path(softhsm.module).read_bytes()).hexdigest()


def test_all_tokens_are_listed_even_those_without_initialisation(softhsm):
    found = list_tokens(softhsm, timeout_s=20)
    assert [info.initialized for info in found] == [True, False]


def test_two_tokens_with_one_label_need_the_serial(softhsm, tmp_path, open_store):
    second = practice.create_token(tmp_path / "softhsm", "practice", SO_PIN, PIN)
    assert second.serial != softhsm.serial
    error = code_of(lambda: open_store(changed(softhsm, serial=None)))
    assert error.code == "token.ambiguous"
    assert str(softhsm.serial) in error.message
    assert str(second.serial) in error.message
    assert open_store(second).info().name == second.serial


def test_a_missing_token_is_an_error_that_lists_what_is_there(softhsm, open_store):
    error = code_of(lambda: open_store(changed(softhsm, serial="DENK0104068")))
    assert error.code == "token.missing"
    assert str(softhsm.serial) in error.message


def test_the_label_is_checked_beside_the_serial(softhsm, open_store):
    error = code_of(lambda: open_store(changed(softhsm, label="another")))
    assert error.code == "token.missing"


def test_a_token_that_is_not_initialised_is_never_chosen(softhsm, open_store):
    error = code_of(lambda: open_store(changed(softhsm, serial="", label="")))
    assert error.code == "token.missing"


def test_a_label_with_escapes_is_shown_harmless(spoiled, open_store):
    store = open_store(spoiled("hostile-label"))
    assert store.info().label.startswith("\x1b]0;own")
    error = code_of(lambda: open_store(changed(spoiled("hostile-label"), serial="x")))
    assert error.message.isascii()
    assert error.message.isprintable()


def test_variables_from_outside_do_not_reach_the_module(softhsm, open_store, monkeypatch):
    configuration = softhsm.module_environment["SOFTHSM2_CONF"]
    monkeypatch.setenv("SOFTHSM2_CONF", configuration)
    error = code_of(lambda: open_store(changed(softhsm, module_environment={})))
    assert error.code in {"token.missing", "token.module_unloadable"}


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT"])
def test_the_plan_cannot_preload_code_into_the_modules_process(softhsm, open_store, name):
    planted = changed(softhsm, module_environment={name: "/tmp/x.so"})
    assert code_of(lambda: open_store(planted)).code == "token.environment"


def test_a_module_that_does_not_exist_is_refused(softhsm, open_store):
    error = code_of(lambda: open_store(changed(softhsm, module="/no/such/module.so")))
    assert error.code == "token.module_missing"


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_a_module_that_is_no_file_is_refused_without_waiting(softhsm, open_store, tmp_path, kind):
    path = tmp_path / "module.so"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    error = code_of(lambda: open_store(changed(softhsm, module=str(path))))
    assert error.code == "token.module_missing"


def test_a_file_that_is_no_module_is_refused(softhsm, open_store, tmp_path):
    path = tmp_path / "module.so"
    path.write_bytes(b"\x7fELF but not really")
    path.chmod(0o644)
    error = code_of(lambda: open_store(changed(softhsm, module=str(path))))
    assert error.code == "token.module_unloadable"


def test_a_library_without_pkcs11_is_refused(softhsm, open_store):
    libc = next(Path("/usr/lib").glob("*-linux-gnu*/libm.so.6"))
    error = code_of(lambda: open_store(changed(softhsm, module=str(libc))))
    assert error.code == "token.module_unloadable"


def test_a_module_that_does_not_initialise_is_refused(spoiled, open_store):
    assert code_of(lambda: open_store(spoiled("no-init"))).code == "token.module_unloadable"


@pytest.mark.parametrize("right", [stat.S_IWGRP, stat.S_IWOTH])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_module_that_others_can_write_is_refused(softhsm, open_store, tmp_path, right, what):
    folder = tmp_path / "vendor"
    folder.mkdir(mode=0o755)
    path = folder / "module.so"
    shutil.copy(softhsm.module, path)
    path.chmod(0o644)
    planned = changed(softhsm, module=str(path))
    open_store(planned).close()
    target = path if what == "file" else folder
    target.chmod(target.stat().st_mode | right)
    assert code_of(lambda: open_store(planned)).code == "token.module_writable"


def test_a_module_other_than_the_plan_says_is_refused(softhsm, open_store):
    digest = hashlib.sha256(Path(softhsm.module).read_bytes()).hexdigest()
    open_store(changed(softhsm, module_sha256=digest))
    error = code_of(lambda: open_store(changed(softhsm, module_sha256="0" * 64)))
    assert error.code == "token.module_sha256"
    assert digest in error.message


def test_a_practice_token_needs_softhsm(tmp_path, monkeypatch):
    monkeypatch.setattr(practice, "find_module", lambda: None)
    error = code_of(lambda: practice.create_token(tmp_path, "practice", SO_PIN, PIN))
    assert error.code == "practice.no_module"
