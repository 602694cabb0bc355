"""CSRs that somebody brings to a practice ceremony, with the words of each."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ceremony.config import Plan
from ceremony.core.fingerprints import Fingerprint
from ceremony.practice.store import write_private


def foreign_csrs(stick: Path, plan: Plan) -> dict[str, Fingerprint]:
    """Makes the CSRs of the plan that are not on the stick yet.

    Returns:
        Key of each type-back prompt to the fingerprint on its sheet.
    """
    words = {}
    for asked in plan.sign_csr:
        path = stick / f"{asked.name}.csr"
        if not path.exists():
            write_private(path, _csr(plan, asked.name, tls=asked.profile == "tls"))
        words[f"csr-{asked.name}.words"] = Fingerprint.of(path.read_bytes())
    return words


def _csr(plan: Plan, name: str, *, tls: bool) -> bytes:
    host = f"{name}.{plan.rules.host_suffixes[0]}"
    subject = [
        x509.NameAttribute(NameOID.COMMON_NAME, host if tls else name),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, plan.factory),
    ]
    builder = x509.CertificateSigningRequestBuilder(x509.Name(subject))
    if tls:
        san = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(san, critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(Encoding.PEM)
