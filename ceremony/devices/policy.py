"""What a device's CSR may ask for; a row that asks for more is refused, the rest go on.

Most CSRs of a batch have one shape: ``CN=<uuid>, OU=<factory>``, P-256, ECDSA with SHA-256.
Those are taken apart by position and put together again: bytes that come out equal are
DER and hold nothing else. Whatever differs goes through the strict reader, which has a
name for each refusal.
"""

import binascii
import re
from binascii import a2b_base64
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.config import Curve
from ceremony.core.text import show
from ceremony.devices.template import P256_LENGTH, P256_PREFIX, subject
from ceremony.errors import VerificationError
from ceremony.x509 import der, names, pem
from ceremony.x509 import extensions as ext
from ceremony.x509.csr import Csr, read_csr
from ceremony.x509.profiles import PRODUCTION
from ceremony.x509.public_keys import MIN_RSA_BITS

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UUID_LENGTH: Final = 36
_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE REQUEST-----\n"
_HINT: Final = "Have the device make a new CSR; the README lists what one may ask for."
_ECDSA_SHA256: Final = der.sequence((der.encode_oid("1.2.840.10045.4.3.2"),))
_VERSION: Final = b"\x02\x01\x00"
_MAX_ATTRIBUTES: Final = 1024
_KNOWN: Final = frozenset(
    {
        ext.BASIC_CONSTRAINTS,
        ext.KEY_USAGE,
        ext.EXTENDED_KEY_USAGE,
        ext.SUBJECT_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRules:
    """What a batch allows.

    Attributes:
        factory: the OU that every CSR must have.
        production: certificates get ``businessCategory=production``.
        curves: of the devices' keys.
        rsa: RSA keys of 3072 bits and more are accepted.
        uuid: the only one that is accepted; None for any.
    """

    factory: str
    production: bool = False
    curves: tuple[Curve, ...] = (Curve.P256,)
    rsa: bool = False
    uuid: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is left of a CSR: whose certificate, over which key."""

    uuid: str
    spki: bytes


def check_uuid(text: str) -> str:
    """The uuid of a device in the one form that counts: RFC 9562 §4, lower case.

    Raises:
        VerificationError: `device.uuid`.
    """
    if not _UUID.fullmatch(text):
        raise VerificationError(
            "device.uuid",
            f"'{show(text, 80)}' is no uuid in lower case with hyphens",
            hint="Write it as in 9b2f3c1e-0000-4000-8000-000000000001.",
        )
    return text


class Reader:
    """Reads the CSRs of one batch. Not to be shared between processes."""

    def __init__(self, rules: DeviceRules) -> None:
        self._rules = rules
        self._subjects = _usual_subjects(rules) if Curve.P256 in rules.curves else ()
        self._attributes: set[bytes] = {der.encode(der.context(0), b"")}

    def read(self, data: bytes, where: str) -> Asked:
        """One CSR, PEM or DER, whose self-signature, key, subject and wishes are in order.

        Raises:
            VerificationError: `device.*`, `csr.*` or `pem.*`.
        """
        raw = data if data[:1] == b"\x30" else _unwrap(data, where)
        asked = self._usual(raw)
        if asked is None:
            asked = self._strictly(raw, where)
        if self._rules.uuid not in {None, asked.uuid}:
            raise _refuse("uuid", f"the CSR's uuid is {asked.uuid}, not {self._rules.uuid}")
        return asked

    def _usual(self, raw: bytes) -> Asked | None:
        """A CSR of the usual shape; None for any other, and for one that is wrong."""
        # Two headers stand before the version, of two to four octets each.
        start = raw.find(_VERSION, 4, 11) + 3
        for before, after in self._subjects:
            at = start + len(before) + _UUID_LENGTH
            key = at + len(after)
            if not (raw.startswith(before, start) and raw.startswith(after, at)):
                continue
            rest = key + P256_LENGTH
            if not raw.startswith(P256_PREFIX, key):
                return None
            uuid = raw[at - _UUID_LENGTH : at].decode("latin-1")
            end = raw.find(_ECDSA_SHA256, rest, rest + _MAX_ATTRIBUTES)
            signature = raw[end + len(_ECDSA_SHA256) + 3 :]
            attributes = raw[rest:end]
            body = der.encode(
                der.SEQUENCE, _VERSION + before + uuid.encode("latin-1") + after + raw[key:end]
            )
            again = der.encode(
                der.SEQUENCE,
                body + _ECDSA_SHA256 + der.encode(der.BIT_STRING, b"\x00" + signature),
            )
            if again != raw or attributes not in self._attributes or not _UUID.fullmatch(uuid):
                return None
            return self._verified(uuid, raw[key:rest], body, signature)
        return None

    @staticmethod
    def _verified(uuid: str, spki: bytes, body: bytes, signature: bytes) -> Asked | None:
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), spki[26:])
            key.verify(signature, body, ec.ECDSA(hashes.SHA256()))
        except (ValueError, InvalidSignature):
            return None
        return Asked(uuid, spki)

    def _strictly(self, raw: bytes, where: str) -> Asked:
        csr = read_csr(raw, where)
        _check_key(csr, self._rules)
        uuid = _check_subject(csr, self._rules)
        _check_wishes(csr)
        if csr.key == "EC P-256" and len(self._attributes) < 64:
            # The same wishes in the next CSR need no second look.
            info = der.parse(raw).children[0].children
            if len(info) == 4 and len(info[3].raw) < _MAX_ATTRIBUTES:
                self._attributes.add(info[3].raw)
        return Asked(uuid, csr.spki)


def _unwrap(data: bytes, where: str) -> bytes:
    """The DER in a PEM block, whose usual form is told by writing it again.

    Whatever comes out otherwise is the strict reader's matter.
    """
    if data.startswith(_PEM_BEGIN):
        try:
            raw = a2b_base64(data[len(_PEM_BEGIN) : data.find(b"-----END", len(_PEM_BEGIN))])
        except binascii.Error:
            raw = b""
        if pem.write_pem(raw, pem.CERTIFICATE_REQUEST) == data:
            return raw
    return pem.read_pem(data, pem.CERTIFICATE_REQUEST, where)


def _usual_subjects(rules: DeviceRules) -> tuple[tuple[bytes, bytes], ...]:
    """What stands before and after the uuid, in UTF8String and in PrintableString."""
    mark = "0" * _UUID_LENGTH
    found = []
    for production in {False, rules.production}:
        utf8 = subject(mark, rules.factory, production=production)
        # CN, OU and businessCategory fit into a PrintableString (X.680 §41.4); the tag
        # stands behind the OID, and both have the same length.
        printable = _as_printable(utf8)
        for whole in (utf8, printable):
            before, _, after = whole.partition(mark.encode())
            found.append((before, after))
    return tuple(found)


def _as_printable(name: bytes) -> bytes:
    attributes = [rdn.children[0].children for rdn in der.parse(name).children]
    return der.sequence(
        der.encode(der.SET, der.sequence((oid.raw, der.encode(der.PRINTABLE, value.content))))
        for oid, value in attributes
    )


def _check_key(csr: Csr, rules: DeviceRules) -> None:
    if csr.key.startswith("RSA"):
        if not rules.rsa or csr.key_size < MIN_RSA_BITS:
            raise _refuse("key", f"the key is {csr.key}; {_keys(rules)}")
    elif csr.curve not in rules.curves:
        raise _refuse("key", f"the key is {csr.key}; {_keys(rules)}")


def _keys(rules: DeviceRules) -> str:
    rsa = f" and RSA from {MIN_RSA_BITS} bits" if rules.rsa else ""
    return f"accepted are {', '.join(rules.curves)}{rsa}"


def _check_subject(csr: Csr, rules: DeviceRules) -> str:
    allowed = {names.CN, names.OU, names.BUSINESS_CATEGORY}
    parts = [attribute for rdn in csr.rdns for attribute in rdn]
    if (
        any(part.oid not in allowed for part in parts)
        or len({part.oid for part in parts}) != len(csr.rdns)
        or len(parts) != len(csr.rdns)
    ):
        raise _refuse("subject", f"the subject is {csr.subject or 'empty'}; only CN and OU, once")
    if csr.organizational_unit != rules.factory:
        raise _refuse(
            "ou",
            f"OU is {csr.organizational_unit or 'absent'}, the factory is {rules.factory}",
        )
    category = next((p.text for p in parts if p.oid == names.BUSINESS_CATEGORY), None)
    if category is not None and (category != PRODUCTION or not rules.production):
        raise _refuse(
            "category",
            f"asks for businessCategory={show(category, 80)}, and this batch is "
            + ("for production" if rules.production else "not for production"),
        )
    cn = names.only(csr.rdns, names.CN)
    return check_uuid(cn if cn is not None else "")


def _check_wishes(csr: Csr) -> None:
    asked = csr.extensions
    if asked.is_ca:
        raise _refuse("ca", "asks to be a CA (CA:TRUE); a device is none")
    if usages := [one for one in asked.key_usage or () if one in {"keyCertSign", "cRLSign"}]:
        raise _refuse("ca", f"asks for {', '.join(usages)}; a device is no CA")
    if purposes := [one for one in asked.extended_key_usage or () if one != "clientAuth"]:
        raise _refuse("eku", f"asks for {', '.join(purposes)}; a device is a TLS client only")
    for one in asked.all:
        if one.oid not in _KNOWN:
            raise _refuse("extension", f"asks for {one.name}, which a device does not get")


def _refuse(what: str, sentence: str) -> VerificationError:
    return VerificationError(f"device.{what}", sentence, hint=_HINT)
