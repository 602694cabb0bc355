"""The handbook that is inside the program: chapters in plain text, and every control code."""

import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ceremony.core.text import show
from ceremony.errors import PlanError

WIDTH: Final = 78
_MARK: Final = "@ "
_CODES: Final = "codes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One chapter: the word to ask for it, its title, its text with a final line feed."""

    name: str
    title: str
    text: str


@cache
def chapters() -> tuple[Chapter, ...]:
    """All chapters of `assets/handbook.txt`; each begins with a line ``@ name: title``."""
    raw = files("assets").joinpath("handbook.txt").read_text(encoding="ascii")
    found = []
    for part in f"\n{raw}".split(f"\n{_MARK}")[1:]:
        head, _, text = part.partition("\n")
        name, _, title = head.partition(": ")
        found.append(Chapter(name=name, title=title, text=text.strip("\n") + "\n"))
    return tuple(found)


@cache
def codes() -> Mapping[str, Mapping[str, Any]]:
    """Prefix, then `about`, or word: effect, meaning, what to do."""
    read = tomllib.loads(files("assets").joinpath("codes.toml").read_text(encoding="utf-8"))
    read.pop("head")
    return read


def look_up(topic: str | None) -> str:
    """A chapter, the codes of a prefix, one code, or (None) the whole handbook.

    Raises:
        PlanError: `usage.topic`: the handbook has none of that name.
    """
    if topic is None:
        return _whole()
    wanted = topic.strip().strip("[]").lower()
    prefix, _, word = wanted.partition(".")
    rows = codes().get(prefix, {})
    named = [each for each in chapters() if each.name == wanted]
    if word and word in rows and word != "about":
        return _code(prefix, word, rows[word]) + f"\nMore: ceremony docs {prefix}\n"
    if wanted == _CODES:
        return _all_codes()
    parts = [_chapter(each) for each in named]
    if rows and not word:
        parts.append(_section(prefix, rows))
    if not parts:
        raise _unknown(wanted)
    return "\n".join(parts)


def topics() -> tuple[str, ...]:
    """All that `look_up` knows."""
    words = (
        f"{prefix}.{word}" for prefix, rows in codes().items() for word in rows if word != "about"
    )
    return (*(each.name for each in chapters()), _CODES, *codes(), *words)


def _unknown(wanted: str) -> PlanError:
    near = get_close_matches(wanted, topics(), n=3)
    names = ", ".join(near or [*(each.name for each in chapters()), _CODES])
    return PlanError(
        "usage.topic",
        f"the handbook has nothing on '{show(wanted, 80)}'",
        hint=f"Try one of: {names}.",
    )


def _whole() -> str:
    contents = [f"  {each.name:<12}{each.title}\n" for each in chapters()]
    contents.append(f"  {_CODES:<12}Every control code: what it means, and what to do\n")
    head = _title("The handbook of the ceremony")
    how = "Read one chapter or code alone with: ceremony docs NAME\n\n"
    return "\n".join((head + how + "".join(contents), *map(_chapter, chapters()), _all_codes()))


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n\n"


def _chapter(chapter: Chapter) -> str:
    return _title(chapter.title) + chapter.text


def _all_codes() -> str:
    intro = (
        "A code stands in brackets at the end of an error line, in the wizard, the record, "
        "the report and --json. A number is the exit status with which the program stops; "
        "error, warning and note are findings; PASS, WARN and FAIL are checks. "
        "Nothing below asks you to skip one."
    )
    head = _title("Control codes") + "\n".join(textwrap.wrap(intro, WIDTH)) + "\n"
    return "\n".join((head, *(_section(prefix, rows) for prefix, rows in codes().items())))


def _section(prefix: str, rows: Mapping[str, Any]) -> str:
    about = "\n".join(textwrap.wrap(str(rows["about"]), WIDTH))
    told = [_code(prefix, word, row) for word, row in rows.items() if word != "about"]
    return f"{prefix}\n{'-' * len(prefix)}\n{about}\n\n" + "".join(told)


def _code(prefix: str, word: str, row: tuple[str, str, str]) -> str:
    effect, meaning, action = row
    return "".join(
        (
            f"{prefix}.{word}  [{effect}]\n",
            *_indented(meaning),
            *(_indented(f"What to do: {action}") if action else ()),
        )
    )


def _indented(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, WIDTH - 4, break_on_hyphens=False, break_long_words=False):
        yield f"    {line}\n"
