"""Who has what afterwards, and the proofs that backups of the root key work."""

from ceremony.core.text import show
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.model import Block, Facts, Heading, Paragraph


def backups(entries: Entries) -> tuple[Block, ...]:
    """Each medium with the root key that signed a challenge."""
    found = tuple(entries.all("backup-check"))
    if not found:
        return ()
    text = (
        "Each medium named here held the root key and signed a random challenge with it, before "
        "both officers; the signature verified. It is on the record, in full."
    )
    return (
        Heading(text="Proofs of the backup", level=2),
        Paragraph(text=text),
        *(_proof(entry) for entry in found),
    )


def _proof(entry: Entry) -> Facts:
    return Facts(
        caption=f"Backup {show(entry.line.key)}",
        rows=(
            ("On", entry.text("where")),
            ("SHA-256 of the public key", entry.text("spki_sha256")),
            ("Signed", f"{entry.line.at}, line {entry.line.n + 1} of the record"),
            ("Before", entry.names()),
        ),
    )
