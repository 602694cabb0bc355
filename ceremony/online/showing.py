"""`show`: what the Factory has today, for people and for programs."""

from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from ceremony.bundle.schema import ChangeMeta
from ceremony.config import Plan
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.online.api import Pki
from ceremony.x509.certificate import Certificate

SHOW_SCHEMA: Final = "ceremony-show/1"


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the document's parts."""


class Shown(Frozen, frozen=True):
    """One certificate. Serials are decimal text; fingerprints hex of the DER's SHA-256."""

    subject: str
    issuer: str
    serial: str
    serial_hex: str
    not_before: str
    not_after: str
    dns_names: tuple[str, ...]
    sha256: str
    spki_sha256: str


class ShowDocument(Frozen, frozen=True):
    """What `show --json` prints. Field order is the document's order."""

    schema: Literal["ceremony-show/1"]
    factory: str
    api: str
    configured: bool
    root: Shown | None
    tls: Shown | None
    est_tls: Shown | None
    device_cas: tuple[Shown, ...]
    disabled_serials: tuple[str, ...]
    change_meta: ChangeMeta | None


def describe(plan: Plan, pki: Pki) -> ShowDocument:
    """The Factory's PKI as a document."""
    return ShowDocument(
        schema=SHOW_SCHEMA,
        factory=plan.factory,
        api=plan.online.api,
        configured=pki.configured,
        root=_shown(pki.root),
        tls=_shown(pki.tls),
        est_tls=_shown(pki.est_tls),
        device_cas=tuple(_one(ca) for ca in pki.device_cas),
        disabled_serials=pki.disabled_serials,
        change_meta=pki.change_meta,
    )


def _shown(certificate: Certificate | None) -> Shown | None:
    return None if certificate is None else _one(certificate)


def _one(certificate: Certificate) -> Shown:
    return Shown(
        subject=certificate.subject,
        issuer=certificate.issuer,
        serial=str(certificate.serial),
        serial_hex=certificate.serial_hex,
        not_before=format_time(certificate.not_before),
        not_after=format_time(certificate.not_after),
        dns_names=certificate.dns_names,
        sha256=certificate.fingerprint.hex,
        spki_sha256=certificate.spki_sha256.hex,
    )


def lines_of(document: ShowDocument) -> Iterator[str]:
    """The document for people, printable ASCII."""
    yield f"Factory {document.factory} at {document.api}"
    if not document.configured:
        yield "not configured: no root of trust is set"
        return
    for title, one in (
        ("Root of trust", document.root),
        ("Gateway TLS", document.tls),
        ("EST TLS", document.est_tls),
    ):
        yield from _block(title, one)
    for number, ca in enumerate(document.device_cas, start=1):
        disabled = ca.serial in document.disabled_serials
        yield from _block(f"Device CA {number}{' - DISABLED' if disabled else ''}", ca)
    meta = document.change_meta
    if meta is not None:
        yield ""
        yield f"created  {_who(meta.created_at, meta.created_by)}"
        yield f"updated  {_who(meta.updated_at, meta.updated_by)}"


def _block(title: str, one: Shown | None) -> Iterator[str]:
    yield ""
    if one is None:
        yield f"{title}: none"
        return
    yield title
    yield f"  subject    {one.subject}"
    yield f"  issuer     {one.issuer}"
    yield f"  serial     {one.serial} (hex {one.serial_hex})"
    yield f"  validity   {one.not_before} to {one.not_after}"
    if one.dns_names:
        yield f"  DNS names  {', '.join(one.dns_names)}"
    yield f"  SHA-256    {one.sha256}"
    yield f"  key        {one.spki_sha256}"


def _who(at: str | None, by: str | None) -> str:
    return f"{show(at or 'at a time not told')} by {show(by or 'nobody told')}"
