"""Parts 8 and 9 of the script: export and close."""

from ceremony.config import Plan
from ceremony.core.text import show
from ceremony.core.typeback import Policy
from ceremony.documents.model import Print
from ceremony.documents.parts import (
    BOTH,
    CUSTODIAN,
    EITHER,
    PIN_HOLDER,
    Part,
    Row,
    custody_names,
    holder,
    own_part,
)
from ceremony.kinds import Kind, facts_of


def export_part(plan: Plan) -> Part:
    """The upload bundle, its words, and custody."""
    rows: list[Row] = [
        (seat, "Read aloud what leaves the room. Type your phrase.", "Accepted") for seat in "AB"
    ]
    rows += [
        (
            EITHER,
            "Plug in the stick SIGNED OUT. Choose it.",
            f"{plan.factory}-upload-... written and read back",
        ),
        (
            BOTH,
            (
                "Copy lines A to H of the upload bundle's words below and to the sheet that "
                "travels, at the end of this script, each officer checking the other."
            ),
            "32 words, twice",
        ),
    ]
    rows += [
        (
            seat,
            (
                f"Type the {Policy.PROOF.words_each} words that the screen asks for, from the "
                "sheet just written."
            ),
            "Match",
        )
        for seat in "AB"
    ]
    for name in custody_names(plan):
        rows.append(
            (
                CUSTODIAN,
                f"Custody of the key '{name}': enter receiver and stick; plug in that stick.",
                "Encrypted key and certificate written and read back; passphrase kept apart",
            )
        )
        if name.split("_")[0] == "root":
            rows.append(
                (
                    holder(plan, CUSTODIAN),
                    (
                        f"Type the passphrase of the root key{own_part(plan)}: the copy on this "
                        "stick is opened before both officers."
                    ),
                    "'The backup works': it signed a random challenge",
                )
            )
    return Part(
        title="Export",
        aim="What was signed, on a stick for those who wait for it, and its fingerprint on paper. "
        "No key and no name of a person leaves on it.",
        fence=True,
        rows=tuple(rows),
        after=(Print(caption="Upload bundle: SHA-256 of its SHA256SUMS"),),
    )


def close_part(plan: Plan) -> Part:
    """The end of the record, and where everything goes."""
    sealed: list[Row] = [
        (
            BOTH,
            "For each thing: enter the number of the bag that lies ready, and who holds it.",
            "All on record before it is closed",
        )
    ]
    rows: list[Row] = sealed if plan.rules.bags else []
    rows += [
        (
            EITHER,
            "Plug in the stick EVIDENCE. Choose it. The record is closed with this.",
            "Record, report and script written and read back",
        ),
        (
            BOTH,
            "Copy the head of the record to the lines below, each officer checking the other.",
            "Equal to: tail -n 1 record.jsonl | sha256sum",
        ),
        (
            EITHER,
            "Pull all sticks. Put each into its bag; complete the list 'What is in the room'.",
            "; ".join(f"{what}: {where}" for what, where in _sticks(plan)),
        ),
    ]
    if plan.tokens:
        told = "Pull the token. Into its bag, to the safe."
        rows.append((holder(plan, PIN_HOLDER), told, "Bag number"))
    rows += [
        (EITHER, "Shut the laptop down. Into its bag, with its start medium.", "Off; bag number"),
        (
            BOTH,
            "Complete exception sheets and sign-off. Write the time of the end into 'The day'.",
            "Signed",
        ),
    ]
    return Part(
        title="Close",
        aim="The record ends, its head is on paper, and everything goes where it belongs.",
        rows=tuple(rows),
        after=(Print(caption="Head of the record: SHA-256 of its last line"),),
    )


def what_next(plan: Plan, bundle: str) -> tuple[tuple[str, str], ...]:
    """Where each thing goes after this kind of ceremony, and what is done there.

    Args:
        bundle: name of the upload bundle's folder.
    """
    facts = facts_of(plan.kind)
    rows = list(_sticks(plan))
    if facts.fields:
        rows.append(("There", f"ceremony-online upload {show(bundle)}"))
    if facts.reason is not None:
        days = f"within {plan.limits.crl_days} days of its signing: then it has expired"
        rows.append(("The CRL", f"to be uploaded {days}"))
    if custody_names(plan):
        rows.append(("Sticks with keys", "to their receivers, apart from the passphrases"))
    if plan.kind is Kind.EXPORT_ROOT_KEY:
        told = "to its receiver alone: the root key on it is NOT encrypted"
        rows.append(("Stick with the key", told))
    if plan.tokens:
        rows.append(("Token", "log out, into its bag, to the safe"))
    return tuple(rows)


def _sticks(plan: Plan) -> tuple[tuple[str, str], ...]:
    facts, evidence = facts_of(plan.kind), ("Stick EVIDENCE", "to the safe, with the paper")
    if not facts.exports:
        return (evidence,)
    to = "to the online machine, with the sheet of words"
    if not facts.fields:
        to = "to those who asked for the certificates; nothing is to be uploaded"
    return evidence, ("Stick SIGNED OUT", to)
