"""A registration service of one's own: POST in the form of lmp-device-register.

The service makes the certificate; what it answers is checked against the CSR before it is
written: the key, the uuid, the Factory, the root, and that its chain holds.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from ceremony.bundle.documents import read_tree
from ceremony.bundle.media import MAX_PEM_BYTES, read_file
from ceremony.bundle.writing import write_directory
from ceremony.config import Online
from ceremony.core.findings import errors
from ceremony.core.text import show
from ceremony.errors import CeremonyError, MediaError, NetworkError, VerificationError
from ceremony.online.api import words_of
from ceremony.online.outcomes import FINAL, Outcome, Outcomes, Result
from ceremony.online.registration import check_name
from ceremony.online.transport import Bounds, Transport, split_url
from ceremony.x509.certificate import Certificate, read_certificate, verify_signed_by
from ceremony.x509.checks import check_certificate
from ceremony.x509.csr import Csr, read_csr
from ceremony.x509.pem import CERTIFICATE, CERTIFICATE_REQUEST, read_pem_list, write_pem
from ceremony.x509.profiles import Role


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the service answers; other fields may come."""

    root: str = msgspec.field(name="root.crt")
    sota: str = msgspec.field(name="sota.toml")
    client: str = msgspec.field(name="client.pem")
    chained: str = msgspec.field(name="client.chained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What goes along with each CSR.

    Attributes:
        name: of the device; its uuid when empty.
        sota_dir: where the device keeps its files.
    """

    factory: str
    hardware_id: str
    name: str = ""
    sota_dir: str = "/var/sota"


class Service:
    """A registration service.

    Args:
        url: https, or http to a loopback address.
        ca_file: CA of its TLS certificate; the system's store otherwise.
        root: the Factory's root; None to take the one in the answer as it is.
        bounds: other than the usual ones.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_file: str | None = None,
        root: Certificate | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        parts = split_url(url)
        base = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path or "/"
        self._transport = Transport(Online(api=base, ca_file=ca_file), bounds)
        self._root = root

    def register(self, raw: bytes, where: str, asked: Asked, out: Path) -> Path:
        """Sends one CSR and writes what comes back into ``out/<uuid>/``.

        Not repeated: a second request may make a second certificate. So none is sent where
        an earlier run was ended when it had written the folder, and not yet its result.

        Args:
            raw: the CSR.
            where: its file, for people.

        Raises:
            NetworkError: `api.*`, `service.refused`, `service.answer`.
            VerificationError: `csr.*`, `pem.*`, `certificate.*`, `service.*`.
            MediaError: `media.*`; `media.exists` where the folder is another device's.
        """
        csr = read_csr(raw, where)
        uuid = check_name(csr.common_name or "", f"{where}: CN")
        if os.path.lexists(out / uuid):
            return _written(out / uuid, csr)
        body = {
            "name": asked.name.replace("{uuid}", uuid) or uuid,
            "uuid": uuid,
            "csr": write_pem(csr.der, CERTIFICATE_REQUEST).decode(),
            "hardware-id": asked.hardware_id,
            "sota-config-dir": asked.sota_dir,
        }
        answer = self._transport.exchange("POST", self._path, {}, msgspec.json.encode(body))
        if not answer.success:
            raise NetworkError(
                "service.refused",
                f"the registration service answers {answer.status}: {words_of(answer.body)}",
                hint="Read its words; look into the service's own log.",
            )
        files = self._check(answer.body, csr, asked)
        return write_directory(out, uuid, files, private=True)

    def _check(self, body: bytes, csr: Csr, asked: Asked) -> dict[str, bytes]:
        try:
            given = msgspec.convert(read_tree(body, "the service's answer"), _Answer)
        except (VerificationError, msgspec.ValidationError) as exc:
            raise NetworkError(
                "service.answer",
                "the service's answer is not that of a registration service",
                hint="Check --service; it is the address that lmp-device-register is given.",
            ) from exc
        client = read_certificate(given.client.encode(), "the service's client.pem")
        root = read_certificate(given.root.encode(), "the service's root.crt")
        # The reference service puts an empty line between the two.
        chained = given.chained.replace("-----\n\n-----", "-----\n-----").rstrip("\n") + "\n"
        chain = read_pem_list(chained.encode(), CERTIFICATE, "the service's client.chained")
        issuers = [read_certificate(der, "the service's client.chained") for der in chain[1:]]
        self._require(client.spki == csr.spki, "the certificate is for another key than the CSR's")
        self._require(client.common_name == csr.common_name, "the certificate has another uuid")
        self._require(chain[0] == client.der, "client.chained begins with another certificate")
        self._require(
            self._root is None or root.der == self._root.der, "root.crt is not the Factory's root"
        )
        found = errors(check_certificate(client, Role.DEVICE, factory=asked.factory))
        self._require(not found, found[0].message if found else "")
        self._require(bool(issuers), "client.chained lacks the device CA")
        for below, above in pairwise((client, *issuers, root)):
            verify_signed_by(below, above)
        return {
            "client.pem": given.client.encode(),
            "client.chained": chained.encode(),
            "root.crt": given.root.encode(),
            "sota.toml": given.sota.encode(),
        }

    @staticmethod
    def _require(holds: bool, otherwise: str) -> None:
        if not holds:
            raise VerificationError(
                "service.certificate",
                f"what the registration service answers cannot be used: {otherwise}",
                hint="Check the service's CA, its root and its Factory.",
            )


def _written(folder: Path, csr: Csr) -> Path:
    """The folder, when it holds a certificate over the CSR's key."""
    client = read_certificate(read_file(folder / "client.pem", MAX_PEM_BYTES), "client.pem")
    if client.spki != csr.spki:
        raise MediaError(
            "media.exists",
            f"{show(str(folder))} is there already, with a certificate over another key",
            hint="Give another --out; nothing is overwritten.",
        )
    return folder


def csr_files(path: Path) -> list[Path]:
    """A CSR, or the files of a folder in the order of their names.

    Raises:
        MediaError: `devices.source`: there is none.
    """
    try:
        files = [path]
        if path.is_dir():
            files = sorted(one for one in path.iterdir() if not one.is_dir())
        path.stat()
    except OSError as exc:
        raise _source(path, exc.strerror or "cannot be read") from exc
    if not files:
        raise _source(path, "there is no CSR in it")
    return files


def _source(path: Path, why: str) -> MediaError:
    return MediaError(
        "devices.source",
        f"{show(str(path))}: {why}",
        hint="Name a CSR, or a folder of CSRs.",
    )


def send_all(
    service: Service,
    files: Sequence[Path],
    asked: Asked,
    out: Path,
    outcomes: Outcomes,
    tell: Callable[[int, int], None],
) -> tuple[int, int, int]:
    """Sends each CSR that an earlier run has not; one after the other.

    Returns:
        How many went well, how many did not, and how many an earlier run had done.

    Raises:
        MediaError: `devices.unwritable`, `devices.results`.
    """
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise MediaError(
            "devices.unwritable",
            f"{show(str(out))}: {exc.strerror}",
            hint="Give an --out that can be written to.",
        ) from exc
    good = bad = skipped = 0
    for file in files:
        outcome = _send(service, file, asked, out, outcomes)
        if outcome is None:
            skipped += 1
        else:
            outcomes.add(outcome)
            good, bad = good + (outcome.result in FINAL), bad + (outcome.result not in FINAL)
        tell(good + skipped, bad)
    return good, bad, skipped


def _send(
    service: Service, file: Path, asked: Asked, out: Path, outcomes: Outcomes
) -> Outcome | None:
    """One file's outcome; None where an earlier run brought it to a good end."""
    where, key = show(file.name), ""
    try:
        raw = read_file(file, MAX_PEM_BYTES)
        key = hashlib.sha256(raw).hexdigest()
        if outcomes.done(key):
            return None
        folder = service.register(raw, where, asked, out)
    except CeremonyError as exc:
        result = Result.REFUSED if isinstance(exc, VerificationError) else Result.FAILED
        return Outcome(
            uuid="", key=key, result=result, where=where, code=exc.code, message=exc.message
        )
    return Outcome(uuid=folder.name, key=key, result=Result.REGISTERED, where=where, status=201)
