"""The gateway: real mutual TLS, and devices that register with their first request."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509 import ReasonFlags

from ceremony.errors import NetworkError
from ceremony.practice.device import make_device, request_root
from ceremony.x509.certificate import read_certificate

UUID = "9b2f3c1e-0000-4000-8000-000000000001"


@pytest.fixture
def room(tmp_path: Path, configure: Any, pki: Any, tools: Any) -> Any:
    """A configured Factory, its root certificate as a file, and a device of the local CA."""
    ready = configure()
    ready.root = tmp_path / "factory_ca.pem"
    ready.root.write_text(tools.pem(pki.root))
    tools.device_files(tmp_path, ready.local_ca, ready.local_key, UUID)
    return ready


def ask(practice: Any, folder: Path, root: Path, name: str | None = None) -> Any:
    return request_root(folder, root, *practice.gateway_address, name or practice.gateway_name)


def devices(practice: Any) -> list[Any]:
    path = practice.folder / "devices.json"
    return json.loads(path.read_bytes()) if path.exists() else []


def test_the_first_request_registers_the_device_and_the_next_does_not(
    practice: Any, room: Any, tmp_path: Path, tools: Any
) -> None:
    document = ask(practice, tmp_path, room.root)
    assert document["signed"]["_type"] == "Root"
    assert document["signed"]["version"] == 1
    assert ask(practice, tmp_path, room.root) == document
    (device,) = devices(practice)
    assert device["uuid"] == UUID
    assert device["owner"] == tools.owner
    assert device["issuer-serial"] == str(tools.serial_of(room.local_ca))


def test_a_device_that_our_own_code_issued_is_let_in(
    practice: Any, room: Any, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path / "ours"
    uuid = make_device(
        folder,
        ca_certificate=read_certificate(room.local_ca.encode(), "local CA"),
        sign=lambda data: room.local_key.sign(data, ec.ECDSA(hashes.SHA256())),
        factory=practice.factory,
    )
    assert (folder / "device/pkey.pem").stat().st_mode & 0o777 == 0o600
    assert ask(practice, folder, room.root)["signed"]
    assert [device["uuid"] for device in devices(practice)] == [uuid]
    issued = x509.load_pem_x509_certificate((folder / "device/client.pem").read_bytes())
    ca = x509.load_pem_x509_certificate(room.local_ca.encode())
    assert issued.not_valid_after_utc <= ca.not_valid_after_utc


def test_a_device_of_a_ca_that_was_not_uploaded_is_refused(
    practice: Any, room: Any, tmp_path: Path, pki: Any, tools: Any
) -> None:
    """Same root, same subject: only the uploaded list decides."""
    key = tools.new_key()
    tools.device_files(tmp_path / "other", pki.local_ca(key), key, UUID)
    with pytest.raises(NetworkError) as caught:
        ask(practice, tmp_path / "other", room.root)
    assert caught.value.code in {"gateway.tls", "gateway.unreachable"}
    assert devices(practice) == []


def test_a_device_directly_under_the_root_is_refused(
    practice: Any, room: Any, tmp_path: Path, pki: Any, tools: Any
) -> None:
    tools.device_files(tmp_path / "other", tools.pem(pki.root), pki.key, UUID)
    with pytest.raises(NetworkError):
        ask(practice, tmp_path / "other", room.root)
    assert devices(practice) == []


def test_a_disabled_ca_keeps_its_devices_but_registers_no_new_one(
    practice: Any, room: Any, tmp_path: Path, call: Any, pki: Any, tools: Any
) -> None:
    ask(practice, tmp_path, room.root)
    serial = tools.serial_of(room.local_ca)
    call.patch(ca_revoke_crl=pki.crl(serial, ReasonFlags.certificate_hold))
    tools.device_files(tmp_path / "new", room.local_ca, room.local_key, "new-device")
    with pytest.raises(NetworkError) as caught:
        ask(practice, tmp_path / "new", room.root)
    assert caught.value.code == "gateway.refused"
    assert ask(practice, tmp_path, room.root)["signed"]
    call.patch(ca_revoke_crl=pki.crl(serial, ReasonFlags.remove_from_crl))
    assert ask(practice, tmp_path / "new", room.root)["signed"]


def test_a_revoked_ca_loses_its_devices_at_once(
    practice: Any, room: Any, tmp_path: Path, call: Any, pki: Any, tools: Any
) -> None:
    ask(practice, tmp_path, room.root)
    crl = pki.crl(tools.serial_of(room.local_ca), ReasonFlags.privilege_withdrawn)
    assert call.patch(ca_revoke_crl=crl).status == 200
    with pytest.raises(NetworkError):
        ask(practice, tmp_path, room.root)


def test_a_device_of_another_factory_is_refused(
    practice: Any, room: Any, tmp_path: Path, tools: Any
) -> None:
    tools.device_files(tmp_path / "other", room.local_ca, room.local_key, "stranger", ou="acme")
    with pytest.raises(NetworkError) as caught:
        ask(practice, tmp_path / "other", room.root)
    assert caught.value.code == "gateway.refused"


def test_another_key_under_a_registered_uuid_is_refused(
    practice: Any, room: Any, tmp_path: Path, tools: Any
) -> None:
    ask(practice, tmp_path, room.root)
    tools.device_files(tmp_path / "clone", room.local_ca, room.local_key, UUID)
    with pytest.raises(NetworkError) as caught:
        ask(practice, tmp_path / "clone", room.root)
    assert caught.value.code == "gateway.refused"


def test_the_device_refuses_a_gateway_under_another_root_or_name(
    practice: Any, room: Any, tmp_path: Path, tools: Any
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(tools.pem(tools.pki().root))
    for root, name in ((other, None), (room.root, "evil.ota-lite.foundries.io")):
        with pytest.raises(NetworkError) as caught:
            ask(practice, tmp_path, root, name)
        assert caught.value.code == "gateway.tls"
    assert devices(practice) == []


def test_a_client_without_a_certificate_is_refused(practice: Any, room: Any) -> None:
    context = ssl.create_default_context(cafile=str(room.root))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def ask_bare() -> None:
        with (
            socket.create_connection(practice.gateway_address, 5) as plain,
            context.wrap_socket(plain, server_hostname=practice.gateway_name) as tls,
        ):
            tls.sendall(b"GET /repo/1.root.json HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not tls.recv(1), "an answer without a certificate"
            raise ConnectionResetError

    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask_bare()
    assert devices(practice) == []


def test_the_gateway_follows_a_rotated_tls_certificate(
    practice: Any, room: Any, tmp_path: Path, call: Any, pki: Any
) -> None:
    """A POST alone changes nothing for devices; the PATCH does."""

    def served() -> bytes:
        context = ssl.create_default_context(cafile=str(room.root))
        context.load_cert_chain(tmp_path / "device/client.pem", tmp_path / "device/pkey.pem")
        with (
            socket.create_connection(practice.gateway_address, 5) as plain,
            context.wrap_socket(plain, server_hostname=practice.gateway_name) as tls,
        ):
            return tls.getpeercert(binary_form=True) or b""

    before = served()
    csr = call.post(first=False, ca_csr=False, est_tls_csr=False)["tls-csr"]
    assert served() == before
    assert call.patch(tls_crt=pki.server(csr)).status == 200
    assert served() != before


def test_before_an_upload_the_gateway_serves_nobody(
    practice: Any, tmp_path: Path, pki: Any, tools: Any
) -> None:
    key = tools.new_key()
    tools.device_files(tmp_path, pki.local_ca(key), key, UUID)
    root = tmp_path / "factory_ca.pem"
    root.write_text(tools.pem(pki.root))
    with pytest.raises(NetworkError):
        ask(practice, tmp_path, root)


def test_a_peer_that_never_finishes_its_handshake_holds_up_nobody(
    practice: Any, room: Any, tmp_path: Path
) -> None:
    with socket.create_connection(practice.gateway_address, 5):
        assert ask(practice, tmp_path, room.root)["signed"]
