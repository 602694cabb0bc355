"""Golden certificates with their complete list of findings."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.errors import VerificationError
from ceremony.x509 import der, issuing, pem
from ceremony.x509.certificate import read_certificate, tbs_of, verify_signed_by
from ceremony.x509.checks import check_against, check_certificate, check_chain
from ceremony.x509.profiles import Role

Openssl = Callable[..., bytes]
CA_CNF = """[req]
prompt = no
distinguished_name = dn
x509_extensions = ext
[dn]
CN = Factory-CA
OU = acme-fleet
[ext]
basicConstraints=CA:TRUE
keyUsage = keyCertSign
extendedKeyUsage = critical, clientAuth, serverAuth
"""
CA_EXT = "keyUsage=critical, keyCertSign\nbasicConstraints=critical, CA:TRUE, pathlen:0\n"
SERVER_EXT = (
    "keyUsage=critical, digitalSignature, keyEncipherment, keyAgreement\n"
    "extendedKeyUsage=critical, serverAuth\nsubjectAltName=DNS:a.foundries.io\n"
)


def _codes(certificate, role: Role, **more) -> list[str]:
    found = check_certificate(certificate, role, factory="acme-fleet", **more)
    return [f"{one.severity.value} {one.code.partition('.')[2]}" for one in found]


@pytest.fixture
def recipe(openssl: Openssl, tmp_path: Path):
    """The documentation's recipe: a root, and a function that signs with an extension file."""
    (tmp_path / "ca.cnf").write_text(CA_CNF)
    openssl("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", "ca.key")
    openssl(
        *("req", "-new", "-x509", "-days", "7300", "-config", "ca.cnf", "-key", "ca.key"),
        *("-out", "root.pem", "-sha256"),
    )

    def sign(subject: str, extensions: str | None, *argv: str):
        openssl(
            *("req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-keyout", "k", "-out", "c", "-subj", subject),
        )
        (tmp_path / "x.ext").write_text(extensions or "")
        extra = () if extensions is None else ("-extfile", "x.ext")
        openssl(
            *("x509", "-req", "-days", "3650", "-in", "c", "-CAcreateserial", "-CAkey", "ca.key"),
            *("-CA", "root.pem", "-out", "o", *extra, *(argv or ("-sha256",))),
        )
        return read_certificate((tmp_path / "o").read_bytes(), "o")

    return read_certificate((tmp_path / "root.pem").read_bytes(), "root.pem"), sign


def test_the_recipe_root(recipe) -> None:
    root, _ = recipe
    assert root.self_signed
    assert _stable(root, Role.ROOT) == [
        "warning basic_constraints_not_critical",
        "warning crl_sign_missing",
        "warning key_usage_not_critical",
        "warning eku_critical",
    ]
    assert _stable(root, Role.ROOT, recipe=True) == ["warning crl_sign_missing"]


def test_the_recipe_gateway(recipe) -> None:
    root, sign = recipe
    tls = sign("/CN=gateway", SERVER_EXT)
    assert _stable(tls, Role.TLS) == ["warning key_usage_surplus", "warning eku_critical"]
    verify_signed_by(tls, root)


def test_the_recipe_device_ca(recipe) -> None:
    _, sign = recipe
    local = sign("/CN=fio-5e8a/OU=acme-fleet", CA_EXT)
    assert _stable(local, Role.LOCAL_CA) == []


def test_the_documentations_device_certificate_that_is_a_ca_is_named(recipe) -> None:
    _, sign = recipe
    device = sign("/CN=0b5a2c6e/OU=acme-fleet", CA_EXT)
    assert _stable(device, Role.DEVICE) == [
        "error device_is_ca",
        "error key_usage",
        "error key_usage",
        "error eku_missing",
    ]


def test_a_version_1_certificate(recipe) -> None:
    _, sign = recipe
    assert _codes(sign("/CN=x/OU=acme-fleet", None), Role.DEVICE) == [
        "error version",
        "warning key_usage_missing",
        "error eku_missing",
        "warning aki_missing",
    ]


def test_a_certificate_signed_with_sha1(recipe) -> None:
    root, sign = recipe
    one = sign("/CN=fio-5e8a/OU=acme-fleet", CA_EXT, "-sha1")
    assert _codes(one, Role.LOCAL_CA)[0] == "error digest_weak"
    with pytest.raises(VerificationError) as caught:
        verify_signed_by(one, root)
    assert caught.value.code == "certificate.signature_wrong"


def test_extensions_that_no_profile_names(recipe) -> None:
    _, sign = recipe
    one = sign("/CN=g", SERVER_EXT + "nsComment=x\ncertificatePolicies=critical,1.2.3\n")
    assert _codes(one, Role.TLS)[-2:] == [
        "warning extension_unknown",
        "error extension_unknown",
    ]


# Newer OpenSSL adds key identifiers of its own accord.
_BY_VERSION = {"warning ski_missing", "warning aki_missing", "note aki_on_root"}


def _stable(certificate, role: Role, **more) -> list[str]:
    return [code for code in _codes(certificate, role, **more) if code not in _BY_VERSION]


def _with(hierarchy, key: str, signer: str = "root", **changes):
    content = hierarchy.contents[key]
    rest = {k: v for k, v in changes.items() if hasattr(content, k)}
    profile = {k: v for k, v in changes.items() if k not in rest}
    changed = replace(content, profile=replace(content.profile, **profile), **rest)
    tbs = tbs_of(issuing.twin(changed, hierarchy.keys[signer].curve))
    return read_certificate(issuing.assemble(tbs, hierarchy.keys[signer].sign(tbs)), key)


@pytest.mark.parametrize(
    ("key", "changes", "role", "found"),
    [
        ("line-1", {"path_length": None}, Role.LOCAL_CA, ["error path_length"]),
        ("line-1", {"path_length": 3}, Role.LOCAL_CA, ["error path_length"]),
        ("root", {"path_length": 0}, Role.ROOT, ["error path_length"]),
        ("root", {"path_length": 1}, Role.ROOT, ["warning path_length"]),
        ("root", {"extended_key_usage": ()}, Role.ROOT, ["warning eku_missing"]),
        (
            "root",
            {"key_usage": ("cRLSign",)},
            Role.ROOT,
            ["error key_usage"],
        ),
        (
            "line-1",
            {"extended_key_usage": ("clientAuth",)},
            Role.LOCAL_CA,
            ["warning eku_surplus"],
        ),
        (
            "line-1",
            {"key_usage": ("keyCertSign", "cRLSign")},
            Role.LOCAL_CA,
            ["warning key_usage_surplus"],
        ),
        (
            "tls",
            {"extended_key_usage": ("serverAuth", "clientAuth")},
            Role.TLS,
            ["warning eku_surplus"],
        ),
        ("tls", {"dns_names": ()}, Role.TLS, ["error san_missing"]),
        ("tls", {}, Role.EST_TLS, ["error san_count"]),
        (
            "tls",
            {"ca": True, "path_length": 0},
            Role.TLS,
            ["error leaf_is_ca"],
        ),
        ("online-ca", {}, Role.LOCAL_CA, ["error subject_cn"]),
        ("online-ca", {"dns_names": ("a.b",)}, Role.ONLINE_CA, ["warning san_surplus"]),
        ("online-ca", {"authority_key_identifier": False}, Role.ONLINE_CA, ["warning aki_missing"]),
        (
            "device",
            {"extended_key_usage_critical": False},
            Role.DEVICE,
            ["warning eku_not_critical"],
        ),
    ],
)
def test_one_wrong_row_is_one_finding(key: str, changes, role: Role, found, hierarchy) -> None:
    assert _codes(_with(hierarchy, key, **changes), role) == found


def test_a_hundred_years_are_too_long(hierarchy) -> None:
    content = hierarchy.contents["tls"]
    one = _with(hierarchy, "tls", not_after=content.not_before + timedelta(days=36500))
    assert _codes(one, Role.TLS) == ["warning validity_long"]


def test_another_factory_is_an_error_for_cas_and_devices(hierarchy) -> None:
    for key, role in (("root", Role.ROOT), ("line-1", Role.LOCAL_CA), ("device", Role.DEVICE)):
        found = check_certificate(hierarchy.certificates[key], role, factory="other")
        assert [one.code for one in found] == ["certificate.subject_ou"]


def test_an_rfc_7093_identifier_is_named(hierarchy) -> None:
    one = hierarchy.certificates["line-1"]
    moved = one.der.replace(one.ski, bytes(20), 1)
    assert _codes(read_certificate(moved, "x"), Role.LOCAL_CA) == ["warning ski_method"]


def _renumbered(one, key, content: bytes):
    fields = [field.raw for field in der.parse(tbs_of(one.der)).children]
    fields[1] = der.encode(der.INTEGER, content)
    tbs = der.sequence(fields)
    signature = der.encode(der.BIT_STRING, b"\0" + key.sign(tbs))
    return der.sequence((tbs, fields[2], signature))


def test_a_160_bit_serial_of_fioctl_is_a_finding_and_no_crash(hierarchy) -> None:
    data = _renumbered(
        hierarchy.certificates["line-1"], hierarchy.keys["root"], b"\x00\xff" + b"\x11" * 19
    )
    one = read_certificate(data, "x")
    assert one.serial.bit_length() == 160
    assert one.serial_hex == "ff" + "11" * 19
    assert _codes(one, Role.LOCAL_CA) == ["warning serial_long"]
    verify_signed_by(one, hierarchy.root)


def test_odd_serials(hierarchy) -> None:
    args = hierarchy.certificates["line-1"], hierarchy.keys["root"]
    assert _codes(read_certificate(_renumbered(*args, b"\0"), "x"), Role.LOCAL_CA) == [
        "error serial_zero"
    ]
    assert read_certificate(_renumbered(*args, b"\x05"), "x").serial_hex == "05"
    for refused in (b"\x80", b"\x01" + b"\x00" * 21, b"\x00\x01"):
        with pytest.raises(VerificationError) as caught:
            read_certificate(_renumbered(*args, refused), "x")
        assert caught.value.code == "certificate.unreadable"


@pytest.mark.parametrize(
    ("key", "changes", "found"),
    [
        ("tls", {"serial": 99}, ["serial_differs"]),
        ("tls", {"not_after": None}, ["not_after_differs"]),
        ("tls", {"dns_names": ("a.foundries.io",)}, ["names_differ", "extensions_differ"]),
        ("tls", {"extended_key_usage_critical": True}, ["extensions_differ"]),
        ("line-1", {"path_length": 1}, ["extensions_differ"]),
    ],
)
def test_each_field_that_was_not_intended_is_named(key: str, changes, found, hierarchy) -> None:
    content = hierarchy.contents[key]
    if "not_after" in changes:
        changes = {"not_after": content.not_after - timedelta(seconds=1)}
    one = _with(hierarchy, key, **changes)
    assert [f.code.partition(".")[2] for f in check_against(one, content)] == found


def test_another_key_subject_or_issuer_was_not_intended(hierarchy) -> None:
    found = check_against(hierarchy.certificates["est-tls"], hierarchy.contents["device"])
    codes = {one.code.partition(".")[2] for one in found}
    assert codes == {
        "serial_differs",
        "subject_differs",
        "issuer_differs",
        "key_differs",
        "names_differ",
        "extensions_differ",
    }


def test_a_chain_with_a_stranger_a_twin_and_a_late_end(hierarchy, make: type) -> None:
    other = make.hierarchy()
    late = _with(hierarchy, "tls", not_after=hierarchy.root.not_after + timedelta(days=1))
    found = check_chain(
        hierarchy.root,
        {
            "stranger": other.certificates["line-1"],
            "late": late,
            "tls": hierarchy.certificates["tls"],
            "device": hierarchy.certificates["device"],
        },
    )
    assert [(one.where, one.code) for one in found] == [
        ("stranger", "chain.issuer_wrong"),
        ("late", "chain.dates_not_nested"),
        ("device", "chain.issuer_wrong"),
        ("tls", "chain.serial_repeated"),
        ("tls", "chain.key_repeated"),
    ]


def test_a_signature_of_another_key_under_the_right_names_is_found(hierarchy) -> None:
    forged = _with(hierarchy, "tls", signer="line-1")
    assert [one.code for one in check_chain(hierarchy.root, {"tls": forged})] == [
        "chain.signature_wrong"
    ]
    root = _with(hierarchy, "root", signer="line-1")
    assert not root.self_signed
    assert [one.code for one in check_chain(root, {})] == ["chain.root_signature"]
    assert _codes(root, Role.ROOT) == ["warning root_not_self_signed"]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_change_of_bytes_crashes_a_check(hierarchy, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["root", "tls", "device"]))
    good = hierarchy.certificates[key].der
    at = data.draw(st.integers(0, len(good) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda value: value != good[at]))
    try:
        one = read_certificate(good[:at] + bytes((octet,)) + good[at + 1 :], "x")
    except VerificationError:
        return
    for role in Role:
        check_certificate(one, role, factory="acme-fleet")
    assert not one.self_signed
    if key != "device":
        assert check_chain(hierarchy.root, {"x": one})


def test_a_certificate_is_read_from_pem_or_der_and_nothing_around_it(hierarchy) -> None:
    one = hierarchy.root
    text = pem.write_pem(one.der, pem.CERTIFICATE)
    assert read_certificate(text, "x") == read_certificate(one.der, "x") == one
    for data, code in (
        (one.der + b"\0", "certificate.unreadable"),
        (text + text, "pem.several"),
        (b"0" * 70_000, "certificate.too_large"),
        (b"0", "certificate.unreadable"),
    ):
        with pytest.raises(VerificationError) as caught:
            read_certificate(data, "x")
        assert caught.value.code == code
