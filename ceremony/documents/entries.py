"""Record lines as a report reads them: strict on types, harmless as text.

A record may come from a stick: its chain shows that it hangs together, not who wrote it.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ceremony.core.fingerprints import Fingerprint, place
from ceremony.core.text import is_plain, show, show_typed
from ceremony.errors import VerificationError
from ceremony.record.chain import Line

LIMIT = 2000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The data of one line, or of one item in it."""

    line: Line
    data: Mapping[str, Any]

    def typed(self, name: str) -> str:
        """What a person typed; empty where there is nothing."""
        return show_typed(self._string(name), limit=LIMIT)

    def text(self, name: str) -> str:
        """What the program wrote, escaped already when it was recorded."""
        value = self._string(name)
        return value if len(value) <= LIMIT and is_plain(value) else show(value, limit=LIMIT)

    def _string(self, name: str) -> str:
        return self._get(name, str, "text") or ""

    def flag(self, name: str) -> bool:
        """True or False; False where there is nothing."""
        return bool(self._get(name, bool, "true or false"))

    def number(self, name: str) -> int:
        """An integer; 0 where there is nothing."""
        value = self._get(name, int, "a number")
        return 0 if value is None else int(value)

    def names(self, name: str = "by") -> str:
        """A list of texts, as people wrote them, with commas."""
        return ", ".join(self.texts(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, as people wrote them."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._refuse(name, "a list of texts")
        return tuple(show_typed(value, limit=LIMIT) for value in values)

    def places(self, name: str) -> str:
        """Word positions by their names: ``A1 A4 C2``."""
        values = self._list(name)
        if not all(type(value) is int and 0 <= value < 32 for value in values):
            raise self._refuse(name, "a list of word positions")
        return " ".join(place(value) for value in values)

    def items(self, name: str) -> tuple["Entry", ...]:
        """A list of tables."""
        values = self._list(name)
        if not all(isinstance(value, dict) for value in values):
            raise self._refuse(name, "a list of tables")
        return tuple(Entry(line=self.line, data=value) for value in values)

    def table(self, name: str) -> "Entry | None":
        """A table; None where there is none."""
        value = self._get(name, dict, "a table")
        return None if value is None else Entry(line=self.line, data=value)

    def flags(self, name: str) -> tuple[tuple[str, bool | None], ...]:
        """A table of names to true, false or nothing."""
        value = self._get(name, dict, "a table") or {}
        if not all(state is None or isinstance(state, bool) for state in value.values()):
            raise self._refuse(name, "a table of true, false and null")
        return tuple((show(key), state) for key, state in value.items())

    def fingerprint(self, name: str) -> Fingerprint | None:
        """64 hex digits; None where there is nothing."""
        return self._parsed(name, Fingerprint.from_hex, "64 hex digits")

    def base64(self, name: str) -> bytes | None:
        """Base64 text; None where there is nothing."""
        return self._parsed(name, lambda text: base64.b64decode(text, validate=True), "base64")

    def _parsed(self, name: str, parse: Callable[[str], _T], what: str) -> _T | None:
        text = self._string(name)
        if not text:
            return None
        try:
            return parse(text)
        except (ValueError, binascii.Error) as exc:
            raise self._refuse(name, what) from exc

    def _list(self, name: str) -> Sequence[Any]:
        return self._get(name, list, "a list") or []

    def _get(self, name: str, kind: type, what: str) -> Any:
        value = self.data.get(name)
        if value is not None and type(value) is not kind:
            raise self._refuse(name, what)
        return value

    def _refuse(self, name: str, what: str) -> VerificationError:
        return VerificationError(
            "record.line",
            f"line {self.line.n + 1} of the record ({show(self.line.type)}): "
            f"data.{name} is not {what}",
            hint="Compare with another copy of the record; this one was not written by this tool.",
        )


@dataclass(frozen=True, slots=True)
class Entries:
    """All lines of a record, by type and key."""

    lines: Sequence[Line]

    def all(self, kind: str) -> Iterator[Entry]:
        """The lines of a type, oldest first."""
        return (Entry(line=line, data=line.data) for line in self.lines if line.type == kind)

    def find(self, kind: str, key: str | None = None) -> Entry | None:
        """The last line of a type and key."""
        found = [entry for entry in self.all(kind) if key is None or entry.line.key == key]
        return found[-1] if found else None

    def keys(self, kind: str, prefix: str) -> tuple[str, ...]:
        """What follows `prefix` in the keys of a type, each once, oldest first."""
        found = (e.line.key for e in self.all(kind) if e.line.key.startswith(prefix))
        return tuple(dict.fromkeys(key.removeprefix(prefix) for key in found))
