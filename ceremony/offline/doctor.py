"""`ceremony doctor`: preflight and token inventory; changes nothing."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ceremony import __version__, config
from ceremony.clock import SystemClock
from ceremony.command_line import Command
from ceremony.config import Plan, Token
from ceremony.core.ports import StoreInfo
from ceremony.core.text import show
from ceremony.errors import KeyStoreError
from ceremony.flow.prompts import CheckRow
from ceremony.installation import tool_sha256
from ceremony.offline import cli
from ceremony.offline.environment import default_state
from ceremony.offline.inventory import FoundModule, found_modules, listing_tokens
from ceremony.offline.preflight import machine_rows, preflight
from ceremony.offline.store import history_row

SCHEMA = "ceremony-doctor/1"
_TIMEOUT_S = 20


@click.command(name="doctor", cls=Command)
@click.argument("plan", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="State folder (default: XDG)."
)
def command(plan: Path | None, as_json: bool, directory: Path | None) -> int:
    """Look at this laptop and its tokens; change nothing, try no PIN.

    With PLAN (default: ceremony.toml, where there is one), its token and interfaces are
    looked for too. Exit status 0 when it could look; the verdict is in the rows.
    """
    default = Path("ceremony.toml")
    named = plan or (default if default.is_file() else None)
    loaded = config.load(named).plan if named is not None else None
    found = look(loaded, directory or default_state())
    click.echo(json.dumps(found, indent=2) if as_json else _text(found), nl=True)
    return 0


def look(plan: Plan | None, state: Path) -> dict[str, Any]:
    """What was seen, as the JSON document's values."""
    rows = _rows(plan, state)
    modules = found_modules()
    return {
        "schema": SCHEMA,
        "version": __version__,
        "tool_sha256": tool_sha256(),
        "rows": [
            {"status": r.status.value, "code": r.code, "sentence": r.sentence, "hint": r.hint}
            for r in rows
        ],
        "modules": [asdict(module) for module in modules],
        "tokens": _tokens(plan, modules),
    }


def _rows(plan: Plan | None, state: Path) -> tuple[CheckRow, ...]:
    now = SystemClock().now()
    rows = (
        machine_rows(allowed=(), state=state, removed=cli.REMOVED, now=now)
        if plan is None
        else preflight(plan, state=state, removed=cli.REMOVED, tokens=_list, now=now)
    )
    return (*rows, history_row(state))


def _list(token: Token) -> tuple[StoreInfo, ...]:
    from ceremony.keys.token import list_tokens

    return list_tokens(token, timeout_s=_TIMEOUT_S)


def _tokens(plan: Plan | None, modules: tuple[FoundModule, ...]) -> list[dict[str, Any]]:
    """One entry a module: its tokens, or why they could not be listed.

    A module of the plan gets the plan's environment; the same file is not asked twice.
    """
    asked = [token for _, token in plan.tokens] if plan is not None else []
    known = {str(Path(token.module).resolve()) for token in asked}
    others = [module for module in modules if module.path not in known]
    asked += [token for module in others for token in listing_tokens(module.path)]
    entries = []
    for token in asked:
        entry: dict[str, Any] = {"module": show(token.module), "tokens": [], "problem": None}
        try:
            entry["tokens"] = [_token(info) for info in _list(token)]
        except KeyStoreError as exc:
            entry["problem"] = {"code": exc.code, "sentence": exc.message, "hint": exc.hint}
        entries.append(entry)
    return entries


def _token(info: StoreInfo) -> dict[str, Any]:
    return {
        "serial": show(info.name),
        "label": show(info.label),
        "manufacturer": show(info.manufacturer),
        "model": show(info.model),
        "firmware": show(info.firmware),
        "pin_state": info.pin_state.value,
        "pin_pad": info.pin_pad,
        "initialized": info.initialized,
        "software": info.software,
        "pin_to_be_changed": info.pin_to_be_changed,
        "pin_unset": info.pin_unset,
        "free_bytes": info.free_bytes,
        "mechanisms": [show(name) for name in info.mechanisms],
    }


def _text(found: dict[str, Any]) -> str:
    lines = []
    for row in found["rows"]:
        lines.append(f"{row['status']:4}  {row['sentence']} [{row['code']}]")
        if row["hint"]:
            lines.append(f"      hint: {row['hint']}")
    lines += ["", f"PKCS#11 modules in known places: {len(found['modules'])}"]
    for module in found["modules"]:
        lines.append(f"  {module['path']}")
        lines.append(f"    owner {module['owner']}, mode {module['mode']} ({module['source']})")
        lines.append(f"    SHA-256 {module['sha256']}")
    for entry in found["tokens"]:
        lines += ["", f"Tokens of {entry['module']}: {len(entry['tokens'])}"]
        if entry["problem"] is not None:
            lines.append(f"  could not look: {entry['problem']['sentence']}")
            lines.append(f"  hint: {entry['problem']['hint']}")
        lines += [_token_line(token) for token in entry["tokens"]]
    return "\n".join(lines)


def _token_line(token: dict[str, Any]) -> str:
    marks = [
        f"PIN {token['pin_state']}",
        *(["software token"] if token["software"] else []),
        *([] if token["initialized"] else ["not initialised"]),
        *(["PIN must be changed"] if token["pin_to_be_changed"] else []),
        *(["no PIN set"] if token["pin_unset"] else []),
        *([] if token["free_bytes"] is None else [f"{token['free_bytes']} bytes free"]),
    ]
    name = f"  serial {token['serial']}, label {token['label']}, {token['manufacturer']}"
    return f"{name} {token['model']}, firmware {token['firmware']}: {', '.join(marks)}"
