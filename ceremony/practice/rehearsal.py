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
