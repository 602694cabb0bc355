"""What happens to the rows of a batch in a worker process: read, judge, make, perhaps sign."""

import hashlib
import os
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ceremony.devices.policy import DeviceRules, Reader, check_uuid
from ceremony.devices.rendering import Rendering
from ceremony.devices.rows import Failed, Job, Made, Refusal, Row, Rows
from ceremony.devices.template import P256_PREFIX, Template
from ceremony.errors import KeyStoreError, VerificationError
from ceremony.x509.issuing import new_serial

SignAll = Callable[[Sequence[bytes]], tuple[bytes, ...]]

_CURVE: Final = ec.SECP256R1()
_POINT: Final = 65
_jobs = msgspec.msgpack.Decoder(Job)
_answers = msgspec.msgpack.Decoder(Rows)
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all workers of a batch know.

    Attributes:
        csrs: rows are CSRs; otherwise uuids, or nothing, and the keys are made here.
        foreign_keys: SHA-256 of the keys that no device may have: the CA's, the root's.
        sign_all: of a key store that may be used in each worker; None where the rows go
            back unsigned.
    """

    template: Template
    rules: DeviceRules
    rendering: Rendering
    csrs: bool
    foreign_keys: frozenset[str]
    sign_all: SignAll | None


class Worker:
    """Serves jobs, encoded, one after the other."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._reader = Reader(work.rules)

    def serve(self, request: bytes) -> bytes:
        """A `Job` in, `Rows` out, in the order of the job."""
        job = _jobs.decode(request)
        rows: list[Row] = [
            self._row(job.first + i, source, data)
            for i, (source, data) in enumerate(zip(job.sources, job.data, strict=True))
        ]
        if self._work.sign_all is not None:
            try:
                rows = signed(rows, self._work, self._work.sign_all)
            except KeyStoreError as exc:
                refusal = Refusal(exc.code, exc.message, exc.hint)
                return _encoder.encode(Rows(rows=[], refusal=refusal))
        return _encoder.encode(Rows(rows=rows))

    def _row(self, line: int, source: str, data: bytes | None) -> Row:
        private_key, uuid = b"", ""
        try:
            if self._work.csrs:
                asked = self._reader.read(data or b"", source or "the CSR")
                uuid, spki = asked.uuid, asked.spki
            else:
                uuid = _new_uuid() if data is None else check_uuid(data.decode("latin-1"))
                spki, private_key = _new_key()
        except VerificationError as exc:
            return Failed(line, source, exc.code, exc.message)
        key = hashlib.sha256(spki).hexdigest()
        if key in self._work.foreign_keys:
            message = "this key is a CA's own"
            return Failed(line, source, "device.key_taken", message, uuid)
        serial = new_serial(os.urandom)
        return Made(
            line,
            source,
            uuid,
            f"{serial:040x}",
            key,
            self._work.template.tbs(uuid, serial, spki),
            private_key=private_key,
        )


def signed(rows: list[Row], work: Work, sign_all: SignAll) -> list[Row]:
    """The same rows, those that get a certificate with it and in the output's form.

    Raises:
        KeyStoreError: the key store refused; none is signed then.
    """
    signatures = iter(sign_all([row.tbs for row in rows if isinstance(row, Made)]))
    return [
        _complete(row, work, next(signatures)) if isinstance(row, Made) else row for row in rows
    ]


def _complete(row: Made, work: Work, signature: bytes) -> Made:
    certificate = work.template.certificate(row.tbs, signature)
    whole = Made(
        row.line,
        row.source,
        row.uuid,
        row.serial,
        row.key,
        b"",
        certificate,
        row.private_key,
    )
    rendered = work.rendering.render(whole)
    if not rendered:
        return whole
    return Made(row.line, row.source, row.uuid, row.serial, row.key, b"", rendered=rendered)


def _new_uuid() -> str:
    """A random uuid (RFC 9562 §5.4): version 4 in the 13th digit, variant in the 17th."""
    octets = bytearray(os.urandom(16))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _new_key() -> tuple[bytes, bytes]:
    """A P-256 key: its SubjectPublicKeyInfo, and PKCS #8 in PEM.

    RFC 5915 §3: the point stands at the end of the private key, where OpenSSL puts it.
    """
    key = ec.generate_private_key(_CURVE)
    raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    text = b2a_base64(raw, newline=False)
    lines = b"\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    pem = b"-----BEGIN PRIVATE KEY-----\n" + lines + b"\n-----END PRIVATE KEY-----\n"
    return P256_PREFIX + raw[-_POINT:], pem


def encode_job(job: Job) -> bytes:
    """For `Worker.serve`."""
    return _encoder.encode(job)


def decode_rows(answer: bytes) -> list[Row]:
    """From `Worker.serve`.

    Raises:
        KeyStoreError: the key store refused in the worker.
    """
    rows = _answers.decode(answer)
    if rows.refusal is not None:
        raise KeyStoreError(rows.refusal.code, rows.refusal.message, hint=rows.refusal.hint)
    return rows.rows


def without_signing(work: Work) -> Work:
    """The same work for a key store that only one process may use."""
    return replace(work, sign_all=None)
