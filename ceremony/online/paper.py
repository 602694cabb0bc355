"""Words on paper: the sheet that leaves this machine, and the proof against one that comes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ceremony.bundle.media import read_file
from ceremony.core.fingerprints import Fingerprint, place
from ceremony.core.text import show
from ceremony.core.typeback import Policy, Verdict, draw, judge
from ceremony.errors import PlanError, VerificationError

MAX_SHEET_BYTES: Final = 64 * 1024
_HEX: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")
_ROW: Final = re.compile(r"^\s*([A-H])\s+([0-9a-f]{8})\b", re.M)


def words_sheet(name: str, fingerprint: Fingerprint, *, rehearsal: bool) -> str:
    """The sheet of words of a request bundle, as text.

    Args:
        name: of the bundle's directory.
        fingerprint: of the bundle.
        rehearsal: marked on the sheet.
    """
    rows = [
        f"  {letter}  {digits}  {'  '.join(four)}" for letter, digits, four in fingerprint.lines
    ]
    mark = ["REHEARSAL - nothing on this sheet is for a real Factory", ""] if rehearsal else []
    lines = [
        "SHEET OF WORDS",
        "",
        *mark,
        "Request bundle",
        f"  {name}",
        "",
        *rows,
        "",
        f"SHA-256 of {name}/SHA256SUMS.",
        "Copy or print this sheet and carry it apart from the stick: in the room,",
        "the officers type words from it.",
    ]
    return "\n".join(lines) + "\n"


def parse_expected(text: str) -> Fingerprint:
    """A fingerprint as 64 hex digits, as 32 words, or in a file with either or a sheet.

    Raises:
        PlanError: `upload.expect`: none of these.
        MediaError: the file cannot be read.
    """
    found = _read(text)
    if found is None and _is_file(text):
        found = _read(read_file(Path(text), MAX_SHEET_BYTES).decode("utf-8", "replace"))
    if found is None:
        raise PlanError(
            "upload.expect",
            f"--expect is neither hex, nor 32 words, nor a file with one of them: {show(text, 60)}",
            hint="Type the 64 hex digits or the 32 words from the paper.",
        )
    return found


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long, or with a NUL: no name of a file
        return False


def _read(text: str) -> Fingerprint | None:
    whole = {found.lower() for found in _HEX.findall(text)}
    rows = dict(_ROW.findall(text))
    if not whole and len(rows) == 8 and len(_ROW.findall(text)) == 8:
        whole = {"".join(rows[letter] for letter in sorted(rows))}
    if len(whole) == 1:
        return Fingerprint.from_hex(whole.pop())
    for read in (Fingerprint.from_hex, Fingerprint.from_words):
        try:
            return read("".join(text.split()) if read == Fingerprint.from_hex else text)
        except ValueError:
            continue
    return None


def require_expected(value: Fingerprint, expected: Fingerprint) -> None:
    """Compares all 32 bytes.

    Raises:
        VerificationError: `upload.words_differ`.
    """
    if value != expected:
        raise _differ()


def type_back(
    value: Fingerprint,
    *,
    ask: Callable[[str], str],
    out: Callable[[str], None],
    randbelow: Callable[[int], int],
) -> None:
    """One person types eight words, drawn now, from the paper that came out of the room.

    A word that the list of its place lacks may be corrected. After a wrong word other
    places are drawn, once.

    Args:
        value: of the bundle in memory; never shown before the match.
        ask: shows a prompt, returns what is typed.
        out: shows a line.
        randbelow: from a secure source.

    Raises:
        VerificationError: `upload.words_differ`.
    """
    for attempt in (1, 2):
        ((*positions,),) = draw(Policy.SAMPLE, 1, randbelow)
        typed = {position: ask(f"word {place(position)}") for position in positions}
        while True:
            judged = judge(value, positions, [typed[position] for position in positions])
            if judged.verdict is not Verdict.SLIP:
                break
            for position in judged.slips:
                out(f"{place(position)}: no such word in the list of that place")
                typed[position] = ask(f"word {place(position)}")
        if judged.verdict is Verdict.MATCH:
            return
        if attempt == 1:
            out("The words do not match. Check that bundle and sheet belong together.")
            out("Other places are drawn, once.")
    raise _differ()


def _differ() -> VerificationError:
    return VerificationError(
        "upload.words_differ",
        "the words on paper are not those of this bundle; nothing was sent",
        hint="Stop: find out where the bundle or the sheet was exchanged.",
    )
