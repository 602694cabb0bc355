"""Registering devices: each with its result, no device twice, and logins that renew themselves."""

import http.server
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.config import Curve, Online
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, NetworkError, PlanError
from ceremony.online.api import Api
from ceremony.online.issued import IssuedDevice, read_issued
from ceremony.online.login import Login, read_login
from ceremony.online.outcomes import Outcome, Outcomes, Result
from ceremony.online.registration import Registration, register
from ceremony.online.service import Asked, Service, csr_files, send_all
from ceremony.online.transport import Bounds
from ceremony.practice.factory import PracticeFactory, User
from ceremony.x509 import issuing
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.pem import CERTIFICATE, write_pem

FACTORY = "rehearsal-acme"
OWNER = "5e8a2f04c1d7"
FAST = Bounds(connect_s=2, read_s=2, total_s=4, attempts=4, backoff_s=0.01, longest_wait_s=1)
UUIDS = [f"9b2f3c1e-0000-4000-8000-{i:012d}" for i in range(6)]
Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(content: issuing.Content, key: Key) -> Certificate:
    tbs = issuing.tbs_of(issuing.twin(content, Curve.P256))
    der = issuing.assemble(tbs, key.sign(tbs, ec.ECDSA(hashes.SHA256())))
    return read_certificate(der, "test")


class Floor:
    """A root, a local CA, devices."""

    def __init__(self) -> None:
        self.root_key, self.ca_key = new_key(), new_key()
        begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
        self.root = sign(
            issuing.root_content(
                factory=FACTORY,
                spki=spki(self.root_key),
                serial=issuing.new_serial(os.urandom),
                not_before=begin,
                days=7300,
                profile="strict",
            ),
            self.root_key,
        )
        self.common = {"not_before": begin, "days": 3650, "not_past": self.root.not_after}
        self.ca = sign(
            issuing.local_ca_content(
                factory=FACTORY,
                user_id=OWNER,
                spki=spki(self.ca_key),
                issuer=issuing.issuer_of(self.root),
                serial=issuing.new_serial(os.urandom),
                **self.common,
            ),
            self.root_key,
        )

    def device(self, uuid: str, factory: str = FACTORY) -> bytes:
        content = issuing.device_content(
            factory=factory,
            uuid=uuid,
            spki=spki(new_key()),
            issuer=issuing.issuer_of(self.ca),
            serial=issuing.new_serial(os.urandom),
            **self.common,
        )
        return write_pem(sign(content, self.ca_key).der, CERTIFICATE)


@pytest.fixture(scope="module")
def floor() -> Floor:
    return Floor()


@pytest.fixture
def factory(tmp_path: Path, floor: Floor) -> Iterator[PracticeFactory]:
    users = (User(polis_id=OWNER, name="Practice Owner"),)
    with PracticeFactory(tmp_path / "factory", factory=FACTORY, users=users) as running:
        running.store.save_certs(
            {
                "root-crt": write_pem(floor.root.der, CERTIFICATE).decode(),
                "ca-crt": write_pem(floor.ca.der, CERTIFICATE).decode(),
                "tls-crt": None,
            }
        )
        yield running


def run(
    factory: PracticeFactory,
    folder: Path,
    pems: list[bytes],
    *,
    login: Login | None = None,
    bounds: Bounds = FAST,
    **wanted: str,
) -> tuple[Any, list[dict[str, Any]]]:
    login = login or Login(kind="token", secret=Secret(factory.token))
    api = Api(Online(api=factory.url), FACTORY, login, rehearsal=True, bounds=bounds)
    path = folder / "results.jsonl"
    before = len(path.read_text().splitlines()) if path.exists() else 0
    devices = iter([IssuedDevice(f"line {i}", pem) for i, pem in enumerate(pems)])
    with Outcomes(path) as outcomes:
        totals = register(
            api, Registration(factory=FACTORY, **wanted), devices, outcomes, workers=2
        )
    return totals, [json.loads(line) for line in path.read_text().splitlines()[before:]]


def test_devices_get_name_and_group(factory: PracticeFactory, floor: Floor, tmp_path: Path) -> None:
    pem = floor.device(UUIDS[0])
    totals, _ = run(factory, tmp_path, [pem], name="line1-{uuid}", group="pilot")
    assert (totals.good, totals.bad) == (1, 0)
    (device,) = factory.devices.page()["devices"]
    assert device["name"] == f"line1-{UUIDS[0]}"
    assert device["device-group"] == "pilot"


def test_a_conflict_is_compared_and_reported(
    factory: PracticeFactory, floor: Floor, tmp_path: Path
) -> None:
    same, other_key = floor.device(UUIDS[0]), floor.device(UUIDS[0])
    run(factory, tmp_path, [same])
    (tmp_path / "results.jsonl").unlink()
    _, (told,) = run(factory, tmp_path, [same])
    assert (told["result"], told["status"]) == ("already there", 409)
    totals, (told,) = run(factory, tmp_path, [other_key])
    assert totals.bad == 1
    assert (told["result"], told["code"]) == ("conflict", "device.conflict")
    assert "another key" in told["message"]
    _, (told,) = run(factory, tmp_path, [floor.device(UUIDS[1])], name=UUIDS[0])
    assert told["result"] == "conflict"
    assert UUIDS[0] in told["message"]


def test_what_is_refused_or_fails_does_not_stop_the_rest(
    factory: PracticeFactory, floor: Floor, tmp_path: Path
) -> None:
    stranger = Floor().device(UUIDS[1])
    pems = [floor.device(UUIDS[0]), stranger, b"rubbish", floor.device(UUIDS[2], factory="acme")]
    totals, told = run(factory, tmp_path, [*pems, floor.device(UUIDS[3])])
    assert (totals.good, totals.bad) == (2, 3)
    by_line = {one["where"]: one.get("code", "") for one in told}
    assert by_line == {
        "line 0": "",
        "line 1": "device.refused",
        "line 2": "pem.none",
        "line 3": "certificate.subject_ou",
        "line 4": "",
    }


def test_a_run_that_was_ended_goes_on_and_repeats_only_what_failed(
    factory: PracticeFactory, floor: Floor, tmp_path: Path
) -> None:
    pems = [floor.device(uuid) for uuid in UUIDS[:3]]
    factory.faults.add("status", method="PUT", status=500, times=-1)
    totals, _ = run(factory, tmp_path, pems[:1])
    assert totals.bad == 1
    factory.faults.clear()
    run(factory, tmp_path, pems[1:2])
    with (tmp_path / "results.jsonl").open("ab") as file:
        file.write(b'{"uuid": "cut off in the mid')
    factory.faults.add("status", method="PUT", status=418, times=3)
    totals, _ = run(factory, tmp_path, pems[1:2])
    assert (totals.good, totals.skipped) == (0, 1), "it must not ask again"
    factory.faults.clear()
    totals, _ = run(factory, tmp_path, pems)
    assert (totals.good, totals.bad, totals.skipped) == (2, 0, 1)


def test_a_refused_login_stops_the_run(
    factory: PracticeFactory, floor: Floor, tmp_path: Path
) -> None:
    login = Login(kind="token", secret=Secret("wrong-token-of-ours"))
    with pytest.raises(NetworkError) as caught:
        run(factory, tmp_path, [floor.device(uuid) for uuid in UUIDS], login=login)
    assert caught.value.code == "api.unauthorized"
    assert "wrong-token-of-ours" not in str(caught.value)


@pytest.mark.parametrize("wanted", [{"name": "a b"}, {"group": "x/y"}, {"name": "../{uuid}"}])
def test_odd_names_are_refused_before_anything_is_sent(wanted: dict[str, str]) -> None:
    with pytest.raises(PlanError) as caught:
        Registration(factory=FACTORY, **wanted)
    assert caught.value.code == "devices.option"


def test_every_form_of_output_is_read(tmp_path: Path, floor: Floor) -> None:
    pem = floor.device(UUIDS[0])
    (tmp_path / "a.jsonl").write_text(json.dumps({"uuid": "x", "client.pem": pem.decode()}) + "\n")
    folder = tmp_path / "dir" / UUIDS[0]
    folder.mkdir(parents=True)
    (folder / "client.pem").write_bytes(pem)
    for path in (tmp_path / "a.jsonl", tmp_path / "dir", folder, folder / "client.pem"):
        assert [one.pem for one in read_issued(path)] == [pem]
    with tarfile.open(tmp_path / "whole.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(tmp_path / "dir", arcname=".")
    whole = (tmp_path / "whole.tar").read_bytes()
    assert [one.pem for one in read_issued(tmp_path / "whole.tar")] == [pem]
    end = -(-len(whole.rstrip(b"\0")) // 512) * 512
    (tmp_path / "cut.tar").write_bytes(whole[:end])
    (tmp_path / "a.jsonl").write_text("rubbish\n")
    (tmp_path / "a.tar").write_bytes(b"rubbish")
    (tmp_path / "empty").mkdir()
    for name in ("a.jsonl", "a.tar", "cut.tar", "empty", "none.jsonl"):
        with pytest.raises(CeremonyError) as caught:
            list(read_issued(tmp_path / name))
        assert caught.value.code == "devices.input"


# --- logins --------------------------------------------------------------------------


def fioctl(factory: PracticeFactory, path: Path, **fields: str) -> Path:
    said = {
        "client_id": factory.client_id,
        "client_secret": factory.client_secret,
        "access_token": "old-access-token",
        "refresh_token": "old-refresh-token",
        "created": "2020-01-01T00:00:00Z",
        "expires_in": "3600",
        "url": factory.oauth_url,
        **fields,
    }
    lines = "".join(f'  {name}: "{value}"\n' for name, value in said.items() if value)
    path.write_text(f"clientcredentials:\n{lines}factory: acme\nserver:\n  url: {factory.url}\n")
    path.chmod(0o600)
    return path


def login_of(path: Path) -> Login:
    return read_login(None, environment={"FIOCTL_CONFIG": str(path)})


def test_an_access_token_that_has_ended_is_had_anew_and_fioctls_file_stays(
    factory: PracticeFactory, floor: Floor, tmp_path: Path
) -> None:
    path = fioctl(factory, tmp_path / "fioctl.yaml")
    before = path.read_bytes()
    totals, _ = run(factory, tmp_path, [floor.device(UUIDS[0])], login=login_of(path))
    assert totals.good == 1
    assert path.read_bytes() == before


def test_an_access_token_that_is_refused_is_had_anew(
    factory: PracticeFactory, floor: Floor, tmp_path: Path
) -> None:
    path = fioctl(factory, tmp_path / "fioctl.yaml", created="2099-01-01T00:00:00Z")
    totals, _ = run(factory, tmp_path, [floor.device(UUIDS[0])], login=login_of(path))
    assert totals.good == 1


def test_an_access_token_that_several_see_refused_is_had_anew_once(
    factory: PracticeFactory, tmp_path: Path
) -> None:
    login = login_of(fioctl(factory, tmp_path / "fioctl.yaml", created="2099-01-01T00:00:00Z"))
    old = login.current()
    assert login.renew(old)
    first = login.current()
    assert first != old
    assert login.renew(old)
    assert login.current() == first
    assert login.renew(first)
    assert login.current() != first


def test_a_refresh_token_is_used_where_credentials_are_not_and_written_back(
    factory: PracticeFactory, tmp_path: Path
) -> None:
    granted = factory_login(factory)
    path = fioctl(factory, tmp_path / "fioctl.yaml", refresh_token=granted["refresh_token"])
    factory.faults.add("status", method="POST", path="/oauth/", status=400, times=1)
    login = login_of(path)
    headers = login.headers()
    text = path.read_text()
    assert granted["refresh_token"] not in text
    assert "old-access-token" not in text
    assert "factory: acme" in text
    assert path.stat().st_mode & 0o777 == 0o600
    assert login_of(path).headers() == headers, "fioctl's file has the new login"


def factory_login(factory: PracticeFactory) -> Any:
    import urllib3

    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "POST",
            f"{factory.oauth_url}/token/",
            fields={
                "grant_type": "client_credentials",
                "client_id": factory.client_id,
                "client_secret": factory.client_secret,
            },
            encode_multipart=False,
        )
    return answer.json()


def test_a_login_that_is_over_says_so_without_its_secrets(
    factory: PracticeFactory, tmp_path: Path
) -> None:
    path = fioctl(factory, tmp_path / "fioctl.yaml", client_secret="quite-another-secret")
    login = login_of(path)
    with pytest.raises(NetworkError) as caught:
        login.headers()
    assert caught.value.code == "oauth.refused"
    for secret in ("quite-another-secret", "old-refresh-token", "old-access-token"):
        assert secret not in str(caught.value) + repr(login)
        assert secret.encode() not in login.redact(f"echo {secret}".encode())


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"access_token": "a\\nb"}',
        "<html>",
        '{"access_token":1}',
        '{"access_token": "a", "refresh_token": "b\\"\\nserver:\\n  url: https://evil.example"}',
    ],
)
def test_an_odd_answer_of_the_oauth_endpoint_is_refused(
    factory: PracticeFactory, tmp_path: Path, body: str
) -> None:
    factory.faults.add("body", path="/oauth/", body=body, status=200)
    with pytest.raises(NetworkError) as caught:
        login_of(fioctl(factory, tmp_path / "fioctl.yaml")).headers()
    assert caught.value.code == "oauth.answer"


def test_the_oauth_endpoint_is_reached_through_the_plans_ca_file(
    floor: Floor, tmp_path: Path
) -> None:
    with PracticeFactory(tmp_path / "tls", factory=FACTORY, users=(OWNER,), tls=True) as secure:
        login = login_of(fioctl(secure, tmp_path / "fioctl.yaml"))
        online = Online(api=secure.url, ca_file=str(secure.ca_file))
        api = Api(online, FACTORY, login, rehearsal=True, bounds=FAST)
        assert api.user().polis_id == OWNER


def test_ctrl_c_ends_what_waits_for_an_api_that_hangs(
    floor: Floor, make_plan: Any, tmp_path: Path
) -> None:
    """Else each device under way waits for its last attempt: ten minutes of a deaf terminal."""
    (tmp_path / "d.jsonl").write_text(
        "".join(json.dumps({"client.pem": floor.device(uuid).decode()}) + "\n" for uuid in UUIDS)
    )
    (tmp_path / "token").write_text("a-token-of-ours\n")
    (tmp_path / "token").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        plan = make_plan(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        (tmp_path / "plan.toml").write_bytes(plan.raw)
        words = ["devices", "register", "d.jsonl", "--plan", "plan.toml", "--token-file", "token"]
        program = Path(sys.executable).with_name("ceremony-online")
        running = subprocess.Popen(
            [str(program), *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        peer, _ = deaf.accept()  # so a device is under way
        with peer:
            began = time.monotonic()
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=300)
        assert running.returncode == 130, said
        assert time.monotonic() - began < 100
    assert (tmp_path / "d.jsonl.registered.jsonl").read_bytes() == b"", "nobody knows how it went"


def test_the_systems_keyring_holds_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is an optional extra: a stand-in with its two names."""
    ring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    kept = {("ceremony-online", "acme"): "token-from-the-ring"}
    ring.get_password = lambda service, name: kept.get((service, name))  # type: ignore[attr-defined]
    ring.errors = errors  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert read_login("keyring:acme").headers() == {"OSF-TOKEN": "token-from-the-ring"}
    with pytest.raises(PlanError) as caught:
        read_login("keyring:other")
    assert caught.value.code == "login.keyring"


def test_without_the_extra_the_keyring_is_refused_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(PlanError) as caught:
        read_login("keyring:acme")
    assert caught.value.code == "login.keyring"
    assert "ceremony[keyring]" in caught.value.hint


# --- a registration service ----------------------------------------------------------


class Reference(http.server.BaseHTTPRequestHandler):
    """What a registration service does with its CA's SEC1 key (house: facts §4)."""

    key_pem: bytes
    ca_pem: bytes
    root_pem: bytes
    spoil: str = ""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.path == "/sign"
        assert asked["hardware-id"] == "imx8mmevk"
        answer = self.answer(asked["csr"], asked["sota-config-dir"])
        raw = json.dumps(answer).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def answer(self, csr_pem: str, folder: str) -> dict[str, str]:
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        key = load_pem_private_key(self.key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        ca = x509.load_pem_x509_certificate(self.ca_pem)
        uuid = csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        at = datetime.now(UTC).replace(microsecond=0)
        public = new_key().public_key() if self.spoil == "key" else csr.public_key()
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(csr.subject)
            .serial_number(int(str(uuid).replace("-", ""), 16))
            .issuer_name(ca.subject)
            .public_key(public)
            .not_valid_before(at)
            .not_valid_after(at + timedelta(days=7300))
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
                critical=False,
            )
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(Encoding.PEM).decode()
        root = Floor().root if self.spoil == "root" else read_certificate(self.root_pem, "root")
        middle = write_pem(Floor().root.der, CERTIFICATE).decode() if self.spoil == "chain" else ""
        return {
            "root.crt": write_pem(root.der, CERTIFICATE).decode(),
            "sota.toml": f'[storage]\npath = "{folder}/"\n',
            "client.pem": pem,
            "client.chained": pem + "\n" + middle + self.ca_pem.decode(),
        }

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def service(floor: Floor) -> Iterator[Any]:
    class Mine(Reference):
        key_pem = floor.ca_key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )
        ca_pem = write_pem(floor.ca.der, CERTIFICATE)
        root_pem = write_pem(floor.root.der, CERTIFICATE)

    assert Mine.key_pem.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        Mine.url = f"http://127.0.0.1:{server.server_address[1]}/sign"  # type: ignore[attr-defined]
        yield Mine
        server.shutdown()
        thread.join()


def csr_file(folder: Path, uuid: str) -> Path:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, uuid),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, FACTORY),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    path = folder / f"{uuid}.csr"
    path.write_bytes(builder.sign(new_key(), hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


def test_a_registration_service_answers_and_what_it_answers_is_checked(
    service: Any, floor: Floor, tmp_path: Path
) -> None:
    asked = Asked(factory=FACTORY, hardware_id="imx8mmevk")
    client = Service(service.url, root=floor.root, bounds=FAST)
    files = [csr_file(tmp_path, uuid) for uuid in UUIDS[:2]]
    with Outcomes(tmp_path / "results") as outcomes:
        assert send_all(client, files, asked, tmp_path / "out", outcomes, print) == (2, 0, 0)
    with Outcomes(tmp_path / "results") as outcomes:
        assert send_all(client, files, asked, tmp_path / "out", outcomes, print) == (0, 0, 2)
    folder = tmp_path / "out" / UUIDS[0]
    assert sorted(one.name for one in folder.iterdir()) == [
        "client.chained",
        "client.pem",
        "root.crt",
        "sota.toml",
    ]
    assert (folder / "client.pem").stat().st_mode & 0o777 == 0o600
    for spoilt in ("key", "root", "chain"):
        service.spoil = spoilt
        csr = csr_file(tmp_path, UUIDS[3])
        with pytest.raises(CeremonyError) as caught:
            client.register(csr.read_bytes(), csr.name, asked, tmp_path / "out")
        wrong = "certificate.issuer_wrong" if spoilt == "chain" else "service.certificate"
        assert caught.value.code == wrong
        assert not (tmp_path / "out" / UUIDS[3]).exists()


def test_a_service_is_not_asked_again_for_what_a_cut_left_written(
    service: Any, floor: Floor, tmp_path: Path
) -> None:
    """A second request would make a second certificate, and find the folder taken for ever."""
    asked = Asked(factory=FACTORY, hardware_id="imx8mmevk")
    client = Service(service.url, root=floor.root, bounds=FAST)
    (tmp_path / "other").mkdir()
    (tmp_path / "out").mkdir()
    first, other = csr_file(tmp_path, UUIDS[0]), csr_file(tmp_path / "other", UUIDS[0])
    client.register(first.read_bytes(), first.name, asked, tmp_path / "out")
    before = (tmp_path / "out" / UUIDS[0] / "client.pem").read_bytes()
    with Outcomes(tmp_path / "results") as outcomes:
        assert send_all(client, [first], asked, tmp_path / "out", outcomes, print) == (1, 0, 0)
        assert send_all(client, [other], asked, tmp_path / "out", outcomes, print) == (0, 1, 0)
    assert (tmp_path / "out" / UUIDS[0] / "client.pem").read_bytes() == before


def test_a_csr_that_cannot_be_read_or_is_nobodys_does_not_stop_the_rest(
    service: Any, floor: Floor, tmp_path: Path
) -> None:
    folder = tmp_path / "csrs"
    folder.mkdir()
    (folder / "a.csr").symlink_to("nowhere")
    (folder / "b.csr").write_bytes(bytes(200_000))
    os.mkfifo(folder / "c.csr")
    csr_file(folder, "d evil").rename(folder / "d.csr")
    csr_file(folder, UUIDS[0])
    asked = Asked(factory=FACTORY, hardware_id="imx8mmevk")
    client = Service(service.url, root=floor.root, bounds=FAST)
    with Outcomes(tmp_path / "results") as outcomes:
        done = send_all(client, csr_files(folder), asked, tmp_path / "out", outcomes, print)
    assert done == (1, 4, 0)
    told = [json.loads(line) for line in (tmp_path / "results").read_text().splitlines()]
    assert sorted(one["code"] for one in told if "code" in one) == [
        "device.uuid",
        "media.not_regular",
        "media.symlink",
        "media.too_large",
    ]
    for nothing in (tmp_path / "empty", tmp_path / "none"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(CeremonyError) as caught:
            csr_files(nothing)
        assert caught.value.code == "devices.source"


def test_a_name_in_a_line_is_no_way_into_another_address(
    factory: PracticeFactory, floor: Floor, tmp_path: Path
) -> None:
    pem = floor.device(UUIDS[0])
    api = Api(
        Online(api=factory.url),
        FACTORY,
        Login(kind="token", secret=Secret(factory.token)),
        rehearsal=True,
        bounds=FAST,
    )
    devices = [IssuedDevice("line 1", pem, "../factories/x"), IssuedDevice("line 2", pem, "a")]
    with Outcomes(tmp_path / "results") as outcomes:
        totals = register(api, Registration(factory=FACTORY), iter(devices), outcomes)
    assert (totals.good, totals.bad) == (1, 1)
    assert "device.uuid" in (tmp_path / "results").read_text()


def test_32_a_full_disk_leaves_whole_lines_in_the_results(tmp_path: Path) -> None:
    """Half a line would make one of the next, and the file would be of no use from then on."""
    one = Outcome(uuid=UUIDS[0], key="00" * 32, result=Result.REGISTERED, where="x" * 100)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "results"
    with Outcomes(path) as outcomes:
        outcomes.add(one)
        size = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, limits[1]))
        try:
            with pytest.raises(CeremonyError) as caught:
                outcomes.add(one)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert caught.value.code == "devices.results"
        assert path.stat().st_size == size
        outcomes.add(one)
    with Outcomes(path) as outcomes:
        assert outcomes.done("00" * 32)


def test_results_that_are_no_file_are_refused_and_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(CeremonyError) as caught:
            Outcomes(odd)
        assert caught.value.code == "devices.results"
