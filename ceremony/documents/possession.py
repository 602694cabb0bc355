"""Who has what afterwards, and the proofs that backups of the root key work."""

from ceremony.core.text import show
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.model import Block, Column, Facts, Heading, Paragraph, Table


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


def others(entries: Entries) -> list[tuple[str, ...]]:
    """Rows of people with a role beside the officers: part, name, role, identity, time."""
    entry = entries.find("people", "others")
    if entry is None:
        return []
    return [
        (title, entry.typed(name), "-", entry.typed(f"{name}_identity"), entry.line.at)
        for name, title in (("administrator", "Administrator"), ("custodian", "Custodian"))
        if entry.typed(name)
    ]


def bags(entries: Entries) -> tuple[Block, ...]:
    """Tamper-evident bags: what was opened, what was sealed, and who holds it."""
    moments = tuple(entries.all("bags"))
    if not moments:
        return ()
    blocks: list[Block] = [Heading(text="Bags, and who holds what")]
    for moment in moments:
        opening = moment.line.key in {"opened", "reopened"}
        blocks.append(_opened(moment) if opening else _sealed(moment))
    return tuple(blocks)


def _opened(moment: Entry) -> Table:
    rows = tuple(
        (row.typed("item"), _bag(row.typed("bag")), row.typed("before") or "not known")
        for row in moment.items("items")
    )
    columns = (
        Column(title="Thing", share=50),
        Column(title="Bag that was opened", share=50),
        Column(title="In the last record", share=50),
    )
    caption = f"Opened, {moment.line.at}; what was not brought was not looked at"
    return Table(caption=caption, columns=columns, rows=rows)


def _sealed(moment: Entry) -> Table:
    rows = tuple(
        (row.typed("item"), _bag(row.typed("bag")), row.typed("holder"))
        for row in moment.items("items")
    )
    columns = (
        Column(title="Thing", share=50),
        Column(title="Bag that it goes into", share=50),
        Column(title="Held by", share=50),
    )
    waits = ", until the higher CA has answered" if moment.line.key == "waiting" else ""
    return Table(caption=f"Sealed, {moment.line.at}{waits}", columns=columns, rows=rows)


def _bag(number: str) -> str:
    return "no bag" if number == "-" else number


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
    if entry.line.key == "EVIDENCE":
        told = "after the record was closed, so not on it; if elsewhere, the paper says where"
        rows.append(("Evidence written", told))
    return Facts(caption=f"Stick {show(entry.line.key)}", rows=tuple(rows))


def _pulled(entries: Entries, mark: str) -> str:
    found = entries.find("pulled", mark)
    if found is None:
        return "not on record"
    return "it stayed in" if found.flag("left_in") else found.line.at


def _proof(entry: Entry) -> Facts:
    return Facts(
        caption=f"Backup {show(entry.line.key)}",
        rows=(
            ("On", entry.text("where")),
            *medium_row(entry),
            ("SHA-256 of the public key", entry.text("spki_sha256")),
            ("Signed", f"{entry.line.at}, line {entry.line.n + 1} of the record"),
            ("Before", entry.names()),
        ),
    )


def medium_row(entry: Entry) -> tuple[tuple[str, str], ...]:
    """Which medium a copy of a key is on, as the system told of it; nothing of a token."""
    on = entry.table("on")
    if on is None:
        return ()
    if on.text("kind") != "stick":
        return (("Medium", f"a folder of the laptop: {on.text('path')}"),)
    serial = on.text("serial") or "not told"
    return (("Medium", f"{on.text('model')}, serial {serial}, label {on.text('label') or 'none'}"),)
