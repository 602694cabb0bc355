"""A local CA whose key lives on a token: one process signs, the workers do the rest."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ceremony.config import Curve, Token
from ceremony.core.secret import Secret
from ceremony.devices.sources import Count
from ceremony.errors import KeyStoreError
from ceremony.keys.token import open_token
from ceremony.practice.softhsm import create_token
from tests.devices.conftest import FACTORY, make_ca, open_floor

PIN = Secret("12345678")
PLAN = """
schema = "ceremony-plan/1"
factory = "acme-fleet"
kind = "create"
user_id = "5e8a2f04c1d7"
[root]
key_store = "file"
backup = {{ method = "none" }}
[[local_ca]]
name = "line-1"
key_store = "token"
[local_ca.token]
module = "{module}"
serial = "{serial}"
software = true
module_environment = {{ SOFTHSM2_CONF = "{conf}" }}
"""


@pytest.fixture
def token(tmp_path: Path) -> Token:
    (tmp_path / "softhsm").mkdir()
    return create_token(tmp_path / "softhsm", "line-1", Secret("87654321"), PIN)


def make(token: Token, folder: Path) -> None:
    with open_token(token, timeout_s=30, generate_timeout_s=30) as store:
        store.login(PIN)
        make_ca(folder, ca_spki=store.generate("line-1", "02", Curve.P256).spki)
    (folder / "secret").write_text(f"{PIN.reveal()}\n")
    conf = token.module_environment["SOFTHSM2_CONF"]
    text = PLAN.format(module=token.module, serial=token.serial, conf=conf)
    (folder / "ceremony.toml").write_text(text)


def test_a_batch_from_a_token_and_every_certificate_verifies(token: Token, tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    make(token, folder)
    command = [sys.executable, "-m", "ceremony", "devices", "issue", "--ca", "local_ca.pem"]
    command += ["--plan", "ceremony.toml", "--name", "line-1", "--secret-file", "secret"]
    done = subprocess.run(
        [*command, "--count", "300", "--out", "batch.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ca = x509.load_pem_x509_certificate((folder / "local_ca.pem").read_bytes())
    rows = [json.loads(line) for line in (folder / "batch.jsonl").read_text().splitlines()]
    assert len({row["uuid"] for row in rows}) == 300
    for row in rows:
        one = x509.load_pem_x509_certificate(row["client.pem"].encode())
        one.verify_directly_issued_by(ca)
    wrong = [*command[:-4], "--name", "line-2", "--secret-file", "secret"]
    done = subprocess.run(
        [*wrong, "--count", "1", "--out", "o.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "devices.no_token" in done.stderr


@dataclass
class LyingToken:
    """The file's key behind a token's face, which from some signature on signs wrongly."""

    store: Any
    honest: int
    signed: int = 0

    def info(self) -> Any:
        return replace(self.store.info(), kind="token")

    def sign_digests(self, key: Any, digests: Any) -> tuple[bytes, ...]:
        good = self.store.sign_digests(key, digests)
        begin, self.signed = self.signed, self.signed + len(good)
        other = self.store.sign_digests(key, [b"\0" * 32])[0]
        return tuple(one if begin + i < self.honest else other for i, one in enumerate(good))


@pytest.mark.parametrize("honest", [0, 3, 5])
def test_23_a_token_that_lies_gets_nothing_written(floor: Any, honest: int) -> None:
    """Each signature is verified; the step that holds a wrong one is not in the ledger."""
    real, floor.store = floor.store, LyingToken(floor.store, honest)
    with pytest.raises(KeyStoreError) as caught:
        floor.issue(Count(7), "out.jsonl", step=2)
    assert caught.value.code == "token.signature_wrong"
    written = (floor.folder / "out.jsonl.partial").read_bytes().splitlines()
    assert len(written) <= honest
    with floor.ledger() as ledger:
        assert ledger.count() == len(written)
    floor.store = real
    assert floor.issue(Count(7), "out.jsonl", step=2).issued == 7
    assert open_floor(floor.folder).authority.factory == FACTORY


def test_23_a_key_file_whose_key_is_not_the_cas_any_more_gets_nothing_written(
    floor: Any, new_floor: Any
) -> None:
    """What a key that was damaged in memory does to each signature."""
    real, other = floor.store, new_floor()

    class Damaged:
        def info(self) -> Any:
            return real.info()

        def sign_digests(self, key: Any, digests: Any) -> tuple[bytes, ...]:
            signatures: tuple[bytes, ...] = other.store.sign_digests(other.key, digests)
            return signatures

    floor.store = Damaged()
    with pytest.raises(KeyStoreError) as caught:
        floor.issue(Count(5), "out.jsonl")
    assert caught.value.code == "token.signature_wrong"
    with floor.ledger() as ledger:
        assert ledger.count() == 0
    assert (floor.folder / "out.jsonl.partial").read_bytes() == b""
