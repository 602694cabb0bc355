"""What the flow works with: the plan, the record, the ceremony's folder, and the world's ports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ceremony.config import Plan, PlanFile, Token
from ceremony.core.ports import Clock, KeyStore, Linter, Stick, StoreInfo
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import CeremonyError, VerificationError
from ceremony.flow.prompts import (
    CheckRow,
    Frame,
    Place,
    Step,
)
from ceremony.record.chain import Line
from ceremony.record.journal import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """This program, for the record.

    Attributes:
        sha256: hex, over the installed files.
        python: version and path of the interpreter.
    """

    version: str
    sha256: str
    python: str


class Services(Protocol):
    """What the room's adapters offer; `ceremony.offline.wiring` makes the real ones."""

    @property
    def clock(self) -> Clock:
        """The laptop's clock."""
        ...

    @property
    def linter(self) -> Linter:
        """pkilint, in a process of its own."""
        ...

    @property
    def tool(self) -> Tool:
        """This program."""
        ...

    def randbytes(self, count: int) -> bytes:
        """Bytes from the operating system's generator."""
        ...

    def randbelow(self, bound: int) -> int:
        """A uniform integer from 0 to `bound` - 1."""
        ...

    def new_passphrase(self) -> Secret:
        """A passphrase for a key file."""
        ...

    def token_store(self, token: Token) -> KeyStore:
        """The token that the plan names."""
        ...

    def blank_token(self, token: Token) -> StoreInfo | None:
        """The plan's token while it is not initialised; None when it is."""
        ...

    def initialise_token(self, token: Token, so_pin: Secret, pin: Secret) -> StoreInfo:
        """Initialises the plan's blank token, and describes it."""
        ...

    def change_pin(self, token: Token, old: Secret, new: Secret) -> None:
        """Sets another user PIN."""
        ...

    def file_store(self, path: Path) -> KeyStore:
        """The key file at `path`, there or to be made."""
        ...

    def preflight(self, plan: Plan, directory: Path) -> tuple[CheckRow, ...]:
        """Checks of the laptop, its surroundings and the token."""
        ...

    def network_up(self, plan: Plan) -> str | None:
        """Why this laptop counts as connected, or None."""
        ...

    def new_devices(self) -> tuple[CheckRow, ...]:
        """Network interfaces and keyboards that appeared since the program's start."""
        ...

    def places(self, first: str | None, *, read_only: bool = False) -> tuple[Place, ...]:
        """Sticks that are plugged in; `first` (from the plan) before them.

        Args:
            first: a folder that the plan names.
            read_only: those that are not mounted yet are mounted so, where that can be done.
        """
        ...

    def stick(self, path: str) -> Stick | None:
        """The stick that `path` lies on; None for a folder of the laptop."""
        ...

    def unmount(self, path: str) -> bool:
        """Unmounts the stick at `path` where that can be done; whether it may be pulled."""
        ...

    def verify_chain(
        self,
        root: bytes,
        certificates: Mapping[str, tuple[str, bytes]],
        directory: Path,
        *,
        above: Sequence[bytes] = (),
    ) -> tuple[CheckRow, ...]:
        """OpenSSL's opinion: name to (role, DER); `root` is DER, and so are the CAs above it."""
        ...

    def verify_crl(
        self, root: bytes, crl: bytes, cas: Sequence[bytes], directory: Path, *, refused: bool
    ) -> tuple[CheckRow, ...]:
        """OpenSSL's opinion of a CRL, and of the device CAs (all DER) under it.

        Args:
            refused: the CAs are to be refused under it, as revoked or held.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Room:
    """One ceremony under way.

    Attributes:
        directory: the ceremony's folder, 0700; `record` is in it and locked.
    """

    plan_file: PlanFile
    directory: Path
    record: Record
    services: Services

    @property
    def plan(self) -> Plan:
        """The plan's values."""
        return self.plan_file.plan

    @property
    def ceremony_id(self) -> str:
        """The folder's name, from the first line of the record."""
        return str(self.record.lines[0].data["ceremony_id"])

    def append(self, step: Step, kind: str, key: str, /, **data: Any) -> Line:
        """Writes a line of the record."""
        return self.record.append(step.value, kind, key, data)

    def find(self, kind: str, key: str) -> Line | None:
        """The last line of that type and key."""
        return self.record.find(kind, key)

    def need(self, kind: str, key: str) -> Line:
        """That line, which an earlier step has written.

        Raises:
            VerificationError: `record.line`: it is not there; somebody took it out.
        """
        line = self.record.find(kind, key)
        if line is None:
            raise VerificationError(
                "record.line",
                f"the record lacks what must stand before its end: {show(kind)} {show(key)}",
                hint="Compare with another copy of the record; do not go on with this one.",
            )
        return line

    def has(self, kind: str, key: str) -> bool:
        """Whether there is such a line."""
        return self.record.find(kind, key) is not None

    def refused(self, step: Step, error: CeremonyError) -> None:
        """Notes that something was refused."""
        self.append(step, "refused", error.code, message=error.message)

    def exception(
        self, step: Step, what: str, why: str, decision: str, by: list[str], *, about: str = ""
    ) -> str:
        """Records an exception and returns its number, E-1, E-2 ...

        Args:
            about: type and key of the line that it explains: it is recorded once for that,
                even if a cut of power came between the two.
        """
        held = self.record.all("exception")
        for line in held:
            if about and line.data.get("about") == about:
                return line.key
        number = f"E-{len(held) + 1}"
        data = {"what": what, "why": why, "decision": decision, "by": by}
        self.append(step, "exception", number, **data, **({"about": about} if about else {}))
        return number

    def officer(self, seat: str) -> str:
        """The name of the officer in seat A or B."""
        line = self.find("officer", seat)
        return f"officer {seat}" if line is None else str(line.data["name"])

    @property
    def officers(self) -> tuple[str, str]:
        """Names of officers A and B."""
        return self.officer("A"), self.officer("B")

    def frame(self, step: Step) -> Frame:
        """What every screen shows around a prompt."""
        return Frame(
            factory=self.plan.factory,
            kind=self.plan.kind.value,
            ceremony_id=self.ceremony_id,
            step=step,
            rehearsal=self.plan.rehearsal,
            head=self.record.head,
            exceptions=len(self.record.all("exception")),
        )
