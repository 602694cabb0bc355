"""The practice device gateway: real mutual TLS on loopback.

It serves under the uploaded ``tls-crt`` and trusts exactly the uploaded device CAs. The
root is never loaded: the list and its revocations are what is tested. Python up to 3.12
then needs VERIFY_X509_PARTIAL_CHAIN, as a device CA is no self-signed anchor.
"""

import json
import ssl
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.practice.authority import Authority
from ceremony.practice.certificates import pem_of
from ceremony.practice.devices import Devices
from ceremony.practice.refusal import Refusal
from ceremony.practice.server import Handler, Server
from ceremony.practice.store import Json, Store, spki_of, write_private

ROOT_PATH: Final = "/repo/1.root.json"


class Gateway(Server):
    """Listens from the start; refuses connections until a ``tls-crt`` is uploaded."""

    def __init__(self, store: Store, authority: Authority, devices: Devices) -> None:
        super().__init__(GatewayHandler)
        self.store = store
        self.authority = authority
        self.devices = devices
        self.document = tuf_root(store)
        self._made_of: tuple[object, object] = (None, None)
        self._context: ssl.SSLContext | None = None

    def tls(self) -> ssl.SSLContext:
        """The context for what is uploaded now; made anew when that changed.

        Raises:
            ConnectionRefusedError: no TLS certificate or no device CA is uploaded.
        """
        with self.store.lock:
            certs = self.store.certs or {}
            made_of = (certs.get("tls-crt"), certs.get("ca-crt"))
            if not all(made_of):
                raise ConnectionRefusedError("no certificates are uploaded")
            if self._context is None or made_of != self._made_of:
                self._context = self._new_context(str(made_of[0]), str(made_of[1]))
                self._made_of = made_of
            return self._context

    def _new_context(self, tls_crt: str, ca_crt: str) -> ssl.SSLContext:
        leaf = x509.load_pem_x509_certificate(tls_crt.encode())
        key = self.store.key_path("tls", spki_of(leaf.public_key()))
        if key is None:
            raise ConnectionRefusedError("the key of the TLS certificate is not here")
        chain = self.store.folder / "keys" / "gateway.pem"
        write_private(chain, pem_of(leaf).encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(chain, key)
        context.load_verify_locations(cadata=ca_crt)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


class GatewayHandler(Handler):
    """One device's requests."""

    server: Gateway

    def route(self, body: bytes) -> None:  # noqa: ARG002 - devices send none
        """``GET /repo/1.root.json``.

        Raises:
            Refusal: 403, 404 or 405.
        """
        if not isinstance(self.connection, ssl.SSLSocket):
            raise Refusal(400, "TLS is needed")
        der = self.connection.getpeercert(binary_form=True)
        if der is None:
            raise Refusal(403, "A client certificate is needed")
        certificate = x509.load_der_x509_certificate(der)
        self.server.devices.admit(certificate, self.server.authority.users[0].polis_id)
        if self.path != ROOT_PATH:
            raise Refusal(404, "Not found")
        if self.command != "GET":
            raise Refusal(405, "Method not allowed")
        self.answer(200, self.server.document)


def tuf_root(store: Store) -> Json:
    """A signed root.json of The Update Framework, made once (TUF specification §4.3)."""
    path = store.folder / "1.root.json"
    if path.exists():
        document: Json = json.loads(path.read_bytes())
        return document
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    key_id = spki_of(key.public_key())[-32:].hex()
    roles = ("root", "snapshot", "targets", "timestamp")
    signed = {
        "_type": "Root",
        "consistent_snapshot": False,
        "expires": "2099-01-01T00:00:00Z",
        "keys": {key_id: {"keytype": "ED25519", "keyval": {"public": public}}},
        "roles": {role: {"keyids": [key_id], "threshold": 1} for role in roles},
        "version": 1,
    }
    canonical = json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()
    signature = {"keyid": key_id, "method": "ed25519", "sig": key.sign(canonical).hex()}
    document = {"signatures": [signature], "signed": signed}
    write_private(path, json.dumps(document, indent=2).encode() + b"\n")
    return document
