"""Online machine, room and Factory of one customer: the Factory is a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

from ceremony.bundle.request import read_request
from ceremony.config import Kind, PlanFile, parse
from ceremony.core.secret import Secret
from ceremony.flow.driver import Outcome, run
from ceremony.offline import store
from ceremony.online.cli import ceremony_online
from ceremony.practice.officers import Papers, ScriptedOfficers
from ceremony.record.chain import Line
from ceremony.x509.certificate import Certificate, read_certificate
from tests.flow.table import PHRASES, TableServices
from tests.stories.conftest import Run, run_here

FACTORY = "rehearsal-acme"
PLAN = """
schema = "ceremony-plan/1"
factory = "{factory}"
kind = "{kind}"
user_id = "{user}"
rehearsal = true
{top}
[online]
api = "{api}"
[root]
key_store = "file"
backup = {{ method = "none" }}
[media]
csr_in = "{media}/usb-in"
signed_out = "{media}/usb-out"
evidence = "{media}/evidence"
custody = "{media}/custody"
{tables}
"""


@dataclass
class Present:
    """The room's clock; a test may turn it back."""

    behind: Any = None

    def now(self) -> datetime:
        at = datetime.now(UTC).replace(microsecond=0)
        return at if self.behind is None else at - self.behind


@dataclass
class Errand:
    """One ceremony's folders, plan and bundles."""

    media: Path
    plan_file: PlanFile
    request: Path | None = None
    bundle: Path | None = None
    lines: tuple[Line, ...] = ()

    def issued(self, file: str) -> Certificate:
        """A certificate of the upload bundle."""
        assert self.bundle is not None
        return read_certificate((self.bundle / file).read_bytes(), file)

    @property
    def words(self) -> Path:
        (path,) = (self.media / "evidence").glob("*/upload-fingerprint.txt")
        return path


@dataclass
class Site:
    """One customer, in one folder."""

    folder: Path
    api: str
    token_file: Path
    user: str
    factory: "Factory"
    passphrases: dict[str, Secret] = field(default_factory=dict)
    errands: int = 0

    def errand(self, kind: Kind, *, top: str = "", tables: str = "") -> Errand:
        self.errands += 1
        media = self.folder / f"errand-{self.errands}"
        for name in ("usb-in", "usb-out", "evidence", "custody"):
            (media / name).mkdir(mode=0o700, parents=True)
        text = PLAN.format(
            factory=FACTORY,
            kind=kind.value,
            user=self.user,
            api=self.api,
            media=media,
            top=top,
            tables=tables,
        )
        (media / "plan.toml").write_text(text)
        return Errand(media=media, plan_file=parse(text.encode()))

    def online(self, errand: Errand, *arguments: str | Path) -> Run:
        """`ceremony-online ...`; each errand has a machine of its own."""
        own = ("--token-file", self.token_file, "--state", errand.media)
        return run_here(ceremony_online, *arguments, *own)

    def fetch(self, errand: Errand) -> Errand:
        plan = errand.media / "plan.toml"
        done = self.online(
            errand, "fetch", plan, "--to", errand.media / "usb-in", *self._sure(errand)
        )
        assert done.status == 0, done.err
        errand.request = Path(done.out.strip().splitlines()[-1])
        return errand

    def _sure(self, errand: Errand) -> tuple[str, ...]:
        return ("--yes-replaces-server-keys", FACTORY) if errand.plan_file.plan.requests else ()

    def hold(
        self,
        errand: Errand,
        *,
        texts: Mapping[str, Mapping[str, str]] | None = None,
        clock: Present | None = None,
        officers: type[ScriptedOfficers] = ScriptedOfficers,
        words: Mapping[str, Any] | None = None,
        prepare: Callable[[TableServices], None] = lambda _: None,
        pin: str = "none",
    ) -> Errand:
        """The room, in this process; its laptop is not what these stories are about."""
        services = TableServices(errand.media)
        services.seed = 10_000 * self.errands  # no two ceremonies draw the same serials
        services.clock = clock or Present()  # type: ignore[assignment]
        prepare(services)
        assert errand.request is not None
        papers = Papers(
            words={
                "plan.words": errand.plan_file.fingerprint,
                "request.words": read_request(errand.request).fingerprint,
                **(words or {}),
            },
            pin=Secret(pin),
            phrases=PHRASES,
            passphrases=self.passphrases,
            texts=dict(texts or {}),
        )
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        room = store.begin(state, errand.plan_file, services)
        with room.record:
            try:
                assert run(room, officers(papers, quiet=True)) is Outcome.CLOSED
            finally:
                errand.lines = room.record.lines
        (errand.bundle,) = (path for path in (errand.media / "usb-out").iterdir() if path.is_dir())
        return errand

    def upload(self, errand: Errand) -> Run:
        assert errand.bundle is not None
        return self.online(errand, "upload", errand.bundle, "--expect", errand.words)

    def whole(self, errand: Errand, **other: Any) -> Errand:
        """Fetch, room, upload."""
        self.hold(self.fetch(errand), **other)
        done = self.upload(errand)
        assert done.status == 0, done.err
        return errand

    # --- the Factory ------------------------------------------------------------------

    @property
    def gateway(self) -> tuple[str, str, int]:
        """Its name, and where it listens."""
        name, _, address = self.factory.told["gateway"].partition(" at ")
        host, _, port = address.partition(":")
        return name, host, int(port)

    def call(self, method: str, body: Any = None) -> Any:
        """Somebody else at the API."""
        answer = urllib3.request(
            method,
            f"{self.api}/ota/factories/{FACTORY}/certs/",
            headers={"OSF-TOKEN": self.token_file.read_text().strip()},
            json=body,
        )
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    @property
    def patches(self) -> int:
        log = (self.folder / "factory" / "requests.log").read_text().splitlines()
        return sum(" PATCH /ota/" in line for line in log)


class Factory:
    """The practice Factory as a process, which can be stopped and started on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = "0"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "ceremony.practice.serve", str(self.folder / "factory")]
        self._process = subprocess.Popen(
            [*command, "--factory", FACTORY, "--port", self._port],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self._process.stdout is not None
        self.told: dict[str, str] = {}
        for line in self._process.stdout:
            name, _, value = re.sub(r" {2,}", "\t", line.strip()).partition("\t")
            self.told[name] = value
            if line.startswith("Interrupt"):
                break
        self._port = self.told["api"].rpartition(":")[2]

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """A customer whose Factory has nothing yet."""
    factory = Factory(folder)
    told = factory.told
    token_file = Path(told["token file"])
    try:
        yield Site(
            folder=folder,
            api=told["api"],
            token_file=token_file,
            user=told["user id"],
            factory=factory,
        )
    finally:
        factory.stop()
