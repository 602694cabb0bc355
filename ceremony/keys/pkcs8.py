"""Encrypted PKCS #8 in the one form that we write, and read only in that form.

asn1crypto encodes it, as cryptography's own writers use 2 048 rounds.
"""

import os

from asn1crypto import algos, keys, pem
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from ceremony.config import Curve
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys.ecdsa import CURVES

LABEL = "ENCRYPTED PRIVATE KEY"
ROUNDS = 600_000
MAX_ROUNDS = 10_000_000
MAX_FILE = 16 * 1024
_SALT_BYTES = 16
_BLOCK_BYTES = 16
_KEY_BYTES = 32


def curve_of_key(key: ec.EllipticCurvePrivateKey) -> Curve | None:
    """Its curve, if it is one of ours."""
    return next((c for c, facts in CURVES.items() if facts.curve.name == key.curve.name), None)


def encrypt(key: ec.EllipticCurvePrivateKey, passphrase: Secret) -> bytes:
    """PEM of the key under the passphrase (RFC 5958 §3, RFC 8018 §6.2)."""
    salt, vector = os.urandom(_SALT_BYTES), os.urandom(_BLOCK_BYTES)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    padder = padding.PKCS7(_BLOCK_BYTES * 8).padder()
    cipher = Cipher(algorithms.AES(_derive(passphrase, salt, ROUNDS)), modes.CBC(vector))
    encryptor = cipher.encryptor()
    padded = padder.update(plain) + padder.finalize()
    envelope = keys.EncryptedPrivateKeyInfo(
        {
            "encryption_algorithm": _algorithm(salt, vector),
            "encrypted_data": encryptor.update(padded) + encryptor.finalize(),
        }
    )
    armoured: bytes = pem.armor(LABEL, envelope.dump())
    return armoured


def _algorithm(salt: bytes, vector: bytes) -> algos.EncryptionAlgorithm:
    derivation = {
        "algorithm": "pbkdf2",
        "parameters": {
            "salt": algos.Pbkdf2Salt(name="specified", value=salt),
            "iteration_count": ROUNDS,
            "prf": {"algorithm": "sha256"},
        },
    }
    return algos.EncryptionAlgorithm(
        {
            "algorithm": "pbes2",
            "parameters": {
                "key_derivation_func": derivation,
                "encryption_scheme": {"algorithm": "aes256_cbc", "parameters": vector},
            },
        }
    )


def _derive(passphrase: Secret, salt: bytes, rounds: int) -> bytes:
    kdf = PBKDF2HMAC(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=salt, iterations=rounds)
    return kdf.derive(passphrase.reveal().encode())


def sec1(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Not encrypted: exactly one SEC1 block, as fioctl and the registration service read it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def decrypt(data: bytes, passphrase: Secret, where: str) -> ec.EllipticCurvePrivateKey:
    """The key in a file of our form.

    Args:
        data: the whole file.
        passphrase: as it was when the file was written.
        where: the file's name for messages, already escaped.

    Raises:
        KeyStoreError: `file.form`: no such file; `file.passphrase_wrong`: it does not
            decrypt to a key, which a changed byte causes as well.
    """
    salt, vector, rounds, encrypted = _parse(data, where)
    cipher = Cipher(algorithms.AES(_derive(passphrase, salt, rounds)), modes.CBC(vector))
    decryptor = cipher.decryptor()
    padded = decryptor.update(encrypted) + decryptor.finalize()
    unpadder = padding.PKCS7(_BLOCK_BYTES * 8).unpadder()
    try:
        plain = unpadder.update(padded) + unpadder.finalize()
        key = load_der_private_key(plain, None)
    except (ValueError, TypeError) as exc:
        raise KeyStoreError(
            "file.passphrase_wrong",
            f"the passphrase does not open {where}",
            hint="Compare the passphrase on paper, then type it again.",
        ) from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or curve_of_key(key) is None:
        raise _form(where, "its key is not on P-256 or P-384")
    return key


def _parse(data: bytes, where: str) -> tuple[bytes, bytes, int, bytes]:
    if len(data) > MAX_FILE:
        raise _form(where, "it is too large")
    try:
        label, headers, der = pem.unarmor(data)
        if label != LABEL or headers or pem.armor(LABEL, der) != data:
            raise _form(where, f"it is not exactly one PEM block {LABEL}")
        envelope = keys.EncryptedPrivateKeyInfo.load(der, strict=True)
        outer = envelope["encryption_algorithm"]
        pbes2 = outer["parameters"]
        kdf = pbes2["key_derivation_func"]["parameters"]
        scheme = pbes2["encryption_scheme"]
        names = (
            outer["algorithm"].native,
            pbes2["key_derivation_func"]["algorithm"].native,
            kdf["prf"]["algorithm"].native,
            scheme["algorithm"].native,
        )
        salt, rounds = kdf["salt"].native, kdf["iteration_count"].native
        vector, encrypted = scheme["parameters"].native, envelope["encrypted_data"].native
    except (ValueError, TypeError, KeyError) as exc:
        raise _form(where, "it is no encrypted PKCS #8 file") from exc
    if names != ("pbes2", "pbkdf2", "sha256", "aes256_cbc") or not ROUNDS <= rounds <= MAX_ROUNDS:
        raise _form(where, "its encryption is not PBES2 with at least 600000 rounds and AES-256")
    if len(vector) != _BLOCK_BYTES or not encrypted or len(encrypted) % _BLOCK_BYTES:
        raise _form(where, "its encryption is damaged")
    return salt, vector, rounds, encrypted


def _form(where: str, why: str) -> KeyStoreError:
    return KeyStoreError(
        "file.form",
        f"{where} is not a key file of a ceremony: {why}",
        hint="Use the file as the ceremony wrote it, or its copy from custody.",
    )
