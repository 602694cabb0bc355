"""Strict PEM (RFC 7468 §3): the expected blocks and nothing else."""

import base64
import binascii
import re
from typing import Final

from ceremony.core.text import show
from ceremony.errors import VerificationError

CERTIFICATE: Final = "CERTIFICATE"
CERTIFICATE_REQUEST: Final = "CERTIFICATE REQUEST"

_BLOCK: Final = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([A-Za-z0-9+/=\r\n]*?)-----END ([A-Z0-9 ]{1,40})-----"
    rb"(?:\r?\n|\Z)"
)
_PRIVATE: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z0-9 ]{0,40}-----")
_LINE: Final = re.compile(rb"[A-Za-z0-9+/]{1,76}={0,2}")


def _refuse(code: str, message: str, hint: str) -> VerificationError:
    return VerificationError(code, message, hint=hint)


def refuse_private_key(data: bytes, where: str) -> None:
    """Stops at a PEM private key, wherever in `data` it stands.

    Raises:
        VerificationError: `pem.private_key`.
    """
    if _PRIVATE.search(data):
        raise _refuse(
            "pem.private_key",
            f"{show(where)} holds a private key",
            "Stop: treat that key as exposed, find out whose it is, and record it.",
        )


def read_pem(data: bytes, label: str, where: str) -> bytes:
    """The DER of exactly one block.

    Lines end in LF or CRLF and hold at most 76 characters; the base64 is canonical.

    Args:
        data: the file's bytes.
        label: e.g. ``CERTIFICATE``. ``NEW CERTIFICATE REQUEST`` counts as
            ``CERTIFICATE REQUEST`` (RFC 7468 §7).
        where: file or field, for the message.

    Raises:
        VerificationError: `pem.private_key`, `pem.none`, `pem.several`, `pem.label`,
            `pem.surplus` or `pem.base64`.
    """
    blocks = read_pem_list(data, label, where)
    if len(blocks) != 1:
        raise _refuse(
            "pem.several",
            f"{show(where)} holds {len(blocks)} PEM blocks, expected one",
            "Keep one block in a file.",
        )
    return blocks[0]


def read_pem_list(data: bytes, label: str, where: str) -> tuple[bytes, ...]:
    """The DER of each block of a concatenation, in order; at least one.

    Raises:
        VerificationError: as `read_pem`, but for `pem.several`.
    """
    refuse_private_key(data, where)
    blocks: list[bytes] = []
    at = 0
    while at < len(data):
        match = _BLOCK.match(data, at)
        if match is None:
            raise _not_a_block(data[at:], bool(blocks), where)
        blocks.append(_decode(match, label, where))
        at = match.end()
    if not blocks:
        raise _refuse("pem.none", f"{show(where)} is empty", "Check that the file was copied.")
    return tuple(blocks)


def _not_a_block(rest: bytes, after: bool, where: str) -> VerificationError:
    if after or b"-----BEGIN " in rest:
        return _refuse(
            "pem.surplus",
            f"{show(where)} has text around its PEM block, or a broken block",
            "Remove everything before '-----BEGIN' and after '-----END ...-----'.",
        )
    return _refuse(
        "pem.none", f"{show(where)} holds no PEM block", "Check that this is the right file."
    )


def _decode(match: re.Match[bytes], label: str, where: str) -> bytes:
    begin, body, end = match.groups()
    found = begin.decode("ascii")
    if label == CERTIFICATE_REQUEST and found == f"NEW {CERTIFICATE_REQUEST}":
        found = CERTIFICATE_REQUEST
    if begin != end or found != label:
        raise _refuse(
            "pem.label",
            f"{show(where)} holds a block '{show(begin)}', expected '{label}'",
            "Check that this is the right file.",
        )
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    text = b"".join(lines)
    broken = _refuse(
        "pem.base64",
        f"{show(where)} is not strict base64",
        "Copy the file again, or rewrite it with 'openssl x509' or 'openssl req'.",
    )
    if lines[-1:] != [b""] or not all(_LINE.fullmatch(line) for line in lines[:-1]):
        raise broken
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise broken from exc
    if base64.b64encode(decoded) != text:
        raise broken
    return decoded


def write_pem(der: bytes, label: str) -> bytes:
    """One block: lines of 64 characters, LF (RFC 7468 §2)."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()
