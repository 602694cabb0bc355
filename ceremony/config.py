"""The plan: `ceremony.toml`, the one reviewed input, as frozen values.

Strict: an unknown key, a wrong type or an absurd value is refused with its key path.
The plan's fingerprint is the SHA-256 of the file's bytes.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import PlanError

SCHEMA = "ceremony-plan/1"
REHEARSAL_PREFIX = "rehearsal-"
MAX_LOCAL_CAS = 15  # with three files each, a bundle stays within its 64 entries
MAX_PLAN_BYTES = 256 * 1024

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
Label = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,32}\Z")]
HexId = Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){1,16}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
HostSuffix = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")]
AbsolutePath = Annotated[str, Meta(pattern=r"^/[^\x00]*\Z")]


class Kind(StrEnum):
    """What a ceremony is for."""

    CREATE = "create"


class Slot(StrEnum):
    """Which of the API's CSRs a certificate answers; it alone decides the profile."""

    TLS = "tls"
    ONLINE_CA = "online-ca"
    EST_TLS = "est-tls"


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
        module_environment: variables for the module's process alone.
    """

    module: AbsolutePath
    module_sha256: Sha256 | None = None
    serial: Annotated[str, Meta(max_length=16)] | None = None
    label: Annotated[str, Meta(max_length=32)] | None = None
    software: bool = False
    module_environment: dict[Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]*\Z")], str] = {}


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
        curve: of the key; the digest follows (P-256 SHA-256, P-384 SHA-384).
        days: validity in days.
        profile: `strict`, or `openssl-recipe` for the recipe's criticality.
        label: CKA_LABEL of the key, or the name of its file.
        key_id: CKA_ID in hex.
    """

    backup: Backup
    key_store: Literal["token", "file"] = "token"
    token: Token | None = None
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


class Rules(Frozen, frozen=True):
    """The rules of the room.

    Attributes:
        officers: who type and confirm; two, as nothing irreversible happens with fewer.
        type_back: how many words each officer types at each crossing.
        host_suffixes: DNS names of TLS and EST certificates must end in one of these.
        interfaces: network interfaces that may be up, e.g. an HSM on a cable.
        punycode: `xn--` names are allowed.
        csr_curves: curves allowed in CSRs.
        rsa: RSA keys of 3072 bits and more are allowed in CSRs.
    """

    officers: Literal[2] = 2
    witness: bool = False
    type_back: Literal["full", "sample"] = "full"
    host_suffixes: tuple[HostSuffix, ...] = ("foundries.io",)
    interfaces: tuple[str, ...] = ()
    punycode: bool = False
    csr_curves: tuple[Curve, ...] = (Curve.P256,)
    rsa: bool = False


class Limits(Frozen, frozen=True):
    """Numbers with built-in bounds.

    Attributes:
        tls_days: validity of gateway and EST certificates.
        online_ca_days: validity of the online device CA.
        request_age_days: an older request bundle is refused.
        token_timeout_s: one answer of a PKCS#11 module.
        generate_timeout_s: key generation on a slow token.
    """

    tls_days: Annotated[int, Meta(ge=1, le=3650)] = 3650
    online_ca_days: Annotated[int, Meta(ge=1, le=7300)] = 3650
    request_age_days: Annotated[int, Meta(ge=1, le=365)] = 30
    token_timeout_s: Annotated[int, Meta(ge=1, le=600)] = 60
    generate_timeout_s: Annotated[int, Meta(ge=1, le=1800)] = 300


class Media(Frozen, frozen=True):
    """Folders offered first where a stick is asked for."""

    csr_in: AbsolutePath | None = None
    signed_out: AbsolutePath | None = None
    evidence: AbsolutePath | None = None
    custody: AbsolutePath | None = None


class Plan(Frozen, frozen=True):
    """The whole plan. Use `load` or `parse`: they make the checks between fields."""

    schema: Literal["ceremony-plan/1"]
    factory: str
    kind: Kind
    user_id: str
    root: Root
    requests: tuple[Slot, ...] = (Slot.TLS, Slot.ONLINE_CA, Slot.EST_TLS)
    local_ca: tuple[LocalCa, ...] = ()
    online: Online = Online()
    rules: Rules = Rules()
    limits: Limits = Limits()
    media: Media = Media()
    rehearsal: bool = False

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


def load(path: Path) -> PlanFile:
    """Reads and checks a plan file.

    Raises:
        PlanError: it cannot be read, or is not a plan.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_PLAN_BYTES + 1)
    except OSError as exc:
        raise PlanError(
            "plan.unreadable",
            f"cannot read the plan {show(str(path))}: {exc.strerror}",
            hint="Name the plan file, or run where ceremony.toml is.",
        ) from exc
    return parse(raw)


def parse(raw: bytes) -> PlanFile:
    """Checks a plan's bytes.

    Raises:
        PlanError: `plan.syntax`, `plan.value` or `plan.absurd`, with the key path.
    """
    if len(raw) > MAX_PLAN_BYTES:
        raise PlanError(
            "plan.syntax", "the plan is larger than 256 KiB", hint="Check that it is a plan."
        )
    try:
        plan = msgspec.toml.decode(raw, type=Plan)
    except msgspec.ValidationError as exc:
        raise _value_error(exc) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise PlanError(
            "plan.syntax",
            f"the plan is not valid TOML: {show(str(exc))}",
            hint="Correct the line that is named.",
        ) from exc
    _check(plan)
    return PlanFile(plan=plan, raw=raw)


def _value_error(exc: msgspec.ValidationError) -> PlanError:
    expected, _, path = str(exc).partition(" - at `$")
    return PlanError(
        "plan.value",
        f"plan key {show(path.strip('`.')) or 'top level'}: {show(expected)}",
        hint="Correct the key; README, section 'The plan', lists every key.",
    )


def _refuse(key: str, what: str) -> PlanError:
    return PlanError(
        "plan.absurd", f"plan key {key}: {what}", hint="Correct the plan and have it reviewed."
    )


def _check(plan: Plan) -> None:
    _check_factory(plan)
    _check_url("online.api", plan.online.api)
    if plan.online.proxy is not None and urlsplit(plan.online.proxy).scheme not in {
        "http",
        "https",
    }:
        raise _refuse("online.proxy", "expected an http or https URL")
    check_user_id("user_id", plan.user_id)
    _check_requests(plan)
    if plan.root.key_store == "token" and plan.root.token is None:
        raise _refuse("root.token", "expected a table, as root.key_store is 'token'")
    if plan.root.key_store == "file" and plan.root.backup.method == "vendor":
        raise _refuse("root.backup.method", "'vendor' needs root.key_store = 'token'")
    if plan.root.key_store == "token" and plan.root.backup.method == "file":
        raise _refuse("root.backup.method", "'file' needs root.key_store = 'file'")
    if plan.root.key_store == "token":
        _check_token("root.token", plan.root.token)
    _check_backup(plan.root)
    _check_local_cas(plan)
    for key, days in (
        ("limits.tls_days", plan.limits.tls_days),
        ("limits.online_ca_days", plan.limits.online_ca_days),
    ):
        if days > plan.root.days:
            raise _refuse(key, f"{days} days outlive the root's {plan.root.days}")


def _check_factory(plan: Plan) -> None:
    check_ascii("factory", plan.factory)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", plan.factory) or len(plan.factory) > 54:
        raise _refuse("factory", "expected up to 54 lower-case letters, digits and hyphens")
    if plan.factory.startswith(REHEARSAL_PREFIX) != plan.rehearsal:
        raise _refuse(
            "factory", f"the prefix '{REHEARSAL_PREFIX}' belongs to rehearsals, and to each of them"
        )


def _check_requests(plan: Plan) -> None:
    if len(set(plan.requests)) != len(plan.requests):
        raise _refuse("requests", "each slot once")
    if plan.kind is Kind.CREATE and Slot.TLS not in plan.requests:
        raise _refuse("requests", "'tls' is needed: without it no device reaches the gateway")
    if Slot.ONLINE_CA not in plan.requests and not plan.local_ca:
        raise _refuse("requests", "without 'online-ca' there must be a local_ca")


def _check_backup(root: Root) -> None:
    backup = root.backup
    if backup.copies > 1 and backup.method != "file":
        raise _refuse("root.backup.copies", "needs root.backup.method = 'file'")
    if backup.token is None:
        return
    if backup.method != "vendor":
        raise _refuse("root.backup.token", "needs root.backup.method = 'vendor'")
    _check_token("root.backup.token", backup.token)
    own = root.token.serial if root.token is not None else None
    if own is not None and backup.token.serial == own:
        raise _refuse("root.backup.token.serial", "is the serial of root.token itself")


def _check_local_cas(plan: Plan) -> None:
    names = [ca.name for ca in plan.local_ca]
    if len(set(names)) != len(names) or len(names) > MAX_LOCAL_CAS:
        raise _refuse("local_ca", f"up to {MAX_LOCAL_CAS}, each with a name of its own")
    if taken := sorted({"root", *(slot.value for slot in Slot)} & set(names)):
        raise _refuse("local_ca", f"the name '{taken[0]}' is that of a certificate's role")
    for index, ca in enumerate(plan.local_ca):
        key = f"local_ca[{index}]"
        if ca.user_id is not None:
            check_user_id(f"{key}.user_id", ca.user_id)
        if ca.days > plan.root.days:
            raise _refuse(f"{key}.days", f"{ca.days} days outlive the root's {plan.root.days}")
        if ca.key_store == "token" and ca.token is None and not ca.on_root_token:
            raise _refuse(f"{key}.token", "expected a table, or on_root_token = true")
        if ca.on_root_token and (plan.root.key_store != "token" or ca.key_store != "token"):
            raise _refuse(f"{key}.on_root_token", "needs key_store = 'token' here and in root")
        if ca.token is not None:
            _check_token(f"{key}.token", ca.token)


def _check_token(key: str, token: Token | None) -> None:
    if token is None or (token.serial is None and token.label is None):
        raise _refuse(f"{key}.serial", "expected the token's serial number (or its label)")


def check_ascii(key: str, value: str) -> None:
    """Refuses look-alikes, naming the code points.

    Raises:
        PlanError: a character outside printable ASCII.
    """
    odd = sorted({char for char in value if not 0x20 < ord(char) < 0x7F})
    if odd:
        points = ", ".join(f"U+{ord(char):04X}" for char in odd)
        raise _refuse(key, f"has characters outside printable ASCII: {points}")


def check_user_id(key: str, value: str) -> None:
    """A polis-id: it becomes ``CN=fio-<user id>``, 64 characters at most.

    Raises:
        PlanError: `plan.absurd`.
    """
    check_ascii(key, value)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", value):
        raise _refuse(key, "expected up to 60 letters, digits, '-' and '_'")


def is_loopback(host: str | None) -> bool:
    """Whether a URL's host is this machine."""
    return host in {"localhost", "::1"} or bool(
        host and re.fullmatch(r"127\.\d{1,3}\.\d{1,3}\.\d{1,3}", host)
    )


def _check_url(key: str, url: str) -> None:
    check_ascii(key, url)
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username:
        raise _refuse(key, "expected an https URL without a user name")
    if parts.query or parts.fragment:
        raise _refuse(key, "expected a URL without query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise _refuse(key, "http is for loopback addresses only; use https")
