"""A root under a higher CA: two levels made with plain openssl sign the root CSR of a ceremony."""

import json
import subprocess
from pathlib import Path

import pytest

from ceremony.core.fingerprints import Fingerprint
from ceremony.documents.sheet import words_sheet
from ceremony.documents.text import render_text
from tests.stories.conftest import BIN, TOP, Kept, run
from tests.stories.floor import Place
from tests.stories.person import Person
from tests.stories.speaker import Speaker, ceremony
from tests.stories.terminal import Terminal

DAYS = 3000  # shorter than the plan's 7300, and than what is signed below
HIERARCHY = f"""
curve() {{ openssl ecparam -name secp384r1 -genkey -noout -out "$1"; }}
curve top.key; curve issuing.key
openssl req -x509 -new -key top.key -sha384 -days 9000 -subj "/O=Acme/CN=Acme Root" -out top.pem \\
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
openssl req -new -key issuing.key -subj "/O=Acme/CN=Acme Issuing" -out issuing.csr
printf '%s\\n' basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign \\
    subjectKeyIdentifier=hash authorityKeyIdentifier=keyid > ca.ext
openssl x509 -req -in issuing.csr -CA top.pem -CAkey top.key -sha384 -days 8000 \\
    -extfile ca.ext -out issuing.pem
printf 'authorityKeyIdentifier=keyid\\ncertificatePolicies=1.2.3.4\\n' > root.ext
openssl x509 -req -in "$CSR" -CA issuing.pem -CAkey issuing.key -sha384 -days {DAYS} \\
    -copy_extensions copy -extfile root.ext -out answer.pem
cat issuing.pem top.pem > chain.pem
"""


def shell(script: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Openssl:
    """Signs instead of the practice CA, when the officers are asked for the answer."""

    def __init__(self, keep: Path) -> None:
        self.keep = keep
        self.folder = keep.parent / "openssl"
        self.folder.mkdir()
        self._signed = False

    def __call__(self, title: str, asked: str) -> str | None:
        if title == "The higher CA's answer" and not self._signed:
            self._signed = True
            self._sign()
        if title.startswith("No backup"):
            return "2"
        return None

    def _sign(self) -> None:
        stick = self.keep / "usb-ca"
        (csr,) = stick.glob("*-root-csr-*/root.csr")
        shell(HIERARCHY, self.folder, CSR=str(csr))
        for name in ("answer.pem", "chain.pem"):
            (stick / name).write_bytes((self.folder / name).read_bytes())
        digits = shell("openssl x509 -in answer.pem -outform DER | sha256sum", self.folder)
        value = Fingerprint.from_hex(digits.split()[0])
        sheet = words_sheet(title="Words", what="the answer", fingerprint=value, rehearsal=True)
        (self.keep / "paper" / "higher-ca-words.txt").write_bytes(render_text(sheet))


@pytest.fixture(scope="module", params=["file", "pkcs11"])
def below(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Openssl:
    folder = tmp_path_factory.mktemp("below")
    text = (TOP / "ceremony.toml").read_text()
    plan = folder / "plan.toml"
    text = text.replace('issuer    = "self" ', 'issuer    = "external" ', 1)
    if request.param == "pkcs11":
        text = text.replace('method = "vendor" ', 'method = "none" ', 1)
    plan.write_text(text)
    keep = folder / "keep"
    higher = Openssl(keep)
    command = ceremony(*("rehearse", plan, "--plain", "--key-store", request.param, "--keep", keep))
    officers = Speaker(command, keep / "paper", higher)
    assert officers.talk() == 0, officers.heard[-3000:]
    titles = officers.titles
    assert titles.count("The ceremony waits for the higher CA") == 1
    assert titles.count("The root exists") == 1
    assert "7300 days" in officers.heard
    paper = keep / "paper" / "passphrase-line-1.txt"
    paper.touch(0o600)
    paper.write_text(officers.passphrases["line-1"])
    return higher


def test_openssl_verifies_everything_under_the_root_alone_and_under_the_whole_chain(
    below: Openssl,
) -> None:
    kept = Kept(below.keep)
    bundle = kept.upload
    assert (bundle / "root-chain.pem").read_bytes() == (below.folder / "chain.pem").read_bytes()
    assert (bundle / "factory_ca.pem").read_bytes() == (below.folder / "answer.pem").read_bytes()
    shell("cat chain.pem answer.pem > above.pem", below.folder)
    above, top = below.folder / "above.pem", below.folder / "top.pem"
    for name, purpose in (
        ("tls.pem", "-purpose sslserver"),
        ("est-tls.pem", "-purpose sslserver"),
        ("online_ca.pem", ""),
        ("local_ca-line-1.pem", ""),
        ("local_ca-line-2.pem", ""),
        ("factory_ca.pem", ""),
    ):
        verify = f"openssl verify -x509_strict {purpose}"
        shell(f"{verify} -partial_chain -trusted factory_ca.pem {name}", bundle)
        shell(f"{verify} -CAfile {top} -untrusted {above} {name}", bundle)
    device = below.keep / "device" / "client.pem"
    untrusted = f"-untrusted {above} -untrusted {bundle / 'local_ca-line-1.pem'}"
    shell(f"openssl verify -purpose sslclient -CAfile {top} {untrusted} {device}", bundle)


def test_what_the_bundle_says_to_do_works_and_verify_names_the_higher_ca(below: Openssl) -> None:
    kept = Kept(below.keep)
    readme = (kept.upload / "README.txt").read_text().splitlines()
    commands = [line.strip() for line in readme if line.startswith("    openssl verify")]
    assert len(commands) == 7
    for command in commands:
        shell(command, kept.upload)
    (csr,) = (below.keep / "usb-ca").glob("*-root-csr-*/")
    for path in (kept.upload, kept.evidence, csr, next((below.keep / "state").glob("create-*"))):
        told = run("ceremony", "verify", path, "--json")
        assert told.status == 0, told.out
    assert "CN=Acme Issuing" in run("ceremony", "verify", kept.upload).out
    root = run("ceremony", "verify", kept.upload / "factory_ca.pem").out
    assert "root under a higher CA, CN=Acme Issuing,O=Acme" in root


def test_nothing_outlives_the_root_and_the_report_says_who_signed_it(below: Openssl) -> None:
    kept = Kept(below.keep)
    manifest = json.loads((kept.upload / "manifest.json").read_text())
    ends = {entry["name"]: entry["not_after"] for entry in manifest["certificates"]}
    assert set(ends.values()) == {ends["root"]}, "each would have lasted longer"
    report = " ".join((kept.evidence / "report.txt").read_text().split())
    first = report.split("Head of the record")[0]
    assert "CN=Acme Issuing,O=Acme" in first
    assert Fingerprint.of(_der(below.folder / "top.pem")).hex in report.replace(" ", "")
    for name in ("tls", "est-tls", "online-ca", "line-1", "line-2"):
        assert name in first.split("End with the root")[1]


def _der(pem: Path) -> bytes:
    command = ["openssl", "x509", "-in", str(pem), "-outform", "DER"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_the_wizard_leaves_as_planned_and_comes_back_for_the_answer(tmp_path: Path) -> None:
    plan, keep = tmp_path / "plan.toml", tmp_path / "keep"
    text = (TOP / "ceremony.toml").read_text()
    plan.write_text(text.replace('issuer    = "self" ', 'issuer    = "external" ', 1))
    with Terminal(tmp_path) as terminal:
        command = (str(BIN / "ceremony"), "rehearse", str(plan))
        terminal.start(*command, "--key-store", "file", "--keep", str(keep))
        terminal.wait(lambda screen: "Press Enter to open" in screen)
        terminal.keys("Enter")
        person = Person(terminal, keep / "paper")
        person.go(until="stopped.waiting")
        assert "The ceremony waits for the higher CA" in person.seen
        assert "The root exists" not in person.seen
        terminal.wait(lambda screen: screen.count("Press Enter to open") == 2)
        terminal.keys("Enter")
        review = person.go(until="The root, as the higher CA signed it")
        assert "was signed" in review
        assert "CN=practice-higher-issuing" in review
        person.go(until="The root exists")
    (record,) = (keep / "state").glob("*/record.jsonl")
    assert record.read_text().count('"type":"intent","key":"certificate/root"') == 1


def test_the_factory_takes_that_root_and_a_device_gets_in(below: Openssl) -> None:
    held = json.loads((below.keep / "factory" / "certs.json").read_text())
    assert held["root-crt"] == (below.folder / "answer.pem").read_text()
    assert (below.keep / "device" / "client.pem").is_file()
    record = next((below.keep / "state").glob("*/record.jsonl")).read_text()
    for once in ('"intent","key":"csr/root"', '"intent","key":"key/root"', '"type":"wait"'):
        assert record.count(once) == 1


def test_the_floor_issues_below_that_root_and_its_devices_reach_the_gateway(
    below: Openssl, tmp_path: Path
) -> None:
    place = Place(below.keep, tmp_path)
    done = place.issue("--count", "1", "--out", "batch")
    assert done.returncode == 0, done.stderr
    assert "notAfter is its own" in done.stderr, "the higher CA's root ends before ten years"
    (device,) = (tmp_path / "batch").glob("*/")
    assert (device / "root.crt").read_bytes() == (place.upload / "factory_ca.pem").read_bytes()
    with place.serving():
        reached = place.check(str(device))
        asked = place.check(str(device), "--fetch-root", "--json")
        (device / "root.crt").write_bytes((below.folder / "top.pem").read_bytes())
        elsewhere = place.check(str(device))
    assert reached.returncode == 0, reached.stderr
    assert "the gateway accepts the device" in reached.stdout
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["uuid"] == device.name
    assert elsewhere.returncode == 6, "a device trusts its root.crt, not the CA above"
    assert "[gateway.wrong_root]" in elsewhere.stderr
