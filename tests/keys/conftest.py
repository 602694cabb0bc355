"""Real tokens and a module that spoils them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ceremony.config import Token
from ceremony.core.ports import KeyStore
from ceremony.core.secret import Secret
from ceremony.keys.file import FileKeyStore, new_passphrase
from ceremony.keys.token import TokenStore, open_token
from ceremony.practice.softhsm import create_token

PIN = Secret("1234")
SO_PIN = Secret("87654321")
NSS_MODULE = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"
NSS_PIN = Secret("Practice.123")

OpenToken = Callable[..., TokenStore]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A key store that a test may open again and again."""

    open: Callable[[], KeyStore]
    secret: Secret
    has_ids: bool


@pytest.fixture
def softhsm(tmp_path: Path) -> Token:
    """A fresh SoftHSM2 token."""
    return create_token(tmp_path / "softhsm", "practice", SO_PIN, PIN)


@pytest.fixture
def nss(tmp_path: Path) -> Token:
    """A fresh NSS database; both of softokn's tokens share one serial number."""
    directory = tmp_path / "nss"
    directory.mkdir()
    password = tmp_path / "password"
    password.write_text(NSS_PIN.reveal() + "\n", encoding="ascii")
    subprocess.run(
        ["certutil", "-N", "-d", f"sql:{directory}", "-f", str(password)],
        check=True,
        capture_output=True,
    )
    parameters = f"configdir='sql:{directory}' certPrefix='' keyPrefix='' secmod='secmod.db' flags="
    return Token(
        module=NSS_MODULE,
        label="NSS Certificate DB",
        module_environment={"NSS_LIB_PARAMS": parameters},
    )


@pytest.fixture
def open_store() -> Iterator[OpenToken]:
    """`open_token` with short time-outs; all that it opened is closed in the end."""
    opened: list[TokenStore] = []

    def opener(token: Token, timeout_s: float = 20, generate_timeout_s: float = 20) -> TokenStore:
        store = open_token(token, timeout_s=timeout_s, generate_timeout_s=generate_timeout_s)
        opened.append(store)
        return store

    yield opener
    for store in opened:
        store.close()


@pytest.fixture(params=["softhsm", "nss", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path, open_store: OpenToken) -> Place:
    """Each adapter over a real store."""
    if request.param == "file":
        path = tmp_path / "state" / "root-ca.key"
        path.parent.mkdir(mode=0o700)
        return Place(
            open=lambda: FileKeyStore(path), secret=new_passphrase(os.urandom), has_ids=False
        )
    token: Token = request.getfixturevalue(request.param)
    secret = PIN if request.param == "softhsm" else NSS_PIN
    return Place(open=lambda: open_store(token), secret=secret, has_ids=True)


@pytest.fixture(scope="session")
def fake_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled `fake_module.c`."""
    built = tmp_path_factory.mktemp("module") / "libfake.so"
    source = Path(__file__).with_name("fake_module.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"], check=True
    )
    built.chmod(0o755)
    return built


@pytest.fixture
def spoiled(softhsm: Token, fake_module: Path) -> Callable[[str], Token]:
    """The SoftHSM2 token behind the fake module, spoiled in one way."""

    def make(mode: str) -> Token:
        return Token(
            module=str(fake_module),
            serial=softhsm.serial,
            module_environment={
                **softhsm.module_environment,
                "FAKE_REAL": softhsm.module,
                "FAKE_MODE": mode,
            },
        )

    return make
