from dataclasses import replace

import pytest

from ceremony.config import Curve, Slot, parse
from ceremony.core.findings import Severity
from ceremony.x509 import der, names
from ceremony.x509.csr import (
    CsrRules,
    check_csr,
    check_keys,
    check_local_ca_csr,
    read_csr,
    rules_of,
)

CN, OU, O = "2.5.4.3", "2.5.4.11", "2.5.4.10"  # noqa: E741
GATEWAY = names.encode_name((CN, "gateway"), (OU, "acme-fleet"))
ONLINE = names.encode_name((CN, "online"), (OU, "acme-fleet"))
CA_TRUE = b"\x30\x03\x01\x01\xff"
CERT_SIGN = b"\x03\x02\x02\x04"
CLIENT_AUTH = der.sequence((der.encode_oid("1.3.6.1.5.5.7.3.2"),))
SERVER_AUTH = der.sequence((der.encode_oid("1.3.6.1.5.5.7.3.1"),))


def _codes(findings) -> list[tuple[str, str]]:
    return [(one.severity.value, one.code) for one in findings]


@pytest.fixture
def check(make: type, rules: CsrRules):
    """Checks a CSR made of a subject and extensions; gives its codes."""

    def run(slot: Slot, subject: bytes, *extensions: bytes, key=None, rules=rules, current=None):
        csr = read_csr(make.csr(key or make.key(), subject, extensions), slot.value)
        return _codes(check_csr(csr, slot, rules, current))

    return run


@pytest.fixture
def hosts(check, make: type):
    """Checks a TLS CSR with these names; gives its codes."""

    def run(*octets: bytes, slot: Slot = Slot.TLS, **more):
        return check(slot, GATEWAY, make.san(*((2, one) for one in octets)), **more)

    return run


def test_good_requests_have_no_findings(hierarchy, rules: CsrRules) -> None:
    found = {slot: _codes(check_csr(csr, slot, rules)) for slot, csr in hierarchy.csrs.items()}
    note = [("note", "csr.subject_no_ou")]
    assert found == {Slot.TLS: note, Slot.EST_TLS: note, Slot.ONLINE_CA: []}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (b"*.foundries.io", "csr.san_wildcard"),
        (b"a*.foundries.io", "csr.san_wildcard"),
        (b"evil.example", "csr.san_suffix"),
        (b"evilfoundries.io", "csr.san_suffix"),
        (b"foundries.io.evil.example", "csr.san_suffix"),
        (b"foundries.io.", "csr.san_syntax"),
        (b"a..foundries.io", "csr.san_syntax"),
        (b".foundries.io", "csr.san_syntax"),
        (b"-a.foundries.io", "csr.san_syntax"),
        (b"a_b.foundries.io", "csr.san_syntax"),
        (b"a b.foundries.io", "csr.san_syntax"),
        (b"[@click=app.exit]x.foundries.io", "csr.san_syntax"),
        (b"a" * 64 + b".foundries.io", "csr.san_syntax"),
        (b"a." * 126 + b"foundries.io", "csr.san_syntax"),
        (b"xn--fundries-2fg.foundries.io", "csr.san_punycode"),
        (b"XN--fundries-2fg.foundries.io", "csr.san_punycode"),
        ("f\u043eo.foundries.io".encode(), "csr.san_not_ascii"),
        (b"a\x1b]0;owned\x07.foundries.io", "csr.san_not_ascii"),
        (b"a.foundries.io\x00.evil", "csr.san_not_ascii"),
    ],
)
def test_15_tricks_in_a_host_name_stop(name: bytes, code: str, hosts) -> None:
    found = hosts(name)
    assert ("error", code) in found
    assert {severity for severity, _ in found} == {"error"}


def test_15_an_address_in_disguise_stops(hosts, rules: CsrRules) -> None:
    loose = replace(rules, host_suffixes=("1", "foundries.io"))
    assert hosts(b"10.0.0.1", rules=loose) == [("error", "csr.san_syntax")]


def test_no_message_carries_the_escapes_of_a_name(make: type, rules: CsrRules) -> None:
    evil = b"\x1b[2J\xe2\x80\xae.foundries.io"
    subject = names.encode_name((CN, "\x1b[2J\u202e"))
    csr = read_csr(make.csr(make.key(), subject, (make.san((2, evil), (6, evil)),)), "tls")
    for text in (
        csr.subject,
        csr.common_name or "",
        *csr.dns_names,
        *(value for pair in csr.requested for value in pair),
        *(one.message for one in check_csr(csr, Slot.TLS, rules)),
    ):
        assert all(0x20 <= ord(char) < 0x7F for char in text), text


def test_a_look_alike_is_named_by_its_code_points(make: type, rules: CsrRules) -> None:
    host = make.san((2, "f\u043ea\u202e\x1bab.foundries.io".encode()))
    csr = read_csr(make.csr(make.key(), GATEWAY, (host,)), "tls")
    (found,) = check_csr(csr, Slot.TLS, rules)
    assert "U+043E, U+202E, U+001B" in found.message
    subject = names.encode_name((CN, "onl\u0456ne"), (OU, "acme-fleet"))
    csr = read_csr(make.csr(make.key(), subject), "online-ca")
    (found,) = check_csr(csr, Slot.ONLINE_CA, rules)
    assert "U+0456" in found.message


def test_a_backslash_in_a_name_is_no_escape(hosts) -> None:
    assert hosts(b"a\\x41.foundries.io") == [("error", "csr.san_syntax")]


def test_floods_of_names_and_parts_make_few_findings(hosts, check) -> None:
    found = hosts(*(b"h%d.example" % i for i in range(2000)))
    assert found[0] == ("error", "csr.san_many")
    assert len(found) == 33
    parts = names.encode_name((CN, "x"), (OU, "acme-fleet"), *[("2.5.4.10", "y" * 70)] * 500)
    assert check(Slot.ONLINE_CA, parts) == [("error", "csr.subject_parts")]


def test_upper_case_names_pass_and_twins_do_not(hosts) -> None:
    assert hosts(b"A.Foundries.IO") == []
    assert hosts(b"a.foundries.io", b"A.foundries.io") == [("error", "csr.san_repeated")]


def test_punycode_passes_where_the_plan_allows_it(hosts, rules: CsrRules) -> None:
    assert hosts(b"xn--e1a.foundries.io", rules=replace(rules, punycode=True)) == []


def test_15_a_service_needs_a_name_and_est_exactly_one(hosts, check) -> None:
    assert check(Slot.TLS, GATEWAY) == [("error", "csr.san_missing")]
    assert hosts(b"a.foundries.io", b"b.foundries.io") == []
    two = hosts(b"a.foundries.io", b"b.foundries.io", slot=Slot.EST_TLS)
    assert two == [("error", "csr.san_count")]


@pytest.mark.parametrize(
    "odd", [(7, b"\x0a\x00\x00\x01"), (6, b"https://a.foundries.io"), (1, b"a@foundries.io")]
)
def test_15_other_kinds_of_names_stop(odd: tuple[int, bytes], check, make: type) -> None:
    both = make.san((2, b"a.foundries.io"), odd)
    assert check(Slot.TLS, GATEWAY, both) == [("error", "csr.san_type")]


def test_14_a_ca_in_a_service_slot_stops_and_other_wishes_are_ignored(check, make: type) -> None:
    host = make.san((2, b"a.foundries.io"))
    assert check(Slot.TLS, GATEWAY, host, make.extension("2.5.29.19", CA_TRUE)) == [
        ("error", "csr.ca_requested")
    ]
    assert check(
        Slot.TLS,
        GATEWAY,
        host,
        make.extension("2.5.29.15", CERT_SIGN),
        make.extension("2.5.29.37", CLIENT_AUTH),
        make.extension("2.5.29.32", b"\x30\x00"),
    ) == [
        ("warning", "csr.key_usage_ignored"),
        ("warning", "csr.eku_ignored"),
        ("note", "csr.extension_ignored"),
    ]


def test_what_the_profile_gives_anyway_may_be_asked_for(check, make: type) -> None:
    host = make.san((2, b"a.foundries.io"))
    usage = make.extension("2.5.29.15", b"\x03\x02\x07\x80", critical=True)
    assert check(Slot.TLS, GATEWAY, host, usage, make.extension("2.5.29.37", SERVER_AUTH)) == []
    wishes = (make.extension("2.5.29.19", CA_TRUE), make.extension("2.5.29.15", CERT_SIGN))
    assert check(Slot.ONLINE_CA, ONLINE, *wishes) == []


def test_14_a_ca_slot_gives_no_names_and_no_purposes(check, make: type) -> None:
    wishes = (make.san((2, b"evil.example")), make.extension("2.5.29.37", SERVER_AUTH))
    assert check(Slot.ONLINE_CA, ONLINE, *wishes, make.extension("2.5.29.19", b"\x30\x00")) == [
        ("warning", "csr.san_ignored"),
        ("warning", "csr.ca_not_requested"),
        ("warning", "csr.eku_ignored"),
    ]


@pytest.mark.parametrize(
    ("subject", "code"),
    [
        (((CN, "online"),), "csr.subject_ou"),
        (((CN, "online"), (OU, "other")), "csr.subject_ou"),
        (((CN, "online"), (OU, "Acme-fleet")), "csr.subject_ou"),
        (((OU, "acme-fleet"),), "csr.subject_cn"),
        (((CN, " "), (OU, "acme-fleet")), "csr.subject_cn"),
        (((CN, "Factory-CA"), (OU, "acme-fleet")), "csr.subject_cn"),
        (((CN, "fio-5e8a"), (OU, "acme-fleet")), "csr.subject_cn"),
        (((CN, "onl\u0456ne"), (OU, "acme-fleet")), "csr.subject_not_ascii"),
        (((CN, "online\u200b"), (OU, "acme-fleet")), "csr.subject_control"),
        (((CN, "x" * 65), (OU, "acme-fleet")), "csr.subject_long"),
        (((CN, "online"), (OU, "acme-fleet"), (O, "y" * 65)), "csr.subject_long"),
        (((CN, "online"), (OU, "acme-fleet"), (O, "")), "csr.subject_empty_value"),
    ],
)
def test_16_a_ca_subject_is_as_it_must_be(subject: tuple, code: str, check) -> None:
    assert check(Slot.ONLINE_CA, names.encode_name(*subject)) == [("error", code)]


def test_an_empty_ca_subject_is_refused(check) -> None:
    assert check(Slot.ONLINE_CA, b"\x30\x00") == [
        ("error", "csr.subject_ou"),
        ("error", "csr.subject_cn"),
    ]


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        (((CN, "gw"),), [("note", "csr.subject_no_ou")]),
        (((CN, "gw"), (OU, "other")), [("warning", "csr.subject_ou")]),
        (
            ((CN, "g\u00e4teway"), (OU, "acme-fleet")),
            [("warning", "csr.subject_not_ascii")],
        ),
        (((CN, "a\x1b[31m"), (OU, "acme-fleet")), [("error", "csr.subject_control")]),
        (((CN, "a\u202eb"), (OU, "acme-fleet")), [("error", "csr.subject_control")]),
        (((CN, "Factory-CA"), (OU, "acme-fleet")), [("error", "csr.subject_cn")]),
        ((), [("warning", "csr.subject_empty")]),
    ],
)
def test_16_a_service_subject_is_kept_and_what_is_odd_is_said(
    subject: tuple, found: list, check, make: type
) -> None:
    host = make.san((2, b"a.foundries.io"))
    assert check(Slot.TLS, names.encode_name(*subject), host) == found


@pytest.mark.parametrize("slot", list(Slot))
def test_16_shapes_of_subjects_that_are_refused_anywhere(slot: Slot, check, make: type) -> None:
    cn = make.attribute(CN, der.UTF8, b"x")
    ou = make.attribute(OU, der.UTF8, b"acme-fleet")
    for subject, code in (
        (der.sequence((make.rdn(cn, ou),)), "csr.subject_multivalued"),
        (der.sequence((make.rdn(cn), make.rdn(ou), make.rdn(ou))), "csr.subject_repeated"),
        (der.sequence((make.rdn(cn), make.rdn(cn), make.rdn(ou))), "csr.subject_repeated"),
    ):
        assert ("error", code) in check(slot, subject)


@pytest.mark.parametrize(
    ("tag", "octets", "found"),
    [
        (der.UTF8, b"\xff\xfe", ("error", "csr.subject_type")),
        (der.PRINTABLE, b"a@b", ("error", "csr.subject_type")),
        (der.OCTET_STRING, b"ab", ("error", "csr.subject_type")),
        (der.UNIVERSAL, b"\0\0\0a", ("error", "csr.subject_type")),
        (der.BMP, b"\0", ("error", "csr.subject_type")),
        (der.BMP, b"\0a", ("warning", "csr.subject_old_type")),
        (der.TELETEX, b"a", ("warning", "csr.subject_old_type")),
    ],
)
def test_string_types_that_programs_stumble_over(
    tag: int, octets: bytes, found: tuple[str, str], check, make: type
) -> None:
    parts = (make.rdn(make.attribute(O, tag, octets)),)
    parts += (make.rdn(make.attribute(CN, der.PRINTABLE, b"gateway")),)
    parts += (make.rdn(make.attribute(OU, der.PRINTABLE, b"acme-fleet")),)
    host = make.san((2, b"a.foundries.io"))
    assert check(Slot.TLS, der.sequence(parts), host) == [found]


def test_only_the_plans_curves_pass(check, make: type, rules: CsrRules) -> None:
    both = replace(rules, curves=(Curve.P256, Curve.P384))
    key = make.key(Curve.P384)
    assert check(Slot.ONLINE_CA, ONLINE, key=key) == [("error", "csr.key_curve")]
    assert check(Slot.ONLINE_CA, ONLINE, key=key, rules=both) == []


def test_rsa_passes_where_the_plan_allows_it_and_is_long_enough(
    openssl, tmp_path, rules: CsrRules
) -> None:
    for bits, allowed, found in (
        (3072, True, []),
        (3072, False, [("error", "csr.key_type")]),
        (2048, True, [("error", "csr.key_size")]),
    ):
        openssl(
            *("req", "-new", "-nodes", "-newkey", f"rsa:{bits}", "-keyout", "k", "-out", "c"),
            *("-subj", "/CN=online/OU=acme-fleet"),
        )
        csr = read_csr((tmp_path / "c").read_bytes(), "online-ca")
        assert csr.key == f"RSA {bits}"
        assert _codes(check_csr(csr, Slot.ONLINE_CA, replace(rules, rsa=allowed))) == found


def test_what_differs_from_the_certificate_of_today_is_said(hierarchy, check, make: type) -> None:
    today = hierarchy.certificates["tls"]
    same = (GATEWAY, make.san((2, b"new.foundries.io")))
    assert check(Slot.TLS, *same, current=today) == [
        ("warning", "csr.subject_changed"),
        ("warning", "csr.san_changed"),
    ]
    swapped = make.san((2, b"a1.ostree.foundries.io"), (2, b"a1.ota-lite.foundries.io"))
    found = check(Slot.TLS, today.subject_der, swapped, current=today)
    assert ("warning", "csr.san_changed") in found


def test_18_a_stale_csr_is_refused(hierarchy, rules: CsrRules) -> None:
    today = hierarchy.certificates["tls"]
    found = check_csr(hierarchy.csrs[Slot.TLS], Slot.TLS, rules, today)
    assert ("error", "csr.key_certified") in _codes(found)


def test_the_same_key_in_two_places_is_refused_whatever_it_is_wrapped_in(make: type) -> None:
    one, two = make.key().spki, make.key().spki
    assert check_keys({"root": one, "tls": two}) == ()
    found = check_keys({"root": one, "tls": two, "local CA line-1": one})
    assert [(f.severity, f.code, f.where) for f in found] == [
        (Severity.ERROR, "csr.key_reused", "local CA line-1")
    ]
    assert "root" in found[0].message


def test_a_local_ca_made_elsewhere_gets_our_subject(make: type, rules: CsrRules) -> None:
    good = names.encode_name((CN, "fio-5e8a"), (OU, "acme-fleet"))
    for subject, found in ((good, []), (ONLINE, [("warning", "csr.subject_replaced")])):
        csr = read_csr(make.csr(make.key(), subject), "line-3")
        assert _codes(check_local_ca_csr(csr, "line-3", rules, "5e8a")) == found


def test_the_rules_come_from_the_plan() -> None:
    plan = parse(
        b'schema = "ceremony-plan/1"\nfactory = "acme-fleet"\nkind = "create"\nuser_id = "5e8a"\n'
        b'[root]\nkey_store = "file"\nbackup = {method = "file"}\n'
        b'[rules]\nhost_suffixes = ["example.com"]\npunycode = true\ncsr_curves = ["P-384"]\n'
        b"rsa = true\n"
    ).plan
    assert rules_of(plan) == CsrRules(
        factory="acme-fleet",
        host_suffixes=("example.com",),
        punycode=True,
        curves=(Curve.P384,),
        rsa=True,
    )
