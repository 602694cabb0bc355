"""A whole hierarchy, weighed by software that is not ours."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification
from pkilint import loader
from pkilint.pkix import certificate as pkix
from pkilint.pkix import extension, name
from pkilint.validation import ValidationFindingSeverity

from ceremony.config import Curve
from ceremony.x509 import pem
from ceremony.x509.checks import check_against, check_certificate, check_chain
from ceremony.x509.profiles import Role

Openssl = Callable[..., bytes]
_BAD = {
    ValidationFindingSeverity.WARNING,
    ValidationFindingSeverity.ERROR,
    ValidationFindingSeverity.FATAL,
}
ROLES = {
    "root": Role.ROOT,
    "tls": Role.TLS,
    "est-tls": Role.EST_TLS,
    "online-ca": Role.ONLINE_CA,
    "line-1": Role.LOCAL_CA,
    "device": Role.DEVICE,
}


def _write(tmp_path: Path, certificates: dict) -> None:
    for key, one in certificates.items():
        (tmp_path / f"{key}.pem").write_bytes(pem.write_pem(one.der, pem.CERTIFICATE))


@pytest.mark.parametrize("curve", list(Curve))
def test_openssl_accepts_each_certificate_for_its_purpose_and_no_other(
    curve: Curve, make: type, openssl: Openssl, tmp_path: Path
) -> None:
    _write(tmp_path, make.hierarchy(curve).certificates)
    verify = ("verify", "-x509_strict", "-CAfile", "root.pem", "-attime", "1800000000")
    for key, purpose in (
        ("root", "any"),
        ("online-ca", "any"),
        ("line-1", "any"),
        ("tls", "sslserver"),
        ("est-tls", "sslserver"),
    ):
        assert openssl(*verify, "-purpose", purpose, f"{key}.pem") == f"{key}.pem: OK\n".encode()
    through = (*verify, "-untrusted", "line-1.pem")
    assert openssl(*through, "-purpose", "sslclient", "device.pem") == b"device.pem: OK\n"
    openssl(*through, "-purpose", "sslserver", "device.pem", code=2)
    openssl(*verify, "-purpose", "sslclient", "tls.pem", code=2)
    host = ("-verify_hostname", "a1.ostree.foundries.io")
    assert openssl(*verify, *host, "tls.pem") == b"tls.pem: OK\n"


def test_openssl_takes_the_recipe_root_only_without_strictness(
    make: type, openssl: Openssl, tmp_path: Path
) -> None:
    _write(tmp_path, make.hierarchy(profile="openssl-recipe").certificates)
    openssl("verify", "-attime", "1800000000", "-CAfile", "root.pem", "tls.pem")
    openssl(
        "verify", "-x509_strict", "-attime", "1800000000", "-CAfile", "root.pem", "tls.pem", code=2
    )


def test_a_device_cannot_issue(make: type, openssl: Openssl, tmp_path: Path, hierarchy) -> None:
    from ceremony.x509 import issuing

    forged = issuing.device_content(
        factory=make.factory,
        uuid="forged",
        spki=make.key().spki,
        issuer=issuing.issuer_of(hierarchy.certificates["device"]),
        serial=7,
        not_before=make.begin,
        days=30,
        not_past=hierarchy.root.not_after,
    )
    one = make.issue(forged, hierarchy.keys["device"])
    _write(tmp_path, {**hierarchy.certificates, "forged": one})
    untrusted = ("-untrusted", "line-1.pem", "-untrusted", "device.pem")
    openssl(
        "verify", "-attime", "1800000000", "-CAfile", "root.pem", *untrusted, "forged.pem", code=2
    )


def _lint(der: bytes) -> list[str]:
    validator = pkix.create_pkix_certificate_validator_container(
        pkix.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            pkix.create_issuer_validator_container([]),
            pkix.create_validity_validator_container(),
            pkix.create_subject_validator_container([]),
            pkix.create_extensions_validator_container([]),
            pkix.create_spki_validator_container([]),
        ],
    )
    document = loader.load_certificate(der, "test")
    return [
        f"{one.finding.code}"
        for result in validator.validate(document.root)
        for one in result.finding_descriptions
        if one.finding.severity in _BAD
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pkilint_finds_nothing_in_our_certificates(hierarchy) -> None:
    found = {key: _lint(one.der) for key, one in hierarchy.certificates.items()}
    assert found == {key: [] for key in hierarchy.certificates}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pkilint_finds_the_recipe_root(make: type) -> None:
    found = _lint(make.hierarchy(profile="openssl-recipe").root.der)
    assert found == [
        "pkix.basic_constraints_extension_not_critical",
        "pkix.key_usage_extension_not_critical",
    ]


def test_the_verifier_of_cryptography_accepts_the_gateway(hierarchy) -> None:
    root, tls = (
        x509.load_der_x509_certificate(hierarchy.certificates[key].der) for key in ("root", "tls")
    )
    at = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([root]))
        .time(at)
        .build_server_verifier(x509.DNSName("a1.ota-lite.foundries.io"))
    )
    assert verifier.verify(tls, []) == [tls, root]


@pytest.mark.parametrize("curve", list(Curve))
@pytest.mark.parametrize("profile", ["strict", "openssl-recipe"])
def test_our_own_rules_find_nothing_in_our_certificates(
    curve: Curve, profile: str, make: type
) -> None:
    made = make.hierarchy(curve, profile)
    for key, one in made.certificates.items():
        recipe = profile == "openssl-recipe"
        assert check_certificate(one, ROLES[key], factory=make.factory, recipe=recipe) == ()
        assert check_against(one, made.contents[key]) == ()
    assert check_chain(made.root, made.others) == ()
