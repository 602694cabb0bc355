"""What a rehearsal leaves, checked with stock tools only where that is possible."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from ceremony.practice.factory import PracticeFactory
from tests.stories.conftest import FACTORY, TOP, Kept, Run, run

PURPOSES = {
    "factory_ca.pem": "any",
    "tls.pem": "sslserver",
    "est-tls.pem": "sslserver",
    "online_ca.pem": "any",
    "local_ca-line-1.pem": "any",
    "local_ca-line-2.pem": "any",
}


def _shell(command: str, cwd: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_folder_is_there_with_one_bundle_in_it(kept: Kept) -> None:
    for folder in ("online", "state", "factory", "device", "usb-in", "usb-out", "evidence"):
        assert (kept.directory / folder).is_dir()
    ceremony_id = next((kept.directory / "state").glob("create-*")).name
    assert re.fullmatch(rf"{FACTORY}-request-\d{{8}}-\d{{4}}", kept.request.name)
    assert kept.upload.name == f"{FACTORY}-upload-{ceremony_id}"
    assert kept.evidence.name == f"{FACTORY}-evidence-{ceremony_id}"
    for name in ("client.pem", "pkey.pem"):
        assert (kept.directory / "device" / name).is_file()
    assert list((kept.directory / "online").glob("*receipt*.json"))


def test_sha256sum_and_openssl_find_nothing_wrong(kept: Kept) -> None:
    for bundle in (kept.request, kept.upload, kept.evidence):
        _shell("sha256sum -c --strict SHA256SUMS", bundle)
        names = (bundle / "SHA256SUMS").read_bytes().splitlines()
        assert names == sorted(names, key=lambda line: line[66:])
    for name, purpose in PURPOSES.items():
        command = f"openssl verify -x509_strict -CAfile factory_ca.pem -purpose {purpose} {name}"
        assert _shell(command, kept.upload).strip() == f"{name}: OK"


def test_the_readme_of_the_bundle_says_commands_that_work(kept: Kept) -> None:
    readme = (kept.upload / "README.txt").read_text()
    commands = [line.strip() for line in readme.splitlines() if line.startswith("    ")]
    ours = [c for c in commands if c.startswith(("sha256sum", "openssl verify", "openssl x509"))]
    assert len(ours) > 12
    for command in ours:
        _shell(f"set -o pipefail; {command}", kept.upload)


def test_ceremony_verify_passes_on_everything_and_says_what_it_could_not_check(kept: Kept) -> None:
    state = next((kept.directory / "state").glob("create-*"))
    for path in (kept.request, kept.upload, kept.evidence, state, kept.evidence / "record.jsonl"):
        done = run("ceremony", "verify", path, "--json")
        assert done.status == 0, done.out + done.err
        assert json.loads(done.out)["checks"]
    head = _shell("tail -n 1 record.jsonl | sha256sum | cut -c1-64", kept.evidence).strip()
    assert run("ceremony", "verify", kept.evidence, "--expect", head).status == 0
    assert run("ceremony", "verify", kept.evidence, "--expect", "0" * 64).status == 3


def test_the_factory_holds_exactly_these_certificates(kept: Kept) -> None:
    held = json.loads((kept.directory / "factory" / "certs.json").read_text())
    read = {name: (kept.upload / name).read_text() for name in PURPOSES}
    assert held["root-crt"].strip() == read["factory_ca.pem"].strip()
    assert held["tls-crt"].strip() == read["tls.pem"].strip()
    assert held["est-tls-crt"].strip() == read["est-tls.pem"].strip()
    cas = {read[name].strip() for name in PURPOSES if "_ca" in name and "factory" not in name}
    found = re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----", held["ca-crt"], re.DOTALL)
    assert set(found) == cas


def test_no_private_key_and_no_name_of_a_person_leaves_in_the_upload_bundle(kept: Kept) -> None:
    for path in kept.upload.iterdir():
        data = path.read_bytes()
        assert b"PRIVATE KEY" not in data
        assert b"Practice" not in data
        assert b"REHEARSAL-1" not in data


def test_neither_pin_nor_phrase_nor_passphrase_is_written_anywhere(kept: Kept) -> None:
    pin = (kept.directory / "paper" / "token-pin.txt").read_text().strip()
    for path in kept.directory.rglob("*"):
        if not path.is_file() or path.parent.name == "paper" or "token" in path.parts:
            continue
        data = path.read_bytes()
        assert b"practice phrase" not in data, path
        if path.suffix in {".jsonl", ".json", ".html", ".txt", ".toml"}:
            assert pin.encode() not in data, path


def test_pkcs11_tool_finds_one_private_key_that_never_leaves(
    tmp_path_factory: object, kept: Kept
) -> None:
    token = kept.directory / "token" / "softhsm2.conf"
    plan = (kept.directory / "plan.toml").read_text()
    if 'key_store = "token"' not in plan.split("[[local_ca]]")[0]:
        assert not token.exists()
        return
    module = re.search(r'module = "(.*)"', plan)
    serial = re.search(r'serial = "(.*)"', plan)
    assert module is not None
    assert serial is not None
    pin = (kept.directory / "paper" / "token-pin.txt").read_text().strip()
    slots = _shell(f"SOFTHSM2_CONF={token} pkcs11-tool --module {module[1]} -L", TOP)
    before = slots.split(serial[1])[0]
    slot = re.findall(r"\((0x[0-9a-f]+)\)", before)[-1]
    told = _shell(
        f"SOFTHSM2_CONF={token} pkcs11-tool --module {module[1]} --slot {slot} --login "
        f"--pin {pin} --list-objects --type privkey",
        TOP,
    )
    assert told.count("Private Key Object") == 1
    assert re.search(r"label:\s+root-ca", told)
    assert re.search(r"ID:\s+01\b", told)
    assert re.search(r"Access:\s+sensitive, always sensitive, never extractable, local", told)


def test_key_files_open_with_openssl_pkey(kept: Kept) -> None:
    for path in (kept.directory / "custody").rglob("*.key"):
        text = path.read_text()
        assert text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert path.stat().st_mode & 0o077 == 0
        told = _shell(f"openssl asn1parse -in {path}", TOP)
        assert "PBKDF2" in told
        assert "aes-256-cbc" in told
        assert ":0927C0" in told  # 600 000 rounds


def test_an_altered_bundle_is_refused_and_nothing_is_sent(kept: Kept, tmp_path: Path) -> None:
    copy = tmp_path / kept.upload.name
    shutil.copytree(kept.upload, copy)
    payload = copy / "payload.json"
    payload.write_bytes(payload.read_bytes().replace(b"BEGIN CERT", b"BEGIN CERt", 1))
    done = run("ceremony", "verify", copy)
    assert done.status == 3
    assert "payload.json" in done.out
    before = (kept.directory / "factory" / "certs.json").read_bytes()
    token = kept.directory / "factory" / "token"
    done = run(
        "ceremony-online", "upload", copy, "--token-file", token, "--state",
        tmp_path / "online", "--expect", "0" * 64,
    )  # fmt: skip
    assert done.status == 3
    assert done.err.startswith("error: ")
    assert "\nhint: " in done.err
    assert (kept.directory / "factory" / "certs.json").read_bytes() == before


def test_51_the_report_says_what_type_back_cannot_see_and_shows_what_to_compare(kept: Kept) -> None:
    report = " ".join((kept.evidence / "report.txt").read_text().split())
    assert "The online machine was honest when it fetched." in report
    assert "compare them with the platform by other means" in report
    tight = report.replace(" ", "")
    for entry in json.loads((kept.upload / "manifest.json").read_text())["certificates"]:
        assert entry["spki_sha256"] in tight
    names = _shell("openssl x509 -in tls.pem -noout -ext subjectAltName", kept.upload)
    found = re.findall(r"DNS:([a-z0-9.-]+)", names)
    assert len(found) == 2
    assert all(name in report for name in found)


def test_52_a_rehearsals_payload_sent_by_hand_to_a_real_factory_is_refused(
    kept: Kept, tmp_path: Path
) -> None:
    with PracticeFactory(tmp_path / "real", factory="acme-fleet") as real:
        certs = f"{real.url}/ota/factories/acme-fleet/certs/"
        curl = f"curl -sS -H 'OSF-TOKEN: {real.token}' -H 'Content-Type: application/json'"
        post = '{"first-time-init": true, "tls-csr": true, "ca-csr": true, "est-tls-csr": true}'
        _shell(f"{curl} --fail -X POST -d '{post}' {certs}", tmp_path)
        code = "-o answer -w '%{http_code}' -X PATCH --data-binary @payload.json"
        for path in (certs, certs.replace("acme-fleet", FACTORY)):
            assert _shell(f"{curl} {code} {path}", _copied(kept.upload, tmp_path))[0] == "4"
        assert _shell(f"{curl} -o /dev/null -w '%{{http_code}}' {certs}", tmp_path) == "206"


def _copied(bundle: Path, folder: Path) -> Path:
    shutil.copy(bundle / "payload.json", folder)
    return folder


ADDING = """
schema = "ceremony-plan/1"
factory = "acme-fleet"
kind = "add-device-ca"
user_id = "5e8a2f04"
[root]
token = {{ module = "/usr/lib/their.so", serial = "1" }}
backup = {{ method = "none" }}
[[local_ca]]
name = "{name}"
key_store = "token"
on_root_token = true
"""


def test_a_run_that_stopped_goes_on_and_a_corrected_plan_begins_a_new_one(tmp_path: Path) -> None:
    keep, plan = tmp_path / "keep", tmp_path / "own.toml"

    def rehearse(name: str) -> Run:
        plan.write_text(ADDING.format(name=name))
        return run("ceremony", "rehearse", plan, "--auto", "--key-store", "pkcs11", "--keep", keep)

    first = rehearse("line-1")  # a file of that name was made by the first ceremony before it
    assert first.status == 0, first.err
    again = rehearse("line-1")
    assert again.status == 4, again.err
    assert "[token.label_taken]" in again.err
    more = rehearse("line-1")
    assert more.status == 4, "it goes on where it stopped, with the head from paper"
    corrected = rehearse("line-2")
    assert corrected.status == 0, corrected.err
    assert "is left as" in corrected.err
    whole = run("ceremony", "verify", keep / "state")
    assert whole.status == 0, whole.out
