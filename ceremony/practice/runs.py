"""The runs of one rehearsal folder: a year of ceremonies over one practice Factory.

The first run's plan is ``plan.toml``, the n-th ``plan-<n>.toml``; a run that reached its end
leaves ``paper/run-<n>.done``. Bundles are found by the fingerprint of the plan in them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from ceremony import config
from ceremony.bundle.request import DOCUMENT
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.practice.factory import PracticeFactory
from ceremony.practice.plans import rehearsal_name
from ceremony.practice.store import write_private

_PASSPHRASES = "passphrases.json"
_HEAD = "record-head.txt"
_HEAD_WORDS = "head.words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run.

    Attributes:
        number: from 1.
    """

    directory: Path
    number: int

    @property
    def plan(self) -> Path:
        """Where its plan is, or will be."""
        name = "plan.toml" if self.number == 1 else f"plan-{self.number}.toml"
        return self.directory / name

    @property
    def done(self) -> bool:
        """Whether it reached its end."""
        return self._marker.exists()

    @property
    def exported(self) -> bool:
        """Whether it wrote an upload bundle."""
        sha256 = config.load(self.plan).fingerprint.hex
        return self._find("usb-out", "manifest.json", sha256) is not None

    def finish(self) -> None:
        """Marks it as done."""
        write_private(self._marker, b"")

    def is_for(self, asked: str) -> bool:
        """Whether this run, begun or not, is one of what is asked for now."""
        if not self.plan.exists() or not self._asked.exists():
            return True
        return self._asked.read_text() == asked

    def begin(self, asked: str) -> None:
        """Notes what it was begun for: kind, and fingerprint of the user's own plan."""
        write_private(self._asked, asked.encode())

    @property
    def _asked(self) -> Path:
        return self.directory / "paper" / f"run-{self.number}.asked"

    @property
    def _marker(self) -> Path:
        return self.directory / "paper" / f"run-{self.number}.done"

    def request(self, plan_sha256: str) -> Path | None:
        """The request bundle that was fetched with that plan."""
        return self._find("usb-in", DOCUMENT, plan_sha256)

    def upload(self, plan_sha256: str) -> Path:
        """The upload bundle of the ceremony held with that plan.

        Raises:
            LookupError: there is none.
        """
        found = self._find("usb-out", "manifest.json", plan_sha256)
        if found is None:
            raise LookupError("the ceremony wrote no upload bundle")
        return found

    def _find(self, stick: str, document: str, plan_sha256: str) -> Path | None:
        for path in sorted((self.directory / stick).glob(f"*/{document}")):
            if json.loads(path.read_bytes())["plan_sha256"] == plan_sha256:
                return path.parent
        return None


def first_run(directory: Path) -> Run:
    """The run that made the Factory's root: the first that wrote an upload bundle."""
    number = 1
    while (run := Run(directory=directory, number=number)).done and not run.exported:
        number += 1
    return run


def this_run(directory: Path) -> Run:
    """The run that is not finished, else a new one."""
    number = 1
    while (run := Run(directory=directory, number=number)).done:
        number += 1
    return run


def run_for(directory: Path, asked: str, say: Callable[[str], None]) -> Run:
    """The unfinished run if it is one of what is asked for, else a new one.

    Args:
        asked: kind, and fingerprint of the user's own plan.
        say: shows a line, where something else is unfinished.
    """
    run = this_run(directory)
    if not run.is_for(asked) and run.number == 1:
        say("  note      this folder's first ceremony is not finished; it goes on, under the")
        say("            plan that it was begun with. Take another --keep for another plan.")
        return run
    if not run.is_for(asked):
        say(f"  note      run {run.number} of this folder, of another plan or kind, is left as")
        say("            it is: unfinished. A new one begins.")
        run.finish()
        run = this_run(directory)
    run.begin(asked)
    return run


class FetchClock:
    """The present; or the first minute after the last fetch, as bundles are named by the minute.

    People fetch once a year, rehearsals several times a minute.
    """

    def __init__(self, usb_in: Path) -> None:
        self._usb_in = usb_in

    def now(self) -> datetime:
        """Aware, UTC, whole seconds."""
        at = datetime.now(UTC).replace(microsecond=0)
        for path in self._usb_in.glob("*-request-*/"):
            day, minute = path.name.split("-")[-2:]
            last = datetime.strptime(f"{day}{minute}+0000", "%Y%m%d%H%M%z")
            at = max(at, last + timedelta(minutes=1))
        return at


def kept_factory(directory: Path, plan: config.Plan) -> PracticeFactory:
    """The practice Factory of a rehearsal folder, at the address it had before.

    Args:
        plan: the user's own, or one of the folder.
    """
    port = _port(directory)
    owners = [plan.user_id, *(plan.owner(ca) for ca in plan.local_ca)]
    return PracticeFactory(
        directory / "factory",
        factory=rehearsal_name(plan.factory),
        users=tuple(dict.fromkeys(owners)),
        host_suffix=plan.rules.host_suffixes[0],
        port=int(port.read_text()) if port.exists() else 0,
    )


def keep_port(directory: Path, factory: PracticeFactory) -> None:
    """The plan names the port, and a resumed rehearsal has the same plan."""
    _port(directory).write_text(f"{urlsplit(factory.url).port}\n")


def _port(directory: Path) -> Path:
    return directory / "online" / "port"


def read_passphrases(directory: Path) -> dict[str, Secret]:
    """What scripted officers copied to paper in earlier runs."""
    path = directory / "paper" / _PASSPHRASES
    if not path.exists():
        return {}
    return {name: Secret(text) for name, text in json.loads(path.read_bytes()).items()}


def read_head(directory: Path) -> dict[str, Fingerprint]:
    """What they copied when a sitting ended: the words of the record's head."""
    path = directory / "paper" / _HEAD
    return {_HEAD_WORDS: Fingerprint.from_hex(path.read_text().strip())} if path.exists() else {}


def write_head(directory: Path, words: Mapping[str, Fingerprint]) -> None:
    """Keeps it for the next sitting."""
    if _HEAD_WORDS in words:
        write_private(directory / "paper" / _HEAD, f"{words[_HEAD_WORDS].hex}\n".encode())


def write_passphrases(directory: Path, passphrases: dict[str, Secret]) -> None:
    """Keeps the officers' papers of a practice run."""
    known = {name: secret.reveal() for name, secret in passphrases.items()}
    write_private(directory / "paper" / _PASSPHRASES, json.dumps(known).encode())
    for name, text in known.items():  # for `ceremony devices issue --secret-file`
        write_private(directory / "paper" / f"passphrase-{name}.txt", f"{text}\n".encode())
