"""Each cause of a device that does not come in has a name of its own."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from ceremony.config import Curve
from ceremony.errors import CeremonyError, PlanError
from ceremony.online.floor import devices
from ceremony.online.gateway import (
    Gateway,
    fetch_root,
    gateway_names,
    parse_gateway,
    read_device,
    shake_hands,
)
from ceremony.x509 import issuing, names
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.pem import CERTIFICATE, write_pem
from ceremony.x509.profiles import PROFILES, Role

NAME = "gw.ota-lite.example"
UUID = "9b2f3c1e-0000-4000-8000-000000000001"
NOW = datetime.now(UTC).replace(microsecond=0)
Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: Key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def sign(content: issuing.Content, key: Key) -> Certificate:
    tbs = issuing.tbs_of(issuing.twin(content, Curve.P256))
    der = issuing.assemble(tbs, key.sign(tbs, ec.ECDSA(hashes.SHA256())))
    return read_certificate(der, "test")


@dataclass
class World:
    """A root, a local CA, a gateway's certificate and a device's folder."""

    folder: Path
    days: tuple[int, int] = (-10, 3000)

    def __post_init__(self) -> None:
        self.root_key, self.ca_key, self.tls_key = new_key(), new_key(), new_key()
        begin, end = (NOW + timedelta(days=day) for day in (-400, 3000))
        shared: dict[str, Any] = {"not_before": begin, "days": 3400}
        self.root = sign(
            issuing.root_content(
                factory="acme",
                spki=spki(self.root_key),
                serial=issuing.new_serial(os.urandom),
                profile="strict",
                **shared,
            ),
            self.root_key,
        )
        self.ca = sign(
            issuing.local_ca_content(
                factory="acme",
                user_id="u",
                spki=spki(self.ca_key),
                issuer=issuing.issuer_of(self.root),
                serial=issuing.new_serial(os.urandom),
                not_past=end,
                **shared,
            ),
            self.root_key,
        )
        (self.folder / "root.crt").write_bytes(write_pem(self.root.der, CERTIFICATE))
        self.make_device()

    def tls(self, *, name: str = NAME, days: tuple[int, int] = (-10, 300)) -> Certificate:
        content = issuing.Content(
            role=Role.TLS,
            profile=PROFILES[Role.TLS],
            subject_der=names.encode_name((names.CN, "gateway")),
            spki=spki(self.tls_key),
            issuer=issuing.issuer_of(self.root),
            serial=issuing.new_serial(os.urandom),
            not_before=NOW + timedelta(days=days[0]),
            not_after=NOW + timedelta(days=days[1]),
            dns_names=(name,),
        )
        return sign(content, self.root_key)

    def make_device(self, *, days: tuple[int, int] = (-10, 300), ca_key: Key | None = None) -> None:
        key = new_key()
        content = issuing.device_content(
            factory="acme",
            uuid=UUID,
            spki=spki(key),
            issuer=issuing.issuer_of(self.ca),
            serial=issuing.new_serial(os.urandom),
            not_before=NOW + timedelta(days=days[0]),
            days=days[1] - days[0],
            not_past=self.ca.not_after,
        )
        client = write_pem(sign(content, ca_key or self.ca_key).der, CERTIFICATE)
        (self.folder / "client.pem").write_bytes(client)
        (self.folder / "pkey.pem").write_bytes(key_pem(key))

    @contextmanager
    def gateway(
        self,
        certificate: Certificate | None = None,
        *,
        trusts: Certificate | None = None,
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> Iterator[Gateway]:
        """A TLS server that reads a request and answers it with a root.json."""
        chain = self.folder / "server.pem"
        presented = certificate or self.tls()
        chain.write_bytes(key_pem(self.tls_key) + write_pem(presented.der, CERTIFICATE))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(chain)
        ca = write_pem((trusts or self.ca).der, CERTIFICATE).decode()
        context.load_verify_locations(cadata=ca)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN

        def serve(connection: socket.socket) -> None:
            with connection, context.wrap_socket(connection, server_side=True) as tls:
                if tls.recv(4096):
                    body = b'{"signed": {}, "signatures": []}'
                    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                    head += b"Content-Length: %d\r\n\r\n" % len(body)
                    tls.sendall(head + body)

        with listening(serve) as port:
            yield Gateway(name=NAME, host="127.0.0.1", port=port)


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serves each connection in a thread."""
    over = threading.Event()

    def one(connection: socket.socket) -> None:
        try:
            serve(connection)
        except OSError:
            connection.close()

    def accept(server: socket.socket) -> None:
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=accept, args=(server,), daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(CeremonyError) as caught:
        call()
    return caught.value.code


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def refusal(world: World, gateway: Gateway, *, at: datetime = NOW, root: bool = False) -> str:
    ask = fetch_root if root else shake_hands
    with pytest.raises(CeremonyError) as caught:
        ask(read_device(world.folder, at), gateway, timeout_s=2)
    assert caught.value.hint
    assert caught.value.message.isascii()
    return caught.value.code


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_good_device_is_accepted(world: World, version: ssl.TLSVersion) -> None:
    with world.gateway(version=version) as gateway:
        device = read_device(world.folder, NOW)
        assert not shake_hands(device, gateway).document
        assert fetch_root(device, gateway).document


def test_another_root(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    (world.folder / "root.crt").write_bytes((other.folder / "root.crt").read_bytes())
    with world.gateway() as gateway:
        assert refusal(world, gateway) == "gateway.wrong_root"


def test_the_gateways_certificate_has_expired(world: World) -> None:
    with world.gateway(world.tls(days=(-300, -1))) as gateway:
        assert refusal(world, gateway) == "gateway.expired"


def test_another_host_name(world: World) -> None:
    with (
        world.gateway(world.tls(name="other.example")) as gateway,
        pytest.raises(CeremonyError) as caught,
    ):
        shake_hands(read_device(world.folder, NOW), gateway)
    assert caught.value.code == "gateway.host_name"
    assert "other.example" in caught.value.message


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("root", [False, True])
def test_the_gateway_does_not_trust_the_ca(
    world: World, tmp_path: Path, version: ssl.TLSVersion, root: bool
) -> None:
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    with world.gateway(trusts=other.ca, version=version) as gateway:
        code = refusal(world, gateway, root=root)
    assert code == "gateway.ca_not_trusted"


def test_the_key_does_not_match(world: World) -> None:
    (world.folder / "pkey.pem").write_bytes(key_pem(new_key()))
    with world.gateway() as gateway:
        assert refusal(world, gateway) == "gateway.key_mismatch"


def test_the_key_cannot_be_read(world: World) -> None:
    (world.folder / "pkey.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\nx\n")
    with world.gateway() as gateway:
        assert refusal(world, gateway) == "gateway.key_unreadable"


def test_the_clock_is_behind_what_is_in_hand(world: World) -> None:
    with world.gateway() as gateway:
        assert refusal(world, gateway, at=NOW - timedelta(days=20)) == "gateway.clock"


def test_the_gateways_certificate_begins_in_the_future(world: World) -> None:
    with world.gateway(world.tls(days=(5, 300))) as gateway:
        assert refusal(world, gateway) == "gateway.clock"


def test_the_devices_own_certificate_has_expired(world: World) -> None:
    world.make_device(days=(-300, -1))
    with world.gateway() as gateway:
        assert refusal(world, gateway) == "gateway.device_expired"


def test_the_gateways_clock_holds_the_device_for_expired(world: World) -> None:
    """Ours says that it is good: only the gateway's alert tells."""
    world.make_device(days=(-300, -1))
    with world.gateway() as gateway:
        device = replace(read_device(world.folder, NOW - timedelta(days=30)))
        with pytest.raises(CeremonyError) as caught:
            shake_hands(device, gateway)
    assert caught.value.code == "gateway.device_rejected_expired"


def test_nothing_listens_and_no_such_name(world: World) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    gone = Gateway(name=NAME, host="127.0.0.1", port=port)
    assert refusal(world, gone) == "gateway.port_closed"
    assert refusal(world, Gateway(name="no-such-name.invalid")) == "gateway.name_unknown"


def test_no_answer_at_all(world: World) -> None:
    """A full backlog drops connections as a firewall does."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        port = server.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        assert refusal(world, Gateway(name=NAME, host="127.0.0.1", port=port)) == "gateway.no_route"
        for filler in fillers:
            filler.close()


def test_something_else_listens_there(world: World) -> None:
    def http(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    with listening(http) as port:
        code = refusal(world, Gateway(name=NAME, host="127.0.0.1", port=port))
    assert code in {"gateway.no_tls", "gateway.closed"}
    with listening(lambda connection: connection.close()) as port:
        assert refusal(world, Gateway(name=NAME, host="127.0.0.1", port=port)) == "gateway.closed"


def test_a_device_that_is_a_ca_is_named_before_any_network(world: World) -> None:
    (world.folder / "client.pem").write_bytes(write_pem(world.ca.der, CERTIFICATE))
    (world.folder / "pkey.pem").write_bytes(key_pem(world.ca_key))
    with pytest.raises(CeremonyError) as caught:
        read_device(world.folder, NOW)
    assert caught.value.code == "gateway.device_profile"
    assert "ca.ext" in caught.value.message


def test_where_the_gateway_is(world: World) -> None:
    assert gateway_names(world.folder, None) == ()
    (world.folder / "tls.pem").write_bytes(write_pem(world.tls().der, CERTIFICATE))
    assert gateway_names(world.folder, world.folder) == (NAME,)
    (world.folder / "sota.toml").write_text('[tls]\nserver = "https://a.example:8443"\n')
    assert gateway_names(world.folder, None) == ("a.example:8443",)
    (world.folder / "sota.toml").write_text("[tls\n")
    with pytest.raises(CeremonyError) as caught:
        gateway_names(world.folder, None)
    assert caught.value.code == "gateway.address"
    assert parse_gateway("a:1") == Gateway(name="a", port=1)
    assert parse_gateway("a") == Gateway(name="a")
    (world.folder / "sota.toml").write_text('[tls]\nserver = "a.example"\n')
    (told,) = gateway_names(world.folder, None)
    # Each of the later ones was a ValueError of the resolver or of TLS.
    odd = (".a", "a..b", "a.", "a" * 64, "*.a", "a b", "\u00fc", "-a")
    for wrong in ("", ":1", "a:", "a:x", "a:70000", told, *odd):
        with pytest.raises(CeremonyError):
            parse_gateway(wrong)


@pytest.mark.parametrize("option", ["--gateway", "--connect"])
def test_an_option_that_is_no_address_is_a_matter_of_usage(world: World, option: str) -> None:
    (world.folder / "sota.toml").write_text('[tls]\nserver = "https://a.example:8443"\n')
    done = CliRunner().invoke(devices, ["check", str(world.folder), option, "[::1]:8443"])
    assert isinstance(done.exception, PlanError)
    assert (done.exception.code, done.exception.status) == ("usage.gateway", 2)


@pytest.mark.parametrize("name", ["root.crt", "client.pem"])
def test_der_is_of_no_use_to_a_device(world: World, name: str) -> None:
    path = world.folder / name
    path.write_bytes(read_certificate(path.read_bytes(), name).der)
    assert code_of(lambda: read_device(world.folder, NOW)).startswith("pem.")


def test_41_a_gateway_that_drips_for_ever_does_not_hold_the_check(world: World) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = world.folder / "server.pem"
    chain.write_bytes(key_pem(world.tls_key) + write_pem(world.tls().der, CERTIFICATE))
    context.load_cert_chain(chain)

    def drip(plain: socket.socket) -> None:
        with plain, context.wrap_socket(plain, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(600):
                tls.sendall(b" ")
                time.sleep(0.1)

    with listening(drip) as port:
        there = Gateway(name=NAME, host="127.0.0.1", port=port)
        device = read_device(world.folder, NOW)
        began = time.monotonic()
        code = code_of(lambda: fetch_root(device, there, timeout_s=20, total_s=1))
    assert code == "gateway.unreachable"
    assert time.monotonic() - began < 40
