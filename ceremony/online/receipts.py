"""The receipt of an upload: what was sent, and what the Factory had afterwards."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from ceremony.online.comparing import CRL, Row, Verdict

RECEIPT_SCHEMA: Final = "ceremony-receipt/1"
Result = Literal["uploaded", "already there", "not as sent", "dry run"]


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the receipt's parts."""


class ReceiptDocument(Frozen, frozen=True):
    """`<bundle>.receipt.json`. Field order is the file's order.

    Attributes:
        bundle: name and fingerprint of the upload bundle.
        user: who uploaded, as the API tells it.
        sent: the fields of the PATCH; empty when there was none.
        patch_status: the API's answer; None without an answer or a PATCH.
        certificates: the comparison afterwards: the verdict comes from it alone.
    """

    schema: Literal["ceremony-receipt/1"]
    result: Result
    bundle: str
    bundle_sha256: str
    request_sha256: str
    factory: str
    api: str
    rehearsal: bool
    user: str
    started_at: str
    finished_at: str
    sent: tuple[str, ...]
    patch_status: int | None
    certificates: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt and where it lies; a dry run leaves none."""

    document: ReceiptDocument
    path: Path | None

    def __str__(self) -> str:
        there = [row for row in self.document.certificates if row.verdict is Verdict.THERE]
        acted = sum(row.field == CRL for row in there)
        told = [f"the Factory has {len(there) - acted} certificates of the bundle"]
        told = told if len(there) > acted else []
        told += [f"it did what the CRL asks for with {acted} device CAs"] if acted else []
        told += [f"receipt {self.path}"] if self.path else []
        return f"{self.document.result}: {'; '.join(told)}"
