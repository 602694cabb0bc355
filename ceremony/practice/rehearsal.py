"""A whole rehearsal on one machine, crossing by crossing."""

import getpass
import json
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ceremony import config
from ceremony.core import words
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.documents.script import script
from ceremony.documents.text import render_text
from ceremony.errors import CeremonyError, ExitStatus, PlanError
from ceremony.practice.device import make_device, request_root
from ceremony.practice.factory import PracticeFactory
from ceremony.practice.officers import Papers, ScriptedOfficers
from ceremony.practice.plans import substitute
from ceremony.practice.softhsm import create_token, find_module

PIN_FILE = "token-pin.txt"
_PHRASES = {"A": Secret("practice phrase A"), "B": Secret("practice phrase B")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `ceremony rehearse` was asked for."""

    plan: Path
    auto: bool
    plain: bool
    kind: str | None
    key_store: str | None
    keep: Path | None


def say(text: str) -> None:
    """A line for the person who watches."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def rehearse(options: Options) -> int:
    """Runs it; in a temporary folder unless it is to be kept.

    Returns:
        The ceremony's exit status.
    """
    if options.keep is not None:
        options.keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Rehearsal(options.keep.absolute(), options).run()
    with tempfile.TemporaryDirectory(prefix="ceremony-rehearsal-") as directory:
        return Rehearsal(Path(directory), options).run()


class Rehearsal:
    """One rehearsal in one folder, which stands for the machines, the sticks and the safe."""

    def __init__(self, directory: Path, options: Options) -> None:
        self._directory = directory
        self._options = options
        self._began = time.monotonic()

    def run(self) -> int:
        """Fetch, ceremony, upload, a device's first request."""
        for name in ("usb-in", "usb-out", "evidence", "custody", "state", "online", "paper"):
            (self._directory / name).mkdir(mode=0o700, exist_ok=True)
        own = config.load(self._options.plan)
        with self._factory(own.plan) as factory:
            plan_file, pin = self._plan(own.plan, factory)
            self._papers(plan_file, pin)
            self._tell(f"practice Factory at {factory.url}")
            request = self._fetch(plan_file, factory)
            papers = Papers(
                words={
                    "plan.words": plan_file.fingerprint,
                    "request.words": bundle_fingerprint(request),
                },
                pin=pin,
                phrases=_PHRASES,
            )
            status = self._hold(plan_file, papers)
            if status not in {ExitStatus.DONE, ExitStatus.EXCEPTIONS}:
                return status
            self._upload(plan_file, factory)
            self._device(plan_file, factory, papers)
        self._tell("rehearsal done")
        self._summary()
        return status

    def _factory(self, plan: config.Plan) -> PracticeFactory:
        name = f"rehearsal-{plan.factory.removeprefix('rehearsal-')}"[:54].rstrip("-")
        owners = [plan.user_id, *(plan.owner(ca) for ca in plan.local_ca)]
        return PracticeFactory(
            self._directory / "factory", factory=name, users=tuple(dict.fromkeys(owners))
        )

    def _plan(self, own: config.Plan, factory: PracticeFactory) -> tuple[config.PlanFile, Secret]:
        path = self._directory / "plan.toml"
        pin_file = self._directory / "paper" / PIN_FILE
        if path.exists():
            return config.load(path), Secret(pin_file.read_text().strip())
        pin = Secret("".join(str(secrets.randbelow(10)) for _ in range(8)))
        pin_file.write_text(pin.reveal() + "\n")
        kind = config.Kind(self._options.kind or own.kind.value)
        substituted = substitute(own, self._directory, factory.url, kind, self._token(pin))
        for line in substituted.told:
            say(f"  replaced  {line}")
        path.write_bytes(substituted.plan_file.raw)
        return substituted.plan_file, pin

    def _token(self, pin: Secret) -> config.Token | None:
        if self._options.key_store == "file":
            return None
        if self._options.key_store is None and find_module() is None:
            say("  note      no PKCS#11 module found: the root key lives in an encrypted file")
            return None
        return create_token(self._directory / "token", "practice root", Secret("87654321"), pin)
