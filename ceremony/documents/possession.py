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


def sticks(entries: Entries) -> tuple[Block, ...]:
    """What carried data in and out, as the system told of it."""
    return tuple(_stick(entries, entry) for entry in entries.all("stick"))


def _stick(entries: Entries, entry: Entry) -> Facts:
    rows = [("Used at", f"{entry.text('path')}, {entry.line.at}")]
    if entry.text("kind") == "stick":
        rows += [
            ("Model", entry.text("model")),
            ("Serial number", entry.text("serial") or "not told"),
            ("Label", entry.text("label") or "none"),
            ("File system, mounted", f"{entry.text('fstype')}, {entry.text('mounted')}"),
            ("Pulled", _pulled(entries, entry.text("mark"))),
        ]
    else:
        rows.append(("Medium", "a folder of the laptop"))
    return Facts(caption=f"Stick {show(entry.line.key)}", rows=tuple(rows))


def _pulled(entries: Entries, mark: str) -> str:
    found = entries.find("pulled", mark)
    if found is None:
        return "not on record"
    return "it stayed in" if found.flag("stays") else found.line.at


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
