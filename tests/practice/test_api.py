"""Login, users, devices and faults over a real socket."""

import base64
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.practice.factory import PracticeFactory

SELF = "/ota/factories/rehearsal-acme/users/self/"


# --- login ---------------------------------------------------------------------------


def test_without_or_with_a_wrong_token_nothing_is_answered(call: Any) -> None:
    for headers in (
        {},
        {"OSF-TOKEN": "wrong"},
        {"Authorization": "Bearer !"},
        {"Authorization": "Bearer " + base64.b64encode(b"wrong").decode()},
    ):
        for method, path in (("GET", call.certs_path), ("PUT", "/ota/devices/"), ("GET", SELF)):
            answer = call(method, path, {} if method == "PUT" else None, headers=headers)
            assert answer.status == 401
            assert answer.headers["X-Practice-Factory"] == "1"


def test_client_credentials_and_a_refresh_token_log_in(call: Any, practice: Any) -> None:
    client = {"client_id": practice.client_id, "client_secret": practice.client_secret}

    def grant(**fields: str) -> Any:
        return call(
            "POST", "/oauth/token/", fields=client | fields, encode_multipart=False, headers={}
        )

    def status(token: str) -> int:
        bearer = base64.b64encode(token.encode()).decode()
        found: int = call("GET", SELF, headers={"Authorization": f"Bearer {bearer}"}).status
        return found

    first = grant(grant_type="client_credentials").json()
    assert first["token_type"] == "Bearer"
    assert status(first["access_token"]) == 200
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = grant(**refresh).json()
    assert second["access_token"] != first["access_token"]
    assert status(second["access_token"]) == 200
    assert grant(**refresh).status == 400, "a refresh token is used once"
    assert grant(grant_type="client_credentials", client_secret="x").status == 401
    assert grant(grant_type="password").status == 400


def test_the_token_file_is_for_its_owner_only(practice: Any) -> None:
    assert practice.token_file.stat().st_mode & 0o777 == 0o600
    assert practice.token_file.read_text() == practice.token + "\n"


def test_users_have_the_names_that_the_api_gives_them(call: Any, tools: Any) -> None:
    me = call("GET", SELF).json()
    assert (me["polis-id"], me["name"], me["role"]) == (tools.owner, "Olivia Owner", "owner")
    assert "devices:create" in me["effective-scopes"]
    everybody = call("GET", "/ota/factories/rehearsal-acme/users/").json()
    assert [user["polis-id"] for user in everybody] == [tools.owner, tools.other]


@pytest.mark.parametrize(
    "path",
    ["/ota/factories/acme/certs/", "/ota/factories/rehearsal-acme/certs", "/", "/ota/devices/x/"],
)
def test_other_factories_and_paths_without_the_slash_do_not_exist(path: str, call: Any) -> None:
    assert call("GET", path).status == 404


def test_certs_need_the_owner_or_admin_role(tmp_path: Path, call: Any, tools: Any) -> None:
    users = tools.users[::-1]
    with PracticeFactory(tmp_path / "2", factory=tools.factory, users=users) as practice:
        call.practice, call.headers = practice, {"OSF-TOKEN": practice.token}
        assert call("GET", call.certs_path).status == 403


def test_the_api_speaks_https_under_its_own_ca(tmp_path: Path, tools: Any) -> None:
    with PracticeFactory(tmp_path / "2", factory=tools.factory, tls=True) as practice:
        headers = {"OSF-TOKEN": practice.token_file.read_text().strip()}
        with urllib3.PoolManager(ca_certs=str(practice.ca_file)) as pool:
            assert practice.url.startswith("https://")
            assert pool.request("GET", practice.url + SELF, headers=headers).status == 200
        with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.SSLError):
            pool.request("GET", practice.url + SELF, headers=headers, retries=False)


# --- devices -------------------------------------------------------------------------


def test_a_device_is_registered_once_and_then_conflicts(
    call: Any, configure: Any, tmp_path: Path, tools: Any
) -> None:
    ready = configure()

    def put(uuid: str, **fields: str) -> Any:
        certificate = tools.device_files(tmp_path / uuid, ready.local_ca, ready.local_key, uuid)
        return call("PUT", "/ota/devices/", {"client.pem": certificate, **fields})

    assert put("dev-1", name="Kiosk", group="hall").status == 201
    found = call("GET", "/ota/devices/Kiosk/").json()
    assert (found["uuid"], found["owner"], found["device-group"]) == ("dev-1", tools.owner, "hall")
    assert put("dev-2", name="Kiosk").status == 409, "the name is taken"
    body = {"client.pem": (tmp_path / "dev-1/device/client.pem").read_text()}
    assert call("PUT", "/ota/devices/", body).status == 409, "the uuid is taken"
    assert call("GET", "/ota/devices/").json()["total"] == 1


def test_a_device_of_a_strange_ca_or_a_malformed_request_is_refused(
    call: Any, configure: Any, tmp_path: Path, tools: Any
) -> None:
    configure()
    key, stranger = tools.new_key(), tools.pki()
    certificate = tools.device_files(tmp_path, stranger.local_ca(key), key, "dev-1")
    for body in ({"client.pem": certificate}, {"client.pem": "x"}, {}, {"name": 1}):
        answer = call("PUT", "/ota/devices/", body)
        assert answer.status == 400
        assert "client.pem" in answer.json()["errors"]


def test_the_online_ca_answers_a_device_csr_with_a_working_certificate(
    call: Any, configure: Any, practice: Any, pki: Any, tools: Any
) -> None:
    ready, key = configure(), tools.new_key()
    csr = x509.CertificateSigningRequestBuilder(tools.dn("dev-9", tools.factory))
    pem = csr.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    answer = call("POST", "/ota/devices/", {"csr": pem, "hardware-id": "qemu"})
    assert answer.status == 201
    body = answer.json()
    assert set(body) == {"root.crt", "sota.toml", "client.pem", "client.chained"}
    assert body["root.crt"] == tools.pem(pki.root)
    assert body["client.chained"] == body["client.pem"] + ready.online_ca
    assert practice.gateway_name in body["sota.toml"]
    issued = x509.load_pem_x509_certificate(body["client.pem"].encode())
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(ready.online_ca.encode()))


# --- faults --------------------------------------------------------------------------


def test_a_status_fault_counts_down_and_carries_retry_after(call: Any, practice: Any) -> None:
    practice.faults.add("status", method="GET", path="/users/", status=429, retry_after="7")
    assert call("GET", call.certs_path).status == 206
    answer = call("GET", SELF)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert call("GET", SELF).status == 200


def test_an_applied_reset_loses_the_answer_but_not_the_effect(
    call: Any, practice: Any, pki: Any, tools: Any
) -> None:
    practice.faults.add("reset", method="PATCH", applied=True)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        call.patch(root_crt=tools.pem(pki.root))
    assert call.certs()["root-crt"] == tools.pem(pki.root)


def test_a_plain_reset_has_no_effect(call: Any, practice: Any, pki: Any, tools: Any) -> None:
    practice.faults.add("reset", method="PATCH")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        call.patch(root_crt=tools.pem(pki.root))
    assert call("GET", call.certs_path).status == 206


def test_a_lie_says_200_and_stores_nothing(call: Any, practice: Any, pki: Any, tools: Any) -> None:
    practice.faults.add("lie", method="PATCH")
    assert call.patch(root_crt=tools.pem(pki.root)).status == 200
    assert call("GET", call.certs_path).status == 206


def test_get_answers_other_certificates_than_were_stored(
    call: Any, configure: Any, practice: Any
) -> None:
    configure()
    good = call.certs()
    practice.faults.add("other-certificates", method="GET")
    assert call.certs()["tls-crt"] == good["est-tls-crt"]
    assert call.certs() == good


def test_bad_answers_are_as_bad_as_they_say(call: Any, practice: Any) -> None:
    practice.faults.add("html")
    answer = call("GET", SELF)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    practice.faults.add("body", body='{"a": 1, "a": 2}', status=200)
    assert call("GET", SELF).data == b'{"a": 1, "a": 2}'
    practice.faults.add("truncated")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        call("GET", SELF)
    practice.faults.add("oversized", size=3_000_000)
    assert len(call("GET", SELF).data) == 3_000_000
    practice.faults.add("gzip-bomb", size=3_000_000)
    raw = call("GET", SELF, decode_content=False).data
    assert len(raw) < 10_000
    assert len(gzip.decompress(raw)) == 3_000_000
    practice.faults.add("redirect", status=302, location="http://127.0.0.1:9/x")
    answer = call("GET", SELF, redirect=False)
    assert (answer.status, answer.headers["Location"]) == (302, "http://127.0.0.1:9/x")
    practice.faults.add("nulls")
    answer = call("GET", call.certs_path)
    assert (answer.status, answer.json()["root-crt"]) == (200, None)
    practice.faults.add("unmarked")
    assert "X-Practice-Factory" not in call("GET", SELF).headers
    assert "X-Practice-Factory" in call("GET", SELF).headers


def test_slow_answers_arrive_whole(call: Any, practice: Any) -> None:
    practice.faults.add("delay", delay_s=0.2)
    practice.faults.add("drip", delay_s=0.0005)
    start = time.monotonic()
    good = call("GET", SELF).data
    assert time.monotonic() - start >= 0.2
    assert json.loads(call("GET", SELF).data) == json.loads(good)
    practice.faults.add("delay", delay_s=5)
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        call("GET", SELF, timeout=0.1)


def test_faults_are_switched_over_http_too(call: Any, practice: Any) -> None:
    assert call("POST", "/practice/faults", {"kind": "status", "times": -1}).status == 200
    assert [call("GET", SELF).status for _ in range(3)] == [500, 500, 500]
    assert call("POST", "/practice/faults", {"kind": "nonsense"}).status == 400
    assert call("DELETE", "/practice/faults").status == 200
    assert call("GET", SELF).status == 200


def test_a_request_that_is_too_large_is_refused(call: Any) -> None:
    assert call("PATCH", call.certs_path, body=b" " * (4 * 1024 * 1024 + 1)).status == 413


def test_stopping_leaves_nothing_listening_and_may_be_repeated(tmp_path: Path) -> None:
    practice = PracticeFactory(tmp_path / "2", factory="rehearsal-x", users=["abc"])
    with practice:
        url = practice.url
    practice.stop()
    with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.HTTPError):
        pool.request("GET", url + "/", retries=False)
    assert practice.authority.users[0].polis_id == "abc"


def test_it_runs_by_hand_and_prints_where(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ceremony.practice.serve", str(tmp_path / "f")]
    with subprocess.Popen(
        [*command, "--factory", "rehearsal-acme"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = {}
        for line in process.stdout:
            if line.startswith("Interrupt"):
                break
            name, _, value = line.partition("  ")
            lines[name] = value.strip()
        token = Path(lines["token file"]).read_text().strip()
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", lines["api"] + SELF, headers={"OSF-TOKEN": token})
        assert answer.json()["polis-id"] == lines["user id"]
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
