"""The factory floor: a thousand devices issued, registered on a bad day, and one let in."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ceremony.config import Curve, Slot
from ceremony.core.secret import Secret
from ceremony.keys.file import FileKeyStore
from ceremony.practice.factory import PracticeFactory, User
from ceremony.x509 import issuing
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.csr import read_csr
from ceremony.x509.pem import CERTIFICATE, write_pem

FACTORY = "rehearsal-acme"
OWNER = "5e8a2f04c1d7"
SECRET = "practice-words"
PLAN = f"""
schema = "ceremony-plan/1"
factory = "{FACTORY}"
kind = "create"
user_id = "{OWNER}"
rehearsal = true
requests = ["tls"]
[online]
api = "{{api}}"
[root]
key_store = "file"
backup = {{{{ method = "none" }}}}
[[local_ca]]
name = "line-1"
"""


@dataclass
class Place:
    """A Factory whose PKI is set, and a local CA with its key, in one folder."""

    folder: Path
    factory: PracticeFactory

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        room = {"ceremony": "offline", "ceremony-online": "online"}[program]
        start = f"from ceremony.{room}.cli import main"
        return subprocess.run(
            [sys.executable, "-c", f"{start}; main()", "devices", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def issue(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        shared = ("--ca", "local_ca.pem", "--secret-file", "secret")
        return self.run("ceremony", "issue", *shared, *arguments)

    def register(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        token = ("--plan", "plan.toml", "--token-file", str(self.factory.token_file))
        return self.run("ceremony-online", "register", *token, *arguments)

    def check(self, device: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        host, port = self.factory.gateway_address
        return self.run(
            "ceremony-online",
            "check",
            device,
            "--gateway",
            self.factory.gateway_name,
            "--connect",
            f"{host}:{port}",
            *arguments,
        )


class Room:
    """The ceremony in miniature: a root that signs what it is asked to."""

    def __init__(self, folder: Path) -> None:
        self.begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
        self.store = FileKeyStore(folder / "root.key")
        self.store.login(Secret(SECRET))
        self.key = self.store.generate("root", "01", Curve.P256)
        self.root = self.sign(
            issuing.root_content(
                factory=FACTORY,
                spki=self.key.spki,
                serial=self.serial(),
                not_before=self.begin,
                days=7300,
                profile="strict",
            )
        )
        self.common = {
            "issuer": issuing.issuer_of(self.root),
            "not_before": self.begin,
            "days": 3650,
            "not_past": self.root.not_after,
        }

    @staticmethod
    def serial() -> int:
        return issuing.new_serial(os.urandom)

    def sign(self, content: issuing.Content) -> Certificate:
        tbs = issuing.tbs_of(issuing.twin(content, Curve.P256))
        der = issuing.assemble(tbs, self.store.sign(self.key, tbs))
        return read_certificate(der, "room")

    def local_ca(self, spki: bytes) -> Certificate:
        return self.sign(
            issuing.local_ca_content(
                factory=FACTORY, user_id=OWNER, spki=spki, serial=self.serial(), **self.common
            )
        )

    def tls(self, csr: str) -> Certificate:
        read = read_csr(csr.encode(), "tls")
        content = issuing.csr_content(csr=read, slot=Slot.TLS, serial=self.serial(), **self.common)
        return self.sign(content)


def pem(certificate: Certificate) -> str:
    return write_pem(certificate.der, CERTIFICATE).decode()


def call(factory: PracticeFactory, method: str, body: Any) -> Any:
    import urllib3

    with urllib3.PoolManager() as pool:
        answer = pool.request(
            method,
            f"{factory.url}/ota/factories/{FACTORY}/certs/",
            headers={"OSF-TOKEN": factory.token},
            json=body,
        )
        assert answer.status in {200, 201}, answer.data
        return answer.json()


FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after": "1"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "applied": True},
    {"kind": "reset"},
    {"kind": "reset", "applied": True},
    {"kind": "truncated"},
)


@contextmanager
def bad_day(factory: PracticeFactory) -> Iterator[list[int]]:
    """One fault after the other befalls registrations; how many did."""
    over, befallen = threading.Event(), [0]

    def spoil() -> None:
        for fault in FAULTS * 4:
            factory.faults.add_raw({"method": "PUT", **fault})
            while factory.faults.active():
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


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    tmp_path.chmod(0o700)
    room = Room(tmp_path)
    ca_store = FileKeyStore(tmp_path / "local_ca.key")
    ca_store.login(Secret(SECRET))
    ca = room.local_ca(ca_store.generate("local_ca", "01", Curve.P256).spki)
    users = (User(polis_id=OWNER, name="Practice Owner"),)
    with PracticeFactory(tmp_path / "factory", factory=FACTORY, users=users) as factory:
        asked = {"first-time-init": True, "tls-csr": True, "ca-csr": False, "est-tls-csr": False}
        tls = room.tls(call(factory, "POST", asked)["tls-csr"])
        call(
            factory,
            "PATCH",
            {"root-crt": pem(room.root), "tls-crt": pem(tls), "ca-crt": pem(ca)},
        )
        (tmp_path / "factory_ca.pem").write_text(pem(room.root))
        (tmp_path / "local_ca.pem").write_text(pem(ca))
        (tmp_path / "tls.pem").write_text(pem(tls))
        (tmp_path / "plan.toml").write_text(PLAN.format(api=factory.url))
        (tmp_path / "secret").write_text(f"{SECRET}\n")
        (tmp_path / "secret").chmod(0o600)
        yield Place(folder=tmp_path, factory=factory)


def test_a_thousand_devices_on_a_bad_day(place: Place) -> None:
    done = place.issue("--count", "1000", "--out", "batch.jsonl")
    assert done.returncode == 0, done.stderr
    issued = [json.loads(line) for line in (place.folder / "batch.jsonl").read_text().splitlines()]
    assert len({row["uuid"] for row in issued}) == 1000

    with bad_day(place.factory) as befallen:
        done = place.register("batch.jsonl", "--group", "line-1")
    place.factory.faults.clear()
    assert done.returncode == 0, done.stderr
    assert befallen[0] >= 12, "each fault should have come twice"
    assert "1000 registered, 0 not" in done.stderr
    assert " of 1 000, " in done.stderr
    assert "/s, " in done.stderr
    listed = place.factory.devices.page()["devices"]
    assert {row["uuid"]: row["serial"] for row in issued} == {
        device["uuid"]: device["serial"] for device in listed
    }
    assert {device["owner"] for device in listed} == {OWNER}
    assert {device["device-group"] for device in listed} == {"line-1"}
    results = (place.folder / "batch.jsonl.registered.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in results]
    assert {one["uuid"] for one in told} == {row["uuid"] for row in issued}
    assert {one["result"] for one in told} == {"registered", "already there"}

    again = place.register("batch.jsonl", "--group", "line-1")
    assert again.returncode == 0
    assert "0 registered, 1000 before, 0 not" in again.stderr

    device = place.folder / "devices" / "one"
    device.mkdir(parents=True)
    row = issued[500]
    for name in ("client.pem", "pkey.pem", "root.crt", "client.chained"):
        (device / name).write_text(row[name])
    seen = place.check("devices/one")
    assert seen.returncode == 0, seen.stderr
    assert "the gateway accepts the device" in seen.stdout
    seen = place.check("devices/one", "--fetch-root")
    assert seen.returncode == 0, seen.stderr
    assert "registers the device" in seen.stderr
    assert "200" in seen.stdout


def test_a_device_that_curl_and_the_check_bring_to_the_gateway(place: Place) -> None:
    done = place.issue("--count", "1", "--out", "devices")
    assert done.returncode == 0, done.stderr
    (folder,) = (one for one in (place.folder / "devices").iterdir() if one.is_dir())
    before = len(place.factory.devices.page()["devices"])
    seen = place.check(str(folder), "--json")
    assert json.loads(seen.stdout)["root_json"] is False
    assert len(place.factory.devices.page()["devices"]) == before, "a check registers nothing"
    host, port = place.factory.gateway_address
    name = place.factory.gateway_name
    curl = subprocess.run(
        [
            *("curl", "-sS", "--fail", "--cacert", "root.crt", "--cert", "client.pem"),
            *("--key", "pkey.pem", "--connect-to", f"{name}:8443:{host}:{port}"),
            f"https://{name}:8443/repo/1.root.json",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert curl.returncode == 0, curl.stderr
    assert json.loads(curl.stdout)["signed"]["_type"] == "Root"
    (device,) = place.factory.devices.page()["devices"]
    assert device["uuid"] == folder.name
