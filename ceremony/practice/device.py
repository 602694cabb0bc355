"""A practice device: its certificate from a local CA, and its first request to the gateway."""

import http.client
import json
import os
import secrets
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ceremony.core.text import show
from ceremony.errors import NetworkError, VerificationError
from ceremony.practice.gateway import ROOT_PATH
from ceremony.practice.store import spki_of, write_private
from ceremony.x509.certificate import Certificate
from ceremony.x509.issuing import assemble, device_content, issuer_of, new_serial, tbs_of, twin
from ceremony.x509.pem import write_pem

_MAX_ANSWER: Final = 1024 * 1024
_DAYS: Final = 3650


def make_device(
    directory: Path,
    *,
    ca_certificate: Certificate,
    sign: Callable[[bytes], bytes],
    factory: str,
) -> str:
    """Makes a device's key, and its certificate under a local device CA.

    Writes ``client.pem`` and ``pkey.pem`` (0600) into ``directory/device/``.

    Args:
        directory: gets the folder ``device``.
        ca_certificate: the local CA.
        sign: DER ECDSA-Sig-Value of the CA's key over these bytes; `KeyStore.sign`.
        factory: becomes the OU.

    Returns:
        The device's uuid.

    Raises:
        VerificationError: the CA's key is on no curve that certificates have here.
    """
    if ca_certificate.curve is None:
        raise VerificationError(
            "device.ca_key",
            f"the device CA's key is {ca_certificate.key}",
            hint="Use a device CA with a P-256 or P-384 key.",
        )
    name = str(uuid4())
    key = ec.generate_private_key(ec.SECP256R1())
    content = device_content(
        factory=factory,
        uuid=name,
        spki=spki_of(key.public_key()),
        issuer=issuer_of(ca_certificate),
        serial=new_serial(secrets.token_bytes),
        not_before=datetime.now(UTC).replace(microsecond=0),
        days=_DAYS,
        not_past=ca_certificate.not_after,
    )
    tbs = tbs_of(twin(content, ca_certificate.curve))
    certificate = assemble(tbs, sign(tbs))
    folder = directory / "device"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(folder / "pkey.pem", secret)
    write_private(folder / "client.pem", write_pem(certificate, "CERTIFICATE"))
    return name


def request_root(
    directory: Path, root_pem: Path, host: str, port: int, name: str, *, timeout_s: float = 10.0
) -> dict[str, Any]:
    """``GET https://<name>/repo/1.root.json`` with the device's certificate.

    The connection goes to `host` and `port`; the server must prove to be `name` under
    `root_pem` and nothing else. The first request registers the device.

    Args:
        directory: has the folder ``device``.
        root_pem: the root certificate, ``factory_ca.pem``.
        name: the gateway's host name, from the TLS certificate.

    Returns:
        The decoded root.json.

    Raises:
        NetworkError: `gateway.unreachable`, `gateway.tls`, `gateway.refused` or
            `gateway.answer`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A root that a higher CA signed is an anchor too.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cafile=os.fspath(root_pem))
        context.load_cert_chain(directory / "device/client.pem", directory / "device/pkey.pem")
        connection = _Connection(host, port, name, context, timeout_s)
        try:
            connection.request("GET", ROOT_PATH)
            answer = connection.getresponse()
            status, raw = answer.status, answer.read(_MAX_ANSWER)
        finally:
            connection.close()
    except ssl.SSLError as exc:
        raise NetworkError(
            "gateway.tls",
            f"the TLS handshake with {show(name)} failed: {show(str(exc))}",
            hint="Check that root, gateway certificate and device CA are the uploaded ones.",
        ) from exc
    except (OSError, http.client.HTTPException) as exc:
        raise NetworkError(
            "gateway.unreachable",
            f"no answer from the gateway at {host}:{port}: {show(str(exc))}",
            hint="Check that it runs and that certificates are uploaded.",
        ) from exc
    if status != 200:
        raise NetworkError(
            "gateway.refused",
            f"the gateway answered {status}: {show(raw)}",
            hint="Check that the device CA is uploaded and not disabled.",
        )
    return _document(raw)


def _document(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or "signed" not in document:
        raise NetworkError(
            "gateway.answer",
            f"the gateway's answer is no root.json: {show(raw)}",
            hint="Check the address: something else is listening there.",
        )
    return document


class _Connection(http.client.HTTPSConnection):
    """Connects to an address, and verifies another name."""

    def __init__(
        self, host: str, port: int, name: str, context: ssl.SSLContext, timeout_s: float
    ) -> None:
        super().__init__(name, port, context=context, timeout=timeout_s)
        self._address = (host, port)
        self._verified = (name, context)

    def connect(self) -> None:
        """TCP to the address, then TLS to the name."""
        name, context = self._verified
        plain = socket.create_connection(self._address, self.timeout)
        try:
            self.sock = context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise
