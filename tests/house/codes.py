"""Finds every stable code in the sources, by their syntax trees.

A code is a string `prefix.word`. Strings of that form which are something else are told
apart by where they stand (keys of prompts), by their ending (names of files), or by name.
Run as a program, it writes the page of the table.
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
FORM = re.compile(r"[a-z]+\.[a-z][a-z0-9_]*[a-z0-9]")
STATUSES = {
    "CeremonyError": "1",
    "PlanError": "2",
    "VerificationError": "3",
    "KeyStoreError": "4",
    "MediaError": "5",
    "NetworkError": "6",
    "StoppedError": "7",
}

_ENDINGS = re.compile(
    r"cnf|conf|crl|crt|csr|css|html|jsonl?|key|log|md|object|partial|pdf|pem|png|raw|so|svg|tcss|toml"
    r"|txt|yaml"
)
_FOREIGN = frozenset(
    {
        "ceremony",  # Modules, but for those in `_OURS`.
        "client",  # Device certificates of the practice Factory's tables.
        "clientcredentials",  # Keys of fioctl's own configuration.
        "server",
        "foundries",  # Hosts.
        "itu",  # Codes of pkilint.
        "pkix",
        "limits",  # Keys of the plan.
        "root",
        "socket",  # Audit events of Python.
    }
)
_OURS = frozenset({"ceremony.request"})
_PROMPTS = frozenset(
    {"export.path", "head.words", "export.words", "plan.words", "request.words", "upload.words"}
)
_PLAN_KEYS = frozenset({"online.api", "online.proxy"})
_SKIPPED = frozenset({"ceremony/practice/officers.py"})  # It answers prompts by their keys.

# Codes put together where the parts come from elsewhere than a call's literal.
_MADE = {
    ("ceremony/flow/intake.py", "request."): (
        *("factory", "user_id", "kind", "plan_sha256", "rehearsal", "api"),
    ),
    ("ceremony/x509/checks.py", "chain."): ("issuer_wrong", "signature_wrong"),
}


@cache
def sources() -> Mapping[str, ast.Module]:
    """Every module of the product, by its path."""
    paths = sorted([*TOP.glob("ceremony/**/*.py"), *TOP.glob("screens/**/*.py")])
    return {p.relative_to(TOP).as_posix(): ast.parse(p.read_text()) for p in paths}


@cache
def codes() -> Mapping[str, frozenset[str]]:
    """Each code, with the modules it stands in."""
    found: dict[str, set[str]] = {}
    for path, tree in sources().items():
        for code in (*_literals(path, tree), *_composed(path, tree)):
            found.setdefault(code, set()).add(path)
    return {code: frozenset(found[code]) for code in sorted(found)}


def _literals(path: str, tree: ast.Module) -> Iterator[str]:
    if path in _SKIPPED:
        return
    keys = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "key"
        for inner in ast.walk(node.value)
    }
    answered = _prompts() if path.startswith("ceremony/practice/") else frozenset()
    for node in (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in keys):
        text = node.value
        if not isinstance(text, str) or text in answered:
            continue
        if FORM.fullmatch(text) and _is_code(text):
            yield text


@cache
def _prompts() -> frozenset[str]:
    """Keys of prompts: rehearsals answer by them."""
    keywords = (n for t in sources().values() for n in ast.walk(t) if isinstance(n, ast.keyword))
    values = (
        k.value.value for k in keywords if k.arg == "key" and isinstance(k.value, ast.Constant)
    )
    return frozenset(str(value) for value in values)


def _is_code(text: str) -> bool:
    prefix, _, word = text.partition(".")
    if text in _OURS:
        return True
    return not (_ENDINGS.fullmatch(word) or prefix in _FOREIGN or text in _PROMPTS | _PLAN_KEYS)


# --- composed codes: f"prefix.{part}" ---------------------------------------------------


def _composed(path: str, tree: ast.Module) -> Iterator[str]:
    for prefix, part, function in _compositions(tree):
        for word in _words(path, tree, prefix, part, function):
            yield prefix + word


def _compositions(tree: ast.Module) -> Iterator[tuple[str, ast.expr, ast.FunctionDef | None]]:
    """Prefix and part of each f-string that begins like a code and is given as one."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        keywords = [k.value for k in call.keywords if k.arg == "code"]
        for text in (*call.args[:2], *keywords):
            match text:
                case ast.JoinedStr(values=[ast.Constant(value=str(prefix)), part]) if (
                    re.fullmatch(r"[a-z]+\.[a-z_]*", prefix)
                    and isinstance(part, ast.FormattedValue)
                    and (keywords or "Error" in ast.unparse(call.func) or "find" in _name(call))
                ):
                    around = [f for f in functions if any(call is n for n in ast.walk(f))]
                    yield prefix, part.value, around[-1] if around else None


def _words(
    path: str, tree: ast.Module, prefix: str, part: ast.expr, function: ast.FunctionDef | None
) -> tuple[str, ...]:
    if (path, prefix) in _MADE:
        return _MADE[path, prefix]
    if prefix == "pkilint.":
        return ()  # The rest is pkilint's own code.
    if isinstance(part, ast.Name) and function is not None:
        return tuple(_given(tree, function.name, function, part.id))
    if isinstance(part, ast.Attribute):
        return tuple(_reasons(part.attr))
    raise LookupError(f"{path}: what completes {prefix}? Name it in tests/house/codes.py")


def _given(tree: ast.Module, name: str, function: ast.FunctionDef, argument: str) -> Iterator[str]:
    """Literals that calls of a function give for one of its arguments, its default too."""
    arguments = [a.arg for a in function.args.args]
    index = arguments.index(argument)
    defaults = function.args.defaults[index - len(arguments) :] if function.args.defaults else []
    values: list[ast.expr] = list(defaults[:1])
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and _name(n) == name):
        values += call.args[index : index + 1]
        values += [k.value for k in call.keywords if k.arg == argument]
    for value in values:
        for node in ast.walk(value):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _reasons(attribute: str) -> Iterator[str]:
    """Literals given first to exceptions that keep them as this attribute."""
    for tree in sources().values():
        for node in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
            keeps = any(
                isinstance(n, ast.Attribute)
                and n.attr == attribute
                and isinstance(n.ctx, ast.Store)
                for n in ast.walk(node)
            )
            if not keeps:
                continue
            for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
                if _name(call) == node.name and isinstance(call.args[0], ast.Constant):
                    yield str(call.args[0].value)


def _name(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


# --- exit statuses, where they can be seen ------------------------------------------------


@cache
def statuses() -> Mapping[str, frozenset[str]]:
    """Exit statuses of codes that an error is made with, by itself or by a function."""
    found: dict[str, set[str]] = {}
    for tree in sources().values():
        makers = {**STATUSES, **_makers(tree)}
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args):
            status = makers.get(_name(call))
            first = call.args[0]
            if status and isinstance(first, ast.Constant) and FORM.fullmatch(str(first.value)):
                found.setdefault(str(first.value), set()).add(status)
    return {code: frozenset(those) for code, those in found.items()}


def _makers(tree: ast.Module) -> dict[str, str]:
    made: dict[str, str] = {}
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        if not function.args.args or function.args.args[0].arg != "code":
            continue
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
            if _name(call) in STATUSES:
                made[function.name] = STATUSES[_name(call)]
    return made


# --- the page ---------------------------------------------------------------------------


def table() -> tuple[str, Mapping[str, Mapping[str, Any]]]:
    """What stands above the table, and its rows: prefix, word, row."""
    read = tomllib.loads((TOP / "assets" / "codes.toml").read_text())
    return read.pop("head"), read


def page() -> str:
    """The table as Markdown, a section for each prefix."""
    head, sections = table()
    parts = [head]
    for prefix, rows in sections.items():
        lines = [
            f"## {prefix}",
            "",
            str(rows["about"]),
            "",
            "| code | effect | meaning | what to do |",
        ]
        lines.append("|---|---|---|---|")
        for word, row in rows.items():
            if word != "about":
                lines.append(f"| `{prefix}.{word}` | " + " | ".join(row) + " |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    (TOP / "assets" / "codes.md").write_text(page())
