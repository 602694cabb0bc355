"""`ceremony pki import` finds a root's key on a real token, by public key and by label."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ceremony.config import Curve, Token
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, KeyStoreError
from ceremony.keys.token import open_token
from ceremony.offline.pki import command
from ceremony.practice.softhsm import create_token
from ceremony.x509 import issuing
from ceremony.x509.pem import CERTIFICATE, write_pem

PIN = "1234"
PLAN = """
schema = "ceremony-plan/1"
factory = "acme"
kind = "rotate-tls"
user_id = "5e8a2f04"
[root]
label = "{label}"
backup = {{ method = "none" }}
[root.token]
module = "{module}"
serial = "{serial}"
module_environment = {{ SOFTHSM2_CONF = "{conf}" }}
"""


class Bench:
    """A token with keys as fioctl's HSM build makes them, and a PKI directory of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token: Token = create_token(folder, "old root", Secret("87654321"), Secret(PIN))

    def make(self, key_id: str, label: str = "root-ca") -> None:
        line = ["pkcs11-tool", "--module", self.token.module, "--login", "--pin", PIN]
        line += ["--keypairgen", "--key-type", "EC:prime256v1", "--id", key_id, "--label", label]
        environment = {"PATH": "/usr/bin:/bin", **self.token.module_environment}
        subprocess.run(line, env=environment, check=True, capture_output=True, timeout=30)

    def certify(self, key_id: str) -> Path:
        with open_token(self.token, timeout_s=20, generate_timeout_s=20) as store:
            store.login(Secret(PIN))
            held = store.keys()
            key = next(each for each in held if each.key_id == key_id)
            content = issuing.root_content(
                factory="acme",
                spki=key.spki,
                serial=4711,
                not_before=datetime(2026, 1, 1, tzinfo=UTC),
                days=7300,
                profile="strict",
            )
            tbs = issuing.tbs_of(issuing.twin(content, Curve.P256))
            der = issuing.assemble(tbs, store.sign(key, tbs))
        directory = self.folder / "pki"
        directory.mkdir()
        (directory / "factory_ca.pem").write_bytes(write_pem(der, CERTIFICATE))
        return directory

    def adopt(self, directory: Path, label: str = "root-ca") -> Result:
        conf = self.token.module_environment["SOFTHSM2_CONF"]
        text = PLAN.format(
            label=label, module=self.token.module, serial=self.token.serial, conf=conf
        )
        (self.folder / "plan.toml").write_text(text)
        (self.folder / "pin").write_text(f"{PIN}\n")
        (self.folder / "pin").chmod(0o600)
        (self.folder / "state").mkdir(mode=0o700)
        arguments = ["import", str(directory), "--plan", str(self.folder / "plan.toml")]
        arguments += ["--pin-file", str(self.folder / "pin"), "--dir", str(self.folder / "state")]
        return CliRunner().invoke(command, arguments, catch_exceptions=False)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("key_id", ["01", "31"])
def test_the_key_is_found_whatever_its_id(bench: Bench, key_id: str) -> None:
    bench.make("07", "somebody-elses")
    bench.make(key_id)
    done = bench.adopt(bench.certify(key_id))
    assert f"root-ca, id {key_id}, the key of factory_ca.pem; it signed a challenge" in done.output
    assert not list((bench.folder / "state").glob("*/keys"))


def _refused(bench: Bench, directory: Path, label: str = "root-ca") -> CeremonyError:
    with pytest.raises(KeyStoreError) as caught:
        bench.adopt(directory, label)
    assert not list((bench.folder / "state").iterdir()), "nothing is kept of what was refused"
    return caught.value


def test_two_keys_with_the_label_are_no_choice(bench: Bench) -> None:
    bench.make("01")
    directory = bench.certify("01")
    bench.make("31")
    assert _refused(bench, directory).code == "token.label_twice"


def test_another_key_under_the_right_label_and_id_is_refused(bench: Bench) -> None:
    bench.make("31", "old-name")
    directory = bench.certify("31")
    bench.make("01")
    assert _refused(bench, directory).code == "token.label_differs"
    other = Bench(bench.folder / "other")
    other.make("01")
    assert _refused(other, directory).code == "token.key_missing"


def test_the_plans_label_finds_a_key_with_a_name_of_its_own(bench: Bench) -> None:
    bench.make("31", "factory-root")
    assert bench.adopt(bench.certify("31"), "factory-root").exit_code == 0
