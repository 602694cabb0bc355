"""Pauses: from when to when, why, and who stayed."""

from ceremony.core.text import show
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.model import Block, Facts, Heading
from ceremony.documents.parts import numbered

_ENDS = frozenset({"resume", "back"})


def pauses(entries: Entries) -> tuple[Block, ...]:
    """Each pause, with the officers who ended it."""
    found = tuple(_pause(entries, entry) for entry in entries.all("pause"))
    return (Heading(text="Pauses", level=2), *found) if found else ()


def _pause(entries: Entries, entry: Entry) -> Facts:
    end = _end(entries, entry)
    ended = "NOT ENDED" if end is None else f"{end.line.at}, by {end.names()}, each with a phrase"
    return Facts(
        caption=f"Pause, {entry.line.at}, step {numbered(show(entry.line.step))}",
        rows=(
            ("From", entry.line.at),
            ("Until", ended),
            ("Why", entry.typed("why")),
            ("Who stayed", entry.typed("stays")),
        ),
    )


def _end(entries: Entries, pause: Entry) -> Entry | None:
    later = (line for line in entries.lines[pause.line.n + 1 :] if line.type in _ENDS)
    line = next(later, None)
    return None if line is None else Entry(line=line, data=line.data)
