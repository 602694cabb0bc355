"""Whether a record tells of two people: enrolled, type-backs that matched, fences before deeds."""

from collections.abc import Sequence
from typing import Final

from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.record.chain import Line

_SEATS: Final = ("A", "B")


def check_two_people(lines: Sequence[Line]) -> str:
    """Checks that nothing irreversible stands on the record without both officers before it.

    Raises:
        VerificationError: `record.fence`: a deed without its fence, or a fence without two
            enrolled officers; `record.type_back`: the plan or the request was never proven.
    """
    fences: set[str] = set()
    for line in lines:
        if line.type == "fence":
            _check_officers(lines[: line.n], line)
            if not fences:
                _require_typed(lines[: line.n], "plan", str(lines[0].data.get("plan_sha256")), line)
            fences.add(line.key)
        elif line.type == "request":
            _require_typed(lines[: line.n], "request", str(line.data.get("fingerprint")), line)
        elif _is_answer(line):
            _require_typed(lines[: line.n], "root-answer", str(line.data.get("sha256")), line)
        if line.type == "intent" and _fence_of(line.key) not in {*fences, ""}:
            raise _refuse(
                "record.fence", f"line {line.n + 1}: {show(line.key)} was begun before its fence"
            )
    if not fences:
        return "no fence was needed so far"
    return f"two officers stand before every deed; fences: {show(', '.join(sorted(fences)))}"


def _is_answer(line: Line) -> bool:
    """A root that a higher CA signed, about to be taken in."""
    external = line.data.get("issuer") == "external"
    return line.type == "intent" and line.key == "certificate/root" and external


def _fence_of(key: str) -> str:
    """The fence that must come before; empty for what needs none of its own."""
    if key in {"key/root", "csr/root", "export/root-csr", "certificate/root"}:
        return "root"
    if key.startswith(("certificate/", "crl/")):
        return "sign"
    if key.startswith("destroy/"):
        return "destroy"
    return {"export/upload": "export", "export/root-key": "root-key"}.get(key, "")


def _check_officers(before: Sequence[Line], fence: Line) -> None:
    enrolled = {
        str(line.data.get("name")).casefold()
        for line in before
        if line.type == "officer" and line.key in _SEATS
    }
    by = fence.data.get("by")
    names = {str(name).casefold() for name in by} if isinstance(by, list) else set()
    if len(names) != len(_SEATS) or not names <= enrolled:
        raise _refuse(
            "record.fence",
            f"line {fence.n + 1}: the fence {show(fence.key)} was not passed by two enrolled "
            "officers",
        )


def _require_typed(before: Sequence[Line], what: str, sha256: str, at: Line) -> None:
    """Both officers typed words of exactly this value, in one drawing, and they matched."""
    matched = {
        line.key
        for line in before
        if line.type == "type-back" and line.data.get("verdict") == "match"
    }
    drawings = {key.rpartition("/")[0] for key in matched if key.startswith(f"{what}/{sha256}/")}
    if not any(all(f"{one}/{seat}" in matched for seat in _SEATS) for one in drawings):
        raise _refuse(
            "record.type_back",
            f"line {at.n + 1}: no two officers had typed back the words of the {what}",
        )


def _refuse(code: str, what: str) -> VerificationError:
    return VerificationError(
        code, what, hint="Compare with another copy of the record, and with the paper."
    )
