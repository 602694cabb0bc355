"""Devices of the practice Factory: registered by upload, by CSR, or at the gateway."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.practice.authority import Authority
from ceremony.practice.certificates import common_name, pem_of, unit_of
from ceremony.practice.refusal import Refusal
from ceremony.practice.register import Register
from ceremony.practice.store import Json, Store, now_text, spki_of

_DEVICE_DAYS = 3650


class Devices:
    """The list of devices, by the rules of the API."""

    def __init__(self, store: Store, authority: Authority) -> None:
        self._store = store
        self._authority = authority
        self._known = Register(store.folder)

    def save(self) -> None:
        """Writes the whole list for people."""
        with self._store.lock:
            self._known.save()

    def find(self, name_or_uuid: str) -> Json | None:
        """A device by its name, else by its uuid."""
        with self._store.lock:
            return self._known.named(name_or_uuid) or self._known.known(name_or_uuid)

    def page(self) -> Json:
        """What ``GET /ota/devices/`` answers."""
        with self._store.lock:
            devices = self._known.all()
        return {"devices": devices, "total": len(devices), "next": None}

    def put(self, fields: Json, by: str) -> Json:
        """``PUT /ota/devices/``: registers a certificate that was made elsewhere.

        Raises:
            Refusal: 400, or 409 when uuid or name are taken.
        """
        pem = fields.get("client.pem")
        wrong = {
            name: "not a known field"
            for name in fields
            if name not in {"client.pem", "name", "group"}
        }
        wrong |= {
            name: "expected text"
            for name, value in fields.items()
            if name not in wrong and not isinstance(value, str)
        }
        try:
            certificate = x509.load_pem_x509_certificate(str(pem).encode())
        except ValueError:
            wrong["client.pem"] = "expected a PEM certificate"
        if wrong:
            raise Refusal(400, "Invalid request", wrong)
        ca = self._issuer(certificate)
        if ca is None:
            raise Refusal(400, "Invalid certificate", {"client.pem": "no device CA issued it"})
        with self._store.lock:
            return self._register(certificate, ca, by, fields.get("name"), fields.get("group"))

    def admit(self, certificate: x509.Certificate, by: str) -> Json:
        """A device at the gateway: its first request registers it.

        Args:
            by: owner, where the CA is not a local one.

        Raises:
            Refusal: 403, the device may not come in.
        """
        ca = self._issuer(certificate)
        if ca is None:
            raise Refusal(403, "No device CA issued this certificate")
        uuid = common_name(certificate)
        with self._store.lock:
            known = self._known.known(uuid or "")
            if known is None:
                try:
                    return self._register(certificate, ca, by)
                except Refusal as exc:
                    raise Refusal(403, str(exc)) from exc
            if known["public-key"] != _public_key(certificate):
                raise Refusal(403, "Another key is registered for this device")
            seen = {**known, "last-seen": now_text()}
            self._known.put(seen)
            return seen

    def create(self, fields: Json, by: str) -> Json:
        """``POST /ota/devices/``: signs a device's CSR with the online device CA.

        Raises:
            Refusal: 400 for the CSR or a Factory without that CA, 409 for a conflict.
        """
        try:
            csr = x509.load_pem_x509_csr(str(fields.get("csr")).encode())
        except ValueError as exc:
            raise Refusal(400, "Invalid request", {"csr": "expected a PEM CSR"}) from exc
        if not csr.is_signature_valid or not common_name(csr):
            raise Refusal(400, "Invalid request", {"csr": "expected a CN and a valid signature"})
        if not isinstance(fields.get("hardware-id"), str):
            raise Refusal(400, "Invalid request", {"hardware-id": "this field is required"})
        ca, key = self._online_ca()
        certificate = _sign(csr, ca, key, self._authority.factory)
        with self._store.lock:
            self._register(certificate, ca, by, fields.get("name"), fields.get("group"))
        root = (self._store.certs or {})["root-crt"]
        pem = pem_of(certificate)
        return {
            "root.crt": root,
            "sota.toml": self._sota_toml(str(fields["hardware-id"])),
            "client.pem": pem,
            "client.chained": pem + pem_of(ca),
        }

    # --- inside -------------------------------------------------------------------

    def _register(
        self,
        certificate: x509.Certificate,
        ca: x509.Certificate,
        by: str,
        name: str | None = None,
        group: str | None = None,
    ) -> Json:
        uuid = common_name(certificate)
        if not uuid or unit_of(certificate) != self._authority.factory:
            raise Refusal(400, "Invalid certificate", {"client.pem": "CN or OU is wrong"})
        if self._authority.is_disabled(ca):
            raise Refusal(400, "Invalid certificate", {"client.pem": "its device CA is disabled"})
        if self._known.known(uuid) or self._known.named(name or uuid):
            raise Refusal(409, "A device with this name or uuid already exists")
        owner = (common_name(ca) or "").removeprefix("fio-")
        device = {
            "uuid": uuid,
            "name": name or uuid,
            "owner": owner if owner in {u.polis_id for u in self._authority.users} else by,
            "factory": self._authority.factory,
            "device-group": group,
            "created-at": now_text(),
            "last-seen": now_text(),
            "public-key": _public_key(certificate),
            "serial": str(certificate.serial_number),
            "issuer-serial": str(ca.serial_number),
        }
        self._known.put(device)
        return device

    def _issuer(self, certificate: x509.Certificate) -> x509.Certificate | None:
        at = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return None
        for ca in self._authority.device_cas():
            try:
                certificate.verify_directly_issued_by(ca)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return ca
        return None

    def _online_ca(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        for ca in reversed(self._authority.device_cas()):
            key = self._store.find_key("ca", spki_of(ca.public_key()))
            if key is not None and not self._authority.is_disabled(ca):
                return ca, key
        raise Refusal(400, "The Factory has no online device CA")

    def _sota_toml(self, hardware_id: str) -> str:
        names = self._authority.names
        return (
            f'[tls]\nserver = "https://{names.gateway}:8443"\n\n'
            f'[provision]\nprimary_ecu_hardware_id = "{hardware_id}"\n\n'
            f'[pacman]\nostree_server = "https://{names.ostree}:8443/treehub"\n'
        )


def _sign(
    csr: x509.CertificateSigningRequest,
    ca: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    factory: str,
) -> x509.Certificate:
    at = datetime.now(UTC).replace(microsecond=0)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name(csr) or ""),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, factory),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(min(at + timedelta(days=_DEVICE_DAYS), ca.not_valid_after_utc))
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        .add_extension(aki, critical=False)
        .sign(key, hashes.SHA256())
    )


def _public_key(certificate: x509.Certificate) -> str:
    raw = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return raw.decode()
