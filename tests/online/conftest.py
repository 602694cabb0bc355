"""A practice Factory, a plan for it, and a room in miniature that answers requests."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.bundle.request import RequestBundle, read_request
from ceremony.bundle.upload import Issued, upload_files, upload_name
from ceremony.bundle.writing import write_directory
from ceremony.config import Curve, PlanFile, Slot, parse
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.online.fetch import fetch
from ceremony.online.login import Login
from ceremony.online.receipts import Receipt
from ceremony.online.screen import Screen
from ceremony.online.transport import Bounds
from ceremony.online.upload import upload
from ceremony.practice.factory import PracticeFactory, User
from ceremony.x509 import issuing
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.profiles import Role

FACTORY = "rehearsal-acme"
OWNER = "5e8a2f04c1d7"
BOUNDS = Bounds(connect_s=2, read_s=1, total_s=2, attempts=3, backoff_s=0.01, longest_wait_s=1)
ROLES = {Slot.TLS: Role.TLS, Slot.ONLINE_CA: Role.ONLINE_CA, Slot.EST_TLS: Role.EST_TLS}

PLAN = """
schema = "ceremony-plan/1"
factory = "{factory}"
kind = "create"
user_id = "{owner}"
rehearsal = {rehearsal}
requests = ["tls", "online-ca", "est-tls"]
[online]
api = "{api}"
{online}
[root]
key_store = "file"
backup = {{ method = "none" }}
[[local_ca]]
name = "line-1"
"""


def plan_for(api: str, *, factory: str = FACTORY, owner: str = OWNER, online: str = "") -> PlanFile:
    rehearsal = str(factory.startswith("rehearsal-")).lower()
    text = PLAN.format(api=api, factory=factory, owner=owner, online=online, rehearsal=rehearsal)
    return parse(text.encode())


class Clock:
    """The machine's clock; a test moves it."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)

    def now(self) -> datetime:
        return self.at


@dataclass
class Room:
    """Signs what a request asks for, as the real room would."""

    root: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def answer(self, plan_file: PlanFile, request: RequestBundle, to: Path, **other: Any) -> Path:
        plan, at = plan_file.plan, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        root = self._issue(
            issuing.root_content(
                factory=plan.factory,
                spki=spki(self.root),
                serial=issuing.new_serial(os.urandom),
                not_before=at,
                days=7300,
                profile="strict",
            )
        )
        ours: dict[str, Any] = {
            "issuer": issuing.issuer_of(root),
            "not_before": at,
            "days": 3650,
            "not_past": root.not_after,
        }
        issued = [Issued(role=Role.ROOT, name="root", certificate=root)]
        for slot, csr in request.csrs.items():
            content = issuing.csr_content(
                csr=csr, slot=slot, serial=issuing.new_serial(os.urandom), **ours
            )
            issued.append(
                Issued(role=ROLES[slot], name=slot.value, certificate=self._issue(content))
            )
        local = issuing.local_ca_content(
            factory=plan.factory,
            user_id=plan.user_id,
            spki=spki(ec.generate_private_key(ec.SECP256R1())),
            serial=issuing.new_serial(os.urandom),
            **ours,
        )
        issued.append(Issued(role=Role.LOCAL_CA, name="line-1", certificate=self._issue(local)))
        said = {
            "ceremony_id": "create-1",
            "created_at": at,
            "plan_sha256": plan_file.fingerprint.hex,
            "request_sha256": request.fingerprint.hex,
            "record_head": "0" * 64,
            **other,
        }
        files = upload_files(plan=plan, issued=issued, **said)
        return write_directory(to, upload_name(plan.factory, said["ceremony_id"]), files)

    def _issue(self, content: issuing.Content) -> Certificate:
        tbs = issuing.tbs_of(issuing.twin(content, Curve.P256))
        signature = self.root.sign(tbs, ec.ECDSA(hashes.SHA256()))
        return read_certificate(issuing.assemble(tbs, signature), "test")


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Machine:
    """The online machine, with its stick, its memory and a Factory to talk to."""

    factory: PracticeFactory
    folder: Path
    login: Login
    plan_file: PlanFile
    clock: Clock = field(default_factory=Clock)
    room: Room = field(default_factory=Room)
    said: list[str] = field(default_factory=list)

    @property
    def stick(self) -> Path:
        return self.folder / "stick"

    @property
    def state(self) -> Path:
        return self.folder / "online"

    @property
    def words(self) -> str:
        return "\n".join(self.said)

    def fetch(self, **other: Any) -> Path:
        given = {
            "plan_file": self.plan_file,
            "to": self.stick,
            "login": self.login,
            "state": self.state,
            "confirm": lambda _: None,
            "screen": Screen(out=self.said.append),
            "clock": self.clock,
            "bounds": BOUNDS,
        } | other
        return fetch(given.pop("plan_file"), given.pop("to"), **given)

    def answer(self, request: Path | None = None, **other: Any) -> Path:
        """Fetches, unless a request is given, and lets the room answer."""
        return self.room.answer(
            self.plan_file, read_request(request or self.fetch()), self.stick, **other
        )

    def upload(self, bundle: Path, **other: Any) -> Receipt:
        given = {
            "login": self.login,
            "state": self.state,
            "screen": Screen(out=self.said.append),
            "expect": fingerprint_of(bundle),
            "clock": self.clock,
            "bounds": BOUNDS,
        } | other
        return upload(bundle, **given)

    def writes(self) -> list[str]:
        """Files of the online machine's memory, by name."""
        return sorted(path.name for path in self.state.iterdir() if path.is_file())


def fingerprint_of(bundle: Path) -> Fingerprint:
    return Fingerprint.of((bundle / "SHA256SUMS").read_bytes())


@pytest.fixture
def factory(tmp_path: Path) -> Iterator[PracticeFactory]:
    users = (
        User(polis_id="1a2b3c4d5e6f", name="Fetching Admin", role="admin"),
        User(polis_id=OWNER, name="Line Account", role="accessor"),
    )
    with PracticeFactory(tmp_path / "factory", factory=FACTORY, users=users) as running:
        yield running


@pytest.fixture
def machine(factory: PracticeFactory, tmp_path: Path) -> Machine:
    (tmp_path / "stick").mkdir()
    return Machine(
        factory=factory,
        folder=tmp_path,
        login=Login(kind="token", secret=Secret(factory.token)),
        plan_file=plan_for(factory.url),
    )


@pytest.fixture
def make_plan() -> Callable[..., PlanFile]:
    return plan_for
