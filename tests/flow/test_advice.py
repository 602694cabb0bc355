"""Every question of the sources has its what-if; labels and hints fit 80 columns."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceremony.advice import advice, entries
from ceremony.flow.advising import advised
from ceremony.flow.prompts import Acknowledge, Step

ROOT = Path(__file__).parents[2] / "ceremony"
KINDS = {
    "Acknowledge",
    "Choose",
    "EnterText",
    "EnterSecret",
    "ShowSecret",
    "TypeBack",
    "Review",
    "PickPath",
    "Finished",
}
# Keys that are handed to the function that makes the prompt, and all parts of secrets.
HANDED = (
    *(f"{name}.phrase.{seat}" for name in ("root", "sign", "export", "resume") for seat in "AB"),
    *("pause.phrase.A", "remains.phrase.A", "root-key.phrase.A", "request.words", "head.words"),
    *("review.root", "export.path", "line-1.pin", "root.pin", "root.pin.A", "root.pin_pad"),
    *("line-1.passphrase", "line-1.passphrase.B", "line-1.passphrase.B.typed"),
    *("root.new_pin", "root.new_pin.B", "root.new_so_pin.A"),
)
FIELD = 44
TITLE = 76


def _prompts() -> Iterator[tuple[str, dict[str, ast.expr]]]:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = {word.arg: word.value for word in node.keywords if word.arg}
                yield node.func.id, given


def _text(node: ast.expr | None) -> str | None:
    """A literal, with one letter for each value in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(p.value if isinstance(p, ast.Constant) else "A" for p in node.values)
    return None


def _keys() -> list[str]:
    told = (_text(given.get("key")) for kind, given in _prompts() if kind in KINDS)
    return sorted({key for key in told if key} | set(HANDED))


@pytest.mark.parametrize("key", _keys())
def test_every_question_says_what_if(key: str) -> None:
    found = advice(key)
    assert found is not None
    prompt = advised(Acknowledge(key=key, step=Step.OPEN, title="A title", help="Own words."))
    assert prompt.help.startswith("Own words.\n\nWhat if ")
    assert prompt.help.count("What if ") == len(found.what_if)


def test_no_entry_is_hidden_behind_an_earlier_one() -> None:
    hidden = [
        pattern
        for pattern in entries()
        if advice(pattern.replace("*", "A").replace("[AB]", "A")) is not entries()[pattern]
    ]
    assert hidden == []


def test_no_entry_is_for_a_question_that_is_never_asked() -> None:
    asked = {id(advice(key)) for key in _keys()}
    assert [pattern for pattern, entry in entries().items() if id(entry) not in asked] == []


def test_a_prompts_own_command_stays() -> None:
    own = Acknowledge(key="open.welcome", step=Step.OPEN, title="A title", command="true")
    assert advised(own).command == "true"


def test_commands_fit_their_pane_and_keep_no_secret() -> None:
    told = [entry.command.strip() for entry in entries().values() if entry.command]
    assert len(told) > 15
    for command in told:
        assert "--pin" not in command
        assert "--so-pin" not in command


def test_no_what_if_is_too_long_for_a_glance() -> None:
    for entry in entries().values():
        for case, answer in entry.what_if:
            assert not case.endswith("?"), case
            assert answer.endswith("."), answer


def test_what_stands_in_an_empty_field_is_not_clipped() -> None:
    found = [given for kind, given in _prompts() if kind == "Field"]
    told = [(_text(given.get("placeholder")) or "", "required" in given) for given in found]
    assert [text for text, optional in told if len(text) + 11 * optional > FIELD] == []


def test_titles_and_actions_fit_their_line() -> None:
    for kind, given in _prompts():
        if kind in KINDS:
            title = _text(given.get("title")) or ""
            actions = [_text(given.get(name)) or "" for name in ("action", "accept", "refuse")]
            assert len(title) <= TITLE, title
            assert len("  ".join(actions)) <= TITLE - 24, actions
