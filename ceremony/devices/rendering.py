"""The forms of an output: which files a device gets, and how they stand in one big file."""

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from ceremony.devices.rows import Made
from ceremony.x509 import pem

CLIENT: Final = "client.pem"
PRIVATE_KEY: Final = "pkey.pem"
ROOT: Final = "root.crt"
CHAINED: Final = "client.chained"
SOTA: Final = "sota.toml"
FILES: Final = frozenset({CLIENT, PRIVATE_KEY, ROOT, CHAINED, SOTA})
TAR_END: Final = b"\0" * 1024


class Form(StrEnum):
    """How the devices of a batch are written."""

    FOLDERS = "folders"
    JSONL = "jsonl"
    TAR = "tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Everything that the devices of a batch share.

    Attributes:
        root: PEM of the Factory's root.
        ca: PEM of the local CA: ``client.chained`` is ``client.pem`` and this.
        sota: ``sota.toml``; empty for none.
        not_after: as text, for the line of a device.
        at_s: seconds since 1970, the time of the files in a tar.
    """

    form: Form
    root: bytes
    ca: bytes
    sota: bytes = field(default=b"")
    not_after: str = ""
    at_s: int = 0

    def render(self, row: Made) -> bytes:
        """A signed row as it is appended to the output; empty for folders."""
        match self.form:
            case Form.JSONL:
                return self._line(row)
            case Form.TAR:
                members = self.files(row).items()
                return b"".join(self._member(f"{row.uuid}/{n}", data) for n, data in members)
            case Form.FOLDERS:
                return b""

    def files(self, row: Made) -> Mapping[str, bytes]:
        """The files of one device."""
        client = pem.write_pem(row.certificate, pem.CERTIFICATE)
        files = {CLIENT: client}
        if row.private_key:
            files[PRIVATE_KEY] = row.private_key
        files |= {ROOT: self.root, CHAINED: client + self.ca}
        if self.sota:
            files[SOTA] = self.sota
        return files

    def _line(self, row: Made) -> bytes:
        """One JSON object and LF. PEM has nothing to escape but its line ends."""
        client = pem.write_pem(row.certificate, pem.CERTIFICATE).replace(b"\n", b"\\n")
        key = row.private_key.replace(b"\n", b"\\n")
        root, ca, sota = _shared_texts(self)
        head = (
            f'{{"uuid":"{row.uuid}","serial":"{int(row.serial, 16)}","serial_hex":"{row.serial}"'
            f',"not_after":"{self.not_after}","key_sha256":"{row.key}"'
        )
        return b"".join(
            (
                head.encode(),
                b',"client.pem":"',
                client,
                *((b'","pkey.pem":"', key) if key else ()),
                b'","root.crt":"',
                root,
                b'","client.chained":"',
                client,
                ca,
                *((b'","sota.toml":"', sota) if sota else ()),
                b'"}\n',
            )
        )

    def _member(self, name: str, data: bytes) -> bytes:
        head = tarfile.TarInfo(name)
        head.size, head.mode, head.mtime = len(data), 0o600, self.at_s
        padding = -len(data) % tarfile.BLOCKSIZE
        return head.tobuf(tarfile.USTAR_FORMAT) + data + b"\0" * padding


@lru_cache(maxsize=4)
def _shared_texts(rendering: Rendering) -> tuple[bytes, bytes, bytes]:
    """Root, CA and sota.toml as they stand inside a JSON string."""
    escaped = (
        json.dumps(one.decode("ascii")) for one in (rendering.root, rendering.ca, rendering.sota)
    )
    root, ca, sota = (text[1:-1].encode() for text in escaped)
    return root, ca, sota
