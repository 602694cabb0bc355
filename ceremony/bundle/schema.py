"""`request.json` and `manifest.json` as frozen values (house: what crosses the gap)."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ceremony.config import Kind, Slot

REQUEST_SCHEMA: Final = "ceremony-request/1"
UPLOAD_SCHEMA: Final = "ceremony-upload/1"

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Decimal = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,59})\Z")]
FileName = Annotated[str, Meta(pattern=r"^[a-z0-9_-][a-z0-9._-]{0,63}\Z")]
Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\Z"
    ),
]
Short = Annotated[str, Meta(max_length=512)]


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the documents' parts."""


class Posted(Frozen, frozen=True, rename="kebab"):
    """The flags that were POSTed."""

    first_time_init: bool
    tls_csr: bool
    ca_csr: bool
    est_tls_csr: bool


class Request(Frozen, frozen=True):
    """One CSR of the bundle."""

    slot: Slot
    file: FileName
    spki_sha256: Sha256


class DeviceCa(Frozen, frozen=True):
    """A device CA that the Factory has today. Serials are decimal text."""

    subject: Short
    serial: Decimal
    sha256: Sha256


class ChangeMeta(Frozen, frozen=True, rename="kebab"):
    """Who changed the Factory's PKI last, as the API tells it."""

    created_by: str | None = None
    created_at: str | None = None
    updated_by: str | None = None
    updated_at: str | None = None


class Current(Frozen, frozen=True):
    """What the Factory has today."""

    root_sha256: Sha256
    device_cas: tuple[DeviceCa, ...]
    disabled_serials: tuple[Decimal, ...]
    change_meta: ChangeMeta | None


class RequestDocument(Frozen, frozen=True):
    """`request.json`. Field order is the file's order."""

    schema: Literal["ceremony-request/1"]
    factory: Short
    user_id: Short
    api: Short
    kind: Kind
    fetched_at: Timestamp
    plan_sha256: Sha256
    posted: Posted
    requests: tuple[Request, ...]
    current: Current | None
    rehearsal: bool


Role = Literal["root", "tls", "est-tls", "online-ca", "local-ca"]


class CertificateEntry(Frozen, frozen=True, omit_defaults=True):
    """One certificate of the upload bundle.

    Attributes:
        name: the local CA's name; the role for all others.
        subject: RFC 4514 text.
        serial: decimal; `serial_hex` lower case, even number of digits.
        sha256: of the DER; `spki_sha256` of its DER SubjectPublicKeyInfo.
        issuer: `external`: a root that a higher CA signed; absent for all others.
    """

    role: Role
    name: Short
    file: FileName
    subject: Short
    serial: Decimal
    serial_hex: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){1,21}\Z")]
    sha256: Sha256
    spki_sha256: Sha256
    not_before: Timestamp
    not_after: Timestamp
    issuer: Literal["external"] | None = None


class RootChain(Frozen, frozen=True):
    """The CAs above a root that a higher CA signed, its issuer first; `sha256` of each DER."""

    file: FileName
    sha256: Annotated[tuple[Sha256, ...], Meta(min_length=1, max_length=8)]


Reason = Literal["certificateHold", "removeFromCRL", "privilegeWithdrawn"]


class CrlEntry(Frozen, frozen=True):
    """One entry of a CRL. `reason` is the name of RFC 5280 §5.3.1."""

    serial: Decimal
    reason: Reason


class Crl(Frozen, frozen=True):
    """The CRL of the bundle; `sha256` of its DER."""

    file: FileName
    sha256: Sha256
    number: Annotated[int, Meta(ge=0)]
    entries: tuple[CrlEntry, ...]


class Manifest(Frozen, frozen=True, omit_defaults=True):
    """`manifest.json`. Field order is the file's order.

    Attributes:
        root_chain: absent but where a higher CA signed a new root, and its chain was brought.
    """

    schema: Literal["ceremony-upload/1"]
    factory: Short
    api: Short
    kind: Kind
    ceremony_id: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\Z")]
    rehearsal: bool
    created_at: Timestamp
    plan_sha256: Sha256
    request_sha256: Sha256
    record_head: Sha256
    certificates: tuple[CertificateEntry, ...]
    crl: Crl | None
    root_chain: RootChain | None = None


class Payload(Frozen, frozen=True, rename="kebab", omit_defaults=True):
    """`payload.json`: the exact PATCH body; a field that is absent is not sent."""

    root_crt: str | None = None
    tls_crt: str | None = None
    ca_crt: str | None = None
    est_tls_crt: str | None = None
    ca_revoke_crl: str | None = None
