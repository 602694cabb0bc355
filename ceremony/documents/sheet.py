"""Sheets of words: one fingerprint on paper, to be carried to the other machine."""

from datetime import datetime

from ceremony.config import Plan
from ceremony.core.fingerprints import Fingerprint
from ceremony.documents.model import (
    REHEARSAL,
    Block,
    Document,
    Facts,
    Heading,
    PageBreak,
    Paragraph,
    Print,
    Signatures,
    Tone,
)
from ceremony.kinds import EXPORTS_NOTHING


def words_sheet(
    *,
    title: str,
    what: str,
    fingerprint: Fingerprint,
    rehearsal: bool,
    rows: tuple[tuple[str, str], ...] = (),
    created: datetime | None = None,
) -> Document:
    """One page with a fingerprint as hex, words and QR code, and who prepared it.

    Args:
        title: e.g. ``Words of the request bundle``.
        what: what was hashed; printable ASCII, e.g. a bundle's name.
        fingerprint: the value.
        rehearsal: marks the page.
        rows: further facts for the page.
        created: for the PDF's properties.
    """
    blocks: tuple[Block, ...] = (
        Facts(rows=(("Of", what), ("SHA-256", fingerprint.hex), *rows)),
        Print(caption="Lines A to H", fingerprint=fingerprint),
        Paragraph(
            tone=Tone.NOTICE,
            lead="Carry this sheet apart from the stick.",
            text="On the other machine the words are typed from it, by line and place: A1 is the "
            "first word of line A, H4 the last word of line H. Whoever can change the stick must "
            "not be able to change this sheet.",
        ),
        Signatures(rows=(("Prepared by", ""), ("Received by", ""))),
    )
    return Document(
        title=title,
        subtitle=what,
        footer=f"SHA-256 {fingerprint.hex}",
        marks=(REHEARSAL,) if rehearsal else (),
        created=created,
        blocks=blocks,
    )


def travelling_sheet(plan: Plan) -> tuple[Block, ...]:
    """A page to be torn off: the upload bundle's words, written by hand, go to the online machine.

    Nothing for kinds that export nothing.
    """
    if plan.kind in EXPORTS_NOTHING:
        return ()
    return (
        PageBreak(),
        Heading(text="The sheet that travels: words of the upload bundle"),
        Paragraph(
            text="Filled in at step 8, each officer checking the other, and torn off. It goes to "
            "the online machine apart from the stick SIGNED OUT; there eight of the words are "
            "typed from it before anything is uploaded. A1 is the first word of line A, H4 the "
            "last word of line H."
        ),
        Print(caption="Upload bundle: SHA-256 of its SHA256SUMS"),
        Facts(rows=(("Factory", plan.factory), ("Ceremony id, from the screen", ""))),
        Paragraph(
            tone=Tone.NOTICE,
            lead="Carry this sheet apart from the stick.",
            text="Whoever can change the stick must not be able to change this sheet. If the "
            "words do not match at the online machine: do not upload; call the officers.",
        ),
        Signatures(
            rows=(("Officer A", ""), ("Officer B", ""), ("Received at the online machine by", ""))
        ),
    )
