"""What happens to the rows of a batch in a worker process: read, judge, make, sign, verify.

A key file is opened in each worker, and OpenSSL signs there. A token is the parent's: it
gets the digests of a job, and what comes back is verified here, each signature of it, while
the token signs the next job.

Of the signatures that this process made itself the last of each job is verified: to verify
each would halve the rate. A key damaged in memory shows in every one of them. A bit that
flips in a single computation spoils one certificate, which no verifier takes, and betrays
no more than that bit: each signature has a random number of its own.
"""

import hashlib
import os
from binascii import b2a_base64
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ceremony.config import Curve
from ceremony.devices.policy import DeviceRules, Reader, check_uuid
from ceremony.devices.rendering import Rendering
from ceremony.devices.rows import (
    Answer,
    Digests,
    Failed,
    Made,
    Refusal,
    Request,
    Row,
    Rows,
    Signatures,
)
from ceremony.devices.template import P256_PREFIX, Template
from ceremony.errors import KeyStoreError, VerificationError
from ceremony.x509 import der
from ceremony.x509.issuing import new_serial
from ceremony.x509.public_keys import read_public_key

SignDigests = Callable[[Sequence[bytes]], tuple[bytes, ...]]

_CURVE: Final = ec.SECP256R1()
_POINT: Final = 65
_DIGESTS: Final = {Curve.P256: hashlib.sha256, Curve.P384: hashlib.sha384}
_ALGORITHMS: Final = {
    Curve.P256: ec.ECDSA(Prehashed(hashes.SHA256())),
    Curve.P384: ec.ECDSA(Prehashed(hashes.SHA384())),
}
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all workers of a batch know.

    Attributes:
        csrs: rows are CSRs; otherwise uuids, or nothing, and the keys are made here.
        foreign_keys: SHA-256 of the keys that no device may have: the CA's, the root's.
        ca_spki: the CA's key, which verifies.
        curve: of that key.
        sign: of a key store that may be used in each worker; None where the parent signs.
    """

    template: Template
    rules: DeviceRules
    rendering: Rendering
    csrs: bool
    foreign_keys: frozenset[str]
    ca_spki: bytes
    curve: Curve
    sign: SignDigests | None


class Worker:
    """Serves jobs, encoded, one after the other."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._reader = Reader(work.rules)
        self._digest = _DIGESTS[work.curve]
        native = read_public_key(der.parse(work.ca_spki)).native
        if not isinstance(native, ec.EllipticCurvePublicKey):
            raise TypeError("the CA's key is no EC key")
        self._ca_key = native
        self._unsigned: deque[tuple[list[Row], list[bytes]]] = deque()

    def serve(self, request: bytes) -> bytes:
        """A `Job` in, `Rows` out, in the order of the job; or `Digests` first.

        Then `Signatures` follow, for each job in its turn.
        """
        return _encoder.encode(self._answer(_requests.decode(request)))

    def _answer(self, request: Request) -> Answer:
        try:
            if isinstance(request, Signatures):
                return Rows(self._verified(*self._unsigned.popleft(), request.der, each=True))
            rows = [
                self._row(request.first + i, source, data)
                for i, (source, data) in enumerate(zip(request.sources, request.data, strict=True))
            ]
            digests = [self._digest(row.tbs).digest() for row in rows if isinstance(row, Made)]
            if self._work.sign is None:
                self._unsigned.append((rows, digests))
                return Digests(digests)
            return Rows(self._verified(rows, digests, self._work.sign(digests), each=False))
        except KeyStoreError as exc:
            return Refusal(exc.code, exc.message, exc.hint)

    def _verified(
        self, rows: list[Row], digests: list[bytes], signatures: Sequence[bytes], *, each: bool
    ) -> list[Row]:
        """The rows with their certificates, in the output's form."""
        pairs = list(zip(digests, signatures, strict=True))
        for digest, signature in pairs if each else pairs[-1:]:
            try:
                self._ca_key.verify(signature, digest, _ALGORITHMS[self._work.curve])
            except InvalidSignature as exc:
                raise _signature_wrong() from exc
        following = iter(signatures)
        return [
            self._complete(row, next(following)) if isinstance(row, Made) else row for row in rows
        ]

    def _complete(self, row: Made, signature: bytes) -> Made:
        certificate = self._work.template.certificate(row.tbs, signature)
        line, source, uuid, serial, key = row.line, row.source, row.uuid, row.serial, row.key
        whole = Made(line, source, uuid, serial, key, b"", certificate, row.private_key)
        rendered = self._work.rendering.render(whole)
        if not rendered:
            return whole
        return Made(line, source, uuid, serial, key, b"", rendered=rendered)

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


def _signature_wrong() -> KeyStoreError:
    return KeyStoreError(
        "token.signature_wrong",
        "the key store returned a signature that does not verify with the CA's certificate;"
        " it was thrown away",
        hint="Stop using this key store until it is explained; nothing of this step was issued.",
    )


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


def encode_request(request: Request) -> bytes:
    """For `Worker.serve`."""
    return _encoder.encode(request)


def decode_answer(answer: bytes) -> Digests | Rows:
    """From `Worker.serve`.

    Raises:
        KeyStoreError: the key store refused in the worker, or signed wrongly.
    """
    decoded = _answers.decode(answer)
    if isinstance(decoded, Refusal):
        raise KeyStoreError(decoded.code, decoded.message, hint=decoded.hint)
    return decoded
