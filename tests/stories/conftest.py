"""Whole ceremonies, made once for all stories that only look at them."""

import os
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import click
import pytest

from ceremony.practice.__main__ import practice
from ceremony.process import guarded
from tests.stories.floor import Place

BIN = Path(sys.executable).parent
TOP = Path(__file__).parents[2]
FACTORY = "rehearsal-acme-fleet"


@dataclass(frozen=True)
class Run:
    """A program that ended."""

    status: int
    out: str
    err: str


def run(*arguments: str | Path, cwd: Path = TOP, stdin: str = "") -> Run:
    """Runs `ceremony ...` or `ceremony-online ...` as a user would."""
    program, *rest = (str(argument) for argument in arguments)
    done = subprocess.run(
        [str(BIN / program), *rest],
        cwd=cwd,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=300,
        check=False,
    )
    return Run(status=done.returncode, out=done.stdout, err=done.stderr)


def run_here(command: click.Command, *arguments: str | Path) -> Run:
    """Runs a command as a user would, but in this process: no interpreter has to start."""
    out, err, mask = StringIO(), StringIO(), os.umask(0o022)
    words = [str(argument) for argument in arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = guarded(lambda: command.main(words, standalone_mode=False))
    finally:
        os.umask(mask)
    return Run(status=status, out=out.getvalue(), err=err.getvalue())


def rehearse(*options: str | Path, plan: Path = TOP / "ceremony.toml") -> Run:
    """`ceremony rehearse --auto` in this process, where passwords may cost nothing.

    It begins in a second of its own: records tell whole ones, and by these the order of the
    ceremonies in one folder.
    """
    time.sleep(1 - time.time() % 1)
    return run_here(practice, plan, "--auto", *options)


@dataclass(frozen=True)
class Kept:
    """What `ceremony rehearse --keep DIR` left."""

    directory: Path

    @property
    def upload(self) -> Path:
        return next((self.directory / "usb-out").glob("*-upload-*/"))

    @property
    def request(self) -> Path:
        return next((self.directory / "usb-in").glob("*-request-*/"))

    @property
    def evidence(self) -> Path:
        return next((self.directory / "evidence").glob("*-evidence-*/"))


@pytest.fixture(scope="session", params=["pkcs11", "file"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A rehearsal on a token, and one with an encrypted file."""
    directory = tmp_path_factory.mktemp("kept") / "keep"
    done = run("ceremony", "rehearse", "--auto", "--key-store", request.param, "--keep", directory)
    assert done.status == 0, done.err
    return Kept(directory)


@pytest.fixture(scope="session")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal with encrypted files, for the factory floor."""
    directory = tmp_path_factory.mktemp("floor") / "keep"
    done = run("ceremony", "rehearse", "--auto", "--key-store", "file", "--keep", directory)
    assert done.status == 0, done.err
    return directory


@pytest.fixture
def place(rehearsed: Path, tmp_path: Path) -> Place:
    tmp_path.chmod(0o700)
    return Place(rehearsed, tmp_path)
