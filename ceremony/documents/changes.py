"""What a later ceremony works under, and what it changes at the Factory."""

from ceremony.core.text import show
from ceremony.documents.entries import Entries
from ceremony.documents.model import Block, Facts, Heading, Paragraph, Print, Tone


def existing_root(entries: Entries) -> tuple[Block, ...]:
    """The root that the Factory had already, and where its key was found."""
    root = entries.find("root")
    if root is None:
        return ()
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
        (f"Serial {item.text('serial')}", item.text("reason")) for item in intent.items("entries")
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
