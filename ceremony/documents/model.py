"""What a document is made of. Renderers draw it; nothing here knows how.

All text is printable ASCII, a few signs, and letters of Latin-1 where people typed them:
foreign text comes through `ceremony.core.text.show`. `printable` is the renderers' last line of
defence.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import is_plain, show

REHEARSAL = "REHEARSAL"
UNFINISHED = "UNFINISHED"
STEP_TITLES = ("No.", "Who", "Activity", "Expected", "A", "B", "UTC")
STEP_SHARES = (11, 19, 63, 43, 12, 12, 14)
STEP_BLANKS = 3
_SIGNS = frozenset("\u00a7\u00b7\u00d7")


class Tone(StrEnum):
    """How a paragraph is meant; told by words, frame and weight, never by colour alone."""

    PLAIN = "plain"
    NOTICE = "notice"
    SMALL = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading. Level 1 opens a part, 2 a section, 3 a group."""

    text: str
    level: Literal[1, 2, 3] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text. A notice is framed and opens with `lead` in bold."""

    text: str
    tone: Tone = Tone.PLAIN
    lead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Label and value, one pair a row. An empty value is a line to write on."""

    rows: tuple[tuple[str, str], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        share: of the table's width, relative to the other columns.
        mono: set in a fixed-width face.
    """

    title: str
    share: int = 1
    mono: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with ruled rows; an empty cell is room to write in.

    Attributes:
        tall: rows are high enough for handwriting.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    tall: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """Things to tick off with a pen."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the script.

    Attributes:
        number: e.g. ``4.2``.
        who: who does it.
    """

    number: str
    who: str
    activity: str
    expected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Numbered steps, each with room for the initials of officers A and B, and the time."""

    rows: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A fingerprint in lines A to H: hex, words, and its QR code.

    Attributes:
        fingerprint: None leaves the lines blank, to be filled in by hand.
    """

    caption: str
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Text of a file with numbered lines, each already harmless."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteIn:
    """A labelled box to write in, `lines` lines high."""

    label: str
    lines: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """Lines to sign on: role and printed name (empty: to be written)."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageBreak:
    """What follows starts on a new page."""


Block = (
    Heading
    | Paragraph
    | Facts
    | Table
    | Checklist
    | Steps
    | Print
    | Listing
    | WriteIn
    | Signatures
    | PageBreak
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole document.

    Attributes:
        subtitle: one line under the title.
        marks: e.g. ``REHEARSAL`` or ``UNFINISHED``; at the top of each page and across it.
        footer: at the foot of each page: which plan, which ceremony.
        created: goes into the PDF's properties; None where the content has no time of
            its own (the PDF then says 1970, the conventional "no date").
    """

    title: str
    subtitle: str
    footer: str
    blocks: tuple[Block, ...]
    marks: tuple[str, ...] = ()
    created: datetime | None = None


def printable(text: str) -> str:
    """`text` with every character that a page must not carry made visible."""
    if is_plain(text):
        return text
    return "".join(char if is_plain(char) or char in _SIGNS else show(char) for char in text)


def qr_text(fingerprint: Fingerprint) -> str:
    """What the QR code of a fingerprint says: 64 upper-case hex digits."""
    return fingerprint.hex.upper()
