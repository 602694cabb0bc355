"""The hash chain of `record.jsonl`, read strictly.

One JSON object a line, LF at the end. Each line carries the SHA-256 of the bytes of the
line before, its LF included, so that ``tail -n 1 record.jsonl | sha256sum`` is the head.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.record.members import told

SCHEMA = "ceremony-record/1"
FIRST = "0" * 64
MAX_RECORD_BYTES = 32 * 1024 * 1024
MAX_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a record.

    Attributes:
        n: its number, 0 for the first.
        prev: SHA-256 of the line before, hex; 64 zeros for the first.
        at: ``YYYY-MM-DDTHH:MM:SSZ``.
        step: title of the step it belongs to.
        type: what it tells; `key` says of what, unique for a type where it matters.
        raw: the bytes of the line, its LF included.
    """

    n: int
    prev: str
    at: str
    step: str
    type: str
    key: str
    data: Mapping[str, Any]
    raw: bytes

    @property
    def fingerprint(self) -> Fingerprint:
        """SHA-256 of the line: the head, while it is the last."""
        return Fingerprint.of(self.raw)


class _Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    n: Annotated[int, Meta(ge=0)]
    prev: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    at: Annotated[str, Meta(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z\Z")]
    step: str
    type: str
    key: str
    data: dict[str, Any]


_DECODER = msgspec.json.Decoder(_Object)


def format_line(
    *, n: int, prev: str, at: str, step: str, type_: str, key: str, data: Mapping[str, Any]
) -> Line:
    """Builds a line; its JSON is ASCII, compact, in the order of the arguments."""
    members = {
        "n": n,
        "prev": prev,
        "at": at,
        "step": step,
        "type": type_,
        "key": key,
        "data": data,
    }
    text = json.dumps(members, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    raw = text.encode("ascii") + b"\n"
    return Line(n=n, prev=prev, at=at, step=step, type=type_, key=key, data=dict(data), raw=raw)


def read_lines(raw: bytes) -> tuple[Line, ...]:
    """Reads a whole record and checks its chain.

    Raises:
        VerificationError: `record.empty`, `record.torn` (no LF at the end),
            `record.line` (not a line of ours), `record.chain` (edited, reordered, missing).
    """
    if not raw:
        raise _refuse("record.empty", "the record is empty")
    if len(raw) > MAX_RECORD_BYTES:
        raise _refuse("record.line", "the record is larger than 32 MiB")
    if not raw.endswith(b"\n"):
        raise _refuse("record.torn", "the record's last line is incomplete")
    lines: list[Line] = []
    previous = FIRST
    for number, text in enumerate(raw[:-1].split(b"\n")):
        line = read_line(number, text + b"\n")
        line = replace(line, data=told(number, dict(line.data), first=number == 0))
        if line.n != number or line.prev != previous:
            raise _refuse("record.chain", f"line {number + 1} does not follow the line before it")
        previous = line.fingerprint.hex
        lines.append(line)
    first = lines[0]
    if first.type != "open" or first.data.get("schema") != SCHEMA:
        raise _refuse("record.line", f"the first line is not that of a {SCHEMA}")
    closed = [line.n for line in lines if line.type == "close"]
    if closed and closed != [lines[-1].n]:
        raise _refuse("record.chain", "there are lines after the close line")
    return tuple(lines)


def verify_chain(raw: bytes, expect: Fingerprint | None = None) -> tuple[Line, ...]:
    """Reads a record; with `expect`, its head must be that.

    Raises:
        VerificationError: as `read_lines`, or `record.head`: truncated, rolled back, rewritten.
    """
    lines = read_lines(raw)
    head = lines[-1].fingerprint
    if expect is not None and head != expect:
        raise VerificationError(
            "record.head",
            f"the record ends with {head.hex[:16]}..., not with {expect.hex[:16]}... as expected",
            hint="Compare with the head on paper; the record may be cut short or rewritten.",
        )
    return lines


def read_line(number: int, raw: bytes) -> Line:
    """Reads one line, strictly; its place in the chain is not looked at.

    Args:
        number: from 0, for the message.

    Raises:
        VerificationError: `record.line`.
    """
    if len(raw) > MAX_LINE_BYTES:
        raise _refuse("record.line", f"line {number + 1} is larger than 1 MiB")
    try:
        found = _DECODER.decode(raw)
        datetime.fromisoformat(found.at)  # a day and a time that exist
    except (msgspec.DecodeError, ValueError, RecursionError) as exc:
        raise _refuse("record.line", f"line {number + 1}: {show(str(exc))}") from exc
    line = format_line(
        n=found.n,
        prev=found.prev,
        at=found.at,
        step=found.step,
        type_=found.type,
        key=found.key,
        data=found.data,
    )
    if line.raw != raw:
        raise _refuse("record.line", f"line {number + 1} is not in the form this tool writes")
    return line


def whole_lines(raw: bytes) -> bytes:
    """`raw` up to its last LF: what a cut of power left complete."""
    return raw[: raw.rfind(b"\n") + 1]


def sha256_hex(data: bytes) -> str:
    """Hex SHA-256, for lines."""
    return hashlib.sha256(data).hexdigest()


def _refuse(code: str, what: str) -> VerificationError:
    return VerificationError(
        code, what, hint="Compare with another copy of the record; do not go on with this one."
    )
