"""What a higher CA may answer to the root's CSR, and each way in which it may not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

from ceremony.core.findings import Severity
from ceremony.x509.certificate import read_certificate
from ceremony.x509.checks import check_chain
from ceremony.x509.csr import read_csr
from ceremony.x509.higher_ca import check_above, check_answer
from ceremony.x509.pem import CERTIFICATE_REQUEST, write_pem
from ceremony.x509.root_csr import assemble_csr, root_csr_info
from tests.higher import Higher, usage
from tests.x509.conftest import BEGIN, FACTORY, Key, make_hierarchy

SOON = BEGIN + timedelta(minutes=1)
KEY = Key.make()
PEM = write_pem(
    assemble_csr(
        (INFO := root_csr_info(factory=FACTORY, spki=KEY.spki)),
        KEY.sign(INFO),
    ),
    CERTIFICATE_REQUEST,
)
CSR = read_csr(PEM, "root.csr")
HIGHER = Higher(BEGIN)


def found(pem: bytes) -> list[str]:
    answer = read_certificate(pem, "answer")
    rows = check_answer(answer, CSR, factory=FACTORY, at=SOON, days=7300)
    return [f"{one.severity.value} {one.code}" for one in rows]


def stopping(pem: bytes) -> set[str]:
    return {one.partition(" ")[2] for one in found(pem) if one.startswith("error")}


def name(*parts: tuple[x509.ObjectIdentifier, str], type_: _ASN1Type | None = None) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, text, type_) for oid, text in parts])


OURS = ((NameOID.COMMON_NAME, "Factory-CA"), (NameOID.ORGANIZATIONAL_UNIT_NAME, FACTORY))


def constraints(length: int | None, *, ca: bool = True) -> tuple[x509.ExtensionType, bool]:
    return x509.BasicConstraints(ca=ca, path_length=length), True


def purposes(*oids: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage(oids), False


def test_what_the_csr_asks_for_and_no_more_has_no_finding() -> None:
    assert found(HIGHER.sign(PEM)) == []


@pytest.mark.parametrize("length", [1, 2, 7])
def test_a_pathlen_that_leaves_room_for_device_cas_is_fine(length: int) -> None:
    assert found(HIGHER.sign(PEM, more=[constraints(length)])) == []


def test_what_higher_cas_usually_add_is_a_note() -> None:
    policy = x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), None)]
    )
    both = purposes(Purpose.SERVER_AUTH, Purpose.CLIENT_AUTH)
    told = found(HIGHER.sign(PEM, more=[(policy, False), both]))
    assert told == ["note certificate.extension_of_higher_ca"]


WRONG: dict[str, tuple[Callable[[], bytes], str]] = {
    "another key": (
        lambda: HIGHER.sign(PEM, key=ec.generate_private_key(ec.SECP256R1()).public_key()),
        "answer.key_differs",
    ),
    "the parts in another order": (
        lambda: HIGHER.sign(PEM, subject=name(*reversed(OURS))),
        "answer.subject_differs",
    ),
    "another factory": (
        lambda: HIGHER.sign(PEM, subject=name(OURS[0], (OURS[1][0], "acme-feet"))),
        "answer.subject_differs",
    ),
    "a part more": (
        lambda: HIGHER.sign(PEM, subject=name(*OURS, (NameOID.COUNTRY_NAME, "NO"))),
        "answer.subject_differs",
    ),
    "no CA": (
        lambda: HIGHER.sign(PEM, more=[constraints(None, ca=False)]),
        "certificate.not_ca",
    ),
    "no basicConstraints": (
        lambda: HIGHER.sign(PEM, without=[x509.BasicConstraints]),
        "certificate.not_ca",
    ),
    "pathlen 0": (lambda: HIGHER.sign(PEM, more=[constraints(0)]), "certificate.path_length"),
    "no keyCertSign": (
        lambda: HIGHER.sign(PEM, more=[(usage("crl_sign", "digital_signature"), True)]),
        "certificate.key_usage",
    ),
    "no cRLSign": (
        lambda: HIGHER.sign(PEM, more=[(usage("key_cert_sign"), True)]),
        "answer.crl_sign_missing",
    ),
    "no keyUsage": (
        lambda: HIGHER.sign(PEM, without=[x509.KeyUsage]),
        "certificate.key_usage_missing",
    ),
    "no subjectKeyIdentifier": (
        lambda: HIGHER.sign(PEM, without=[x509.SubjectKeyIdentifier]),
        "answer.ski_missing",
    ),
    # `openssl verify -purpose sslserver` refuses what is below such a root (measured, 3.0).
    "any purpose alone": (
        lambda: HIGHER.sign(PEM, more=[purposes(Purpose.ANY_EXTENDED_KEY_USAGE)]),
        "certificate.eku_missing",
    ),
    "one purpose of two": (
        lambda: HIGHER.sign(PEM, more=[purposes(Purpose.SERVER_AUTH)]),
        "certificate.eku_missing",
    ),
    "a critical extension that nobody knows": (
        lambda: HIGHER.sign(PEM, more=[(x509.PolicyConstraints(0, None), True)]),
        "certificate.extension_unknown",
    ),
    "tomorrow": (
        lambda: HIGHER.sign(PEM, begin=BEGIN + timedelta(days=1)),
        "answer.not_yet_valid",
    ),
    "yesterday": (
        lambda: HIGHER.sign(PEM, begin=BEGIN - timedelta(days=30), days=29),
        "answer.expired",
    ),
    "a few months": (lambda: HIGHER.sign(PEM, days=200), "answer.validity_short"),
}


@pytest.mark.parametrize(("make", "code"), WRONG.values(), ids=WRONG.keys())
def test_what_could_never_be_mended_stops(make: Callable[[], bytes], code: str) -> None:
    assert code in stopping(make())


def test_an_answer_that_signed_itself_is_refused(hierarchy: Any) -> None:
    native = KEY.private
    csr = x509.load_pem_x509_csr(PEM)
    builder = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(csr.subject)
        .public_key(native.public_key())
        .serial_number(5)
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + timedelta(days=7300))
    )
    for one in csr.extensions:
        builder = builder.add_extension(one.value, critical=one.critical)
    signed = builder.sign(native, hashes.SHA256()).public_bytes(Encoding.PEM)
    assert stopping(signed) == {"certificate.root_self_signed"}


WEIGHED: dict[str, tuple[Callable[[], bytes], str]] = {
    "PrintableString": (
        lambda: HIGHER.sign(PEM, subject=name(*OURS, type_=_ASN1Type.PrintableString)),
        "answer.subject_encoding",
    ),
    "ten years": (lambda: HIGHER.sign(PEM, days=3650), "answer.validity_short"),
    "no authorityKeyIdentifier": (
        lambda: HIGHER.sign(PEM, without=[x509.AuthorityKeyIdentifier]),
        "certificate.aki_missing",
    ),
    "basicConstraints not critical": (
        lambda: HIGHER.sign(PEM, more=[(x509.BasicConstraints(ca=True, path_length=None), False)]),
        "certificate.basic_constraints_not_critical",
    ),
    "nameConstraints": (
        lambda: HIGHER.sign(
            PEM, more=[(x509.NameConstraints([x509.DNSName("foundries.io")], None), True)]
        ),
        "certificate.name_constraints",
    ),
}


@pytest.mark.parametrize(("make", "code"), WEIGHED.values(), ids=WEIGHED.keys())
def test_what_people_may_accept_is_a_warning(make: Callable[[], bytes], code: str) -> None:
    assert found(make()) == [f"warning {code}"]


def test_what_is_signed_below_other_string_types_still_chains() -> None:
    """Names are compared byte by byte: below stands what the higher CA wrote, not the CSR."""
    from ceremony.x509.issuing import issuer_of, local_ca_content, new_serial
    from tests.x509.conftest import issue

    pem = HIGHER.sign(PEM, subject=name(*OURS, type_=_ASN1Type.PrintableString))
    root = read_certificate(pem, "root")
    content = local_ca_content(
        factory=FACTORY,
        user_id="5e8a",
        spki=Key.make().spki,
        issuer=issuer_of(root),
        serial=new_serial(lambda count: bytes([7]) * count),
        not_before=root.not_before,
        days=100,
        not_past=root.not_after,
    )
    assert check_chain(root, {"line-1": issue(content, KEY)}) == ()


# --- the chain above -----------------------------------------------------------------------


def above(*levels: bytes) -> list[str]:
    root = read_certificate(HIGHER.sign(PEM), "root")
    rows = check_above(root, [read_certificate(one, "above") for one in levels])
    return [f"{one.severity.value} {one.code}" for one in rows]


def test_a_chain_to_its_top_or_a_part_of_it_is_fine() -> None:
    assert above(HIGHER.issuing.der, HIGHER.top.der) == above(HIGHER.issuing.der) == above() == []


def test_a_chain_upside_down_or_of_others_is_refused() -> None:
    assert "error higher.issuer_wrong" in above(HIGHER.top.der, HIGHER.issuing.der)
    other = Higher(BEGIN)
    assert above(other.issuing.der)[0].startswith("error higher.")
    assert "error higher.long" in above(*[HIGHER.issuing.der] * 9)
    leaf = make_hierarchy().certificates["tls"].der
    assert "error higher.not_ca" in above(leaf)


@pytest.mark.parametrize(("length", "severity"), [(0, Severity.ERROR), (1, Severity.WARNING)])
def test_a_pathlen_above_that_is_too_short_is_told(length: int, severity: Severity) -> None:
    short = Higher(BEGIN, length=length)
    root = read_certificate(short.sign(PEM), "root")
    (one,) = check_above(root, [read_certificate(short.issuing.der, "above")])
    assert (one.severity, one.code) == (severity, "higher.path_length")
    roomy = Higher(BEGIN, length=2)
    root = read_certificate(roomy.sign(PEM), "root")
    assert check_above(root, [read_certificate(roomy.issuing.der, "above")]) == ()
