"""A table to hold ceremonies at: a plan, a stick with CSRs, and fakes of the room's ports."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ceremony.bundle.request import read_request, request_files
from ceremony.bundle.schema import REQUEST_SCHEMA, Posted, Request, RequestDocument
from ceremony.bundle.writing import write_directory
from ceremony.config import Kind, Plan, PlanFile, Slot, Token, parse
from ceremony.core.findings import Finding
from ceremony.core.ports import KeyStore, Stick, StoreInfo
from ceremony.core.secret import Secret
from ceremony.flow.prompts import CheckRow, CheckStatus, Place
from ceremony.flow.room import Room, Tool
from ceremony.keys.file import FileKeyStore
from ceremony.offline import store
from ceremony.practice.officers import Papers, ScriptedOfficers

PHRASES = {"A": Secret("phrase of officer A"), "B": Secret("phrase of officer B")}


class TickingClock:
    """A clock that goes on a second with each look."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


class SilentLinter:
    """A linter without findings."""

    def lint(self, der: bytes, issuer_der: bytes | None) -> tuple[Finding, ...]:
        return ()


@dataclass
class TableServices:
    """The room's ports, without a laptop."""

    media: Path
    clock: TickingClock = field(default_factory=TickingClock)
    linter: SilentLinter = field(default_factory=SilentLinter)
    tool: Tool = field(default_factory=lambda: Tool(version="0", sha256="00" * 32, python="3"))
    rows: tuple[CheckRow, ...] = (
        CheckRow(status=CheckStatus.PASS, code="swap.off", sentence="no swap"),
    )
    network: str | None = None
    sticks: dict[str, Stick] = field(default_factory=dict)
    devices: tuple[CheckRow, ...] = ()
    seed: int = 0
    modules: int | None = None
    wrap: Callable[[KeyStore], KeyStore] = lambda store: store

    def randbytes(self, count: int) -> bytes:
        self.seed += 1
        return hashlib.shake_256(str(self.seed).encode()).digest(count)

    def randbelow(self, bound: int) -> int:
        return int.from_bytes(self.randbytes(16)) % bound

    def new_passphrase(self) -> Secret:
        return Secret(f"absurd-adviser-{self.randbytes(2).hex()}")

    def token_store(self, token: Token) -> KeyStore:
        raise AssertionError("this table has no token")

    def blank_token(self, token: Token) -> StoreInfo | None:
        raise AssertionError("this table has no token")

    def initialise_token(self, token: Token, so_pin: Secret, pin: Secret) -> StoreInfo:
        raise AssertionError("this table has no token")

    def change_pin(self, token: Token, old: Secret, new: Secret) -> None:
        raise AssertionError("this table has no token")

    def file_store(self, path: Path) -> KeyStore:
        return self.wrap(FileKeyStore(path))

    def preflight(self, plan: Plan, directory: Path) -> tuple[CheckRow, ...]:
        return self.rows

    def network_up(self, plan: Plan) -> str | None:
        return self.network

    def new_devices(self) -> tuple[CheckRow, ...]:
        return self.devices

    def stick(self, path: str) -> Stick | None:
        return self.sticks.get(path)

    def unmount(self, path: str) -> bool:
        return False

    def places(self, first: str | None, *, read_only: bool = False) -> tuple[Place, ...]:
        return () if first is None else (Place(path=first, label="plan"),)

    def verify_chain(
        self,
        root: bytes,
        certificates: Mapping[str, tuple[str, bytes]],
        directory: Path,
        *,
        above: Sequence[bytes] = (),
    ) -> tuple[CheckRow, ...]:
        return ()

    def verify_crl(
        self, root: bytes, crl: bytes, cas: Sequence[bytes], directory: Path, *, refused: bool
    ) -> tuple[CheckRow, ...]:
        return ()

    def close(self) -> None:
        pass


def plan_text(media: Path, *, rehearsal: bool = False, extra: str = "") -> str:
    prefix = "rehearsal-" if rehearsal else ""
    return f"""
schema = "ceremony-plan/1"
factory = "{prefix}acme"
kind = "create"
user_id = "5e8a2f04"
rehearsal = {str(rehearsal).lower()}
[root]
key_store = "file"
[root.backup]
method = "none"
[[local_ca]]
name = "line-1"
[media]
csr_in = "{media}/usb-in"
signed_out = "{media}/usb-out"
evidence = "{media}/evidence"
custody = "{media}/custody"
{extra}"""


def csr(common_name: str, names: tuple[str, ...], unit: str | None = None) -> bytes:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if unit is not None:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    builder = x509.CertificateSigningRequestBuilder(x509.Name(attributes))
    if names:
        san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(san, critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def csrs(factory: str) -> dict[Slot, bytes]:
    gateway = "abc.ota-lite.foundries.io"
    return {
        Slot.TLS: csr(gateway, (gateway, "abc.ostree.foundries.io")),
        Slot.ONLINE_CA: csr("online-ca", (), factory),
        Slot.EST_TLS: csr("abc.est.foundries.io", ("abc.est.foundries.io",)),
    }


class Table:
    """One ceremony that can be held, cut off, and gone on with."""

    def __init__(
        self, media: Path, *, rehearsal: bool = False, extra: str = "", plan: str = ""
    ) -> None:
        self.media = media
        for name in ("usb-in", "usb-out", "evidence", "custody", "state"):
            (media / name).mkdir(mode=0o700)
        self.plan_file: PlanFile = parse(
            (plan or plan_text(media, rehearsal=rehearsal, extra=extra)).encode()
        )
        self.services = TableServices(media)
        self.request = self.write_request()
        bundle = read_request(self.request)
        self.papers = Papers(
            words={
                "plan.words": self.plan_file.fingerprint,
                "request.words": bundle.fingerprint,
            },
            pin=Secret("no pin here"),
            phrases=PHRASES,
        )

    def write_request(self) -> Path:
        plan = self.plan_file.plan
        pems = {s: pem for s, pem in csrs(plan.factory).items() if s in plan.requests}
        from ceremony.x509.csr import read_csr

        document = RequestDocument(
            schema=REQUEST_SCHEMA,
            factory=plan.factory,
            user_id=plan.user_id,
            api=plan.online.api,
            kind=Kind.CREATE,
            fetched_at="2026-01-02T01:00:00Z",
            plan_sha256=self.plan_file.fingerprint.hex,
            posted=Posted(
                first_time_init=True,
                tls_csr=Slot.TLS in pems,
                ca_csr=Slot.ONLINE_CA in pems,
                est_tls_csr=Slot.EST_TLS in pems,
            ),
            requests=tuple(
                Request(
                    slot=slot,
                    file=f"{slot.value}.csr",
                    spki_sha256=read_csr(pem, slot.value).spki_sha256.hex,
                )
                for slot, pem in pems.items()
            ),
            current=None,
            rehearsal=plan.rehearsal,
        )
        files = request_files(document, pems, None, None)
        return write_directory(
            self.media / "usb-in", f"{plan.factory}-request-20260102-0100", files
        )

    def officers(self) -> ScriptedOfficers:
        return ScriptedOfficers(self.papers, quiet=True)

    def sit_down(self) -> Room:
        """Begins the ceremony, or goes on with it."""
        state = self.media / "state"
        held = store.ceremonies(state)
        if not held:
            return store.begin(state, self.plan_file, self.services)
        return store.resume(held[0].directory, self.plan_file, self.services)

    @property
    def upload(self) -> Path:
        return next(path for path in (self.media / "usb-out").iterdir() if path.is_dir())

    @property
    def directory(self) -> Path:
        return next(path for path in (self.media / "state").iterdir() if path.is_dir())
