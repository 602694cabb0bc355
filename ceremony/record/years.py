"""The chain over the years: each ceremony names the head of the record of the one before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ceremony.record.chain import Line


class Link(StrEnum):
    """How a record hangs on an earlier one of the same folder."""

    FIRST = "first"
    FOLLOWS = "follows"
    BROKEN = "broken"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """One record among those of a folder.

    Attributes:
        before: hex head of the record that it names as the one before; None for none.
        follows: name of the record with that head, where it is here.
        named: a later record names this one's head.
    """

    link: Link
    before: str | None = None
    follows: str | None = None
    named: bool = False


def years(records: Mapping[str, Sequence[Line]]) -> dict[str, Year]:
    """How the records of one folder hang together.

    Args:
        records: name to lines; no lines where a record cannot be read.
    """
    heads = {lines[-1].fingerprint.hex: name for name, lines in records.items() if lines}
    told = {name: _before(lines) for name, lines in records.items() if lines}
    named = {heads[before] for before in told.values() if before in heads}
    found = {}
    for name, lines in records.items():
        before = told.get(name)
        follows = heads.get(before) if before is not None else None
        link = Link.FOLLOWS if follows is not None else Link.BROKEN
        if before is None:
            link = Link.FIRST if lines else Link.UNREADABLE
        found[name] = Year(link=link, before=before, follows=follows, named=name in named)
    return found


def _before(lines: Sequence[Line]) -> str | None:
    head = lines[0].data.get("previous_head")
    return None if head is None else str(head)
