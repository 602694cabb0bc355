"""A root under a higher CA on paper: what the script asks for, and what the report tells."""

from collections.abc import Iterator

from ceremony.config import Plan
from ceremony.core.typeback import Policy
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.model import (
    Block,
    Facts,
    Heading,
    PageBreak,
    Paragraph,
    Print,
    Signatures,
    Tone,
)
from ceremony.documents.parts import BOTH, EITHER, Row, type_back

_ROOT = "certificate/root"
_CSR = "export/root-csr"


# --- the script ----------------------------------------------------------------------


def higher_ca_rows(plan: Plan, backup: tuple[Row, ...]) -> Iterator[Row]:
    """From the root CSR to the answer, with the end of one sitting between them.

    Args:
        backup: rows of a backup that is proven before the CSR leaves.
    """
    yield (
        BOTH,
        "Review the root CSR (root.csr) as it will be signed. Accept.",
        f"CN=Factory-CA, OU={plan.factory}; CA:TRUE; keyCertSign, cRLSign",
    )
    yield from backup
    yield (
        EITHER,
        "Plug in the stick HIGHER CA. Choose it.",
        f"{plan.factory}-root-csr-... written and read back",
    )
    yield (
        BOTH,
        (
            "Copy lines A to H of the root CSR's words to its travelling sheet, at the end of this "
            "script, each officer checking the other."
        ),
        "32 words",
    )
    for seat in "AB":
        yield (
            seat,
            f"Type the {Policy.PROOF.words_each} words that the screen asks for, from that sheet.",
            "Match: the copy of the root-csr words is true",
        )
    yield (
        BOTH,
        (
            "Leave, as planned: enter bag numbers and holders; copy the head of the record to "
            "paper. Stick and sheet go to the higher CA, apart; laptop and token into their bags."
        ),
        f"Exit status 7, 'waits for the higher CA'. Asked for there: {plan.root.days} days",
    )
    yield from _second_sitting(plan)


def _second_sitting(plan: Plan) -> Iterator[Row]:
    yield (
        BOTH,
        "Next sitting, date and time (UTC): ____________ Start the same command. Open the bags.",
        "'This ceremony goes on'",
    )
    for seat in "AB":
        yield (seat, "Type your phrase again.", "Accepted")
    for seat in "AB":
        yield (
            seat,
            (
                f"Type the {Policy.PROOF.words_each} words that the screen asks for, from the "
                "paper with the head of the record; compare the time with your own watch."
            ),
            "Match: nobody put back an older record",
        )
    yield (
        EITHER,
        "Plug in the stick HIGHER CA. Choose the answer, then its chain.",
        "Same key and subject as the CSR; CA:TRUE; each warning acknowledged",
    )
    yield from type_back(plan, "the sheet of words of the higher CA's certificate (root-answer)")
    yield (
        BOTH,
        (
            "Review the root certificate as the higher CA signed it, beside what was asked for. "
            "Accept. Read aloud what ends with it."
        ),
        "Only what the higher CA may decide differs",
    )


def root_csr_sheet(plan: Plan) -> tuple[Block, ...]:
    """A page to be torn off: the words of the root CSR, and a place for the answer's."""
    if not plan.root_below:
        return ()
    return (
        PageBreak(),
        Heading(text="The sheet that travels: words of the root CSR"),
        Paragraph(
            text="Filled in at step 4, each officer checking the other, and torn off. It goes to "
            "the higher CA apart from the stick HIGHER CA; there the words are compared with the "
            "folder on the stick before anything is signed."
        ),
        Print(caption="Root CSR: SHA-256 of its folder's SHA256SUMS"),
        Facts(rows=(("Factory", plan.factory), ("Validity asked for", f"{plan.root.days} days"))),
        Paragraph(
            tone=Tone.NOTICE,
            lead="What comes back.",
            text="On the stick: answer.pem and chain.pem. On paper, apart from it: the words of "
            "answer.pem, made and signed at the higher CA; README.txt on the stick says how.",
        ),
        Print(caption="answer.pem, filled in at the higher CA: SHA-256 of the certificate"),
        Signatures(rows=(("Officer A", ""), ("Officer B", ""), ("At the higher CA", ""))),
    )


# --- the report ----------------------------------------------------------------------


def higher_ca_front(entries: Entries, plan: Plan | None) -> tuple[tuple[str, str], ...]:
    """Rows of the report's first page; none where the root signed itself."""
    answer = _answer(entries)
    if answer is None:
        if plan is None or not plan.root_below:
            return ()
        return (("Root signed by", "a higher CA, whose answer is not on record yet"),)
    done = entries.find("done", _ROOT)
    chain = () if done is None else done.items("chain")
    rows = [("Root signed by a higher CA", answer.text("issued_by"))]
    rows += [
        (f"Above the root, {level}", f"{one.text('subject')}, SHA-256 {one.text('sha256')}")
        for level, one in enumerate(chain, 1)
    ]
    if not chain:
        rows.append(("Above the root", "NO CHAIN WAS BROUGHT: that signature was not checked"))
    rows.append(("Root ends", answer.text("not_after")))
    names = _ending_with_root(entries, answer)
    if names:
        rows.append(("End with the root", ", ".join(names)))
    return tuple(rows)


def _answer(entries: Entries) -> Entry | None:
    intent = entries.find("intent", _ROOT)
    return intent if intent is not None and intent.text("issuer") == "external" else None


def _ending_with_root(entries: Entries, answer: Entry) -> tuple[str, ...]:
    prefix = "certificate/"
    found = ((name, entries.find("intent", prefix + name)) for name in _names(entries, prefix))
    end = answer.text("not_after")
    return tuple(name for name, one in found if one is not None and one.text("not_after") == end)


def _names(entries: Entries, prefix: str) -> Iterator[str]:
    return (name for name in entries.keys("intent", prefix) if name != "root")


def carried_root_csr(entries: Entries) -> tuple[Block, ...]:
    """The root CSR among what went out."""
    done = entries.find("done", _CSR)
    if done is None:
        return ()
    rows = (
        ("Written", done.line.at),
        ("To", done.text("path")),
        ("Read back", done.text("read_back")),
    )
    fingerprint = done.fingerprint("fingerprint")
    caption = "Root CSR: SHA-256 of its folder's SHA256SUMS"
    printed = () if fingerprint is None else (Print(caption=caption, fingerprint=fingerprint),)
    return (Facts(caption="Root CSR, to the higher CA", rows=rows), *printed)


def higher_ca_unchecked(entries: Entries) -> tuple[tuple[str, str], ...]:
    """What nobody in the room could see of the higher CA."""
    if _answer(entries) is None:
        return ()
    done = entries.find("done", _ROOT)
    known = "who it is rests on the words typed from its paper"
    if done is not None and not done.items("chain"):
        known += "; its chain was not brought, so its signature on the root was not checked"
    return (("The higher CA", f"How it keeps its keys, and whom else it signs for; {known}."),)
