"""What a later ceremony works under, what it changes at the Factory, and what it destroys."""

from ceremony.core.text import show
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.model import Block, Facts, Heading, Paragraph, Print, Tone


def existing_root(entries: Entries) -> tuple[Block, ...]:
    """The root that the Factory had already, and where its key was found."""
    root = entries.find("root")
    if root is None:
        return _known_root(entries)
    rows = [
        ("Subject", root.text("subject")),
        ("Serial (decimal)", root.text("serial")),
        ("Valid until", root.text("not_after")),
        ("Key store", f"{root.text('store')} {root.text('token_serial')}".strip()),
        ("Label, id", f"{root.text('label')}, {root.text('key_id') or '-'}"),
        ("SHA-256 of the public key", root.text("spki_sha256")),
    ]
    return (
        Heading(text="The root of the Factory"),
        Paragraph(text="It was made before; its key was found by the public key in it."),
        Facts(rows=tuple(rows)),
        Print(caption="SHA-256 of the root (DER)", fingerprint=root.fingerprint("sha256")),
    )


def _known_root(entries: Entries) -> tuple[Block, ...]:
    """The root of a drill or of an export: nothing but its certificate."""
    root = entries.find("drill")
    if root is None:
        return ()
    rows = (
        ("Subject", root.text("subject")),
        ("Valid until", root.text("not_after")),
        ("Certificate from", root.text("source")),
        ("SHA-256 of the public key", root.text("spki_sha256")),
    )
    return (
        Heading(text="The root of the Factory"),
        Paragraph(text="Known by the words that were typed from the report of its ceremony."),
        Facts(rows=rows),
        Print(caption="SHA-256 of the root (DER)", fingerprint=root.fingerprint("sha256")),
    )


def destroyed(entries: Entries) -> tuple[Block, ...]:
    """Each key that was destroyed, where it was, and what is left beside it."""
    names = entries.keys("intent", _DESTROY)
    if not names:
        return ()
    told = [entries.find("intent", _DESTROY + name) for name in names]
    return (
        Heading(text="Keys destroyed"),
        *(_destroyed(entries, entry) for entry in told if entry is not None),
    )


_DESTROY = "destroy/"


def _destroyed(entries: Entries, intent: Entry) -> Facts:
    done, fence = entries.find("done", intent.line.key), entries.find("fence", "destroy")
    made_by = entries.find("destroyed")
    gone = "NOT FINISHED"
    if done is not None:
        gone = f"{done.line.at}, line {done.line.n + 1} of the record: looked for, and not there"
    where = f"{intent.text('store')} {intent.text('token_serial')}".strip()
    rows = [
        ("Made in", "-" if made_by is None else show(made_by.line.key)),
        ("Key store", where),
        ("Label", intent.text("label")),
        ("SHA-256 of the public key", intent.text("spki_sha256")),
        ("Destroyed", gone),
    ]
    if done is not None and intent.text("store") == "token":
        rows.append(("Keys left in the store", ", ".join(done.texts("left")) or "none"))
    if fence is not None:
        rows.append(("Fence passed by", f"{fence.names()}, {fence.line.at}"))
    return Facts(caption=f"Key {show(intent.line.key.removeprefix(_DESTROY))}", rows=tuple(rows))


def changes(entries: Entries) -> tuple[Block, ...]:
    """The CRL, and in sentences what will stop working, or work again."""
    intent = entries.find("intent", "crl/crl")
    effect = entries.find("effect")
    if intent is None and effect is None:
        return ()
    blocks: list[Block] = [Heading(text="What changes at the Factory")]
    if effect is not None:
        told = "; ".join(effect.texts("sentences"))
        blocks.append(Paragraph(tone=Tone.NOTICE, lead="When it is uploaded:", text=told))
    if intent is None:
        return tuple(blocks)
    done = entries.find("done", "crl/crl")
    rows = [
        (item.text("reason"), f"serial {item.text('serial')}") for item in intent.items("entries")
    ]
    rows += [
        ("CRL number", str(intent.number("number"))),
        ("This update", intent.text("this_update")),
        ("Next update", intent.text("next_update")),
        ("State", "NOT SIGNED" if done is None else f"signed {show(done.line.at)}"),
    ]
    blocks.append(Facts(caption="crl.pem", rows=tuple(rows)))
    if done is not None:
        blocks.append(
            Print(caption="SHA-256 of the CRL (DER)", fingerprint=done.fingerprint("sha256"))
        )
    return tuple(blocks)
