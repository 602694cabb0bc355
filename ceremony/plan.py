"""The plan's tables as frozen values; `ceremony.config` reads and checks them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ceremony.core.fingerprints import Fingerprint
from ceremony.kinds import Kind, Slot, facts_of

SCHEMA = "ceremony-plan/1"
REHEARSAL_PREFIX = "rehearsal-"
MAX_LOCAL_CAS = 15  # with three files each, a bundle stays within its 64 entries
MAX_PLAN_BYTES = 256 * 1024

_NAME = r"^[a-z0-9][a-z0-9-]{0,31}\Z"
_LABEL = r"^[\x21-\x7e]{1,32}\Z"
_HEX_ID = r"^([0-9a-f]{2}){1,16}\Z"
_SHA256 = r"^[0-9a-f]{64}\Z"
_HOST_SUFFIX = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z"
_PATH = r"^/[^\x00]*\Z"
_SERIAL = r"^[\x20-\x7e]{1,16}\Z"
_VARIABLE = r"^[A-Z][A-Z0-9_]*\Z"
_CEREMONY = r"^[a-z0-9][a-z0-9-]{0,63}\Z"

EXPECTED: Final[Mapping[str, str]] = {
    _NAME: "up to 32 lower-case letters, digits and hyphens",
    _LABEL: "up to 32 printable ASCII characters without a space",
    _HEX_ID: "up to 16 bytes in lower-case hex",
    _SHA256: "64 lower-case hex digits",
    _HOST_SUFFIX: "a domain such as foundries.io, in lower case",
    _PATH: "an absolute path",
    _SERIAL: "up to 16 printable ASCII characters",
    _VARIABLE: "a variable's name in capitals",
    _CEREMONY: "the id of a ceremony",
}
"""What a text that must match a pattern is, in words."""

Name = Annotated[str, Meta(pattern=_NAME)]
Label = Annotated[str, Meta(pattern=_LABEL)]
HexId = Annotated[str, Meta(pattern=_HEX_ID)]
Sha256 = Annotated[str, Meta(pattern=_SHA256)]
HostSuffix = Annotated[str, Meta(pattern=_HOST_SUFFIX)]
AbsolutePath = Annotated[str, Meta(pattern=_PATH)]


class Curve(StrEnum):
    """NIST curves by their FIPS 186 names."""

    P256 = "P-256"
    P384 = "P-384"


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the plan's tables."""


class Online(Frozen, frozen=True):
    """How the other machine reaches the API.

    Attributes:
        api: base URL; https, or http to a loopback address.
        ca_file: PEM file with the CA of a self-hosted API; the system's store otherwise.
        proxy: URL of an HTTP proxy.
    """

    api: str = "https://api.foundries.io"
    ca_file: AbsolutePath | None = None
    proxy: str | None = None


class Token(Frozen, frozen=True):
    """One PKCS#11 token, chosen by its serial.

    Attributes:
        module: path of the vendor's PKCS#11 library.
        module_sha256: its hash, checked before it is loaded.
        serial: CK_TOKEN_INFO.serialNumber without padding.
        label: CK_TOKEN_INFO.label without padding; checked beside the serial.
        software: a software token is accepted in a real ceremony.
        initialize: a blank one is initialised in the ceremony; no other ever is.
        module_environment: variables for the module's process alone.
    """

    module: AbsolutePath
    module_sha256: Sha256 | None = None
    serial: Annotated[str, Meta(pattern=_SERIAL)] | None = None
    label: Annotated[str, Meta(max_length=32)] | None = None
    software: bool = False
    initialize: bool = False
    module_environment: dict[Annotated[str, Meta(pattern=_VARIABLE)], str] = {}


class Backup(Frozen, frozen=True):
    """How the root key is kept a second time; `none` is confirmed by both officers.

    Attributes:
        method: `vendor` (a second token), `file` (copies of the key file) or `none`.
        token: the backup token of method `vendor`; without it, its serial is asked for.
        copies: of the key file, each on a medium of its own.
    """

    method: Literal["vendor", "file", "none"]
    token: Token | None = None
    copies: Annotated[int, Meta(ge=1, le=5)] = 1


class Root(Frozen, frozen=True):
    """The root CA.

    Attributes:
        key_store: `token` (PKCS#11) or `file` (encrypted PKCS #8).
        issuer: `self`, or `external`: a higher CA signs the root's CSR between two sittings.
        curve: of the key; the digest follows (P-256 SHA-256, P-384 SHA-384).
        days: validity in days; asked of a higher CA, which decides.
        profile: `strict`, or `openssl-recipe` for the recipe's criticality.
        label: CKA_LABEL of the key, or the name of its file.
        key_id: CKA_ID in hex.
    """

    backup: Backup
    key_store: Literal["token", "file"] = "token"
    token: Token | None = None
    issuer: Literal["self", "external"] = "self"
    curve: Curve = Curve.P256
    days: Annotated[int, Meta(ge=365, le=9131)] = 7300
    profile: Literal["strict", "openssl-recipe"] = "strict"
    label: Label = "root-ca"
    key_id: HexId = "01"


class LocalCa(Frozen, frozen=True):
    """One local device CA, whose key is ours.

    Attributes:
        name: in file names and on screens.
        key_store: `token`, `file`, or `csr` (the key was made elsewhere).
        user_id: owner of its devices, if not the plan's.
        token: a token of its own; without one `on_root_token` must be true.
        on_root_token: its key may live on the root's token.
    """

    name: Name
    key_store: Literal["token", "file", "csr"] = "file"
    user_id: str | None = None
    token: Token | None = None
    on_root_token: bool = False
    days: Annotated[int, Meta(ge=1, le=7300)] = 3650


class ChosenCa(Frozen, frozen=True):
    """A device CA that the Factory has, to be disabled, enabled or revoked.

    Attributes:
        serial: decimal, or hex.
        certificate: a file with its certificate; one of the two.
    """

    serial: str | None = None
    certificate: AbsolutePath | None = None


class SignCsr(Frozen, frozen=True):
    """A CSR that is signed under a named profile.

    Attributes:
        name: in file names and on screens.
        profile: `device-ca` or `tls`; never guessed from the CSR.
    """

    name: Name
    profile: Literal["device-ca", "tls"]
    days: Annotated[int, Meta(ge=1, le=7300)] = 3650


class Rules(Frozen, frozen=True):
    """The rules of the room.

    Attributes:
        officers: who type and confirm; two, as nothing irreversible happens with fewer.
        type_back: how many words each officer types at each crossing.
        host_suffixes: DNS names of TLS and EST certificates must end in one of these.
        interfaces: network interfaces that may be up, e.g. an HSM on a cable.
        punycode: `xn--` names are allowed.
        split_pin: PINs and passphrases are typed in two parts, by two officers.
        bags: numbers of tamper-evident bags are asked for, in and out.
        csr_curves: curves allowed in CSRs.
        rsa: RSA keys of 3072 bits and more are allowed in CSRs.
    """

    officers: Literal[2] = 2
    witness: bool = False
    type_back: Literal["full", "sample"] = "full"
    host_suffixes: tuple[HostSuffix, ...] = ("foundries.io",)
    interfaces: tuple[str, ...] = ()
    punycode: bool = False
    split_pin: bool = False
    bags: bool = True
    csr_curves: tuple[Curve, ...] = (Curve.P256,)
    rsa: bool = False


class Limits(Frozen, frozen=True):
    """Numbers with built-in bounds.

    Attributes:
        tls_days: validity of gateway and EST certificates.
        online_ca_days: validity of the online device CA.
        request_age_days: an older request bundle is refused.
        crl_days: from a CRL's thisUpdate to its nextUpdate.
        token_timeout_s: one answer of a PKCS#11 module.
        generate_timeout_s: key generation on a slow token.
    """

    tls_days: Annotated[int, Meta(ge=1, le=3650)] = 3650
    online_ca_days: Annotated[int, Meta(ge=1, le=7300)] = 3650
    request_age_days: Annotated[int, Meta(ge=1, le=365)] = 30
    crl_days: Annotated[int, Meta(ge=1, le=366)] = 30
    token_timeout_s: Annotated[int, Meta(ge=1, le=600)] = 60
    generate_timeout_s: Annotated[int, Meta(ge=1, le=1800)] = 300


class Media(Frozen, frozen=True):
    """Folders offered first where a stick is asked for.

    Attributes:
        higher_ca: takes the root's CSR to the higher CA, and brings its answer.
    """

    csr_in: AbsolutePath | None = None
    signed_out: AbsolutePath | None = None
    higher_ca: AbsolutePath | None = None
    evidence: AbsolutePath | None = None
    custody: AbsolutePath | None = None


class Destroy(Frozen, frozen=True):
    """Which keys the kind `destroy-key` destroys.

    Attributes:
        ceremony: id of the abandoned ceremony, a folder of the same state folder.
        keys: names of keys that its record generated: `root`, or a local CA's.
    """

    ceremony: Annotated[str, Meta(pattern=_CEREMONY)]
    keys: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)] = ("root",)


class Plan(Frozen, frozen=True):
    """The whole plan. Use `load` or `parse`: they make the checks between fields."""

    schema: Literal["ceremony-plan/1"]
    factory: str
    kind: Kind
    user_id: str
    root: Root
    requests: tuple[Slot, ...] = (Slot.TLS, Slot.ONLINE_CA, Slot.EST_TLS)
    local_ca: tuple[LocalCa, ...] = ()
    device_ca: tuple[ChosenCa, ...] = ()
    sign_csr: tuple[SignCsr, ...] = ()
    destroy: Destroy | None = None
    online: Online = Online()
    rules: Rules = Rules()
    limits: Limits = Limits()
    media: Media = Media()
    rehearsal: bool = False

    @property
    def tokens(self) -> tuple[tuple[str, Token], ...]:
        """Each token table that this kind works with, with what its key is."""
        if self.kind is Kind.CHECK_BACKUP:  # the root's own token stays in its bag
            return (("backup", self.root.backup.token),) if self.root.backup.token else ()
        found = [("root", self.root.token)] if self.root.key_store == "token" else []
        found += [(f"local CA {ca.name}", ca.token) for ca in self.local_ca]
        return tuple((purpose, token) for purpose, token in found if token is not None)

    @property
    def root_below(self) -> bool:
        """Whether a new root is made, and a higher CA signs it."""
        return facts_of(self.kind).makes_root and self.root.issuer == "external"

    @property
    def validities(self) -> tuple[tuple[str, int], ...]:
        """What the root signs below itself: name and days."""
        limits = self.limits
        days = {Slot.ONLINE_CA: limits.online_ca_days}
        return (
            *((slot.value, days.get(slot, limits.tls_days)) for slot in self.requests),
            *((ca.name, ca.days) for ca in self.local_ca),
            *((one.name, one.days) for one in self.sign_csr),
        )

    def owner(self, ca: LocalCa) -> str:
        """The user id that owns the devices of `ca`."""
        return ca.user_id or self.user_id


class PlanFile(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and the bytes that were reviewed."""

    plan: Plan
    raw: bytes

    @property
    def fingerprint(self) -> Fingerprint:
        """SHA-256 of the file's bytes."""
        return Fingerprint.of(self.raw)
