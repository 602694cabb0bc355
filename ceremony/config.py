"""The plan: `ceremony.toml`, the one reviewed input, read and checked.

Strict: an unknown key, a wrong type or an absurd value is refused with its key path.
The plan's fingerprint is the SHA-256 of the file's bytes.
"""

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from ceremony.core.serials import parse_serial
from ceremony.core.text import show
from ceremony.errors import PlanError
from ceremony.kinds import KINDS, Kind, Slot, facts_of
from ceremony.plan import (
    EXPECTED,
    MAX_LOCAL_CAS,
    MAX_PLAN_BYTES,
    REHEARSAL_PREFIX,
    SCHEMA,
    Backup,
    ChosenCa,
    Curve,
    Destroy,
    Limits,
    LocalCa,
    Media,
    Online,
    Plan,
    PlanFile,
    Root,
    Rules,
    SignCsr,
    Token,
)

__all__ = [
    "MAX_LOCAL_CAS",
    "MAX_PLAN_BYTES",
    "REHEARSAL_PREFIX",
    "SCHEMA",
    "Backup",
    "ChosenCa",
    "Curve",
    "Destroy",
    "Kind",
    "Limits",
    "LocalCa",
    "Media",
    "Online",
    "Plan",
    "PlanFile",
    "Root",
    "Rules",
    "SignCsr",
    "Slot",
    "Token",
    "check_ascii",
    "check_user_id",
    "is_loopback",
    "load",
    "parse",
]


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
        plan = msgspec.convert(_with_defaults(_read_toml(raw)), Plan)
    except msgspec.ValidationError as exc:
        raise _value_error(exc) from exc
    _check(plan)
    return PlanFile(plan=plan, raw=raw)


def _read_toml(raw: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as exc:  # of syntax, UTF-8, numbers, depth
        raise PlanError(
            "plan.syntax",
            f"the plan is not valid TOML: {show(str(exc), 200)}",
            hint="Correct the line that is named.",
        ) from exc


def _with_defaults(tree: dict[str, Any]) -> dict[str, Any]:
    """What a plan of its kind asks for when it does not say."""
    if tree.get("kind") not in [kind.value for kind in Kind]:
        return tree
    kind = Kind(tree["kind"])
    rules = tree.setdefault("rules", {})
    if kind is not Kind.CREATE and isinstance(rules, dict):
        rules.setdefault("type_back", "sample")
    tree.setdefault("requests", [slot.value for slot in KINDS[kind].usual])
    return tree


def _value_error(exc: msgspec.ValidationError) -> PlanError:
    expected, _, path = str(exc).partition(" - at `$")
    for pattern, words in EXPECTED.items():
        if expected.endswith(f"matching regex {pattern!r}"):
            expected = f"expected {words}"
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
    _check_api(plan.online.api)
    if plan.online.proxy is not None:
        _split("online.proxy", plan.online.proxy, "an http or https URL")
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
        if plan.kind is Kind.EXPORT_ROOT_KEY:
            raise _refuse("root.key_store", "a key on a token cannot be exported, only cloned")
    if plan.root.issuer == "external" and plan.root.profile != "strict":
        raise _refuse("root.profile", "is the higher CA's matter where root.issuer = 'external'")
    _check_backup(plan.root, plan.kind)
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
    kind, facts = plan.kind.value, facts_of(plan.kind)
    if len(set(plan.requests)) != len(plan.requests):
        raise _refuse("requests", "each slot once")
    for slot in facts.needed:
        if slot not in plan.requests:
            why = ": without it no device reaches the gateway" if facts.makes_root else ""
            raise _refuse("requests", f"'{slot.value}' is needed{why}")
    for slot in plan.requests:
        if slot not in facts.allowed:
            raise _refuse("requests", f"'{slot.value}' is not asked for by {kind}")
    if plan.local_ca and not facts.makes_local_cas:
        raise _refuse("local_ca", f"{kind} makes no local CA")
    if facts.makes_local_cas and Slot.ONLINE_CA not in plan.requests and not plan.local_ca:
        raise _refuse("requests", "without 'online-ca' there must be a local_ca")
    _check_chosen(plan)
    if (plan.destroy is None) == (plan.kind is Kind.DESTROY_KEY):
        raise _refuse("destroy", "belongs to the kind destroy-key, which needs it")


def _check_chosen(plan: Plan) -> None:
    kind = plan.kind
    if plan.device_ca and facts_of(kind).reason is None:
        raise _refuse("device_ca", f"{kind.value} changes no device CA")
    for index, ca in enumerate(plan.device_ca):
        if (ca.serial is None) == (ca.certificate is None):
            raise _refuse(f"device_ca[{index}]", "expected either serial or certificate")
        if ca.serial is not None:
            try:
                parse_serial(ca.serial)
            except ValueError as exc:
                raise _refuse(f"device_ca[{index}].serial", f"is {exc}") from exc
    names = [one.name for one in plan.sign_csr]
    if bool(names) != (kind is Kind.SIGN_CSR):
        raise _refuse("sign_csr", "belongs to the kind sign-csr, which needs it")
    if len(set(names)) != len(names) or len(names) > MAX_LOCAL_CAS:
        raise _refuse("sign_csr", f"up to {MAX_LOCAL_CAS}, each with a name of its own")


def _check_backup(root: Root, kind: Kind) -> None:
    backup = root.backup
    if kind is Kind.CHECK_BACKUP and backup.method == "none":
        raise _refuse("root.backup.method", "'none' leaves nothing to check")
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
        host and re.fullmatch(r"127(\.[0-9]{1,3}){3}", host)
    )


def _split(key: str, url: str, expected: str) -> SplitResult:
    check_ascii(key, url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise _refuse(key, f"expected {expected}: {show(str(exc))}") from exc
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        raise _refuse(key, f"expected {expected}")
    return parts


def _check_api(url: str) -> None:
    key = "online.api"
    parts = _split(key, url, "an https URL")
    if parts.username or parts.password:
        raise _refuse(key, "expected an https URL without a user name")
    if parts.query or parts.fragment:
        raise _refuse(key, "expected a URL without query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise _refuse(key, "http is for loopback addresses only; use https")
