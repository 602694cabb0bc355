"""A row whose CSR asks for more than a device may have is refused, by name."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.config import Curve
from ceremony.devices.policy import Asked, DeviceRules, Reader, check_uuid
from ceremony.errors import VerificationError
from tests.devices.conftest import FACTORY, spki_of, write_csr
from tests.higher import usage

UUID = "9b2f3c1e-0000-4000-8000-000000000001"
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
P256 = ec.generate_private_key(ec.SECP256R1())
RSA1024 = rsa.generate_private_key(65537, 1024)


def reader(**rules: Any) -> Reader:
    return Reader(DeviceRules(factory=FACTORY, **rules))


def spoilt(csr: bytes) -> bytes:
    """The same CSR with another key's signature."""
    der = bytearray(base64.b64decode(b"".join(csr.splitlines()[1:-1])))
    der[-5] ^= 1
    return bytes(der)


BAD: dict[str, tuple[str, bytes]] = {
    "signature": ("csr.signature_wrong", spoilt(write_csr(UUID))),
    "no CSR": ("pem.none", b"hello"),
    "empty": ("pem.none", b""),
    "certificate": (
        "pem.label",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ),
    "DER of something": ("csr.unreadable", b"\x30\x03\x02\x01\x00"),
    "foreign OU": ("device.ou", write_csr(UUID, ou="evil-fleet")),
    "no OU": ("device.ou", write_csr(UUID, ou=None)),
    "CA:TRUE": (
        "device.ca",
        write_csr(UUID, extensions=((x509.BasicConstraints(ca=True, path_length=0), True),)),
    ),
    "keyCertSign": ("device.ca", write_csr(UUID, extensions=((usage("key_cert_sign"), True),))),
    "serverAuth": (
        "device.eku",
        write_csr(
            UUID, extensions=((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), True),)
        ),
    ),
    "SAN": (
        "device.extension",
        write_csr(
            UUID, extensions=((x509.SubjectAlternativeName([x509.DNSName("a.example")]), False),)
        ),
    ),
    "not a uuid": ("device.uuid", write_csr("device-1")),
    "upper case": ("device.uuid", write_csr(UUID.upper())),
    "organization": ("device.subject", write_csr(UUID, more=((NameOID.ORGANIZATION_NAME, "x"),))),
    "two CNs": ("device.subject", write_csr(UUID, more=((NameOID.COMMON_NAME, UUID),))),
    "production": (
        "device.category",
        write_csr(UUID, more=((NameOID.BUSINESS_CATEGORY, "production"),)),
    ),
    "other category": (
        "device.category",
        write_csr(UUID, more=((NameOID.BUSINESS_CATEGORY, "boss"),)),
    ),
    "RSA 1024": ("device.key", write_csr(UUID, key=RSA1024)),
    "RSA 2048": ("device.key", write_csr(UUID, key=rsa.generate_private_key(65537, 2048))),
    "P-384": ("device.key", write_csr(UUID, key=ec.generate_private_key(ec.SECP384R1()))),
    "P-521": ("device.key", write_csr(UUID, key=ec.generate_private_key(ec.SECP521R1()))),
    "secp256k1": ("csr.key_curve", write_csr(UUID, key=ec.generate_private_key(ec.SECP256K1()))),
    "private key": (
        "pem.private_key",
        b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
    ),
}


@pytest.mark.parametrize(("code", "csr"), BAD.values(), ids=BAD)
def test_49_a_row_is_refused_by_name(code: str, csr: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        reader().read(csr, "row 1")
    assert caught.value.code == code
    assert caught.value.message.isascii()


@pytest.mark.parametrize("length", [1, 20, 27, 28, 29, 48, 64])
@pytest.mark.parametrize(
    "wishes", [(), ((CLIENT, True),), ((CLIENT, True), (usage("digital_signature"), True))]
)
def test_a_csr_of_the_usual_shape_and_any_length_needs_no_strict_reader(
    length: int, wishes: Any
) -> None:
    """Lengths are of one, two or three octets: each of them is the usual shape."""
    factory = "f" * length
    csr = write_csr(UUID, ou=factory, key=P256, extensions=wishes, pem=False)
    one = Reader(DeviceRules(factory=factory))
    read = one.read(csr, "the first of its kind")
    assert one._usual(csr) == read
    assert one._usual(csr[:-5] + bytes((csr[-5] ^ 1,)) + csr[-4:]) is None


def test_49_an_ed25519_key_is_refused() -> None:
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, UUID)]))
        .sign(ed25519.Ed25519PrivateKey.generate(), None)
    )
    with pytest.raises(VerificationError) as caught:
        reader().read(csr.public_bytes(Encoding.PEM), "row")
    assert caught.value.code == "csr.key_type"


@pytest.mark.parametrize("pem", [True, False])
@pytest.mark.parametrize(
    "extensions",
    [
        (),
        ((usage("digital_signature"), True), (CLIENT, True)),
        ((x509.BasicConstraints(ca=False, path_length=None), True),),
    ],
    ids=["bare", "as lmp-device-register asks", "CA:FALSE"],
)
def test_what_devices_ask_for_today_is_accepted(pem: bool, extensions: Any) -> None:
    one = reader()
    for _ in range(2):  # the second time by the short way
        csr = write_csr(UUID, key=P256, extensions=extensions, pem=pem)
        assert one.read(csr, "row") == Asked(UUID, spki_of(P256))


def test_an_openssl_csr_is_accepted(tmp_path: Any) -> None:
    import subprocess

    subject = f"/CN={UUID}/OU={FACTORY}"
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", str(tmp_path / "k"), "-subj", subject]
    csr = subprocess.run(command, capture_output=True, check=True).stdout
    assert reader().read(csr, "row").uuid == UUID


def test_production_csrs_need_a_production_batch_and_others_may_be_in_one() -> None:
    asked = write_csr(UUID, more=((NameOID.BUSINESS_CATEGORY, "production"),))
    for csr in (asked, write_csr(UUID)):
        assert reader(production=True).read(csr, "row").uuid == UUID


def test_other_keys_are_accepted_where_the_batch_says_so() -> None:
    p384 = write_csr(UUID, key=ec.generate_private_key(ec.SECP384R1()))
    rsa3072 = write_csr(UUID, key=rsa.generate_private_key(65537, 3072))
    one = reader(curves=(Curve.P384,), rsa=True)
    assert one.read(p384, "row").uuid == one.read(rsa3072, "row").uuid == UUID
    with pytest.raises(VerificationError) as caught:
        one.read(write_csr(UUID), "row")
    assert caught.value.code == "device.key"


def test_a_csr_for_another_device_than_the_one_named_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        reader(uuid=UUID.replace("9", "8")).read(write_csr(UUID), "row")
    assert caught.value.code == "device.uuid"


def test_49_every_changed_byte_of_a_good_csr_is_refused_or_means_the_same() -> None:
    """The short way must not accept what the strict reader does not."""
    one = reader()
    good = write_csr(UUID, key=P256, pem=False)
    one.read(good, "row")
    for at in range(len(good)):
        changed = good[:at] + bytes([good[at] ^ 0x01]) + good[at + 1 :]
        with pytest.raises(VerificationError):
            one.read(changed, "row")
    for changed in (good + b"\0", good[:-1]):
        with pytest.raises(VerificationError):
            one.read(changed, "row")


def test_wishes_that_were_seen_once_are_not_a_way_in_for_others() -> None:
    """What is remembered are the bytes of harmless wishes, and nothing else."""
    one = reader()
    one.read(write_csr(UUID, extensions=((CLIENT, True),)), "row")
    with pytest.raises(VerificationError):
        one.read(BAD["CA:TRUE"][1], "row")
    with pytest.raises(VerificationError):
        one.read(BAD["serverAuth"][1], "row")


@pytest.mark.parametrize(
    "text", ["", "x", f"{UUID}\n", UUID.upper(), f" {UUID}", UUID[:-1], "../x"]
)
def test_only_one_form_of_a_uuid_counts(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        check_uuid(text)
    assert caught.value.code == "device.uuid"
