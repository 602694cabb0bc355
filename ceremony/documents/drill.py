"""Parts of the script of a restore drill: the root's certificate, then each backup."""

from ceremony.config import Plan
from ceremony.core.text import show
from ceremony.documents.model import Print
from ceremony.documents.parts import (
    CUSTODIAN,
    EITHER,
    PIN_HOLDER,
    Part,
    Row,
    holder,
    own_part,
    token_name,
    type_back,
)


def drill_import_part(plan: Plan) -> Part:
    """Which root the backup is of."""
    return Part(
        title="Import",
        aim="The certificate of the root, known by the words on its report.",
        rows=(
            (
                EITHER,
                "Choose factory_ca.pem, from the evidence of the ceremony that made the root.",
                f"CN=Factory-CA, OU={plan.factory}",
            ),
            *type_back(plan, "the fingerprint of the root in the report of that ceremony"),
        ),
        after=(Print(caption="Root certificate: its SHA-256, from that report"),),
    )


def drill_part(plan: Plan) -> Part:
    """Each backup signs a random challenge; the root's own key store stays in its bag."""
    rows: list[Row] = [
        (seat, "Read the fence aloud. Type your phrase.", "Accepted") for seat in "AB"
    ]
    backup = plan.root.backup
    if backup.method == "vendor":
        named = "another serial number than the root's token"
        rows += [
            (
                EITHER,
                "Take the backup token out of its bag. Compare its serial number. Plug it in.",
                token_name(backup.token) if backup.token is not None else named,
            ),
            (
                holder(plan, PIN_HOLDER),
                f"Enter the PIN of the backup token{own_part(plan)}, unseen by everybody else.",
                "'The backup works': it signed a random challenge",
            ),
        ]
    else:
        for number in range(1, backup.copies + 1):
            rows += [
                (
                    EITHER,
                    f"Copy {number}: plug in its stick, choose {show(plan.root.label)}.key.",
                    "Read from the medium",
                ),
                (
                    holder(plan, CUSTODIAN),
                    f"Type the passphrase of the root key from its sheet{own_part(plan)}.",
                    "'The backup works': it signed a random challenge",
                ),
            ]
    rows.append((EITHER, "Take it out. Into a new bag; note its number.", "Bag number"))
    return Part(
        title="Root key",
        aim="That each backup of the root key can be opened and signs. The root's own key store "
        "stays in its bag.",
        fence=True,
        undone=True,
        rows=tuple(rows),
    )
