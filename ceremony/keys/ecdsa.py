"""Points, curves and signatures between PKCS#11's forms and X.509's."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.config import Curve
from ceremony.errors import KeyStoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveFacts:
    """What a curve means in bytes.

    Attributes:
        ec_params: DER of the named curve's OID (RFC 5480 §2.1.1.1), CKA_EC_PARAMS.
        size: of a field element and of a group element, in bytes.
        digest: that goes with it (house: P-256 SHA-256, P-384 SHA-384).
    """

    curve: ec.EllipticCurve
    ec_params: bytes
    size: int
    digest: hashes.HashAlgorithm


CURVES: Mapping[Curve, CurveFacts] = {
    Curve.P256: CurveFacts(
        curve=ec.SECP256R1(),
        ec_params=bytes.fromhex("06082a8648ce3d030107"),
        size=32,
        digest=hashes.SHA256(),
    ),
    Curve.P384: CurveFacts(
        curve=ec.SECP384R1(),
        ec_params=bytes.fromhex("06052b81040022"),
        size=48,
        digest=hashes.SHA384(),
    ),
}


def curve_of(ec_params: bytes) -> Curve | None:
    """The curve of CKA_EC_PARAMS, if it is one of ours."""
    return next((c for c, facts in CURVES.items() if facts.ec_params == ec_params), None)


def spki_of_point(curve: Curve, ec_point: bytes) -> bytes | None:
    """DER SubjectPublicKeyInfo of CKA_EC_POINT; None if it is no point of the curve.

    The point is uncompressed (SEC 1 §2.3.3) inside an OCTET STRING (PKCS#11 v3.1
    §6.3.3), or bare, as some older modules return it. The two have different lengths.
    """
    facts = CURVES[curve]
    bare = 1 + 2 * facts.size
    wrapper = bytes((0x04, bare))
    if len(ec_point) == bare + 2 and ec_point.startswith(wrapper):
        ec_point = ec_point[2:]
    if len(ec_point) != bare or ec_point[0] != 0x04:
        return None
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(facts.curve, ec_point)
    except ValueError:
        return None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def digest_of(curve: Curve, data: bytes) -> bytes:
    """The digest that is signed."""
    digest = hashes.Hash(CURVES[curve].digest)
    digest.update(data)
    return digest.finalize()


def der_of_raw(curve: Curve, raw: bytes) -> bytes:
    """ECDSA-Sig-Value (RFC 3279 §2.2.3) of CKM_ECDSA's output (PKCS#11 v3.1 §6.3.1).

    Raises:
        KeyStoreError: `token.signature_wrong`: not two numbers of this curve's size.
    """
    size = CURVES[curve].size
    if len(raw) != 2 * size:
        raise signature_wrong()
    return encode_dss_signature(
        int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big")
    )


def verify(public_key: ec.EllipticCurvePublicKey, curve: Curve, digest: bytes, der: bytes) -> None:
    """Verifies a signature over `digest`.

    Raises:
        KeyStoreError: `token.signature_wrong`.
    """
    try:
        r, s = decode_dss_signature(der)
        if encode_dss_signature(r, s) != der:
            raise signature_wrong()
        public_key.verify(der, digest, ec.ECDSA(Prehashed(CURVES[curve].digest)))
    except (InvalidSignature, ValueError) as exc:
        raise signature_wrong() from exc


def signature_wrong() -> KeyStoreError:
    """The key store returned a signature that its own public key does not verify."""
    return KeyStoreError(
        "token.signature_wrong",
        "the key store returned a signature that does not verify with the key's public half;"
        " it was thrown away",
        hint="Stop using this token until its vendor has explained it; record an exception.",
    )
