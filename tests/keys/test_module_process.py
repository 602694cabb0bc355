"""The module's process: its protocol, its end, what it is given; and our own words."""

import fcntl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pkcs11 import exceptions

from ceremony.config import Curve, Token
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys import protocol, refusals
from ceremony.keys.ecdsa import CURVES
from ceremony.keys.process import ModuleProcess
from ceremony.offline import store


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


ORPHAN = """
import os, sys
from pathlib import Path
from ceremony.keys import protocol as p
from ceremony.keys.process import ModuleProcess

lock = os.open(sys.argv[3], os.O_RDWR | os.O_CREAT)
import fcntl; fcntl.flock(lock, fcntl.LOCK_EX)
module = ModuleProcess(Path(sys.argv[1]), eval(sys.argv[2]), lock=lock)
print(module._process.pid, flush=True)
generate = p.Generate(label="root-ca", key_id=b"\\1", ec_params=bytes.fromhex(EC_PARAMS))
"""


class Orphan:
    """A module's process whose parent is killed while it works; `calls` are the parent's."""

    def __init__(self, token: Token, folder: Path, calls: str) -> None:
        self.lock = folder / "modules.lock"
        program = ORPHAN.replace("EC_PARAMS", repr(CURVES[Curve.P256].ec_params.hex())) + calls
        variables = repr(dict(token.module_environment))
        parent = subprocess.Popen(
            [sys.executable, "-c", program, token.module, variables, str(self.lock)],
            stdout=subprocess.PIPE,
        )
        assert parent.stdout is not None
        self.pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == b"asked\n"
        time.sleep(0.3)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        self.since = time.monotonic()

    def locked(self) -> bool:
        with self.lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def lived_s(self) -> float:
        """How long it, and with it its lock, outlives its parent."""
        while self.locked() and time.monotonic() < self.since + 30:
            time.sleep(0.02)
        assert not _alive(self.pid)
        return time.monotonic() - self.since


ASK = """
import threading
login = p.Login(serial=SERIAL, label="practice", pin="1234")
module.ask(login, 20, doing="logging in")
threading.Timer(0.1, print, ("asked",), {"flush": True}).start()
module.ask(generate, TIMEOUT, doing="generating")
"""


def test_28_a_call_is_finished_when_the_ceremony_is_killed_and_then_its_process_ends(
    softhsm, spoiled, open_store, tmp_path
):
    calls = ASK.replace("SERIAL", repr(softhsm.serial)).replace("TIMEOUT", "20")
    orphan = Orphan(spoiled("slow-generate"), tmp_path, calls)
    assert _alive(orphan.pid)
    assert orphan.locked()
    orphan.lived_s()
    with open_store(softhsm) as store:
        store.login(Secret("1234"))
        held = store.keys()
    assert [key.label for key in held] == ["root-ca"]


def test_28_a_hanging_call_ends_at_its_time_out_though_nobody_waits_for_it(
    softhsm, spoiled, tmp_path
):
    calls = ASK.replace("SERIAL", repr(softhsm.serial)).replace("TIMEOUT", "3")
    orphan = Orphan(spoiled("hang-generate"), tmp_path, calls)
    assert orphan.locked()
    assert orphan.lived_s() > 0.5


def test_28_a_process_whose_ceremony_is_gone_begins_no_other_call(
    softhsm, spoiled, open_store, tmp_path
):
    calls = f"""
login = p.Login(serial={softhsm.serial!r}, label="practice", pin="1234")
os.write(module._requests, p.call(login, 20) + p.call(generate, 20))
print("asked", flush=True)
import time; time.sleep(60)
"""
    orphan = Orphan(spoiled("slow-login"), tmp_path, calls)
    assert _alive(orphan.pid)
    orphan.lived_s()
    with open_store(softhsm) as store:
        store.login(Secret("1234"))
        assert store.keys() == ()


def test_a_process_between_calls_ends_at_once_with_its_parent(softhsm, tmp_path):
    calls = 'module.ask(p.ListTokens(), 20, doing="x"); print("asked", flush=True); input()\n'
    orphan = Orphan(softhsm, tmp_path, f"import time\n{calls.replace('input()', 'time.sleep(60)')}")
    assert orphan.lived_s() < 10


def test_34_a_daemon_that_a_module_starts_does_not_hold_the_next_sitting_up(spoiled, tmp_path):
    token = spoiled("daemon")
    tmp_path.chmod(0o700)
    with store.occupied(tmp_path) as modules:
        process = ModuleProcess(Path(token.module), dict(token.module_environment), lock=modules)
        process.ask(protocol.ListTokens(), 20, doing="listing")
        process.finish()
    with store.occupied(tmp_path, patience_s=10):
        pass


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
