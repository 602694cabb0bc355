from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.errors import VerificationError
from ceremony.x509 import der, names, pem
from ceremony.x509.csr import read_csr
from ceremony.x509.public_keys import key_bits

Openssl = Callable[..., bytes]
NAME = names.encode_name((names.CN, "gateway"))


def _refused(data: bytes) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        read_csr(data, "tls.csr")
    return caught.value


def test_a_csr_of_openssl_is_read_to_the_byte(openssl: Openssl, tmp_path: Path) -> None:
    openssl(
        *("req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-keyout", "k", "-out", "c.csr", "-subj", "/CN=gw, one/O=Acme\\+Co/OU=acme-fleet"),
        *("-addext", "subjectAltName=DNS:b.foundries.io,DNS:a.foundries.io,IP:10.0.0.1"),
        *("-addext", "keyUsage=critical,digitalSignature", "-addext", "nsComment=hello"),
    )
    csr = read_csr((tmp_path / "c.csr").read_bytes(), "tls.csr")
    shown = openssl("req", "-in", "c.csr", "-noout", "-subject", "-nameopt", "RFC2253").decode()
    assert shown.strip() == f"subject={csr.subject}"
    assert csr.dns_names == ("b.foundries.io", "a.foundries.io")
    assert csr.extensions.other_names == ("IP:10.0.0.1",)
    assert (csr.common_name, csr.organizational_unit) == ("gw, one", "acme-fleet")
    assert csr.key == "EC P-256"
    assert csr.requested[:2] == (
        ("subjectAltName", "DNS:b.foundries.io, DNS:a.foundries.io, IP:10.0.0.1"),
        ("keyUsage", "critical, digitalSignature"),
    )
    assert csr.requested[2][0] == "nsComment"
    assert openssl("pkey", "-in", "k", "-pubout", "-outform", "DER") == csr.spki


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("-newkey", "ed25519"), "csr.key_type"),
        (("-newkey", "rsa:2048", "-md5"), "csr.digest_weak"),
        (("-newkey", "rsa:2048", "-sha1"), "csr.digest_weak"),
        (("-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss"), "csr.signature_algorithm"),
        (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "csr.key_curve"),
        (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime192v1"), "csr.key_curve"),
        (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha1"), "csr.digest_weak"),
        (
            (
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
                *("-pkeyopt", "ec_param_enc:explicit"),
            ),
            "csr.key_parameters",
        ),
    ],
)
def test_13_weak_and_odd_requests_of_openssl_are_refused_by_name(
    argv: tuple[str, ...], code: str, openssl: Openssl, tmp_path: Path
) -> None:
    openssl("req", "-new", "-nodes", "-keyout", "k", "-out", "c", "-subj", "/CN=x", *argv)
    assert _refused((tmp_path / "c").read_bytes()).code == code


def test_12_a_csr_signed_by_another_key_is_refused(make: type) -> None:
    data = make.csr(make.key(), NAME, spki=make.key().spki)
    assert _refused(data).code == "csr.signature_wrong"


def test_12_a_csr_altered_by_one_letter_is_refused(make: type) -> None:
    data = make.csr(make.key(), NAME).replace(b"gateway", b"gatewaz")
    assert _refused(data).code == "csr.signature_wrong"


def test_a_signature_that_is_no_signature_is_refused(make: type) -> None:
    parts = [one.raw for one in der.parse(make.csr(make.key(), NAME)).children]
    parts[2] = der.encode(der.BIT_STRING, b"\x00garbage")
    assert _refused(der.sequence(parts)).code == "csr.signature_wrong"


def _moved(spki: bytes, bits: bytes) -> bytes:
    algorithm = der.parse(spki).children[0].raw
    return der.sequence((algorithm, der.encode(der.BIT_STRING, b"\x00" + bits)))


def test_13_points_that_are_not_on_the_curve_are_refused(make: type) -> None:
    key = make.key()
    bits = key_bits(key.spki)
    compressed = bytes((2 + bits[-1] % 2,)) + bits[1:33]
    for odd in (bits[:-1] + bytes((bits[-1] ^ 1,)), b"\x00", b"", compressed, bits + b"\x00"):
        error = _refused(make.csr(key, NAME, spki=_moved(key.spki, odd)))
        assert error.code == "csr.key_point"


def test_a_p384_point_under_the_oid_of_p256_is_refused(make: type) -> None:
    from ceremony.config import Curve

    key = make.key()
    spki = _moved(key.spki, key_bits(make.key(Curve.P384).spki))
    assert _refused(make.csr(key, NAME, spki=spki)).code == "csr.key_point"


def _rsa(n: int, e: int) -> bytes:
    def number(value: int) -> bytes:
        return der.encode(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))

    algorithm = der.sequence((der.encode_oid("1.2.840.113549.1.1.1"), b"\x05\x00"))
    bits = der.encode(der.BIT_STRING, b"\x00" + der.sequence((number(n), number(e))))
    return der.sequence((algorithm, bits))


@pytest.mark.parametrize(
    ("spki", "code"),
    [
        (_rsa((1 << 16000) + 1, 65537), "csr.key_size"),
        (_rsa((1 << 511) + 1, 65537), "csr.key_size"),
        (_rsa(1 << 3071, 65537), "csr.key_size"),
        (_rsa((1 << 3071) + 1, 3), "csr.key_exponent"),
        (_rsa((1 << 3071) + 1, (1 << 2000) + 1), "csr.key_exponent"),
    ],
)
def test_13_rsa_keys_that_cost_or_break_are_refused(spki: bytes, code: str, make: type) -> None:
    assert _refused(make.csr(make.key(), NAME, spki=spki)).code == code


def test_structures_that_are_not_a_request_are_refused(make: type, hierarchy) -> None:
    key = make.key()
    good = make.csr(key, NAME)
    san = make.san((2, b"a.foundries.io"))
    twice = der.sequence(
        (
            der.encode_oid("1.2.840.113549.1.9.14"),
            der.encode(der.SET, der.sequence((san,))),
        )
    )
    endless = der.sequence((b"\x01\x01\xff", der.encode(der.INTEGER, b"\x7f" * 5000)))
    broken_extension = make.extension("2.5.29.19", b"\x30\x80\x00\x00")
    for data in (
        b"\x30\x00",
        good + b"\x00",
        hierarchy.root.der,
        make.csr(key, NAME, version=b"\x02\x01\x01"),
        make.csr(key, b"\x05\x00"),
        make.csr(key, NAME, (san, san)),
        make.csr(key, NAME, (san,), more=(twice,)),
        make.csr(key, NAME, (broken_extension,)),
        make.csr(key, NAME, (make.extension("2.5.29.17", b"\x30\x00"),)),
        make.csr(key, NAME, (make.extension("2.5.29.19", endless),)),
        make.csr(key, NAME, (make.extension("2.5.29.15", b"\x03\x04\x00\x01\x01\x01"),)),
        make.csr(key, der.sequence((der.encode(der.SET, b""),))),
    ):
        assert _refused(data).code == "csr.unreadable"


def test_ber_is_refused(make: type) -> None:
    good = make.csr(make.key(), NAME)
    content = der.parse(good).content
    assert _refused(b"\x30\x80" + content + b"\x00\x00").code == "csr.unreadable"


def test_size_is_bounded() -> None:
    assert _refused(b"\x30" * 70_000).code == "csr.too_large"


def test_a_private_key_beside_the_csr_is_a_loud_stop(make: type) -> None:
    data = pem.write_pem(make.csr(make.key(), NAME), pem.CERTIFICATE_REQUEST)
    assert _refused(data + pem.write_pem(b"x", "EC PRIVATE KEY")).code == "pem.private_key"


def test_other_attributes_are_named_but_their_values_are_not_shown(make: type) -> None:
    secret = der.sequence(
        (
            der.encode_oid("1.2.840.113549.1.9.7"),
            der.encode(der.SET, der.encode(der.UTF8, b"hunter2")),
        )
    )
    csr = read_csr(make.csr(make.key(), NAME, more=(secret,)), "tls")
    assert csr.requested == (("challengePassword", "(attribute, not shown)"),)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_of_bytes_is_accepted_or_crashes(hierarchy, data: st.DataObject) -> None:
    good = next(iter(hierarchy.csrs.values())).der
    at = data.draw(st.integers(0, len(good) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda value: value != good[at]))
    mutant = good[:at] + bytes((octet,)) + good[at + 1 :]
    with pytest.raises(VerificationError):
        read_csr(mutant, "tls")
