"""The papers in the evidence: what people read must be what the record says.

Report, script, key inventory and words follow from record, plan and certificates alone, so the
program that made them makes the same bytes again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ceremony.bundle.pictures import same_picture
from ceremony.bundle.verdicts import UncheckedError
from ceremony.core.text import show
from ceremony.errors import VerificationError
from ceremony.record.chain import Line

Remake = Callable[[Mapping[str, bytes], Sequence[Line]], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """A program that makes the papers of evidence again.

    Attributes:
        sha256: hex, over its installed files.
        remake: the papers by file name, from the files of the evidence and its record.
    """

    version: str
    sha256: str
    remake: Remake


def check_papers(
    files: Mapping[str, bytes], lines: Sequence[Line], others: frozenset[str], maker: Maker
) -> str:
    """Compares each paper with what the maker makes of the record.

    Args:
        files: of the evidence.
        lines: of its record.
        others: names of the files that are no papers, and are checked elsewhere.

    Raises:
        VerificationError: `evidence.documents`, `evidence.extra`.
        UncheckedError: another program made them, and this one makes other bytes.
    """
    wanted = maker.remake(files, lines)
    differ = [n for n in wanted if not same_picture(n, files.get(n, b""), wanted[n])]
    extra = sorted(show(name) for name in set(files) - set(wanted) - others)
    if not differ and not extra:
        told = ", ".join(wanted)
        return f"made again from record and plan, with the same bytes: {told}"
    version, sha256 = _made_by(lines)
    if sha256 != maker.sha256:
        raise UncheckedError(
            f"not as this program makes them: {', '.join((*differ, *extra))}; they were made by "
            f"ceremony {show(version)}, files {show(sha256)[:16]}, this is {maker.version}, files "
            f"{maker.sha256[:16]}: verify with that one"
        )
    if differ:
        raise _refuse(
            "evidence.documents",
            f"not what record and plan make: {', '.join(differ)}; somebody altered them",
        )
    raise _refuse("evidence.extra", f"no ceremony wrote this into its evidence: {', '.join(extra)}")


def _made_by(lines: Sequence[Line]) -> tuple[str, str]:
    opened = [line.data for line in lines if line.type in {"open", "reopen"}]
    last = opened[-1] if opened else {}
    return str(last.get("tool_version", "?")), str(last.get("tool_sha256", "?"))


def _refuse(code: str, what: str) -> VerificationError:
    hint = "Do not rely on these; 'ceremony report' makes the report again from the record."
    return VerificationError(code, what, hint=hint)
