"""Certificates, made once, and a SoftHSM token."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.config import Token
from ceremony.offline.inventory import found_modules
from tests.higher import usage

Key = ec.EllipticCurvePrivateKey
Extensions = list[tuple[x509.ExtensionType, bool]]

START = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "acme"),
        ]
    )


def issue(name: str, key: Key, issuer: str, signer: Key, extensions: Extensions) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(subject(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() >> 1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=3650))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="session")
def certificates() -> dict[str, bytes]:
    """DER by name: a root in both forms, its twin, and one certificate of each other kind."""
    root, ca, leaf, throw_away = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
    ski = x509.SubjectKeyIdentifier.from_public_key
    aki = x509.AuthorityKeyIdentifier.from_issuer_public_key
    root_usage = usage("key_cert_sign", "crl_sign")
    strict: Extensions = [
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (root_usage, True),
        (ski(root.public_key()), False),
    ]
    recipe: Extensions = [
        (x509.BasicConstraints(ca=True, path_length=None), False),
        (root_usage, False),
    ]
    local: Extensions = [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (usage("key_cert_sign"), True),
        (ski(ca.public_key()), False),
        (aki(root.public_key()), False),
    ]
    signs = usage("digital_signature")
    tls: Extensions = [
        (signs, True),
        (SERVER, False),
        (x509.SubjectAlternativeName([x509.DNSName("a.example.com")]), False),
        (aki(root.public_key()), False),
    ]
    device: Extensions = [(signs, True), (CLIENT, True), (aki(ca.public_key()), False)]
    return {
        "root": issue("Factory-CA", root, "Factory-CA", root, strict),
        "twin": issue("Factory-CA", root, "Factory-CA", throw_away, strict),
        "recipe": issue("Factory-CA", root, "Factory-CA", root, recipe),
        "local": issue("fio-abc", ca, "Factory-CA", root, local),
        "tls": issue("gateway", leaf, "Factory-CA", root, tls),
        "device": issue("0d1a3c3a", leaf, "fio-abc", ca, device),
        "forged": issue("gateway", leaf, "Factory-CA", throw_away, tls),
    }


@pytest.fixture
def softhsm(tmp_path: Path) -> Callable[[], Token]:
    """Makes a SoftHSM token and returns the plan's table for it."""

    def make() -> Token:
        (tmp_path / "tokens").mkdir()
        configuration = tmp_path / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
        environment = {"SOFTHSM2_CONF": str(configuration)}
        initialise = "softhsm2-util --init-token --free --label root --pin 123456 --so-pin 654321"
        said = subprocess.check_output(
            shlex.split(initialise),
            env={**environment, "PATH": os.environ["PATH"]},
            text=True,
        )
        assert "initialized" in said
        shown = subprocess.check_output(
            ["softhsm2-util", "--show-slots"],
            env={**environment, "PATH": os.environ["PATH"]},
            text=True,
        )
        serial = re.search(r"Serial number:\s+(\w+)", shown)
        module = next(m for m in found_modules() if m.path.endswith("libsofthsm2.so"))
        assert serial is not None
        return Token(module=module.path, serial=serial[1], module_environment=environment)

    return make
