"""What an upload bundle is made of: names, and the files that follow from other files."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, cast

from ceremony.bundle.schema import CertificateEntry, Crl, CrlEntry, Payload
from ceremony.bundle.schema import Role as RoleText
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.kinds import Kind, Reason, facts_of
from ceremony.x509.certificate import Certificate
from ceremony.x509.crls import RevocationList
from ceremony.x509.profiles import Role

MANIFEST: Final = "manifest.json"
PAYLOAD: Final = "payload.json"
ROOT: Final = "factory_ca.pem"
ROOT_CHAIN: Final = "root-chain.pem"
DEVICE_CA_LIST: Final = "device_ca_list.pem"
CRL: Final = "crl.pem"

_FILES: Final = {
    Role.ROOT: ROOT,
    Role.TLS: "tls.pem",
    Role.EST_TLS: "est-tls.pem",
    Role.ONLINE_CA: "online_ca.pem",
}
_LOCAL_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
ORDER: Final = (Role.ROOT, Role.TLS, Role.EST_TLS, Role.ONLINE_CA, Role.LOCAL_CA)
DEVICE_CA_ROLES: Final = frozenset({"online-ca", "local-ca"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """One certificate of the ceremony.

    Attributes:
        name: the local CA's name; the role for all others.
    """

    role: Role
    name: str
    certificate: Certificate


def file_of(role: str, name: str) -> str:
    """The certificate's file in the bundle, e.g. ``local_ca-line-1.pem``.

    One that has a name of its own and is no local CA answers a CSR of the plan.
    """
    if role != Role.LOCAL_CA and name != role:
        return f"signed-{name}.pem"
    return _FILES.get(Role(role), f"local_ca-{name}.pem")


def is_local_name(name: str) -> bool:
    """Whether a local CA may be called that: not like a role, as both are keys of one map."""
    return bool(_LOCAL_NAME.match(name)) and name not in {role.value for role in Role}


def entry_of(one: Issued, *, external: bool = False) -> CertificateEntry:
    """What the manifest says of a certificate.

    Args:
        external: it is a root that a higher CA signed.
    """
    certificate = one.certificate
    return CertificateEntry(
        role=cast("RoleText", one.role.value),
        name=one.name,
        file=file_of(one.role, one.name),
        subject=certificate.subject,
        serial=str(certificate.serial),
        serial_hex=certificate.serial_hex,
        sha256=certificate.fingerprint.hex,
        spki_sha256=certificate.spki_sha256.hex,
        not_before=format_time(certificate.not_before),
        not_after=format_time(certificate.not_after),
        issuer="external" if external and one.role is Role.ROOT else None,
    )


def crl_entry_of(crl: RevocationList) -> Crl:
    """What the manifest says of the CRL; its reasons are those of `Reason`."""
    names = {reason.code: reason for reason in Reason}
    entries = tuple(
        CrlEntry(serial=str(entry.serial), reason=names[entry.reason].value)
        for entry in crl.entries
        if entry.reason in names
    )
    return Crl(file=CRL, sha256=crl.fingerprint.hex, number=crl.number or 0, entries=entries)


def lists_device_cas(kind: Kind, roles: Collection[str]) -> bool:
    """Whether a bundle of that kind, with these roles in it, sets the list of device CAs."""
    return "ca-crt" in facts_of(kind).fields and bool(DEVICE_CA_ROLES & set(roles))


def payload_of(files: Mapping[str, bytes], kind: Kind) -> Payload:
    """The PATCH body that follows from the PEM files, with the fields of the kind alone.

    Raises:
        VerificationError: `upload.payload`: a PEM file is not ASCII text.
    """
    sent = facts_of(kind).fields

    def text(field: str, file: str) -> str | None:
        if field not in sent or file not in files:
            return None
        try:
            return files[file].decode("ascii")
        except UnicodeDecodeError as exc:
            raise VerificationError(
                "upload.payload",
                f"{file} is not ASCII text",
                hint="Do not use this bundle; export it again, to another medium.",
            ) from exc

    return Payload(
        root_crt=text("root-crt", ROOT),
        tls_crt=text("tls-crt", _FILES[Role.TLS]),
        ca_crt=text("ca-crt", DEVICE_CA_LIST),
        est_tls_crt=text("est-tls-crt", _FILES[Role.EST_TLS]),
        ca_revoke_crl=text("ca-revoke-crl", CRL),
    )
