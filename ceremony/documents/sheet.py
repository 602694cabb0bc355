"""A sheet of words: one fingerprint on paper, to be carried to the other machine."""

from datetime import datetime

from ceremony.core.fingerprints import Fingerprint
from ceremony.documents.model import (
    REHEARSAL,
    Block,
    Document,
    Facts,
    Paragraph,
    Print,
    Signatures,
    Tone,
)


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
