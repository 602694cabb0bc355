"""The practice registration service: what devices on the floor ask for their certificate.

It does what the platform's open-source service does, with the same library: it reads a PKI
folder in fioctl's form (`ceremony pki export` writes one), takes a CSR as lmp-device-register
sends it, and answers with the device's files. Its certificates live for 20 years and have
the uuid as their serial number, as that service's do.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from ceremony.devices.sota import sota_toml
from ceremony.errors import VerificationError
from ceremony.practice.certificates import common_name, is_ca, pem_of, unit_of
from ceremony.practice.refusal import Refusal
from ceremony.practice.server import Handler, Server, decode_object
from ceremony.practice.store import Json
from ceremony.x509.certificate import read_certificate

PATH: Final = "/sign"
_DAYS: Final = 7300


class RegistrationService(Server):
    """Answers ``POST /sign``.

    Args:
        folder: ``local-ca.pem``, ``local-ca.key`` (not encrypted), ``factory_ca.pem``,
            ``tls-crt``.
        port: 0 takes a free one.

    Raises:
        OSError: a file is not there, or the port is taken.
        ValueError: a file cannot be read, or the CA is none.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.ca = x509.load_pem_x509_certificate((folder / "local-ca.pem").read_bytes())
        key = load_pem_private_key((folder / "local-ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_ca(self.ca):
            raise ValueError("local-ca.pem is no CA, or its key no EC key")
        self.key = key
        self.root = (folder / "factory_ca.pem").read_text(encoding="ascii")
        self.gateway = read_certificate((folder / "tls-crt").read_bytes(), "tls-crt")
        super().__init__(RegistrationHandler, port)

    @property
    def url(self) -> str:
        """What ``--service``, and a device's DEVICE_API, is given."""
        host, port = self.address
        return f"http://{host}:{port}{PATH}"


class RegistrationHandler(Handler):
    """One device's request."""

    server: RegistrationService

    def route(self, body: bytes) -> None:
        """``POST /sign``.

        Raises:
            Refusal: 400, 404 or 405.
        """
        if self.path != PATH:
            raise Refusal(404, "Not found")
        if self.command != "POST":
            raise Refusal(405, "Method not allowed")
        asked = decode_object(body)
        hardware_id = asked.get("hardware-id")
        if not isinstance(asked.get("csr"), str) or not isinstance(hardware_id, str):
            raise Refusal(400, "Missing required field 'csr' or 'hardware-id'")
        self.answer(201, self._answer(asked["csr"], hardware_id, asked.get("sota-config-dir")))

    def _answer(self, csr: str, hardware_id: str, folder: object) -> Json:
        service = self.server
        try:
            client = pem_of(_sign(x509.load_pem_x509_csr(csr.encode()), service.ca, service.key))
            directory = folder if isinstance(folder, str) and folder else "/var/sota"
            sota = sota_toml(service.gateway, hardware_id, directory)
        except VerificationError as exc:
            raise Refusal(400, exc.message) from exc
        except ValueError as exc:
            raise Refusal(400, str(exc)) from exc
        return {
            "root.crt": service.root,
            "sota.toml": sota.decode(),
            "client.pem": client,
            "client.chained": f"{client}\n{pem_of(service.ca)}",
        }


def _sign(
    csr: x509.CertificateSigningRequest, ca: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    """Raises ValueError for what cannot be signed."""
    uuid, factory = common_name(csr), unit_of(ca)
    if not csr.is_signature_valid or not uuid:
        raise ValueError("Expected a CN and a valid signature")
    if unit_of(csr) != factory:
        raise ValueError(f"Invalid factory({unit_of(csr)}) must be {factory}")
    at = datetime.now(UTC).replace(microsecond=0)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(ca.subject)
        .public_key(csr.public_key())
        .serial_number(int(uuid.replace("-", ""), 16))
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=_DAYS))
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .add_extension(aki, critical=False)
        .sign(key, hashes.SHA256())
    )
