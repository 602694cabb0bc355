"""Typed questions: each yields a prompt until the answer is one that can be used."""

import os
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import TypeVar

from ceremony.core.secret import Secret
from ceremony.core.text import is_plain, show, written
from ceremony.errors import PlanError
from ceremony.flow.prompts import (
    Acknowledge,
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Decided,
    Done,
    Entered,
    EnterSecret,
    EnterText,
    Finished,
    Picked,
    PickPath,
    Review,
    SecretEntered,
    ShowSecret,
    TypeBack,
    Typed,
    Working,
)

T = TypeVar("T")
Flow = Generator[AnyPrompt | Working, Answer | None, T]
A = TypeVar("A")

MAX_TEXT = 400
_MAX_NAME = 255  # bytes, NAME_MAX of Linux


def _ask(prompt: AnyPrompt, answer_type: type[A]) -> Flow[A]:
    answer = yield prompt
    if not isinstance(answer, answer_type):
        raise TypeError(f"{prompt.key} was answered with {type(answer).__name__}")
    return answer


def acknowledge(prompt: Acknowledge | ShowSecret | Finished) -> Flow[None]:
    """Shows something until it is acknowledged."""
    yield from _ask(prompt, Done)


def choose(prompt: Choose) -> Flow[str]:
    """The value of the option that was chosen."""
    answer = yield from _ask(prompt, Chosen)
    if answer.value not in {option.value for option in prompt.options}:
        raise TypeError(f"{prompt.key} has no option {show(answer.value)}")
    return answer.value


def enter(
    prompt: EnterText, problem_with: Callable[[Mapping[str, str]], str | None] = lambda _: None
) -> Flow[dict[str, str]]:
    """Texts as `core.text.written` takes them; asks again until `problem_with` is content."""
    while True:
        answer = yield from _ask(prompt, Entered)
        values, problem = _taken(prompt, answer.values)
        problem = problem or problem_with(values)
        if problem is None:
            return values
        fields = tuple(replace(f, default=values[f.name]) for f in prompt.fields)
        prompt = replace(prompt, fields=fields, problem=problem)


def _taken(prompt: EnterText, typed: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    values, refused = {}, []
    for field in prompt.fields:
        try:
            values[field.name] = written(typed[field.name], field.label)
        except PlanError as exc:
            values[field.name] = "".join(filter(is_plain, typed[field.name])).strip()
            refused.append(f"{exc.message}. {exc.hint} [{exc.code}]")
    missing = [f.label for f in prompt.fields if f.required and not values[f.name]]
    long = [f.label for f in prompt.fields if len(typed[f.name]) > MAX_TEXT]
    if refused:
        return values, " ".join(refused)
    if missing:
        return values, f"Please fill in: {', '.join(missing)}."
    if long:
        return values, f"At most {MAX_TEXT} characters: {', '.join(long)}."
    return values, None


def enter_secret(prompt: EnterSecret) -> Flow[Secret]:
    """A secret that is not empty."""
    while True:
        answer = yield from _ask(prompt, SecretEntered)
        if answer.secret.reveal():
            return answer.secret
        prompt = replace(prompt, problem="Nothing was typed.")


def type_words(prompt: TypeBack) -> Flow[tuple[str, ...]]:
    """One word for each of the prompt's positions."""
    answer = yield from _ask(prompt, Typed)
    if len(answer.words) != len(prompt.positions):
        raise TypeError(f"{prompt.key} needs {len(prompt.positions)} words")
    return answer.words


def review(prompt: Review) -> Flow[bool]:
    """Whether what was shown is accepted."""
    answer = yield from _ask(prompt, Decided)
    return answer.accepted


def pick(prompt: PickPath) -> Flow[str]:
    """A path that a file system can have."""
    while True:
        answer = yield from _ask(prompt, Picked)
        path = answer.path.strip()
        names = os.fsencode(path).split(b"/")
        if len(path) > MAX_TEXT * 2 or max(map(len, names)) > _MAX_NAME or "\0" in path:
            prompt = replace(prompt, problem="No file or folder has a name as long as that.")
        elif path:
            return path
        else:
            prompt = replace(prompt, problem="Choose a folder or type its path.")
