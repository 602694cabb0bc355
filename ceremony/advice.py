"""What if ..., and the same with stock commands: one entry of ``assets/prompts.toml`` a prompt."""

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

Sentence = Annotated[str, Meta(min_length=1, max_length=160)]


class Advice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known about a prompt beside its own text.

    Attributes:
        what_if: something that is not as expected, and what to do then.
        command: the same step with stock tools, secrets left out.
    """

    what_if: Annotated[tuple[tuple[Sentence, Sentence], ...], Meta(min_length=1)]
    command: str = ""


@cache
def entries() -> dict[str, Advice]:
    """Advice by key or pattern of the prompts, in the order of the file."""
    text = (files("assets") / "prompts.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Advice])


def advice(key: str) -> Advice | None:
    """The first entry whose pattern fits the prompt's key."""
    found = (entry for pattern, entry in entries().items() if fnmatchcase(key, pattern))
    return next(found, None)
