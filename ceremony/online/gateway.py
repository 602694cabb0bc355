"""A device's way to its gateway: mutual TLS, and a name for whatever stands in its way."""

import errno
import http.client
import json
import re
import socket
import ssl
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ceremony.bundle.media import MAX_PEM_BYTES, read_file
from ceremony.core.findings import errors
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import NetworkError, VerificationError
from ceremony.online import diagnosis
from ceremony.online.deadline import Deadline
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.checks import check_certificate
from ceremony.x509.pem import CERTIFICATE, read_pem
from ceremony.x509.profiles import Role

PORT: Final = 8443
ROOT_PATH: Final = "/repo/1.root.json"
_MAX_ANSWER: Final = 1024 * 1024
_TOTAL_S: Final = 60.0
# RFC 1123 §2.1; underscores stand in names of the real world. IPv4 addresses fit too.
_LABEL: Final = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Where the gateway is.

    Attributes:
        name: host name that it must prove.
        host: where to connect; the name itself when empty.
    """

    name: str
    port: int = PORT
    host: str = ""

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect."""
        return self.host or self.name, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFiles:
    """A device's folder, read and checked without a network."""

    folder: Path
    client: Certificate
    root: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What was seen when all was well."""

    protocol: str
    gateway: Certificate
    document: bool = False


def parse_gateway(text: str) -> Gateway:
    """``HOST`` or ``HOST:PORT``.

    Raises:
        VerificationError: `gateway.address`.
    """
    host, colon, port = text.partition(":")
    if not _HOST.fullmatch(host) or (
        colon and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536)
    ):
        raise VerificationError(
            "gateway.address",
            f"'{show(text, 100)}' is no HOST or HOST:PORT",
            hint="Give a host name, and a port when it is not 8443.",
        )
    return Gateway(name=host, port=int(port) if colon else PORT)


def gateway_names(folder: Path, bundle: Path | None) -> tuple[str, ...]:
    """Names that the gateway may have: the SAN of the bundle's tls.pem, else sota.toml's.

    Raises:
        MediaError: `media.*`.
        VerificationError: `certificate.*`, `gateway.address`.
    """
    if bundle is not None:
        return read_certificate(read_file(bundle / "tls.pem", MAX_PEM_BYTES), "tls.pem").dns_names
    if not (folder / "sota.toml").is_file():
        return ()
    try:
        text = read_file(folder / "sota.toml", MAX_PEM_BYTES).decode("utf-8")
        server = urlsplit(tomllib.loads(text)["tls"]["server"])
        return (f"{server.hostname or ''}:{server.port or PORT}",)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise VerificationError(
            "gateway.address",
            "sota.toml has no [tls] server",
            hint="Give --gateway HOST, or --bundle with the upload bundle.",
        ) from exc


def read_device(folder: Path, at: datetime) -> DeviceFiles:
    """Reads client.pem, pkey.pem and root.crt, and checks what needs no network.

    Raises:
        MediaError: `media.*`.
        VerificationError: `gateway.key_mismatch`, `gateway.key_unreadable`,
            `gateway.device_profile`, `gateway.clock`, `gateway.device_expired`, ...
    """
    client, root = (_read_pem(folder, name) for name in ("client.pem", "root.crt"))
    _check_key(folder / "pkey.pem", client)
    wrong = errors(check_certificate(client, Role.DEVICE, factory=None))
    if wrong:
        raise VerificationError(
            "gateway.device_profile",
            f"client.pem: {'; '.join(one.message for one in wrong)}",
            hint="Issue the device's certificate anew: `ceremony devices issue`.",
        )
    if at < max(client.not_before, root.not_before):
        raise diagnosis.clock_behind(at, max(client.not_before, root.not_before))
    if at > client.not_after:
        raise VerificationError(
            "gateway.device_expired",
            f"client.pem ended {format_time(client.not_after)}, and it is {format_time(at)}",
            hint="Check this machine's clock; if it is right, issue a new certificate.",
        )
    return DeviceFiles(folder=folder, client=client, root=root)


def _read_pem(folder: Path, name: str) -> Certificate:
    """PEM, as a device needs it: DER would be a certificate too, and of no use to it."""
    der = read_pem(read_file(folder / name, MAX_PEM_BYTES), CERTIFICATE, name)
    return read_certificate(der, name)


def _check_key(path: Path, client: Certificate) -> None:
    try:
        key = load_pem_private_key(read_file(path, MAX_PEM_BYTES), None)
    except (ValueError, TypeError) as exc:
        raise VerificationError(
            "gateway.key_unreadable",
            "pkey.pem is no unencrypted private key in PEM",
            hint="Name the device's folder as `ceremony devices issue` wrote it.",
        ) from exc
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if spki != client.spki:
        raise VerificationError(
            "gateway.key_mismatch",
            "the key in pkey.pem does not belong to the certificate in client.pem",
            hint="Find the pair that belongs together; `ceremony devices find` knows the key.",
        )


def shake_hands(device: DeviceFiles, gateway: Gateway, *, timeout_s: float = 10.0) -> Met:
    """A TLS handshake and nothing more; no request reaches the gateway.

    Raises:
        NetworkError: `gateway.*`, one code for each cause.
        VerificationError: `gateway.clock`.
    """
    with closing(_connect(device, gateway, timeout_s)) as tls:
        # TLS 1.3 (RFC 8446 §4.4.2.4): the gateway judges the device's certificate after
        # the device's side is done; a refusal is an alert that comes a moment later.
        diagnosis.await_refusal(tls)
        return _met(tls)


def fetch_root(
    device: DeviceFiles, gateway: Gateway, *, timeout_s: float = 10.0, total_s: float = _TOTAL_S
) -> Met:
    """``GET /repo/1.root.json``, as a device does first: the gateway registers it then.

    Raises:
        NetworkError: `gateway.*`.
        VerificationError: `gateway.clock`.
    """
    tls = _connect(device, gateway, timeout_s)
    with _closing_on_error(tls):
        # A request on top of a refusal would hide the alert that says why.
        diagnosis.await_refusal(tls)
    met = _met(tls, document=True)
    tls.settimeout(timeout_s)
    connection = http.client.HTTPConnection(gateway.name, gateway.port, timeout=timeout_s)
    connection.sock = tls
    deadline = Deadline(total_s)
    deadline.watch(tls)
    with closing(connection), deadline:
        try:
            connection.request("GET", ROOT_PATH, headers={"Accept": "application/json"})
            with closing(connection.getresponse()) as answer:
                raw = answer.read(_MAX_ANSWER)
        except (OSError, ValueError, http.client.HTTPException) as exc:
            if deadline.expired:
                raise _endless() from exc
            if isinstance(exc, ssl.SSLError):
                raise diagnosis.of_alert(exc) from exc
            raise diagnosis.of_silence(exc) from exc
        if deadline.expired:
            raise _endless()
        if answer.status != 200:
            raise NetworkError(
                "gateway.refused",
                f"the gateway answers {answer.status}: {show(raw, 200)}",
                hint="Check that the device's CA is uploaded and not disabled.",
            )
        if not _is_root(raw):
            raise NetworkError(
                "gateway.answer",
                f"the gateway's answer is no root.json: {show(raw, 100)}",
                hint="Check the address: something else is listening there.",
            )
        return met


def _endless() -> NetworkError:
    return NetworkError(
        "gateway.unreachable",
        "the gateway began to answer, and did not end in time",
        hint="Check the address, and what stands between the gateway and this machine.",
    )


@contextmanager
def _closing_on_error(tls: ssl.SSLSocket) -> Iterator[None]:
    """Closes the connection when the block fails."""
    try:
        yield
    except BaseException:
        tls.close()
        raise


def _is_root(raw: bytes) -> bool:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("signed"), dict)


def _connect(device: DeviceFiles, gateway: Gateway, timeout_s: float) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A root that a higher CA signed is an anchor too.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    folder = device.folder
    context.load_verify_locations(cadata=device.root.der)
    context.load_cert_chain(folder / "client.pem", folder / "pkey.pem")
    plain = _dial(gateway, timeout_s)
    try:
        return context.wrap_socket(plain, server_hostname=gateway.name)
    except ssl.SSLCertVerificationError as exc:
        plain.close()
        presented = diagnosis.presented(gateway.address, gateway.name, timeout_s)
        now = datetime.now(UTC)
        raise diagnosis.of_verification(exc, presented, device.root, gateway.name, now) from exc
    except ssl.SSLError as exc:
        plain.close()
        raise diagnosis.of_alert(exc) from exc
    except OSError as exc:
        plain.close()
        raise diagnosis.of_silence(exc) from exc


def _dial(gateway: Gateway, timeout_s: float) -> socket.socket:
    host, port = gateway.address
    where = f"{show(host, 255)}:{port}"
    try:
        return socket.create_connection((host, port), timeout_s)
    except socket.gaierror as exc:
        raise NetworkError(
            "gateway.name_unknown",
            f"the name {show(host, 255)} cannot be resolved: {exc.strerror}",
            hint="Check the name and this machine's DNS.",
        ) from exc
    except ConnectionRefusedError as exc:
        raise NetworkError(
            "gateway.port_closed",
            f"nothing listens at {where}",
            hint="Check the port; the platform's gateways listen on 8443.",
        ) from exc
    except OSError as exc:
        slow = isinstance(exc, TimeoutError) or exc.errno == errno.ETIMEDOUT
        raise NetworkError(
            "gateway.no_route",
            f"no way to {where}: {'no answer' if slow else exc.strerror}",
            hint="Check cable, route and firewall between this machine and the gateway.",
        ) from exc


def _met(tls: ssl.SSLSocket, *, document: bool = False) -> Met:
    der = tls.getpeercert(binary_form=True) or b""
    return Met(
        protocol=tls.version() or "",
        gateway=read_certificate(der, "the gateway's certificate"),
        document=document,
    )
