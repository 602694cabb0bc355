"""The module's process: its protocol, its end, what it is given; and our own words."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from pkcs11 import exceptions

from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys import protocol, refusals
from ceremony.keys.process import ModuleProcess


def refused(call) -> KeyStoreError:
    with pytest.raises(KeyStoreError) as error:
        call()
    return error.value


GARBAGE = {
    "not json": b"\0\0\0\3abc",
    "unknown type": b"\0\0\0\x11" + b'{"type":"Reboot"}',
    "unknown field": b"\0\0\0\x17" + b'{"type":"Done","x":"y"}',
    "huge": b"\xff\xff\xff\xff",
    "truncated": b"\0\0\0\x10{",
    "nothing": b"",
}


@pytest.mark.parametrize("name", list(GARBAGE))
def test_garbage_from_the_process_is_an_error_and_ends_it(tmp_path: Path, name: str):
    program = tmp_path / "child.py"
    program.write_text(
        "import os, sys\n"
        "os.read(int(sys.argv[1]), 4)\n"
        f"os.write(int(sys.argv[2]), {GARBAGE[name]!r})\n",
        encoding="ascii",
    )
    process = ModuleProcess(Path("/none"), {}, child=("-I", str(program)))
    error = refused(lambda: process.ask(protocol.ListTokens(), 5, doing="testing"))
    expected = {"truncated": "token.module_crashed", "nothing": "token.module_crashed"}
    assert error.code == expected.get(name, "token.module_answer")
    assert process.ended
    assert refused(lambda: process.ask(protocol.ListTokens(), 5, doing="again")).code == (
        "token.module_crashed"
    )


def test_the_child_ends_with_its_parent_even_inside_a_hanging_module(softhsm, spoiled):
    token = spoiled("hang-list")
    program = (
        "import sys, time, threading; from pathlib import Path\n"
        "from ceremony.keys.process import ModuleProcess\n"
        "from ceremony.keys import protocol\n"
        f"p = ModuleProcess(Path({token.module!r}), {dict(token.module_environment)!r})\n"
        "print(p._process.pid, flush=True)\n"
        "p.ask(protocol.ListTokens(), 60, doing='hanging')\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def test_the_pin_is_in_no_repr_argument_or_environment(softhsm, open_store):
    secret = Secret("1234")
    store = open_store(softhsm)
    store.login(secret)
    pid = store._process._process.pid
    assert b"1234" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    names = {
        line.partition(b"=")[0]
        for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        if line
    }
    assert names == {b"PATH", b"LC_ALL", b"SOFTHSM2_CONF"}
    assert "1234" not in repr(protocol.Login(serial="s", label="l", pin="1234"))


def test_a_pin_longer_than_any_token_takes_is_refused(softhsm, open_store):
    error = refused(lambda: open_store(softhsm).login(Secret("1" * 20_000)))
    assert error.code == "token.request_size"


# These cannot follow from what we ask for; they are told by their name.
UNEXPECTED = {
    "ArgumentsBad", "AttributeSensitive", "DataInvalid", "DataLenRange",
    "EncryptedDataInvalid", "EncryptedDataLenRange", "ExceededMaxIterations",
    "FunctionFailed", "GeneralError", "KeyNeeded", "KeyNotNeeded", "KeyNotWrappable",
    "KeyUnextractable", "MultipleObjectsReturned", "MultipleTokensReturned", "NoEvent",
    "NoSuchKey", "NoSuchToken", "OperationActive", "OperationNotInitialized",
    "PublicKeyInvalid", "RandomNoRNG", "RandomSeedNotSupported", "SignatureInvalid",
    "SignatureLenRange", "UnwrappingKeyHandleInvalid", "UnwrappingKeySizeRange",
    "UnwrappingKeyTypeInconsistent", "WrappedKeyInvalid", "WrappedKeyLenRange",
    "WrappingKeyHandleInvalid", "WrappingKeySizeRange", "WrappingKeyTypeInconsistent",
}  # fmt: skip


def test_every_refusal_of_a_module_has_words_or_is_known_to_be_unexpected():
    names = {each.__name__ for each in exceptions.PKCS11Error.__subclasses__()}
    assert names == (set(refusals.WORDS) & names) | UNEXPECTED
    assert not set(refusals.WORDS) & UNEXPECTED
    assert set(refusals.WORDS) >= protocol.REASONS


def test_words_of_all_refusals_are_plain_and_their_hints_begin_with_a_verb():
    for words in refusals.WORDS.values():
        assert words.code.startswith("token.")
        assert words.sentence[0].islower()
        assert words.hint[0].isupper()
        assert words.hint.endswith(".")
