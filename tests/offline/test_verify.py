"""`ceremony verify` and `ceremony fingerprint`, as programs."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.bundle.sums import format_sums
from ceremony.core.fingerprints import Fingerprint

CEREMONY = str(Path(sys.executable).with_name("ceremony"))


def run(*argv: str, status: int = 0) -> tuple[str, str]:
    done = subprocess.run([CEREMONY, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def root_pem(tmp_path: Path) -> Path:
    argv = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
    subject = ["-subj", "/CN=Factory-CA/OU=acme-fleet", "-keyout", "/dev/null", "-out", "r.pem"]
    extensions = [
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-addext", "extendedKeyUsage=serverAuth,clientAuth"),
    ]
    subprocess.run(
        [*argv.split(), *subject, *extensions], cwd=tmp_path, check=True, capture_output=True
    )
    return tmp_path / "r.pem"


def test_a_certificate_is_checked_and_stdout_is_data(root_pem: Path) -> None:
    stdout, stderr = run("verify", str(root_pem))
    assert "certificate.readable" in stdout
    assert "not checked" in stdout
    assert stderr == ""
    document = json.loads(run("verify", "--json", str(root_pem))[0])
    assert (document["schema"], document["ok"]) == ("ceremony-verify/1", True)
    assert document["subject"] == "certificate"
    outcomes = {check["code"]: check["outcome"] for check in document["checks"]}
    assert outcomes["fingerprint"] == "not checked"
    words = " ".join(document["words"])
    document = json.loads(run("verify", "--json", "--expect", words, str(root_pem))[0])
    assert {check["code"]: check["outcome"] for check in document["checks"]}["fingerprint"] == "ok"


def test_a_failed_check_is_status_3_and_the_list_is_printed_all_the_same(root_pem: Path) -> None:
    stdout, stderr = run("verify", "--expect", "00" * 32, str(root_pem), status=3)
    assert "FAILED" in stdout
    assert stderr.startswith("error: 1 of ")
    assert "hint: " in stderr
    document = json.loads(run("verify", "--json", "--expect", "0" * 64, str(root_pem), status=3)[0])
    assert document["ok"] is False


@pytest.mark.parametrize("expect", ["", "xyz", "ab" * 31, "aardvark adroitness"])
def test_an_expectation_that_is_neither_hex_nor_words_is_a_usage_error(
    root_pem: Path, expect: str
) -> None:
    assert "usage.fingerprint" in run("verify", "--expect", expect, str(root_pem), status=2)[1]


def test_a_path_that_is_not_there_is_status_5(tmp_path: Path) -> None:
    stdout, stderr = run("verify", str(tmp_path / "no\x1b[2Jwhere"), status=5)
    assert stdout == ""
    assert "\x1b" not in stderr


def test_a_bundle_with_a_wrong_digest_is_status_3(tmp_path: Path) -> None:
    files = {"request.json": b"{}", "README.txt": b""}
    sums = format_sums({**files, "README.txt": b"x"})
    for name, data in {**files, "SHA256SUMS": sums}.items():
        (tmp_path / name).write_bytes(data)
    assert "README.txt" in run("verify", str(tmp_path), status=3)[0]


def test_fingerprints_are_shown_as_hex_groups_and_words(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    wanted = Fingerprint.of(b"abc")
    stdout, _ = run("fingerprint", str(path))
    assert wanted.hex == hashlib.sha256(b"abc").hexdigest()
    for letter, group, words in wanted.lines:
        assert f"{letter}  {group}  {' '.join(words)}" in stdout
    document = json.loads(run("fingerprint", "--json", str(path), str(path))[0])
    assert [one["sha256"] for one in document["fingerprints"]] == [wanted.hex] * 2
    assert document["fingerprints"][0]["words"] == list(wanted.words)


def test_the_qr_code_is_black_on_white_in_half_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    stdout, _ = run("fingerprint", "--qr", str(path))
    rows = [line for line in stdout.splitlines() if line.startswith("\x1b[38;2;0;0;0;48;2;255")]
    assert len(rows) == 21
    assert all(row.endswith("\x1b[0m") for row in rows)
