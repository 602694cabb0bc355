"""The chain over the years is found whole, broken, or begun anew."""

from ceremony.record.chain import FIRST, Line, format_line
from ceremony.record.years import Link, years


def record(before: str | None, more: int = 1) -> tuple[Line, ...]:
    lines: list[Line] = []
    for n in range(1 + more):
        prev = lines[-1].fingerprint.hex if lines else FIRST
        data = {"previous_head": before} if n == 0 else {}
        lines.append(format_line(n=n, prev=prev, at="", step="Open", type_="x", key="x", data=data))
    return tuple(lines)


def test_each_names_the_one_before_or_is_the_first() -> None:
    first = record(None)
    second = record(first[-1].fingerprint.hex)
    third = record(second[-1].fingerprint.hex)
    found = years({"c": third, "a": first, "b": second})
    assert [found[name].link for name in "abc"] == [Link.FIRST, Link.FOLLOWS, Link.FOLLOWS]
    assert [found[name].follows for name in "abc"] == [None, "a", "b"]
    assert [found[name].named for name in "abc"] == [True, True, False]


def test_a_record_that_was_replaced_cut_short_or_taken_away_breaks_the_one_after_it() -> None:
    first = record(None, more=3)
    second = record(first[-1].fingerprint.hex)
    third = record(second[-1].fingerprint.hex)
    for replaced in (record(None, more=2), first[:-1], ()):
        found = years({"a": replaced, "b": second, "c": third})
        assert (found["b"].link, found["c"].link) == (Link.BROKEN, Link.FOLLOWS)
    assert years({"b": second})["b"].link is Link.BROKEN
    assert years({"a": ()})["a"].link is Link.UNREADABLE
