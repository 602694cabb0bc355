"""The wheel that goes to a laptop without a network holds what the source tree holds."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ceremony.installation import tool_sha256

_TOP = Path(__file__).parents[2]
_SOURCES = ("assets", "ceremony", "screens")
_FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "ceremony.toml")
_HASH = (
    "find assets ceremony screens -type f ! -path '*/__pycache__/*' -print0 |"
    " LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in _SOURCES:
        shutil.copytree(_TOP / name, tree / name)
    for name in _FILES:
        shutil.copy(_TOP / name, tree)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index"]
    subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "-w", out, tree],
        check=True,
        capture_output=True,
    )
    (found,) = out.glob("*.whl")
    with zipfile.ZipFile(found) as archive:
        archive.extractall(out / "unpacked")
    return out / "unpacked"


def test_the_build_hash_of_the_wheel_is_that_of_the_sources(wheel: Path) -> None:
    told = subprocess.run(_HASH, shell=True, cwd=wheel, capture_output=True, text=True, check=True)
    assert told.stdout.split()[0] == tool_sha256()


def test_the_wheel_brings_the_example_plan_and_nothing_compiled(wheel: Path) -> None:
    (plan,) = wheel.glob("*.data/data/share/doc/ceremony/ceremony.toml")
    assert plan.read_bytes() == (_TOP / "ceremony.toml").read_bytes()
    assert not list(wheel.rglob("*.pyc"))
