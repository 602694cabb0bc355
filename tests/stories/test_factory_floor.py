"""The factory floor after a rehearsal: its practice Factory again, and a thousand devices."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.stories.floor import Place

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after": "1"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "applied": True},
    {"kind": "reset"},
    {"kind": "reset", "applied": True},
    {"kind": "truncated"},
)


@contextmanager
def bad_day(place: Place) -> Iterator[list[int]]:
    """One fault after the other befalls registrations; how many did."""
    over, befallen = threading.Event(), [0]

    def spoil() -> None:
        for fault in FAULTS * 4:
            place.call("POST", "/practice/faults", {"method": "PUT", **fault})
            while place.call("GET", "/practice/faults"):
                if over.wait(0.05):
                    return
            befallen[0] += 1
            if over.wait(0.05):
                return

    thread = threading.Thread(target=spoil)
    thread.start()
    try:
        yield befallen
    finally:
        over.set()
        thread.join()
        place.call("DELETE", "/practice/faults")


def test_a_thousand_devices_on_a_bad_day(place: Place) -> None:
    done = place.issue("--count", "1000", "--out", "batch.jsonl")
    assert done.returncode == 0, done.stderr
    issued = [json.loads(line) for line in (place.folder / "batch.jsonl").read_text().splitlines()]
    assert len({row["uuid"] for row in issued}) == 1000
    with place.serving():
        before = {device["uuid"] for device in place.devices()}
        with bad_day(place) as befallen:
            done = place.told("register", "--group", "line-1", BATCH="batch.jsonl")
        assert done.returncode == 0, done.stderr
        assert befallen[0] >= 12, "each fault should have come twice"
        assert "1000 registered, 0 not" in done.stderr
        assert " of 1 000, " in done.stderr
        assert "/s, " in done.stderr
        new = [device for device in place.devices() if device["uuid"] not in before]
        assert {row["uuid"]: row["serial"] for row in issued} == {
            device["uuid"]: device["serial"] for device in new
        }
        assert {device["owner"] for device in new} == {place.lines["user id"]}
        assert {device["device-group"] for device in new} == {"line-1"}
        results = (place.folder / "batch.jsonl.registered.jsonl").read_text().splitlines()
        told = [json.loads(line) for line in results]
        assert {one["uuid"] for one in told} == {row["uuid"] for row in issued}
        assert {one["result"] for one in told} == {"registered", "already there"}

        again = place.told("register", "--group", "line-1", BATCH="batch.jsonl")
        assert again.returncode == 0
        assert "0 registered, 1000 before, 0 not" in again.stderr

        device = place.folder / "one"
        device.mkdir()
        for name in ("client.pem", "pkey.pem", "root.crt", "client.chained"):
            (device / name).write_text(issued[500][name])
        seen = place.check("one")
        assert seen.returncode == 0, seen.stderr
        assert "the gateway accepts the device" in seen.stdout
        seen = place.check("one", "--fetch-root")
        assert seen.returncode == 0, seen.stderr
        assert "registers the device" in seen.stderr
        assert "200" in seen.stdout


def test_a_device_that_curl_and_the_check_bring_to_the_gateway(place: Place) -> None:
    done = place.issue("--count", "1", "--out", "devices")
    assert done.returncode == 0, done.stderr
    (folder,) = (one for one in (place.folder / "devices").iterdir() if one.is_dir())
    with place.serving():
        before = len(place.devices())
        seen = place.check(str(folder), "--json")
        assert json.loads(seen.stdout)["root_json"] is False
        assert len(place.devices()) == before, "a check registers nothing"
        name, _, address = place.lines["gateway"].partition(" at ")
        curl = subprocess.run(
            [
                *("curl", "-sS", "--fail", "--cacert", "root.crt", "--cert", "client.pem"),
                *("--key", "pkey.pem", "--connect-to", f"{name}:8443:{address}"),
                f"https://{name}:8443/repo/1.root.json",
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert curl.returncode == 0, curl.stderr
        assert json.loads(curl.stdout)["signed"]["_type"] == "Root"
        assert place.devices()[-1]["uuid"] == folder.name


def test_a_device_gets_its_certificate_from_the_registration_service(place: Place) -> None:
    """It reads fioctl's folder, the CA's key in the clear; the gateway takes its device."""
    key = ("--local-ca", "line-1", "--local-ca-key", str(place.custody() / "local_ca-line-1.key"))
    pki = ("--to", str(place.kept / "pki"), "--passphrase-file", place.passphrase())
    done = place.run("ceremony", "pki", "export", str(place.upload), *key, *pki)
    assert done.returncode == 0, done.stderr
    exported = (place.kept / "pki" / "local-ca.key").read_bytes()
    assert exported.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    uuid = "9b2f3c1e-0000-4000-8000-000000000001"
    subject = f"/CN={uuid}/OU=rehearsal-acme-fleet"
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ("-nodes", "-keyout", "pkey.pem", "-out", "device.csr")
    subprocess.run(
        [*command, *files, "-subj", subject], cwd=place.folder, check=True, capture_output=True
    )
    with place.serving():
        plan = ("--plan", str(place.kept / "plan.toml"))
        root = ("--root", str(place.upload / "factory_ca.pem"))
        service = ("--service", place.lines["service"], "--hardware-id", "imx8mmevk")
        asked = (*plan, *root, *service, "--out", "made")
        done = place.run("ceremony-online", "devices", "register", "device.csr", *asked)
        assert done.returncode == 0, done.stderr
        device = place.folder / "made" / uuid
        (device / "pkey.pem").write_bytes((place.folder / "pkey.pem").read_bytes())
        (device / "pkey.pem").chmod(0o600)
        seen = place.check(str(device), "--fetch-root")
        assert seen.returncode == 0, seen.stderr
        gateway = place.lines["gateway"].partition(" at ")[0]
        assert f'server = "https://{gateway}:8443"' in (device / "sota.toml").read_text()


def test_a_practice_factory_is_served_once_and_ends_with_whoever_began(place: Place) -> None:
    with place.serving():
        command = [sys.executable, "-m", "ceremony", "rehearse", "--serve", "--keep"]
        again = subprocess.run(
            [*command, str(place.kept)], capture_output=True, text=True, check=False
        )
        assert again.returncode == 2
        assert "practice.port_taken" in again.stderr
    with pytest.raises(urllib3.exceptions.HTTPError), urllib3.PoolManager() as pool:
        pool.request("GET", place.lines["api"], retries=False)


def test_what_was_not_kept_cannot_be_served(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ceremony", "rehearse", "--serve"]
    done = subprocess.run(
        [*command, "--keep", str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "practice.nothing_kept" in done.stderr
    assert not (tmp_path / "none").exists()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--serve needs --keep" in done.stderr
