import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.bundle.sums import format_sums, verify_sums
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import VerificationError

NAMES = st.from_regex(r"\A[a-z0-9_-][a-z0-9._-]{0,20}\Z")
FILES = st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=8)


@given(FILES)
def test_what_was_written_verifies_and_its_digest_is_the_fingerprint(
    files: Mapping[str, bytes],
) -> None:
    sums = format_sums(files)
    assert verify_sums({**files, "SHA256SUMS": sums}) == Fingerprint.of(sums)
    assert format_sums({**files, "SHA256SUMS": sums}) == sums


@given(FILES, st.data())
def test_any_flipped_byte_of_the_list_is_found(
    files: Mapping[str, bytes], data: st.DataObject
) -> None:
    sums = bytearray(format_sums(files))
    at = data.draw(st.integers(0, len(sums) - 1))
    sums[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VerificationError):
        verify_sums({**files, "SHA256SUMS": bytes(sums)})


def test_coreutils_accept_the_list(tmp_path: Path) -> None:
    files = {"b.pem": b"2", "README.txt": b"1", "a-b.pem": b"3", "a_b.pem": b"", "a.b": b"5"}
    for name, data in {**files, "SHA256SUMS": format_sums(files)}.items():
        (tmp_path / name).write_bytes(data)
    argv = ["sha256sum", "-c", "--strict", "SHA256SUMS"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    names = [line.split("  ")[1] for line in format_sums(files).decode().splitlines()]
    assert names == ["README.txt", "a-b.pem", "a.b", "a_b.pem", "b.pem"]


A, B = (Fingerprint.of(x).hex for x in (b"1", b"2"))
GOOD = f"{A}  a\n{B}  b\n"


@pytest.mark.parametrize(
    ("sums", "code"),
    [
        (None, "sums.missing"),
        ("", "sums.syntax"),
        (f"{A}  a\n", "sums.not_listed"),
        (f"{GOOD}{A}  c\n", "sums.file_missing"),
        (f"{A}  a\n{A}  a\n{B}  b\n", "sums.duplicate"),
        (f"{B}  b\n{A}  a\n", "sums.order"),
        (f"{A}  a\n{A}  b\n", "sums.digest"),
        (GOOD.replace("\n", "\r\n"), "sums.syntax"),
        (GOOD.rstrip("\n"), "sums.syntax"),
        (GOOD + "\n", "sums.syntax"),
        (GOOD.upper(), "sums.syntax"),
        (f"\\{GOOD}", "sums.syntax"),
        (GOOD.replace("  a", " *a"), "sums.syntax"),
        (GOOD.replace("  a", "  ../a"), "sums.syntax"),
        (GOOD.replace("  a", "  .a"), "sums.syntax"),
        (f"{A}  SHA256SUMS\n{GOOD}", "sums.syntax"),
        (f"# comment\n{GOOD}", "sums.syntax"),
        (f"\ufeff{GOOD}", "sums.syntax"),
        (GOOD[3:], "sums.syntax"),
    ],
)
def test_threat_6_a_list_that_is_not_exactly_right_is_refused(sums: str | None, code: str) -> None:
    files = {"a": b"1", "b": b"2"}
    if sums is not None:
        files["SHA256SUMS"] = sums.encode()
    with pytest.raises(VerificationError) as caught:
        verify_sums(files)
    assert caught.value.code == code
