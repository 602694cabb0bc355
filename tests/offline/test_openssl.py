"""The real `openssl verify`; a missing one says that it was not checked."""

from pathlib import Path

import pytest

from ceremony.flow.prompts import CheckStatus
from ceremony.offline.openssl import find_openssl, openssl_version, verify_chain


@pytest.fixture
def good(certificates: dict[str, bytes]) -> dict[str, tuple[str, bytes]]:
    return {
        "tls": ("tls", certificates["tls"]),
        "line-1": ("local-ca", certificates["local"]),
        "0d1a3c3a": ("device", certificates["device"]),
    }


def test_a_good_chain_passes_with_the_purpose_of_each(
    tmp_path: Path, certificates: dict[str, bytes], good: dict[str, tuple[str, bytes]]
) -> None:
    rows = verify_chain(certificates["root"], good, tmp_path)
    assert [row.status for row in rows] == [CheckStatus.PASS] * 5
    assert "-x509_strict -CAfile root.pem -purpose sslserver: OK" in rows[2].sentence
    assert "-purpose sslclient" in rows[4].sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "role", "which"),
    [
        ("signed by another key", "tls", "forged"),
        ("device certificate as a server", "tls", "device"),
        ("server certificate as a device", "device", "tls"),
    ],
)
def test_a_wrong_certificate_fails_alone(
    tmp_path: Path,
    name: str,
    role: str,
    which: str,
    certificates: dict[str, bytes],
    good: dict[str, tuple[str, bytes]],
) -> None:
    rows = verify_chain(certificates["root"], {**good, name: (role, certificates[which])}, tmp_path)
    assert [row.status for row in rows[:-1]] == [CheckStatus.PASS] * 5
    assert rows[-1].status is CheckStatus.FAIL
    assert rows[-1].code == "openssl.verify"
    assert rows[-1].hint


def test_a_root_of_the_recipe_fails_the_strict_check_only(
    tmp_path: Path, certificates: dict[str, bytes]
) -> None:
    tls = {"tls": ("tls", certificates["tls"])}
    assert verify_chain(certificates["recipe"], tls, tmp_path)[2].status is CheckStatus.FAIL
    loose = verify_chain(certificates["recipe"], tls, tmp_path, strict=False)
    assert [row.status for row in loose] == [CheckStatus.PASS] * 3


def test_the_trust_store_and_configuration_of_the_system_are_not_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificates: dict[str, bytes],
    good: dict[str, tuple[str, bytes]],
) -> None:
    """Not even when the environment points to ones that would accept or crash."""
    (tmp_path / "bad.cnf").write_text("openssl_conf = nowhere\n[")
    monkeypatch.setenv("OPENSSL_CONF", str(tmp_path / "bad.cnf"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bad.cnf"))
    assert verify_chain(certificates["root"], good, tmp_path)[2].status is CheckStatus.PASS
    wrong_root = verify_chain(certificates["local"], {"tls": good["tls"]}, tmp_path)
    assert wrong_root[2].status is CheckStatus.FAIL


def test_without_openssl_the_row_says_not_checked(
    tmp_path: Path, certificates: dict[str, bytes], good: dict[str, tuple[str, bytes]]
) -> None:
    assert find_openssl(str(tmp_path)) is None
    (row,) = verify_chain(certificates["root"], good, tmp_path, program=None)
    assert (row.status, row.code) == (CheckStatus.WARN, "openssl.not_checked")


def test_an_openssl_that_always_agrees_is_not_believed_without_its_words(
    tmp_path: Path, certificates: dict[str, bytes], good: dict[str, tuple[str, bytes]]
) -> None:
    fake = tmp_path / "openssl"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    rows = verify_chain(certificates["root"], good, tmp_path, program=fake)
    assert {row.status for row in rows[1:]} == {CheckStatus.FAIL}


def test_the_version_is_told() -> None:
    assert (openssl_version(find_openssl()) or "").startswith(("OpenSSL", "LibreSSL"))
