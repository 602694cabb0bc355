import os
import resource
import signal
import stat
from pathlib import Path

import pytest

from ceremony.bundle.writing import _refusals, read_back, write_directory, write_file
from ceremony.errors import MediaError

FILES = {"README.txt": b"hello\n", "tls.pem": b"x" * 5000}


def test_a_directory_appears_whole_and_reads_back(tmp_path: Path) -> None:
    target = write_directory(tmp_path, "acme-upload-1", FILES)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["acme-upload-1"]
    read_back(target, FILES)


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        shared = write_directory(tmp_path, "out", FILES)
        private = write_directory(tmp_path, "custody", FILES, private=True)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (shared, shared / "tls.pem")]
    assert modes == [0o755, 0o644]
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (private, private / "tls.pem")]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize("kind", ["directory", "empty", "file", "link"])
def test_threat_33_an_output_that_exists_is_refused_and_kept(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out"
    if kind == "file":
        target.write_bytes(b"mine")
    elif kind == "link":
        target.symlink_to("nowhere")
    else:
        target.mkdir()
        if kind == "directory":
            (target / "mine").write_bytes(b"mine")
    with pytest.raises(MediaError) as caught:
        write_directory(tmp_path, "out", FILES)
    assert caught.value.code == "media.exists"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_a_cut_of_power_left_is_replaced(tmp_path: Path) -> None:
    partial = tmp_path / ".out.partial"
    partial.mkdir()
    (partial / "tls.pem").write_bytes(b"half")
    (partial / "old").write_bytes(b"old")
    target = write_directory(tmp_path, "out", FILES)
    assert {p.name for p in target.iterdir()} == set(FILES)
    assert not partial.exists()


def test_a_link_in_place_of_the_partial_directory_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine").write_bytes(b"mine")
    (tmp_path / ".out.partial").symlink_to(victim)
    with pytest.raises(MediaError):
        write_directory(tmp_path, "out", FILES)
    assert (victim / "mine").read_bytes() == b"mine"


def test_threat_32_when_the_medium_refuses_nothing_is_left(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(MediaError) as caught:
            write_directory(tmp_path, "out", FILES)
        with pytest.raises(MediaError):
            write_file(tmp_path, "out.qr.png", FILES["tls.pem"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    assert caught.value.code == "media.write"
    assert list(tmp_path.iterdir()) == []


def test_threat_32_a_full_medium_is_called_full(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        write_to_full_device(tmp_path)
    assert caught.value.code == "media.full"


def write_to_full_device(target: Path) -> None:
    # /dev/full refuses every write with ENOSPC.
    with _refusals(target), open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")


@pytest.mark.parametrize("change", ["flip", "cut", "lose", "add"])
def test_threat_32_a_medium_that_lies_is_found_when_read_back(tmp_path: Path, change: str) -> None:
    target = write_directory(tmp_path, "out", FILES)
    if change == "flip":
        (target / "tls.pem").write_bytes(b"x" * 4999 + b"y")
    elif change == "cut":
        (target / "tls.pem").write_bytes(b"x" * 4096)
    elif change == "lose":
        (target / "tls.pem").unlink()
    else:
        (target / "extra").write_bytes(b"")
    with pytest.raises(MediaError) as caught:
        read_back(target, FILES)
    assert caught.value.code == "media.read_back"


def test_a_file_is_written_once_and_never_replaced_by_another(tmp_path: Path) -> None:
    write_file(tmp_path, "out.qr.png", b"one")
    write_file(tmp_path, "out.qr.png", b"one")
    for other in (b"two", b"longer than it", b""):
        with pytest.raises(MediaError) as caught:
            write_file(tmp_path, "out.qr.png", other)
        assert caught.value.code == "media.exists"
    assert (tmp_path / "out.qr.png").read_bytes() == b"one"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["../out", "/tmp/out", ".out", "", "a/b", "a\n"])
def test_a_name_that_is_a_path_is_a_bug_of_the_caller(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        write_directory(tmp_path, name, FILES)
