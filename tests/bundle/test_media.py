import os
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from ceremony.bundle import media
from ceremony.bundle.media import read_directory, read_file
from ceremony.errors import MediaError


def refused(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        read_directory(path)
    assert caught.value.status == 5
    return caught.value.code


def test_files_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "tls.csr").write_bytes(b"one")
    (tmp_path / "README.txt").write_bytes(b"\x00\xff")
    assert read_directory(tmp_path) == {"README.txt": b"\x00\xff", "tls.csr": b"one"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, id=f"threat-1-{number}")
        for number, name in enumerate(
            (
                ".hidden",
                "..data",
                "UPPER.csr",
                "a b",
                "c:\\x",
                "a\\..\\b",
                "-" * 65,
                "x\x1b[2J",
                "tls.csr\n",
                "tls\u202e.csr",
                "sha256sums~",
            )
        )
    ],
)
def test_a_name_outside_the_alphabet_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(MediaError) as caught:
        read_directory(tmp_path)
    assert caught.value.code == "media.name"
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff", "wb"):
        assert refused(tmp_path) == "media.name"


@pytest.mark.parametrize("pair", [("readme.txt", "README.txt"), ("sha256sums", "SHA256SUMS")])
def test_names_that_differ_in_case_only_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    for name in pair:
        (tmp_path / name).write_bytes(b"x")
    assert refused(tmp_path) == "media.name"


def plant_symlink(at: Path) -> None:
    at.symlink_to("/etc/hostname")


def plant_dangling_symlink(at: Path) -> None:
    at.symlink_to("nowhere")


def plant_hardlink(at: Path) -> None:
    other = at.parent.parent / "outside"
    other.write_bytes(b"x")
    os.link(other, at)


def plant_socket(at: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(at.parent)
        try:
            server.bind(at.name)
        finally:
            os.chdir(here)


def plant_device(at: Path) -> None:
    os.mknod(at, 0o600 | 0o020000, os.makedev(1, 5))


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (plant_symlink, "media.symlink"),
        (plant_dangling_symlink, "media.symlink"),
        (plant_hardlink, "media.hardlink"),
        (os.mkfifo, "media.not_regular"),
        (plant_socket, "media.not_regular"),
        (plant_device, "media.not_regular"),
        (os.mkdir, "media.folder"),
    ],
)
def test_threat_2_only_regular_files_of_one_name_are_read(
    tmp_path: Path, plant: Callable[[Path], None], code: str
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "a.csr").write_bytes(b"x")
    plant(stick / "tls.csr")
    assert refused(stick) == code
    with pytest.raises(MediaError) as caught:
        read_file(stick / "tls.csr", 100)
    assert caught.value.code == code


def test_threat_2_a_link_to_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert refused(tmp_path / "link") == "media.symlink"


def test_threat_3_a_sparse_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "tls.csr").open("wb") as file:
        file.truncate(1 << 40)
    assert refused(tmp_path) == "media.too_large"


@pytest.mark.parametrize(
    ("name", "cap"),
    [
        ("tls.csr", 64 * 1024),
        ("factory_ca.pem", 64 * 1024),
        ("SHA256SUMS", 64 * 1024),
        ("request.json", 1024 * 1024),
        ("device_ca_list.pem", 1024 * 1024),
    ],
)
def test_threat_3_a_file_may_be_as_large_as_its_cap_and_no_larger(
    tmp_path: Path, name: str, cap: int
) -> None:
    (tmp_path / name).write_bytes(b"x" * cap)
    assert len(read_directory(tmp_path)[name]) == cap
    (tmp_path / name).write_bytes(b"x" * (cap + 1))
    assert refused(tmp_path) == "media.too_large"


def test_threat_3_a_file_that_says_it_is_empty_and_is_not_stops_at_the_cap() -> None:
    # The kernel's files have size 0 and any content.
    with pytest.raises(MediaError) as caught:
        read_file(Path("/proc/self/maps"), 10)
    assert caught.value.code == "media.too_large"


def test_threat_3_many_large_files_are_refused_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MAX_TOTAL_BYTES", 100_000)
    for number in range(3):
        (tmp_path / f"{number}.csr").write_bytes(b"x" * 50_000)
    assert refused(tmp_path) == "media.too_large"


def test_threat_3_thousands_of_files_are_refused(tmp_path: Path) -> None:
    for number in range(64):
        (tmp_path / f"{number}.csr").touch()
    assert len(read_directory(tmp_path)) == 64
    (tmp_path / "x.csr").touch()
    assert refused(tmp_path) == "media.entries"


def make_zip(at: Path) -> Path:
    with zipfile.ZipFile(at, "w") as archive:
        archive.writestr("request.json", "{}")
    return at


def make_tar(at: Path) -> Path:
    mode = "w:gz" if at.name.endswith("gz") else "w"
    with tarfile.open(at, mode) as archive:  # type: ignore[call-overload]
        archive.add(__file__, "request.json")
    return at


@pytest.mark.parametrize(
    ("make", "name"),
    [(make_zip, "bundle.zip"), (make_tar, "bundle.tar.gz"), (make_tar, "bundle.tar")],
)
def test_threat_4_an_archive_is_refused_with_what_to_do(
    tmp_path: Path, make: Callable[[Path], Path], name: str
) -> None:
    archive = make(tmp_path / name)
    for path in (archive, tmp_path):
        with pytest.raises(MediaError) as caught:
            read_directory(path)
        assert caught.value.code == "media.archive"
        assert caught.value.hint.startswith("Unpack it")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_threat_4_an_archive_under_another_name_is_known_by_its_bytes(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    make(tmp_path / "tls.csr")
    assert refused(tmp_path) == "media.archive"


P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
SECRET = BestAvailableEncryption(b"secret")


@pytest.mark.parametrize("key", [P256, RSA], ids=["ec", "rsa"])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize(
    ("form", "encryption"),
    [
        (PrivateFormat.PKCS8, NoEncryption()),
        (PrivateFormat.PKCS8, SECRET),
        (PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    ],
)
def test_threat_8_a_private_key_on_the_stick_is_a_loud_stop(
    tmp_path: Path, key: object, encoding: Encoding, form: PrivateFormat, encryption: object
) -> None:
    data = key.private_bytes(encoding, form, encryption)  # type: ignore[attr-defined]
    (tmp_path / "notes.txt").write_bytes(b"hello\n" + data if encoding is Encoding.PEM else data)
    with pytest.raises(MediaError) as caught:
        read_directory(tmp_path)
    assert caught.value.code == "media.private_key"
    assert "PRIVATE KEY" in caught.value.message
    assert read_directory(tmp_path, private_keys=True)


def test_threat_8_a_pkcs_12_file_and_an_openssh_key_are_private_keys(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(
        pkcs12.serialize_key_and_certificates(b"x", P256, None, None, SECRET)
    )
    assert refused(tmp_path) == "media.private_key"
    (tmp_path / "a.bin").write_bytes(
        P256.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    )
    assert refused(tmp_path) == "media.private_key"


def test_a_directory_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere") == "media.unreadable"
    (tmp_path / "file").write_bytes(b"x")
    assert refused(tmp_path / "file") == "media.not_directory"
