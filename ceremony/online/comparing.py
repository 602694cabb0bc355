"""What the Factory has, beside what an upload bundle says: certificate by certificate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from ceremony.bundle.schema import Payload, RequestDocument
from ceremony.bundle.upload import UploadBundle
from ceremony.config import Slot
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.kinds import Reason
from ceremony.online.api import Pki
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.pem import CERTIFICATE, read_pem_list

_SINGLE: Final = ("root-crt", "tls-crt", "est-tls-crt")
DEVICE_CAS: Final = "ca-crt"
CRL: Final = "ca-revoke-crl"


class Verdict(StrEnum):
    """What the Factory says to one certificate."""

    THERE = "there"
    MISSING = "missing"
    DIFFERENT = "different"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One certificate.

    Attributes:
        field: of the API.
        subject: of the bundle's certificate; of the Factory's where it is `EXTRA`.
        sha256: hex, of the same certificate; `found_sha256` of the Factory's, if any.
    """

    field: str
    subject: str
    serial: str
    sha256: str
    found_sha256: str | None
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The certificates of a payload.

    Attributes:
        single: field to certificate.
        device_cas: the whole list, in order; None when the payload does not set it.
        acted_on: what the CRL does to which device CA; empty without a CRL.
    """

    single: Mapping[str, Certificate]
    device_cas: tuple[Certificate, ...] | None
    acted_on: tuple[tuple[Certificate, Reason], ...] = ()

    @property
    def fields(self) -> frozenset[str]:
        """Of the API, all that the payload sets."""
        several = ((DEVICE_CAS, self.device_cas is not None), (CRL, bool(self.acted_on)))
        return frozenset({*self.single, *(name for name, is_set in several if is_set)})


def wanted_of(bundle: UploadBundle, device_cas_then: Sequence[Certificate] = ()) -> Wanted:
    """What the payload sets.

    Args:
        device_cas_then: that the Factory had at fetch: a CRL names them by serial.

    Raises:
        VerificationError: a certificate of it cannot be read.
    """
    payload: dict[str, str] = msgspec.to_builtins(bundle.payload)
    listed = payload.get(DEVICE_CAS)
    device_cas = None
    if listed is not None:
        ders = read_pem_list(listed.encode(), CERTIFICATE, DEVICE_CAS)
        device_cas = tuple(read_certificate(der, DEVICE_CAS) for der in ders)
    single: dict[str, Certificate] = {
        field: read_certificate(payload[field].encode(), field)
        for field in _SINGLE
        if field in payload
    }
    known = {str(ca.serial): ca for ca in device_cas_then}
    crl = bundle.manifest.crl
    acted_on = tuple(
        (known[entry.serial], Reason(entry.reason)) for entry in (crl.entries if crl else ())
    )
    return Wanted(single=single, device_cas=device_cas, acted_on=acted_on)


def compare(wanted: Wanted, pki: Pki) -> tuple[Row, ...]:
    """Compares DER with DER; the order of the device CAs does not matter."""
    has = {"root-crt": pki.root, "tls-crt": pki.tls, "est-tls-crt": pki.est_tls}
    rows = [_row(field, one, has[field]) for field, one in wanted.single.items()]
    rows += [_acted(ca, reason, pki) for ca, reason in wanted.acted_on]
    if wanted.device_cas is None:
        return tuple(rows)
    theirs = {one.der: one for one in pki.device_cas}
    rows += [_row(DEVICE_CAS, one, theirs.get(one.der)) for one in wanted.device_cas]
    ours = {one.der for one in wanted.device_cas}
    rows += [_extra(one) for der, one in theirs.items() if der not in ours]
    return tuple(rows)


def _row(field: str, one: Certificate, found: Certificate | None) -> Row:
    verdict = Verdict.MISSING
    if found is not None:
        verdict = Verdict.THERE if found.der == one.der else Verdict.DIFFERENT
    return Row(
        field=field,
        subject=one.subject,
        serial=str(one.serial),
        sha256=one.fingerprint.hex,
        found_sha256=None if found is None else found.fingerprint.hex,
        verdict=verdict,
    )


def _acted(ca: Certificate, reason: Reason, pki: Pki) -> Row:
    """Whether the Factory did to a device CA what the CRL asks for."""
    there = any(one.der == ca.der for one in pki.device_cas)
    disabled = str(ca.serial) in pki.disabled_serials
    done = {
        Reason.DISABLE: there and disabled,
        Reason.ENABLE: there and not disabled,
        Reason.REVOKE: not there,
    }[reason]
    return Row(
        field=CRL,
        subject=f"{reason.value} {ca.subject}",
        serial=str(ca.serial),
        sha256=ca.fingerprint.hex,
        found_sha256=ca.fingerprint.hex if there else None,
        verdict=Verdict.THERE if done else Verdict.MISSING,
    )


def _extra(one: Certificate) -> Row:
    return Row(
        field=DEVICE_CAS,
        subject=one.subject,
        serial=str(one.serial),
        sha256=one.fingerprint.hex,
        found_sha256=one.fingerprint.hex,
        verdict=Verdict.EXTRA,
    )


def pending(rows: Sequence[Row]) -> tuple[str, ...]:
    """The API's fields that are not yet as the bundle says, in order."""
    return tuple(dict.fromkeys(row.field for row in rows if row.verdict is not Verdict.THERE))


def part_of(payload: Payload, fields: Sequence[str]) -> bytes:
    """A PATCH body with only these fields of the payload."""
    values: dict[str, str] = msgspec.to_builtins(payload)
    return msgspec.json.encode({name: text for name, text in values.items() if name in fields})


def require_untouched(
    rows: Sequence[Row],
    pki: Pki,
    document: RequestDocument | None,
    servers: Mapping[Slot, Certificate] | None = None,
) -> None:
    """Stops where sending the payload would change what it was not made for.

    Args:
        rows: the comparison before anything is sent.
        pki: what the Factory has now.
        document: what it had at fetch; None when the request did not say.
        servers: its TLS and EST certificates at fetch; None when the request did not say.

    Raises:
        VerificationError: `upload.root_differs`, or `upload.moved`: something else has
            changed the Factory's PKI since fetch.
    """
    for row in rows:
        if row.field == "root-crt" and row.verdict is Verdict.DIFFERENT:
            raise VerificationError(
                "upload.root_differs",
                f"the Factory already has another root of trust: SHA-256 {row.found_sha256}, "
                f"the bundle's is {row.sha256}",
                hint="Stop: a root is set once. Find out who set it, and talk to support.",
            )
    before = document.current if document is not None else None
    if before is not None and (pki.root is None or pki.root.fingerprint.hex != before.root_sha256):
        raise VerificationError(
            "upload.root_differs",
            "the Factory's root of trust is not the one that was fetched: SHA-256 "
            f"{pki.root.fingerprint.hex if pki.root else 'none'}, then {before.root_sha256}",
            hint="Stop: a root is set once. Find out who set it, and talk to support.",
        )
    moved = [
        *_clashes(rows, document),
        *_changes(rows, pki, document),
        *_server_changes(rows, pki, servers),
    ]
    if moved:
        raise VerificationError(
            "upload.moved",
            f"the Factory's PKI has changed since fetch: {'; '.join(moved)}",
            hint="Find out who changed it; fetch again and hold the ceremony over what is there "
            "now. Nothing was sent.",
        )


def _clashes(rows: Sequence[Row], document: RequestDocument | None) -> list[str]:
    """What is there and would be replaced or dropped without anybody having decided that."""
    fresh = document is None or document.current is None
    return [
        f"{row.field} holds {row.subject}, SHA-256 {row.found_sha256}, which the bundle lacks"
        for row in rows
        if row.verdict is Verdict.EXTRA or (row.verdict is Verdict.DIFFERENT and fresh)
    ]


def _server_changes(
    rows: Sequence[Row], pki: Pki, servers: Mapping[Slot, Certificate] | None
) -> list[str]:
    """TLS and EST certificates that are neither those of the fetch nor those of the bundle."""
    if servers is None:
        return []
    there = {row.field for row in rows if row.verdict is Verdict.THERE}
    changes = []
    for field, slot, now in (
        ("tls-crt", Slot.TLS, pki.tls),
        ("est-tls-crt", Slot.EST_TLS, pki.est_tls),
    ):
        then = servers.get(slot)
        if (then and then.der) != (now and now.der) and field not in there:
            told = f"SHA-256 {now.fingerprint.hex}" if now else "none"
            changes.append(f"{field} is another certificate now: {told}")
    return changes


def _changes(rows: Sequence[Row], pki: Pki, document: RequestDocument | None) -> list[str]:
    """What differs from the state that `request.json` tells."""
    if document is None:
        return []
    before = document.current
    known = {ca.sha256 for ca in before.device_cas} if before else set()
    fresh = {row.sha256 for row in rows if row.verdict is Verdict.THERE} - known
    now = {one.fingerprint.hex for one in pki.device_cas}
    # What a part of this very upload has done already.
    done = {row.serial for row in rows if row.field == CRL and row.verdict is Verdict.THERE}
    changes = [
        f"device CA {show(ca.subject)}, serial {ca.serial}, is gone"
        for ca in (before.device_cas if before else ())
        if ca.sha256 not in now and ca.serial not in done
    ]
    listed = {row.sha256 for row in rows if row.field == DEVICE_CAS}
    changes += [
        f"device CA {one.subject}, serial {one.serial}, is new"
        for one in pki.device_cas
        if before and one.fingerprint.hex not in known | fresh | listed
    ]
    disabled = set(before.disabled_serials) if before else set()
    changes += [
        f"device CA serial {show(serial)} was disabled or enabled"
        for serial in sorted((disabled ^ set(pki.disabled_serials)) - done)
    ]
    root = before.root_sha256 if before else ""
    resumed = any(
        row.verdict is Verdict.THERE and (row.field == CRL or row.sha256 not in known | {root})
        for row in rows
    )
    if before and not resumed and before.change_meta != pki.change_meta:
        meta = pki.change_meta
        by, at = (meta.updated_by, meta.updated_at) if meta else (None, None)
        changes.append(f"changed by {show(by or 'unknown')} at {show(at or 'unknown')}")
    return changes
