import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.errors import VerificationError
from ceremony.x509 import pem

BLOCK = pem.write_pem(bytes(range(100)), pem.CERTIFICATE)


@given(st.binary(max_size=300), st.sampled_from([b"\n", b"\r\n"]))
def test_what_is_written_is_read(data: bytes, newline: bytes) -> None:
    text = pem.write_pem(data, pem.CERTIFICATE)
    assert pem.read_pem(text.replace(b"\n", newline), pem.CERTIFICATE, "x") == data


def test_lines_have_64_characters_and_lf() -> None:
    lines = BLOCK.split(b"\n")
    assert [len(line) for line in lines] == [27, 64, 64, 8, 25, 0]


def test_a_concatenation_is_read_in_order() -> None:
    other = pem.write_pem(b"two", pem.CERTIFICATE)
    assert pem.read_pem_list(BLOCK + other, pem.CERTIFICATE, "x") == (bytes(range(100)), b"two")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "pem.none"),
        (b"hello", "pem.none"),
        (BLOCK + BLOCK, "pem.several"),
        (b"Bag Attributes\n" + BLOCK, "pem.surplus"),
        (b"\n" + BLOCK, "pem.surplus"),
        (b"\xef\xbb\xbf" + BLOCK, "pem.surplus"),
        (BLOCK + b"\n", "pem.surplus"),
        (BLOCK + b"x", "pem.surplus"),
        (BLOCK.replace(b"AAEC", b"AA EC"), "pem.surplus"),
        (BLOCK.replace(b"-----END", b"----END"), "pem.surplus"),
        (BLOCK.replace(b"BEGIN CERTIFICATE", b"BEGIN X509 CRL"), "pem.label"),
        (pem.write_pem(b"x", "PUBLIC KEY"), "pem.label"),
        (pem.write_pem(b"x", pem.CERTIFICATE).replace(b"eA==", b"eB=="), "pem.base64"),
        (pem.write_pem(b"x", pem.CERTIFICATE).replace(b"eA==", b"eA="), "pem.base64"),
        (pem.write_pem(b"x", pem.CERTIFICATE).replace(b"eA==\n", b"eA=="), "pem.base64"),
        (pem.write_pem(b"xxxx", pem.CERTIFICATE).replace(b"eA==", b"\n\neA=="), "pem.base64"),
        (BLOCK.replace(b"\n", b"").replace(b"-----A", b"-----\nA"), "pem.base64"),
        (BLOCK + pem.write_pem(b"x", "EC PRIVATE KEY"), "pem.private_key"),
        (pem.write_pem(b"x", "ENCRYPTED PRIVATE KEY"), "pem.private_key"),
        (b"junk -----BEGIN PRIVATE KEY-----", "pem.private_key"),
    ],
)
def test_anything_but_one_clean_block_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(VerificationError) as caught:
        pem.read_pem(data, pem.CERTIFICATE, "tls.csr")
    assert caught.value.code == code
    assert "tls.csr" in caught.value.message


def test_the_old_label_of_a_request_is_accepted() -> None:
    data = pem.write_pem(b"x", "NEW CERTIFICATE REQUEST")
    assert pem.read_pem(data, pem.CERTIFICATE_REQUEST, "x") == b"x"


def test_a_megabyte_of_nothing_is_refused_quickly() -> None:
    data = b"-----BEGIN CERTIFICATE-----\n" + b"A" * 1_000_000
    with pytest.raises(VerificationError) as caught:
        pem.read_pem(data, pem.CERTIFICATE, "x")
    assert caught.value.code == "pem.surplus"
