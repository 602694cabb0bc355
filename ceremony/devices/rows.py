"""One row of a batch, as it travels between processes."""

from typing import Annotated

import msgspec


class Job(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Some rows for a worker.

    Attributes:
        first: line number of the first, counted from 1.
        sources: where each row comes from, for people.
        data: of each row a CSR or a uuid; None in all where the uuid is made here.
    """

    first: int
    sources: list[str]
    data: list[bytes | None]


class Signatures(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """Signatures over the digests that the worker gave, in order: DER, not verified."""

    der: tuple[bytes, ...]


Request = Job | Signatures


class Made(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A row that gets its certificate.

    Attributes:
        serial: hex, 40 digits.
        key: SHA-256 of the SubjectPublicKeyInfo, hex.
        tbs: what is to be signed; empty once it was.
        certificate: DER; empty before.
        private_key: PEM (PKCS #8); empty where the device has its own.
        rendered: the row in the output's form; empty before it is signed.
    """

    line: int
    source: str
    uuid: str
    serial: str
    key: str
    tbs: bytes
    certificate: bytes = b""
    private_key: bytes = b""
    rendered: bytes = b""


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """A row that was refused, and why."""

    line: int
    source: str
    code: str
    message: str
    uuid: str = ""


Row = Made | Failed


class Digests(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A worker's answer where the key store is not its own: what is to be signed."""

    digests: list[bytes]


class Refusal(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A worker's answer that ends the batch: a refusal of the key store."""

    code: str
    message: str
    hint: str


class Rows(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A worker's last answer to a job."""

    rows: list[Row]


Answer = Digests | Refusal | Rows


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batch is. Lengths are of the files, in bytes.

    Attributes:
        lines: rows that were taken from the source.
        position: where the source goes on, in its own terms.
        digest: SHA-256 of what a pending step appends to output and results, hex.
    """

    lines: Annotated[int, msgspec.Meta(ge=0)] = 0
    issued: Annotated[int, msgspec.Meta(ge=0)] = 0
    refused: Annotated[int, msgspec.Meta(ge=0)] = 0
    length: Annotated[int, msgspec.Meta(ge=0)] = 0
    results_length: Annotated[int, msgspec.Meta(ge=0)] = 0
    position: str = ""
    digest: str = ""
