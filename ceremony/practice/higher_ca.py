"""The higher CA of a rehearsal: two levels, which sign a root CSR as a corporate PKI would.

Written with cryptography's builders, like the practice Factory: it judges nothing by the
product's own code.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from ceremony.bundle.root_csr import root_csr_name
from ceremony.config import PlanFile
from ceremony.core.fingerprints import Fingerprint
from ceremony.documents.sheet import words_sheet
from ceremony.documents.text import render_text
from ceremony.offline.store import ceremonies
from ceremony.practice.store import write_private

ANSWER: Final = "answer.pem"
CHAIN: Final = "chain.pem"
_DAYS: Final = 9131
_LEVELS: Final = ("practice-higher-root", "practice-higher-issuing")
_Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def play_higher_ca(directory: Path, plan_file: PlanFile) -> Fingerprint | None:
    """Answers the root CSR that a ceremony of this plan waits with; its sheet goes to the table.

    Args:
        directory: the rehearsal's.
        plan_file: of the ceremony.

    Returns:
        SHA-256 of the answer's DER; None where no ceremony waits.
    """
    held = ceremonies(directory / "state")
    waiting = [
        one.directory.name
        for one in held
        if one.plan_sha256 == plan_file.fingerprint.hex and one.waits
    ]
    if not waiting:
        return None
    stick = directory / "usb-ca"
    bundle = stick / root_csr_name(plan_file.plan.factory, waiting[-1])
    answer = _sign(directory / "higher-ca", bundle, stick)
    sheet = words_sheet(
        title="Sheet of words",
        what="certificate of the higher CA",
        fingerprint=answer,
        rehearsal=True,
    )
    write_private(directory / "paper" / "higher-ca-words.txt", render_text(sheet))
    return answer


def _sign(folder: Path, bundle: Path, stick: Path) -> Fingerprint:
    """The answer and its chain go to the stick; an answer that is there stays."""
    path = stick / ANSWER
    if not path.exists():
        csr = x509.load_pem_x509_csr((bundle / "root.csr").read_bytes())
        days = int(json.loads((bundle / "root-csr.json").read_bytes())["asked_days"])
        top, issuing = _hierarchy(folder)
        builder = _builder(csr.subject, issuing, csr.public_key(), days)
        for one in csr.extensions:
            builder = builder.add_extension(one.value, critical=one.critical)
        signed = builder.sign(issuing[1], hashes.SHA256())
        chain = b"".join(one.public_bytes(Encoding.PEM) for one, _ in (issuing, top))
        write_private(stick / CHAIN, chain)
        write_private(path, signed.public_bytes(Encoding.PEM))
    answer = x509.load_pem_x509_certificate(path.read_bytes())
    return Fingerprint.of(answer.public_bytes(Encoding.DER))


def _hierarchy(folder: Path) -> tuple[_Signer, _Signer]:
    folder.mkdir(mode=0o700, exist_ok=True)
    top = _level(folder, _LEVELS[0], None)
    return top, _level(folder, _LEVELS[1], top)


def _level(folder: Path, name: str, issuer: _Signer | None) -> _Signer:
    path = folder / f"{name}.pem"
    if not path.exists():
        key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, issuer, key.public_key(), _DAYS)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        for value, critical in (
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_USAGE, True),
            (identifier, False),
        ):
            builder = builder.add_extension(value, critical=critical)
        made = builder.sign(issuer[1] if issuer else key, hashes.SHA384())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(folder / f"{name}.key", secret)
        write_private(path, made.public_bytes(Encoding.PEM))
    held = load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    if not isinstance(held, ec.EllipticCurvePrivateKey):
        raise TypeError("the practice higher CA has EC keys")
    return x509.load_pem_x509_certificate(path.read_bytes()), held


def _builder(
    subject: x509.Name,
    issuer: _Signer | None,
    key: CertificatePublicKeyTypes,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=days))
    )
    if issuer is None:
        return builder
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
    return builder.add_extension(identifier, critical=False)


_USAGE: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
