"""Threat 40: TLS is verified, redirects are not followed, plain HTTP stays on this machine."""

import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ceremony.config import Online
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError
from ceremony.online.api import Api
from ceremony.online.login import Login
from ceremony.online.transport import Bounds, Transport
from ceremony.practice.factory import PracticeFactory

FACTORY = "rehearsal-acme"
FAST = Bounds(connect_s=2, read_s=1, total_s=2, attempts=2, backoff_s=0.01)


def api(url: str, token: str = "t0ken", *, ca_file: Path | None = None) -> Api:
    online = Online(api=url, ca_file=str(ca_file) if ca_file else None)
    login = Login(kind="token", secret=Secret(token))
    return Api(online, FACTORY, login, rehearsal=True, bounds=FAST)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[PracticeFactory]:
    with PracticeFactory(tmp_path / "factory", factory=FACTORY, tls=True) as running:
        yield running


def code_of(call: Any) -> str:
    with pytest.raises(CeremonyError) as caught:
        call()
    return caught.value.code


def test_40_the_ca_file_of_the_plan_is_what_counts(secure: PracticeFactory) -> None:
    assert not api(secure.url, secure.token, ca_file=secure.ca_file).pki().configured


def test_40_a_ca_that_nobody_named_is_refused(secure: PracticeFactory) -> None:
    assert code_of(api(secure.url, secure.token).pki) == "api.tls"


class Liar:
    """A TLS server with any certificate; counts the requests that got through."""

    def __init__(self, folder: Path, names: list[x509.GeneralName], days: int) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "liar")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(subject_name=name, issuer_name=name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.ca_file = folder / "liar.pem"
        self.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        key_file = folder / "liar.key"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.ca_file, key_file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
                with plain, self._context.wrap_socket(plain, server_side=True) as peer:
                    self.heard += peer.recv(65536)
            except OSError:
                if self._listener.fileno() < 0:
                    return

    def close(self) -> None:
        self._listener.close()


LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("names", "days"),
    [([x509.DNSName("api.foundries.io")], 30), ([LOOPBACK], -1)],
    ids=["another host name", "expired"],
)
def test_40_a_wrong_certificate_never_sees_the_token(
    tmp_path: Path, names: list[x509.GeneralName], days: int
) -> None:
    liar = Liar(tmp_path, names, days)
    try:
        assert code_of(api(liar.url, ca_file=liar.ca_file).pki) == "api.tls"
        assert liar.heard == b""
    finally:
        liar.close()


def test_40_session_keys_are_written_nowhere(
    secure: PracticeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    api(secure.url, secure.token, ca_file=secure.ca_file).pki()
    assert not (tmp_path / "keys.log").exists()


def test_40_a_redirect_is_told_and_not_followed(machine: Any, tmp_path: Path) -> None:
    with PracticeFactory(tmp_path / "other", factory=FACTORY, token="other") as other:
        asked = []
        other.faults.take = lambda *a: asked.append(a)  # type: ignore[method-assign,assignment,func-returns-value]
        machine.factory.faults.add("redirect", location=f"{other.url}/ota/", status=302)
        with pytest.raises(CeremonyError) as caught:
            machine.fetch()
        assert caught.value.code == "api.redirect"
        assert other.url in caught.value.message
        assert asked == []


@pytest.mark.parametrize("url", ["http://api.foundries.io", "http://127.0.0.1.evil.example"])
def test_40_plain_http_is_for_loopback_alone(url: str) -> None:
    assert code_of(lambda: Transport(Online(api=url))) == "api.insecure"


def test_40_a_loopback_api_is_never_asked_through_a_proxy(
    factory: PracticeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    online = Online(api=factory.url, proxy="http://127.0.0.1:9")
    login = Login(kind="token", secret=Secret(factory.token))
    assert not Api(online, FACTORY, login, rehearsal=True, bounds=FAST).pki().configured


def test_40_https_through_a_proxy_asks_the_proxy_for_a_tunnel() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard: list[bytes] = []

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                heard.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        online = Online(api="https://api.example.com", proxy=f"http://127.0.0.1:{port}")
        transport = Transport(online, FAST)
        code = code_of(lambda: transport.exchange("GET", "/x", {"OSF-TOKEN": "s3cret"}))
    assert code == "api.proxy"
    assert heard[0].startswith(b"CONNECT api.example.com:443 ")
    assert b"s3cret" not in heard[0]


def test_40_a_proxy_with_a_password_in_its_url_is_refused() -> None:
    online = Online(api="https://api.example.com", proxy="http://me:secret@proxy.example.com")
    assert code_of(lambda: Transport(online)) == "api.proxy_secret"


def test_40_a_ca_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_bytes(os.urandom(8))
    online = Online(api="https://api.example.com", ca_file=str(empty))
    assert code_of(lambda: Transport(online)) == "api.ca_file"
