"""Public keys and signatures over them: named curves, RSA, and nothing else.

SubjectPublicKeyInfo is read from the bytes (RFC 5280 §4.1.2.7, RFC 5480, RFC 3279) so that
each refusal has its own name; the arithmetic is cryptography's.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ceremony.config import Curve
from ceremony.x509 import der
from ceremony.x509.der import DerError, Element

_EC: Final = "1.2.840.10045.2.1"
_RSA: Final = "1.2.840.113549.1.1.1"
_NULL: Final = b"\x05\x00"

_CURVES: Final[dict[str, tuple[str, ec.EllipticCurve]]] = {
    "1.2.840.10045.3.1.7": ("P-256", ec.SECP256R1()),
    "1.3.132.0.34": ("P-384", ec.SECP384R1()),
    "1.3.132.0.35": ("P-521", ec.SECP521R1()),
}
_REFUSED_CURVES: Final = {
    "1.2.840.10045.3.1.1": "P-192",
    "1.3.132.0.33": "P-224",
    "1.3.132.0.10": "secp256k1",
}
_OTHER_KEYS: Final = {
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "1.2.840.10040.4.1": "DSA",
    "1.2.840.113549.1.1.10": "RSA-PSS",
}
_ALGORITHMS: Final[dict[str, tuple[str, hashes.HashAlgorithm]]] = {
    "1.2.840.10045.4.3.2": ("EC", hashes.SHA256()),
    "1.2.840.10045.4.3.3": ("EC", hashes.SHA384()),
    "1.2.840.10045.4.3.4": ("EC", hashes.SHA512()),
    "1.2.840.113549.1.1.11": ("RSA", hashes.SHA256()),
    "1.2.840.113549.1.1.12": ("RSA", hashes.SHA384()),
    "1.2.840.113549.1.1.13": ("RSA", hashes.SHA512()),
}
_WEAK: Final = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
    "1.2.840.10045.4.3.1": "SHA-224",
    "1.2.840.113549.1.1.14": "SHA-224",
}
# DER AlgorithmIdentifier of our own signatures; RFC 5758 §3.2: no parameters.
SIGNATURE_ALGORITHMS: Final = {
    Curve.P256: der.sequence((der.encode_oid("1.2.840.10045.4.3.2"),)),
    Curve.P384: der.sequence((der.encode_oid("1.2.840.10045.4.3.3"),)),
}
MAX_RSA_BITS: Final = 8192
MIN_RSA_BITS: Final = 3072


class KeyRefusedError(ValueError):
    """A key or signature that is not accepted; a door translates it.

    Attributes:
        reason: last part of the code, e.g. ``key_off_curve``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that signatures can be checked with.

    Attributes:
        name: ``EC P-256``, ``RSA 4096`` ...
        curve: None for RSA and for curves that no certificate of ours may have.
        bits: of the field, or of the modulus.
    """

    name: str
    curve: Curve | None
    bits: int
    native: ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def _parts(spki: Element) -> tuple[Element, Element | None, bytes]:
    """Algorithm OID, its parameters, the key's bits."""
    fields = spki.expect(der.SEQUENCE, "the public key").children
    if len(fields) != 2:
        raise DerError("the public key is not algorithm and bits")
    algorithm = fields[0].expect(der.SEQUENCE, "the key's algorithm").children
    if len(algorithm) not in {1, 2}:
        raise DerError("the key's algorithm is not an AlgorithmIdentifier")
    parameters = algorithm[1] if len(algorithm) == 2 else None
    return algorithm[0], parameters, der.octet_bits(fields[1], "the key's bits")


def key_bits(spki: bytes) -> bytes:
    """The BIT STRING's octets: what an RFC 5280 method 1 identifier hashes.

    Raises:
        DerError: not a SubjectPublicKeyInfo.
    """
    return _parts(der.parse(spki))[2]


def key_identifier(spki: bytes) -> bytes:
    """RFC 5280 §4.2.1.2 method 1: SHA-1 of the key's bits, 20 octets."""
    return hashlib.sha1(key_bits(spki), usedforsecurity=False).digest()


def read_public_key(spki: Element) -> PublicKey:
    """A key that the platform's rules can weigh.

    Raises:
        DerError: not a SubjectPublicKeyInfo.
        KeyRefusedError: another algorithm or curve, explicit parameters, off the curve.
    """
    algorithm, parameters, bits = _parts(spki)
    oid = der.oid(algorithm, "the key's algorithm")
    if oid == _EC:
        return _read_ec(parameters, bits)
    if oid == _RSA:
        return _read_rsa(parameters, bits)
    name = _OTHER_KEYS.get(oid, f"algorithm {oid}")
    raise KeyRefusedError("key_type", f"the key is {name}; only EC and RSA are accepted")


def _read_ec(parameters: Element | None, bits: bytes) -> PublicKey:
    if parameters is None or parameters.tag != der.OID:
        raise KeyRefusedError(
            "key_parameters", "the key has explicit or no curve parameters instead of a named curve"
        )
    oid = der.dotted(parameters.content)
    if oid not in _CURVES:
        name = _REFUSED_CURVES.get(oid, oid)
        raise KeyRefusedError("key_curve", f"the key is on curve {name}")
    name, curve = _CURVES[oid]
    size = (curve.key_size + 7) // 8
    if len(bits) != 1 + 2 * size or bits[0] != 4:
        raise KeyRefusedError("key_point", "the key is not one uncompressed point of its curve")
    try:
        native = ec.EllipticCurvePublicKey.from_encoded_point(curve, bits)
    except ValueError as exc:
        raise KeyRefusedError("key_point", f"the key's point is not on curve {name}") from exc
    known = Curve(name) if name in set(Curve) else None
    return PublicKey(name=f"EC {name}", curve=known, bits=curve.key_size, native=native)


def _read_rsa(parameters: Element | None, bits: bytes) -> PublicKey:
    if parameters is None or parameters.raw != _NULL:
        raise KeyRefusedError("key_parameters", "the RSA key's parameters are not NULL")
    numbers = der.parse(bits).expect(der.SEQUENCE, "the RSA key").children
    if len(numbers) != 2:
        raise DerError("the RSA key is not modulus and exponent")
    n, e = (der.integer(number, "the RSA key") for number in numbers)
    if not 1024 <= n.bit_length() <= MAX_RSA_BITS or n % 2 == 0:
        raise KeyRefusedError("key_size", f"the RSA modulus has {n.bit_length()} bits")
    if e < 65537 or e % 2 == 0 or e.bit_length() > 64:
        raise KeyRefusedError("key_exponent", "the RSA exponent is not odd, 65537 to 2^64")
    try:
        native = rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError as exc:
        raise KeyRefusedError("key_size", "the RSA key is not usable") from exc
    return PublicKey(name=f"RSA {n.bit_length()}", curve=None, bits=n.bit_length(), native=native)


def digest_of(algorithm: Element) -> str:
    """The name of a signature algorithm's digest, e.g. ``SHA-256``.

    Raises:
        DerError: not an AlgorithmIdentifier.
        KeyRefusedError: `digest_weak` or `signature_algorithm`.
    """
    return {"sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}[
        _algorithm(algorithm)[1].name
    ]


def _algorithm(algorithm: Element) -> tuple[str, hashes.HashAlgorithm]:
    fields = algorithm.expect(der.SEQUENCE, "the signature's algorithm").children
    if not fields:
        raise DerError("the signature's algorithm is not an AlgorithmIdentifier")
    oid = der.oid(fields[0], "the signature's algorithm")
    if oid in _WEAK:
        raise KeyRefusedError("digest_weak", f"the signature uses {_WEAK[oid]}")
    if oid not in _ALGORITHMS:
        raise KeyRefusedError(
            "signature_algorithm", f"the signature's algorithm is {oid}, not ECDSA or RSA PKCS #1"
        )
    kind, digest = _ALGORITHMS[oid]
    # RFC 5758 §3.2: ECDSA parameters are absent; RFC 4055 §5: RSA's are NULL.
    expected = [] if kind == "EC" else [_NULL]
    if [field.raw for field in fields[1:]] != expected:
        raise KeyRefusedError("signature_algorithm", "the signature's algorithm has odd parameters")
    return kind, digest


def verify(key: PublicKey, algorithm: Element, data: bytes, signature: bytes) -> None:
    """Checks a signature over `data`.

    Raises:
        DerError: not an AlgorithmIdentifier.
        KeyRefusedError: `digest_weak`, `signature_algorithm` or `signature_wrong`.
    """
    kind, digest = _algorithm(algorithm)
    native = key.native
    try:
        if isinstance(native, ec.EllipticCurvePublicKey) and kind == "EC":
            native.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(native, rsa.RSAPublicKey) and kind == "RSA":
            native.verify(signature, data, padding.PKCS1v15(), digest)
        else:
            raise KeyRefusedError(
                "signature_algorithm", f"the signature's algorithm does not fit a key {key.name}"
            )
    except InvalidSignature as exc:
        raise KeyRefusedError("signature_wrong", "the signature does not verify") from exc
