"""A device's TBSCertificate by splicing: only serial, subject, key and identifier differ.

Within a batch everything else is the same bytes. They are cut from certificates that the
builder of `ceremony.x509.issuing` made, and a new template proves itself against it
before it is used: the builder alone makes a third as many certificates a second.
"""

import hashlib
from datetime import datetime
from typing import Final

from ceremony.config import Curve
from ceremony.x509 import der, names
from ceremony.x509.issuing import Issuer, device_content, tbs_of, twin
from ceremony.x509.profiles import PRODUCTION
from ceremony.x509.public_keys import key_identifier

# id-ecPublicKey, prime256v1, BIT STRING of 65 octets (RFC 5480 §2.1.1).
P256_PREFIX: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
P256_LENGTH: Final = 91
_BIT_STRING: Final = 0x03
_PROOF_UUIDS: Final = (
    "00000000-0000-4000-8000-000000000000",
    "ffffffff-ffff-4fff-bfff-ffffffffffff",
)


class Template:
    """TBSCertificates of one CA, one Factory, one validity.

    Args:
        factory: OU of every device.
        issuer: the local CA.
        curve: of the CA's key; the digest follows.
        not_before: whole seconds; so `not_after`.
        production: adds ``businessCategory=production``.

    Raises:
        ValueError: the builder makes other bytes than this; nothing may be issued then.
    """

    def __init__(
        self,
        *,
        factory: str,
        issuer: Issuer,
        curve: Curve,
        not_before: datetime,
        not_after: datetime,
        production: bool,
    ) -> None:
        self._factory, self._issuer, self._curve = factory, issuer, curve
        self._dates = (not_before, not_after)
        self._production = production
        reference = self.by_the_builder(_PROOF_UUIDS[0], 1 << 158, _proof_spki(0))
        fields = [one.raw for one in der.parse(reference).children]
        # version, serialNumber, signature, issuer, validity, subject, key, extensions
        self._version = fields[0]
        self._middle = b"".join(fields[2:5])
        ski = key_identifier(_proof_spki(0))
        self._before_ski, found, self._after_ski = fields[7].partition(ski)
        if not found or ski in self._after_ski:
            raise ValueError("the identifier of the key is not where it should be")
        self.algorithm = fields[2]
        self._prove()

    def tbs(self, uuid: str, serial: int, spki: bytes) -> bytes:
        """TBSCertificate, DER.

        Args:
            uuid: becomes the CN.
            serial: positive, 159 bits at most.
            spki: DER SubjectPublicKeyInfo, already read and accepted.
        """
        number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
        bits = spki[26:] if spki.startswith(P256_PREFIX) else None
        ski = (
            key_identifier(spki)
            if bits is None
            else hashlib.sha1(bits, usedforsecurity=False).digest()
        )
        return der.encode(
            der.SEQUENCE,
            b"".join(
                (
                    self._version,
                    bytes((der.INTEGER, len(number))),
                    number,
                    self._middle,
                    subject(uuid, self._factory, production=self._production),
                    spki,
                    self._before_ski,
                    ski,
                    self._after_ski,
                )
            ),
        )

    def certificate(self, tbs: bytes, signature: bytes) -> bytes:
        """The certificate around these TBS bytes, DER.

        Args:
            tbs: as `tbs` made it.
            signature: DER ECDSA-Sig-Value.
        """
        return der.encode(
            der.SEQUENCE,
            tbs + self.algorithm + der.encode(_BIT_STRING, b"\x00" + signature),
        )

    def by_the_builder(self, uuid: str, serial: int, spki: bytes) -> bytes:
        """The same TBSCertificate, made by the builder."""
        content = device_content(
            factory=self._factory,
            uuid=uuid,
            spki=spki,
            issuer=self._issuer,
            serial=serial,
            not_before=self._dates[0],
            days=_days(*self._dates),
            not_past=self._dates[1],
            production=self._production,
        )
        return tbs_of(twin(content, self._curve))

    def _prove(self) -> None:
        for uuid in _PROOF_UUIDS:
            for serial in (1, 0x7F, 0x80, (1 << 151) - 1, 1 << 151, (1 << 159) - 1):
                spki = _proof_spki(serial)
                if self.tbs(uuid, serial, spki) != self.by_the_builder(uuid, serial, spki):
                    raise ValueError("the template and the builder do not agree")


def subject(uuid: str, factory: str, *, production: bool) -> bytes:
    """DER of ``CN=<uuid>, OU=<factory>``, perhaps with ``businessCategory=production``."""
    key = (len(uuid), factory, production)
    found = _subjects.get(key)
    if found is None:
        extra = ((names.BUSINESS_CATEGORY, PRODUCTION),) if production else ()
        mark = "0" * len(uuid)
        whole = names.encode_name((names.CN, mark), (names.OU, factory), *extra)
        before, _, after = whole.partition(mark.encode())
        found = _subjects[key] = (before, after)
    return found[0] + uuid.encode() + found[1]


_subjects: dict[tuple[int, str, bool], tuple[bytes, bytes]] = {}


def _days(not_before: datetime, not_after: datetime) -> int:
    """Enough days; the content is clamped to `not_after`."""
    return (not_after - not_before).days + 1


def _proof_spki(seed: int) -> bytes:
    """A P-256 key: some multiple of the base point."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ec.derive_private_key(seed % (1 << 128) + 2, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
