"""The Factory's PKI as the API documents it: CSRs for new server keys, checked uploads.

Where the platform's behaviour is not public, the stricter reading is taken: a PATCH is
applied whole or not at all, the root is refused a second time even when equal, and an
expired CRL is refused. The PKI counts as initialised from the moment a root is set.
Written with cryptography's own parsers, so that it judges the product's certificates
independently of the product's code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ceremony.practice.certificates import (
    FieldError,
    certificates,
    check_dates,
    check_issued,
    common_name,
    dns_names,
    exactly_one,
    is_ca,
    pem_of,
    require,
    unit_of,
)
from ceremony.practice.refusal import Refusal
from ceremony.practice.revocation import apply_crl
from ceremony.practice.store import Json, KeySlot, Store, now_text, spki_of

FLAGS: Final = ("first-time-init", "tls-csr", "ca-csr", "est-tls-csr")
FIELDS: Final = ("root-crt", "tls-crt", "ca-crt", "est-tls-crt", "ca-revoke-crl")
# fioctl sends its whole structure back; the API ignores what it says of these.
READ_ONLY: Final = ("change-meta", "disabled-ca-serials")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the Factory; `polis_id` is the user id of ``CN=fio-<user id>``."""

    polis_id: str
    name: str
    role: str = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNames:
    """The names that the platform serves a Factory under."""

    gateway: str
    ostree: str
    est: str

    @classmethod
    def of(cls, identity: str, suffix: str) -> "HostNames":
        """The names for a gateway id."""
        return cls(
            gateway=f"{identity}.ota-lite.{suffix}",
            ostree=f"{identity}.ostree.{suffix}",
            est=f"{identity}.est.{suffix}",
        )


class Authority:
    """GET, POST and PATCH of ``/certs/`` over a `Store`."""

    def __init__(
        self, store: Store, factory: str, users: tuple[User, ...], host_suffix: str
    ) -> None:
        self.store = store
        self.factory = factory
        self.users = users
        self.names = HostNames.of(store.state["id"], host_suffix)

    # --- POST ---------------------------------------------------------------------

    def post(self, flags: Mapping[str, Any]) -> Json:
        """Makes a new server key for each flag, and answers their CSRs.

        Raises:
            Refusal: 400 for a malformed request, 409 for a second first-time-init.
        """
        wrong = [f"{name}: not a known field" for name in flags if name not in FLAGS]
        wrong += [
            f"{name}: expected true or false"
            for name in FLAGS
            if not isinstance(flags.get(name, False), bool)
        ]
        if wrong:
            raise Refusal(400, "Invalid request", wrong)
        with self.store.lock:
            if flags.get("first-time-init") and self.store.certs is not None:
                raise Refusal(409, "Factory PKI is already initialized", ["first-time-init"])
            if not flags.get("first-time-init") and self.store.certs is None:
                raise Refusal(400, "Factory PKI is not initialized", ["first-time-init"])
            slots: tuple[KeySlot, ...] = ("tls", "ca", "est-tls")
            csrs = {
                f"{slot}-csr": self._request(slot) for slot in slots if flags.get(f"{slot}-csr")
            }
            self.store.save_state()
        return csrs

    def _request(self, slot: KeySlot) -> str:
        key = self.store.new_key(slot)
        self.store.state["posted"][slot] = spki_of(key.public_key()).hex()
        names = {
            "tls": (self.names.gateway, self.names.ostree),
            "est-tls": (self.names.est,),
            "ca": (),
        }[slot]
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "online-ca")]
        if slot == "ca":
            subject.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, self.factory))
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
        if names:
            san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(san, critical=False)
        return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    # --- PATCH --------------------------------------------------------------------

    def patch(self, fields: Mapping[str, Any], by: str) -> None:
        """Checks all fields, then stores them all.

        Args:
            fields: the request's body.
            by: polis-id of who sends it.

        Raises:
            Refusal: 400 with ``errors`` field by field; nothing was stored.
        """
        sent = {name: value for name, value in fields.items() if name not in READ_ONLY}
        wrong = {name: "not a known field" for name in sent if name not in FIELDS}
        wrong |= {
            name: "expected PEM text"
            for name, value in sent.items()
            if name not in wrong and (not isinstance(value, str) or not value)
        }
        if wrong or not sent:
            raise Refusal(400, "Invalid request", wrong or ["nothing to change"])
        with self.store.lock:
            try:
                certs, revoked = self._checked(sent)
            except FieldError as exc:
                raise Refusal(400, "Invalid certificates", {exc.field: exc.message}) from exc
            at = now_text()
            meta = certs.get("change-meta") or {"created-by": by, "created-at": at}
            certs["change-meta"] = {**meta, "updated-by": by, "updated-at": at}
            if revoked:
                self.store.state["revoked"] += [str(serial) for serial in revoked]
                self.store.save_state()
            self.store.save_certs(certs)

    def _checked(self, sent: Mapping[str, str]) -> tuple[Json, tuple[int, ...]]:
        certs = self.store.certs or {
            "root-crt": None,
            "tls-crt": None,
            "ca-crt": None,
            "est-tls-crt": None,
            "disabled-ca-serials": [],
        }
        if "root-crt" in sent:
            if certs["root-crt"] is not None:
                raise FieldError("root-crt", "the root of trust can be set only once")
            self._check_root(sent["root-crt"])
            certs["root-crt"] = sent["root-crt"]
        if certs["root-crt"] is None:
            raise FieldError("root-crt", "the root of trust is not set yet")
        root = certificates("root-crt", certs["root-crt"])[0]
        if "tls-crt" in sent:
            self._check_server("tls-crt", sent["tls-crt"], root, "tls")
        if "est-tls-crt" in sent:
            self._check_server("est-tls-crt", sent["est-tls-crt"], root, "est-tls")
        if "ca-crt" in sent:
            self._check_device_cas(sent["ca-crt"], certs["ca-crt"], root)
        certs |= {name: sent[name] for name in ("tls-crt", "ca-crt", "est-tls-crt") if name in sent}
        if "ca-revoke-crl" not in sent:
            return certs, ()
        cas = certificates("ca-crt", certs["ca-crt"]) if certs["ca-crt"] else ()
        disabled = {int(serial) for serial in certs["disabled-ca-serials"]}
        try:
            change = apply_crl(sent["ca-revoke-crl"], root, cas, disabled)
        except ValueError as exc:
            raise FieldError("ca-revoke-crl", str(exc)) from exc
        certs["ca-crt"] = "".join(pem_of(ca) for ca in change.trusted) or None
        certs["disabled-ca-serials"] = [str(serial) for serial in change.disabled]
        return certs, change.revoked

    def _check_root(self, pem: str) -> None:
        (root,) = exactly_one("root-crt", pem)
        require("root-crt", is_ca(root), "it is not a CA certificate")
        require(
            "root-crt",
            unit_of(root) == self.factory,
            f"subject OU must be the factory name {self.factory}",
        )
        check_dates("root-crt", root)
        if root.subject == root.issuer:
            check_issued("root-crt", root, root)

    def _check_server(self, field: str, pem: str, root: x509.Certificate, slot: KeySlot) -> None:
        (leaf,) = exactly_one(field, pem)
        check_issued(field, leaf, root)
        check_dates(field, leaf)
        require(field, not is_ca(leaf), "it is a CA certificate")
        require(field, self._is_posted(slot, leaf), "its public key is not that of the last CSR")
        count = len(dns_names(leaf))
        named = count == 1 if slot == "est-tls" else count > 0
        require(field, named, "subjectAltName must name the server")

    def _check_device_cas(self, pem: str, before: str | None, root: x509.Certificate) -> None:
        field = "ca-crt"
        sent = certificates(field, pem)
        had = certificates(field, before) if before else ()
        missing = [ca for ca in had if ca not in sent]
        require(
            field,
            not missing,
            "the list lacks a device CA that is not revoked: serial "
            + ", ".join(str(ca.serial_number) for ca in missing),
        )
        require(
            field,
            len({ca.serial_number for ca in sent}) == len(sent),
            "two certificates have the same serial",
        )
        for ca in sent:
            if ca not in had:
                self._check_new_device_ca(field, ca, root)

    def _check_new_device_ca(
        self, field: str, ca: x509.Certificate, root: x509.Certificate
    ) -> None:
        check_issued(field, ca, root)
        check_dates(field, ca)
        require(field, is_ca(ca), "it is not a CA certificate")
        require(
            field,
            unit_of(ca) == self.factory,
            f"subject OU must be the factory name {self.factory}",
        )
        require(
            field,
            str(ca.serial_number) not in self.store.state["revoked"],
            f"serial {ca.serial_number} is revoked",
        )
        if self._is_posted("ca", ca):
            return
        owners = {f"fio-{user.polis_id}" for user in self.users}
        require(
            field,
            common_name(ca) in owners,
            "its key is not that of the last CSR, and its CN is not fio-<user id>",
        )

    def _is_posted(self, slot: KeySlot, certificate: x509.Certificate) -> bool:
        posted = self.store.state["posted"].get(slot)
        return bool(posted == spki_of(certificate.public_key()).hex())

    # --- what others ask ----------------------------------------------------------

    def device_cas(self) -> tuple[x509.Certificate, ...]:
        """The uploaded device CAs, revoked ones gone, disabled ones included."""
        pem = (self.store.certs or {}).get("ca-crt")
        return certificates("ca-crt", pem) if pem else ()

    def is_disabled(self, ca: x509.Certificate) -> bool:
        """Whether no new device may register with that CA."""
        return str(ca.serial_number) in (self.store.certs or {}).get("disabled-ca-serials", [])
