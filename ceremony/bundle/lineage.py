"""The checks of a state folder: every record, and the chain over the years between them."""

from collections.abc import Callable, Mapping
from functools import partial

from ceremony.bundle.verdicts import Check, UncheckedError, run
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.record.chain import Line, read_lines, verify_chain
from ceremony.record.years import Link, Year, years

_Read = dict[str, tuple[Line, ...]]


def check_years(records: Mapping[str, bytes], expect: Fingerprint | None) -> tuple[Check, ...]:
    """Each record's own chain, then its link to the one before it.

    Args:
        records: folder to the bytes of its `record.jsonl`.
        expect: a head on paper, of whichever of them.
    """
    read: _Read = dict.fromkeys(records, ())
    rows: list[tuple[str, Callable[[_Read], str]]] = []
    rows += [("record.chain", partial(_chain, name, raw)) for name, raw in records.items()]
    rows += [("history.link", partial(_link, name)) for name in records]
    rows.append(("record.head", partial(_head, expect)))
    return run(read, rows)


def latest(records: Mapping[str, bytes]) -> bytes:
    """The record that ended last, by its own word; any of those that cannot be read else."""

    def ended(raw: bytes) -> str:
        try:
            return read_lines(raw)[-1].at
        except VerificationError:
            return ""

    return max(records.values(), key=ended)


def _chain(name: str, raw: bytes, read: _Read) -> str:
    read[name] = verify_chain(raw)
    return f"{show(name)}: {len(read[name])} lines, each follows from the one before it"


def _link(name: str, read: _Read) -> str:
    year: Year = years(read)[name]
    match year.link:
        case Link.FIRST:
            return f"{show(name)}: names no ceremony before it"
        case Link.FOLLOWS:
            return f"{show(name)}: names the head of {show(str(year.follows))}"
        case Link.UNREADABLE:
            raise UncheckedError(f"{show(name)}: its record cannot be read")
        case Link.BROKEN:
            raise VerificationError(
                "history.broken",
                f"{show(name)}: names the head {show(str(year.before))} of the ceremony before it, "
                "and no record here ends with that: it was replaced, cut short, or taken away",
                hint="Compare the earlier record with its evidence and with the head on paper.",
            )


def _head(expect: Fingerprint | None, read: _Read) -> str:
    named = years(read)
    last = [name for name, lines in read.items() if lines and not named[name].named]
    if expect is None:
        heads = ", ".join(f"{show(name)} {read[name][-1].fingerprint.hex}" for name in last)
        raise UncheckedError(f"complete: not checked. No later ceremony names these heads: {heads}")
    found = [name for name, lines in read.items() if lines and lines[-1].fingerprint == expect]
    if not found:
        raise VerificationError(
            "record.head",
            "no record here ends with the head that is expected",
            hint="Compare with the head on paper; a record may be cut short or rewritten.",
        )
    return f"complete: the head is that of {show(found[0])}"
