"""No rehearsal: a real plan, a laptop that is cut off, and an API that bears no practice mark."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.core.secret import Secret
from ceremony.practice.softhsm import create_token
from tests.stories.conftest import BIN, Run
from tests.stories.outside import NAME
from tests.stories.speaker import Speaker

FACTORY = "acme-fleet"
OWNER = "5e8a2f04c1d7"
PIN = "482913"
_OUTSIDE = Path(__file__).with_name("outside.py")
_SPACES = ("unshare", "--map-root-user", "--net", "--mount", sys.executable, str(_OUTSIDE))
_PLAN = """
schema = "ceremony-plan/1"
factory = "{factory}"
kind = "create"
user_id = "{owner}"
requests = ["tls", "online-ca", "est-tls"]
[online]
api = "https://{api}"
ca_file = "{folder}/api-ca.pem"
[root]
key_store = "token"
[root.token]
module = "{module}"
serial = "{serial}"
software = true
[root.token.module_environment]
SOFTHSM2_CONF = "{conf}"
[root.backup]
method = "none"
[[local_ca]]
name = "line-1"
[rules]
type_back = "full"
[media]
csr_in = "{folder}/CSR-IN"
signed_out = "{folder}/SIGNED-OUT"
evidence = "{folder}/EVIDENCE"
custody = "{folder}/KEYS"
"""


class World:
    """A folder with sticks and papers, an online machine and a room that share nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("CSR-IN", "SIGNED-OUT", "EVIDENCE", "KEYS", "papers", "online", "state"):
            (folder / name).mkdir(mode=0o700)
        _certify_api(folder)
        token = create_token(folder / "token", "ceremony root", Secret("87654321"), Secret(PIN))
        self.plan = folder / "plan.toml"
        self.plan.write_text(
            _PLAN.format(
                factory=FACTORY,
                owner=OWNER,
                api=NAME,
                folder=folder,
                module=token.module,
                serial=token.serial,
                conf=token.module_environment["SOFTHSM2_CONF"],
            )
        )
        (folder / "papers" / "token-pin.txt").write_text(PIN)
        script = [BIN / "ceremony", "script", self.plan, "-o", folder / "papers" / "script.txt"]
        subprocess.run(script, check=True, capture_output=True)

    def online(self, *arguments: str | Path) -> Run:
        """`ceremony-online`, where the API is."""
        token = ("--token-file", self.folder / "factory" / "token")
        state = ("--state", self.folder / "online")
        return self._run(
            *(self.folder, FACTORY, OWNER, BIN / "ceremony-online", *arguments, *token, *state)
        )

    def room(self, where: str = "room", state: str = "state") -> Speaker:
        """Officers at `ceremony run`, in plain lines."""
        return Speaker(
            [
                *_SPACES,
                *(where, str(BIN / "ceremony"), "run", str(self.plan)),
                *("--plain", "--dir", str(self.folder / state)),
            ],
            self.folder / "papers",
            lambda title, _: "2" if title.startswith(("No backup", "A check failed")) else None,
        )

    def _run(self, *arguments: object) -> Run:
        done = subprocess.run(
            [*_SPACES, *map(str, arguments)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        return Run(status=done.returncode, out=done.stdout, err=done.stderr)


def _certify_api(folder: Path) -> None:
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2")
    ca = ("-keyout", "api-ca.key", "-out", "api-ca.pem", "-subj", "/CN=Some public CA")
    _openssl(folder, "req", "-x509", *curve, *ca, "-addext", "keyUsage=critical,keyCertSign")
    leaf = ("-keyout", "api.key", "-out", "api.pem", "-subj", "/CN=api")
    names = ("-addext", f"subjectAltName=DNS:{NAME}", "-addext", "basicConstraints=CA:FALSE")
    signed = ("-CA", "api-ca.pem", "-CAkey", "api-ca.key")
    _openssl(folder, "req", "-x509", *curve, *leaf, *names, *signed)


def _openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("real"))


def test_a_real_ceremony_goes_from_the_api_through_the_room_and_back(world: World) -> None:
    papers = world.folder / "papers"
    fetched = world.online(
        "fetch", world.plan, "--to", world.folder / "CSR-IN", "--yes-replaces-server-keys", FACTORY
    )
    assert fetched.status == 0, fetched.err
    (sheet,) = (world.folder / "online" / "online").glob("*.words.txt")
    (papers / "request-words.txt").write_text(sheet.read_text())
    officers = world.room()
    status = officers.talk()
    warned = "A note for the record" in officers.titles  # by this machine: a week up, a tmpfs
    assert status == (8 if warned else 0), officers.heard
    assert "REHEARSAL" not in officers.heard.upper()
    (bundle,) = (world.folder / "SIGNED-OUT").glob("*-upload-*/")
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert (manifest["rehearsal"], manifest["factory"]) == (False, FACTORY)

    words = " ".join(word for _, word in sorted(officers.upload.items()))
    uploaded = world.online("upload", bundle, "--expect", words)
    assert uploaded.status == 0, uploaded.err
    held = json.loads((world.folder / "factory" / "certs.json").read_text())
    assert held["root-crt"] == (bundle / "factory_ca.pem").read_text()
    assert held["ca-crt"] == (bundle / "device_ca_list.pem").read_text()
    again = world.online("upload", bundle, "--expect", words)
    assert again.status == 0
    assert "already there" in again.out + again.err

    head = officers.heard.rsplit("Head of the record", 1)[1]
    digits = "".join(part.split()[1] for part in head.splitlines()[1:9])
    (evidence,) = (world.folder / "EVIDENCE").glob("*-evidence-*/")
    checked = subprocess.run(
        [BIN / "ceremony", "verify", evidence, "--expect", digits],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert "record.head" in checked.stdout


def test_a_laptop_with_a_cable_goes_no_further_than_preflight(world: World) -> None:
    officers = world.room("linked", "other-state")
    assert officers.talk() == 7, officers.heard
    assert "FAIL network interface cable" in officers.heard
    assert not any(title.startswith("Fence") for title in officers.titles)
    (record,) = (world.folder / "other-state").glob("*/record.jsonl")
    assert '"intent"' not in record.read_text()
    assert "preflight failed: network interface cable" in record.read_text()
