import os
from datetime import UTC, datetime, timedelta

import pytest

from ceremony.config import Curve, Slot
from ceremony.errors import VerificationError
from ceremony.x509 import der, issuing, names
from ceremony.x509.certificate import read_certificate, tbs_of
from ceremony.x509.csr import read_csr


@pytest.fixture
def answer(make: type, hierarchy):
    """The content that answers a CSR with this subject and these extensions."""

    def run(subject: bytes, *extensions: bytes, slot: Slot = Slot.TLS, **more):
        csr = read_csr(make.csr(make.key(), subject, extensions), "tls")
        fixed = {
            "issuer": issuing.issuer_of(hierarchy.root),
            "serial": 1 << 158,
            "not_before": make.begin,
            "days": 3650,
            "not_past": hierarchy.root.not_after,
        }
        return issuing.csr_content(csr=csr, slot=slot, **{**fixed, **more})

    return run


@pytest.mark.parametrize("tag", [der.PRINTABLE, der.TELETEX, der.BMP, der.IA5, der.UTF8])
def test_the_subject_keeps_the_bytes_of_the_csr(tag: int, answer, make: type) -> None:
    octets = b"\0g\0w" if tag == der.BMP else b"gw"
    subject = der.sequence(
        (
            make.rdn(make.attribute(names.OU, tag, octets)),
            make.rdn(make.attribute(names.CN, der.UTF8, b"x"), make.attribute("1.2.3", tag, b"\0")),
        )
    )
    content = answer(subject, make.san((2, b"a.foundries.io")))
    one = read_certificate(issuing.twin(content, Curve.P256), "twin")
    assert one.subject_der == subject


def test_the_issuer_keeps_the_bytes_of_an_old_root(answer, make: type) -> None:
    old = der.sequence((make.rdn(make.attribute(names.CN, der.PRINTABLE, b"Factory-CA")),))
    issuer = issuing.Issuer(subject_der=old, spki=make.key().spki, ski=b"\x01" * 32)
    content = answer(names.EMPTY_NAME, make.san((2, b"a.foundries.io")), issuer=issuer)
    one = read_certificate(issuing.twin(content, Curve.P256), "twin")
    assert one.issuer_der == old
    assert one.aki == b"\x01" * 32


def test_names_become_critical_when_the_subject_is_empty(answer, make: type) -> None:
    host = make.san((2, b"a.foundries.io"))
    for subject, critical in (
        (names.EMPTY_NAME, True),
        (names.encode_name(("2.5.4.3", "x")), False),
    ):
        one = read_certificate(issuing.twin(answer(subject, host), Curve.P256), "twin")
        assert one.extensions.find("2.5.29.17").critical is critical


def test_the_order_of_names_is_kept(answer, make: type) -> None:
    host = make.san((2, b"z.foundries.io"), (2, b"a.foundries.io"), (2, b"m.foundries.io"))
    one = read_certificate(issuing.twin(answer(names.EMPTY_NAME, host), Curve.P256), "twin")
    assert one.dns_names == ("z.foundries.io", "a.foundries.io", "m.foundries.io")


def test_a_ca_slot_issues_no_names(answer, make: type) -> None:
    subject = names.encode_name((names.CN, "online"), (names.OU, "acme-fleet"))
    content = answer(subject, make.san((2, b"evil.example")), slot=Slot.ONLINE_CA)
    one = read_certificate(issuing.twin(content, Curve.P256), "twin")
    assert [e.name for e in one.extensions.all] == [
        "basicConstraints",
        "keyUsage",
        "subjectKeyIdentifier",
        "authorityKeyIdentifier",
    ]


def test_a_name_that_policy_would_refuse_cannot_be_issued(answer, make: type) -> None:
    for evil in (b"*.foundries.io", b"a\x00.foundries.io", b"a b"):
        with pytest.raises(ValueError, match="host name"):
            answer(names.EMPTY_NAME, make.san((2, evil)))


@pytest.mark.parametrize("curve", list(Curve))
def test_two_twins_differ_only_in_the_signature(curve: Curve, answer, make: type) -> None:
    content = answer(names.EMPTY_NAME, make.san((2, b"a.foundries.io")))
    one, two = issuing.twin(content, curve), issuing.twin(content, curve)
    assert one != two
    assert tbs_of(one) == tbs_of(two)


def test_assembling_keeps_the_bytes_that_were_signed(hierarchy) -> None:
    for one in hierarchy.certificates.values():
        tbs = tbs_of(one.der)
        signature = der.octet_bits(der.parse(one.der).children[2], "it")
        assert issuing.assemble(tbs, signature) == one.der


def test_serials_have_159_random_bits_at_most() -> None:
    assert issuing.new_serial(lambda n: b"\xff" * n) == (1 << 159) - 1
    drawn = [issuing.new_serial(os.urandom) for _ in range(200)]
    assert len(set(drawn)) == 200
    assert 0 < max(drawn).bit_length() <= 159
    assert any(one >> 158 for one in drawn)
    assert not all(one >> 158 for one in drawn)
    with pytest.raises(ValueError, match="random"):
        issuing.new_serial(bytes)


def test_an_end_past_the_issuer_is_clamped(answer, make: type, hierarchy) -> None:
    host = make.san((2, b"a.foundries.io"))
    late = hierarchy.root.not_after - timedelta(days=10)
    assert answer(names.EMPTY_NAME, host, not_before=late).not_after == hierarchy.root.not_after
    with pytest.raises(VerificationError) as caught:
        answer(names.EMPTY_NAME, host, not_before=hierarchy.root.not_after)
    assert caught.value.code == "issuing.issuer_expired"


def test_dates_from_2050_on_are_generalized_time(make: type) -> None:
    content = issuing.root_content(
        factory="acme-fleet",
        spki=make.key().spki,
        serial=1 << 100,
        not_before=datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
        days=1,
        profile="strict",
    )
    twin = issuing.twin(content, Curve.P256)
    assert b"\x17\x0d491231235959Z\x18\x0f20500101235959Z" in twin
    one = read_certificate(twin, "twin")
    assert one.not_before == content.not_before
    assert one.not_after == content.not_after


def test_a_naive_or_split_second_date_is_a_bug(make: type) -> None:
    for odd in (datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)):  # noqa: DTZ001
        with pytest.raises(ValueError, match="whole seconds"):
            issuing.root_content(
                factory="f",
                spki=make.key().spki,
                serial=1,
                not_before=odd,
                days=9,
                profile="strict",
            )


def test_an_rsa_key_of_a_csr_is_kept(openssl, tmp_path, hierarchy, make: type) -> None:
    openssl(
        *("req", "-new", "-nodes", "-newkey", "rsa:3072", "-keyout", "k", "-out", "c"),
        *("-subj", "/CN=online"),
    )
    csr = read_csr((tmp_path / "c").read_bytes(), "online-ca")
    content = issuing.csr_content(
        csr=csr,
        slot=Slot.ONLINE_CA,
        issuer=issuing.issuer_of(hierarchy.root),
        serial=5,
        not_before=make.begin,
        days=10,
        not_past=hierarchy.root.not_after,
    )
    assert read_certificate(issuing.twin(content, Curve.P256), "twin").spki == csr.spki
