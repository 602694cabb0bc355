"""The plan of a rehearsal: the user's own, with everything real replaced and told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from ceremony.config import REHEARSAL_PREFIX, Kind, LocalCa, Plan, PlanFile, Token, parse
from ceremony.kinds import facts_of

_LONGEST = 54


@dataclass(frozen=True, slots=True, kw_only=True)
class Substituted:
    """A rehearsal's plan, and a line for each thing that was replaced."""

    plan_file: PlanFile
    told: tuple[str, ...]


def substitute(
    plan: Plan,
    directory: Path,
    api: str,
    kind: Kind,
    token: Token | None,
    backup: Token | None = None,
    number: int = 1,
    acts_on: Mapping[str, Any] | None = None,
    issuer: str = "",
) -> Substituted:
    """The plan for a rehearsal in `directory`.

    Args:
        plan: the user's own.
        directory: absolute; its folders stand for the sticks.
        api: base URL of the practice Factory.
        kind: what is rehearsed.
        token: the practice token; None rehearses with encrypted files.
        backup: the practice token that a vendor's backup is proven on.
        number: of the run; makes names that are made up, and the plan itself, its own.
        acts_on: table of the plan that names what it acts on, where the kind has one.
        issuer: `root.issuer` of the practice Factory's root, where it has one.
    """
    factory = rehearsal_name(plan.factory)
    told = [
        f"factory: {plan.factory} -> {factory}",
        f"API: {plan.online.api} -> {api}",
        f"root key: {_where(plan)} -> {_practice(token)}",
    ]
    if backup is not None and plan.root.backup.method != "none":
        told.append(f"backup of the root key: -> a clone, practice token {backup.serial}")
    if issuer not in {"", plan.root.issuer}:
        told.append(f"root.issuer: {plan.root.issuer} -> {issuer}, as that root's is")
    document = _builtins(plan)
    if kind is not plan.kind:
        told.append(f"kind: {plan.kind.value} -> {kind.value}")
        document |= _of_another_kind(kind, token, number)
        local: list[dict[str, Any]] = document["local_ca"]
    else:
        local = [_builtins(_local(ca, token, told)) for ca in plan.local_ca]
    document.pop("destroy", None)
    for table, value in (acts_on or {}).items():
        told.append(f"{table}: -> {value}")
        document[table] = value
    document |= {
        "factory": factory,
        "kind": kind.value,
        "rehearsal": True,
        "online": {"api": api},
        "root": _root(plan, token, backup, issuer),
        "local_ca": local,
        "media": {
            "csr_in": str(directory / "usb-in"),
            "higher_ca": str(directory / "usb-ca"),
            "signed_out": str(directory / "usb-out"),
            "evidence": str(directory / "evidence"),
            "custody": str(directory / "custody"),
        },
    }
    header = "# The plan of a rehearsal. Nothing it makes can be used on a real Factory.\n"
    header += f"# Run {number} in its folder.\n\n"
    raw = header + tomli_w.dumps(document)
    return Substituted(plan_file=parse(raw.encode()), told=tuple(told))


def _of_another_kind(kind: Kind, token: Token | None, number: int) -> dict[str, Any]:
    """What a plan of this kind needs and the user's own, of another kind, does not say."""
    facts = facts_of(kind)
    ca: dict[str, Any] = {"name": "line-1" if facts.makes_root else f"added-{number}"}
    if token is not None and not facts.makes_root:
        ca |= {"key_store": "token", "on_root_token": True}
    asked = {"name": f"asked-{number}", "profile": "device-ca"}
    return {
        "requests": [slot.value for slot in facts.usual],
        "local_ca": [ca] if facts.makes_local_cas else [],
        "device_ca": [],
        "sign_csr": [asked] if kind is Kind.SIGN_CSR else [],
    }


def rehearsal_name(factory: str) -> str:
    """The Factory of a rehearsal: ``rehearsal-<factory>``, which the real API does not know."""
    return f"{REHEARSAL_PREFIX}{factory.removeprefix(REHEARSAL_PREFIX)}"[:_LONGEST].rstrip("-")


def _root(plan: Plan, token: Token | None, backup: Token | None, issuer: str) -> dict[str, Any]:
    root = _builtins(plan.root)
    if issuer not in {"", plan.root.issuer}:
        root |= {"issuer": issuer, "profile": "strict"}  # the profile is the higher CA's matter
    root.pop("token", None)
    method = plan.root.backup.method
    if token is None:
        root["key_store"] = "file"
        root["backup"] = {
            "method": "file" if method == "vendor" else method,
            "copies": plan.root.backup.copies,
        }
        return root
    root["key_store"] = "token"
    root["token"] = _builtins(token)
    root["backup"] = {"method": "vendor" if method == "file" else method}
    if root["backup"]["method"] == "vendor" and backup is not None:
        root["backup"]["token"] = _builtins(backup)
    return root


def _local(ca: LocalCa, token: Token | None, told: list[str]) -> LocalCa:
    if ca.key_store == "file" or (ca.on_root_token and token is not None):
        return ca
    if token is not None:
        told.append(f"local CA {ca.name}: {ca.key_store} -> on the practice token")
        return msgspec.structs.replace(ca, key_store="token", token=None, on_root_token=True)
    told.append(f"local CA {ca.name}: {ca.key_store} -> encrypted file")
    return msgspec.structs.replace(ca, key_store="file", token=None, on_root_token=False)


def _where(plan: Plan) -> str:
    token = plan.root.token
    if plan.root.key_store == "file" or token is None:
        return "encrypted file"
    return f"token {token.serial or token.label}"


def _practice(token: Token | None) -> str:
    return "encrypted file" if token is None else f"practice token {token.serial}"


def _builtins(value: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = _without_none(msgspec.to_builtins(value))
    return found


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
