"""The encrypted key file: its form, its rights, and what is never believed."""

import os
import re
import stat
import subprocess

import pytest
from asn1crypto import keys, pem
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from ceremony.config import Curve
from ceremony.core import words
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys.file import FileKeyStore, new_passphrase

PASSPHRASE = Secret("twelve-words-would-stand-here")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


def names(folder):
    return [path.name for path in folder.iterdir()]


def refused(call) -> str:
    with pytest.raises(KeyStoreError) as error:
        call()
    return error.value.code


def make(folder, curve=Curve.P256):
    with FileKeyStore(folder / "line-1.key") as store:
        store.login(PASSPHRASE)
        return store.generate("line-1", "", curve)


def login(folder) -> str:
    return refused(lambda: FileKeyStore(folder / "line-1.key").login(PASSPHRASE))


@pytest.mark.parametrize("curve", list(Curve))
def test_openssl_reads_the_key_and_agrees_on_its_public_half(folder, curve):
    key = make(folder, curve)
    command = ["openssl", "pkey", "-in", str(folder / "line-1.key"), "-passin", "stdin"]
    done = subprocess.run(
        [*command, "-pubout", "-outform", "DER"],
        input=PASSPHRASE.reveal().encode() + b"\n",
        capture_output=True,
        check=True,
    )
    assert done.stdout == key.spki


def test_the_encryption_is_pbes2_with_600000_rounds_and_aes_256(folder):
    make(folder)
    label, _, der = pem.unarmor((folder / "line-1.key").read_bytes())
    assert label == "ENCRYPTED PRIVATE KEY"
    native = keys.EncryptedPrivateKeyInfo.load(der)["encryption_algorithm"].native
    assert native["algorithm"] == "pbes2"
    derivation = native["parameters"]["key_derivation_func"]
    assert derivation["algorithm"] == "pbkdf2"
    assert derivation["parameters"]["iteration_count"] == 600_000
    assert derivation["parameters"]["prf"]["algorithm"] == "sha256"
    assert native["parameters"]["encryption_scheme"]["algorithm"] == "aes256_cbc"


def test_two_files_share_no_salt(folder, tmp_path):
    make(folder)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    make(other)
    salts = set()
    for place in (folder, other):
        _, _, der = pem.unarmor((place / "line-1.key").read_bytes())
        envelope = keys.EncryptedPrivateKeyInfo.load(der)
        parameters = envelope["encryption_algorithm"]["parameters"].native
        salts.add(parameters["key_derivation_func"]["parameters"]["salt"])
    assert len(salts) == 2


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_file_is_private_whatever_the_umask(folder, umask):
    before = os.umask(umask)
    try:
        make(folder)
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "line-1.key").stat().st_mode) == 0o600
    assert names(folder) == ["line-1.key"]


def test_the_label_must_be_the_files(folder):
    store = FileKeyStore(folder / "line-1.key")
    store.login(PASSPHRASE)
    assert refused(lambda: store.generate("line-2", "", Curve.P256)) == "file.label"
    assert names(folder) == []


def test_a_dangling_link_in_the_place_of_the_key_is_not_followed(folder, tmp_path):
    store = FileKeyStore(folder / "line-1.key")
    store.login(PASSPHRASE)
    (folder / "line-1.key").symlink_to(tmp_path / "elsewhere")
    assert refused(lambda: store.generate("line-1", "", Curve.P256)) == "file.exists"
    assert not (tmp_path / "elsewhere").exists()
    assert login(folder) == "file.unreadable"


def test_a_link_to_a_good_key_is_refused(folder, tmp_path):
    make(folder)
    (folder / "line-1.key").rename(tmp_path / "moved.key")
    (folder / "line-1.key").symlink_to(tmp_path / "moved.key")
    assert login(folder) == "file.unreadable"


def test_a_link_in_the_place_of_the_unfinished_file_is_not_followed(folder, tmp_path):
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    (folder / ".line-1.key.partial").symlink_to(target)
    make(folder)
    assert target.read_bytes() == b"precious"
    assert names(folder) == ["line-1.key"]


def test_an_unfinished_file_is_never_believed_and_goes_away(folder):
    (folder / ".line-1.key.partial").write_bytes(b"-----BEGIN ENCRY")
    store = FileKeyStore(folder / "line-1.key")
    store.login(PASSPHRASE)
    assert store.keys() == ()
    assert not store.info().initialized
    store.generate("line-1", "", Curve.P256)
    assert names(folder) == ["line-1.key"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_2_what_is_no_file_in_the_place_of_the_key_is_refused_without_waiting(folder, make):
    make(folder / "line-1.key")
    assert login(folder) == "file.unreadable"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_file_that_others_can_read_is_refused(folder, mode):
    make(folder)
    (folder / "line-1.key").chmod(mode)
    assert login(folder) == "file.permissions"


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_folder_that_others_can_write_is_refused(folder, mode):
    folder.chmod(mode)
    assert login(folder) == "file.permissions"


def test_a_folder_that_is_missing_is_an_error(tmp_path):
    assert login(tmp_path / "none") == "file.unreadable"


def pkcs8(encryption) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: good[: len(good) // 2], id="half"),
        pytest.param(lambda good: good + b"\n", id="trailing"),
        pytest.param(lambda good: good + good, id="twice"),
        pytest.param(lambda good: b"# note\n" + good, id="leading"),
        pytest.param(lambda good: good.replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(lambda good: good + b"x" * 20_000, id="huge"),
        pytest.param(lambda good: pkcs8(NoEncryption()), id="unencrypted"),
        pytest.param(
            lambda good: pkcs8(BestAvailableEncryption(PASSPHRASE.reveal().encode())),
            id="few rounds",
        ),
    ],
)
def test_a_file_of_another_form_is_refused(folder, content):
    make(folder)
    path = folder / "line-1.key"
    path.write_bytes(content(path.read_bytes()))
    assert login(folder) == "file.form"


def test_absurdly_many_rounds_are_refused_before_they_are_done(folder):
    make(folder)
    path = folder / "line-1.key"
    _, _, der = pem.unarmor(path.read_bytes())
    assert der.count(b"\x02\x03\x09\x27\xc0") == 1
    path.write_bytes(
        pem.armor(
            "ENCRYPTED PRIVATE KEY", der.replace(b"\x02\x03\x09\x27\xc0", b"\x02\x03\x7f\xff\xff")
        )
    )
    assert login(folder) == "file.passphrase_wrong"
    parsed = keys.EncryptedPrivateKeyInfo.load(der)
    kdf = parsed["encryption_algorithm"]["parameters"]["key_derivation_func"]["parameters"]
    kdf["iteration_count"] = 2**40
    path.write_bytes(pem.armor("ENCRYPTED PRIVATE KEY", parsed.dump(force=True)))
    assert login(folder) == "file.form"


def test_a_changed_byte_of_the_ciphertext_opens_nothing(folder):
    make(folder)
    path = folder / "line-1.key"
    _, _, der = pem.unarmor(path.read_bytes())
    path.write_bytes(pem.armor("ENCRYPTED PRIVATE KEY", der[:-1] + bytes([der[-1] ^ 1])))
    assert login(folder) == "file.passphrase_wrong"


def test_a_full_or_read_only_folder_leaves_no_key(folder, monkeypatch):
    store = FileKeyStore(folder / "line-1.key")
    store.login(PASSPHRASE)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ceremony.keys.file.os.fsync", full)
    assert refused(lambda: store.generate("line-1", "", Curve.P256)) == "file.unwritable"
    monkeypatch.undo()
    assert not (folder / "line-1.key").exists()
    assert store.keys() == ()


def test_a_passphrase_has_96_bits_in_words_of_the_list():
    asked = []

    def randbytes(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    phrase = new_passphrase(randbytes).reveal()
    assert asked == [12]
    assert re.fullmatch(r"[a-z]+(-[a-z]+){11}", phrase)
    typed = phrase.split("-")
    assert [words.value_at(at, word) for at, word in enumerate(typed)] == list(range(12))


@given(st.binary(min_size=12, max_size=12))
def test_different_bytes_make_different_passphrases(raw):
    phrase = new_passphrase(lambda _: raw).reveal()
    typed = phrase.split("-")
    assert bytes(v for at, w in enumerate(typed) if (v := words.value_at(at, w)) is not None) == raw
