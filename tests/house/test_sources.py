"""Rules about the code that no tool knows."""

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SOURCES = sorted([*TOP.glob("ceremony/**/*.py"), *TOP.glob("screens/**/*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(TOP)))
def test_no_module_is_too_long_or_has_a_name_that_says_nothing(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
    assert path.stem not in {"utils", "helpers", "common", "misc", "manager"}


def test_everything_is_caught_only_at_the_process_entries() -> None:
    broad = [
        path.relative_to(TOP).as_posix()
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]
    assert broad == ["ceremony/process.py"]


def _is_broad(node: ast.ExceptHandler) -> bool:
    return node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")


def test_hints_start_with_a_verb_and_end_with_a_full_stop() -> None:
    hints = [
        str(keyword.value.value)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "hint" and isinstance(keyword.value, ast.Constant)
    ]
    assert len(hints) > 100
    odd = [hint for hint in hints if hint and not re.match(r"[A-Z].*[.:)]$", hint)]
    assert odd == []
    assert not [hint for hint in hints if hint.split()[:1] in (["Nothing"], ["No"], ["The"])]


def test_no_top_level_entry_stands_without_a_reason() -> None:
    wanted = {
        "Makefile", "LICENSE", "CHANGELOG.md", "README.md", "pyproject.toml", "ceremony.toml",
        "requirements.lock", "ceremony", "screens", "assets", "tests",
    }  # fmt: skip
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=True
    ).stdout
    found = {line.split("/")[0] for line in listed.split() if not line.startswith(".")}
    assert found <= wanted


# What a person types may be digits of any script: there more is refused, not less.
_ANY_SCRIPT = {"ceremony/flow/people.py"}


def _patterns(path: Path) -> list[str]:
    """Regular expressions over text, as they are given to `re` and to msgspec."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg == "pattern"]
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re":
            given += node.args[:1]
            multiline = "M" in ast.unparse(node).rpartition("re.")[2]
            found += ["(?m)" * multiline + each.value for each in _texts(given)]
        else:
            found += [each.value for each in _texts(given)]
    return found


def _texts(nodes: list[ast.expr]) -> list[ast.Constant]:
    return [each for each in nodes if isinstance(each, ast.Constant) and type(each.value) is str]


def test_no_pattern_lets_a_newline_or_digits_of_another_script_through() -> None:
    loose = [
        f"{path.relative_to(TOP)}: {pattern}"
        for path in SOURCES
        if path.relative_to(TOP).as_posix() not in _ANY_SCRIPT
        for pattern in _patterns(path)
        if (pattern.endswith("$") and not pattern.startswith("(?m)"))
        or re.search(r"\\[dw]", pattern)
    ]
    assert loose == []


def test_digits_that_become_a_number_are_ascii() -> None:
    bare = re.compile(r"^(?!.*isascii).*\.(isdigit|isdecimal|isnumeric)\(", re.M)
    checked = {
        "ceremony/bundle/documents.py",  # the grammar of JSON has ASCII digits only
        "ceremony/core/serials.py",  # after a pattern
        "ceremony/x509/hosts.py",  # after isascii
    }
    loose = {path.relative_to(TOP).as_posix() for path in SOURCES if bare.search(path.read_text())}
    assert loose <= checked
