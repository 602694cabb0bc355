"""What scripts of later ceremonies have and a first one has not: the root found again, CRLs."""

from collections.abc import Iterator

from ceremony.config import Plan
from ceremony.core.text import show
from ceremony.documents.model import Print
from ceremony.documents.parts import (
    BOTH,
    CUSTODIAN,
    EITHER,
    Part,
    Row,
    holder,
    own_part,
    pin_row,
    plug_in,
    type_back,
)
from ceremony.kinds import Reason, Slot, facts_of

_EFFECTS = {
    Reason.DISABLE: "no new device can register with it; its registered devices go on",
    Reason.ENABLE: "new devices can register with it again",
    Reason.REVOKE: "every device with a certificate of it is cut off, for good",
}


def found_root_part(plan: Plan) -> Part:
    """The root that the Factory has, and its key found again."""
    rows: list[Row] = list(_open_store(plan))
    rows += [
        (
            BOTH,
            (
                "Compare the fingerprint of the root on the screen with the report of the first "
                "ceremony."
            ),
            "The same; its key was found by the public key in that certificate",
        ),
        (
            BOTH,
            "Weigh each finding on the root, if there are any, and enter the reason.",
            "Acknowledged: the root is set and cannot be changed",
        ),
    ]
    return Part(
        title="Root key",
        aim="The root that the Factory has, and its key: found again, not made.",
        rows=tuple(rows),
        after=(Print(caption="Root certificate: its SHA-256, from the first report"),),
    )


def _open_store(plan: Plan) -> Iterator[Row]:
    root = plan.root
    if root.key_store == "token" and root.token is not None:
        yield plug_in(root.token)
        yield pin_row(plan)
        return
    yield (
        EITHER,
        f"Plug in the stick that holds {show(root.label)}.key. Choose the file.",
        "Read; a copy is used and removed at the end",
    )
    yield _root_passphrase(plan)


def _root_passphrase(plan: Plan) -> Row:
    told = f"Type the passphrase of the root key from its sheet{own_part(plan)}."
    return holder(plan, CUSTODIAN), told, "Opened"


def foreign_csrs_part(plan: Plan) -> Part:
    """CSRs that the plan names, each under a profile that it names too."""
    rows: list[Row] = []
    for one in plan.sign_csr:
        rows.append(
            (
                EITHER,
                f"CSR '{one.name}', to be signed as {one.profile}: choose the file.",
                "Read once and checked against that profile",
            )
        )
        rows += type_back(plan, f"the sheet of words of the CSR '{one.name}'")
        rows.append(
            (
                BOTH,
                "Read subject, key and names aloud. Acknowledge each warning.",
                f"As its owner ordered it; {one.days} days",
            )
        )
    return Part(
        title="Local device CAs",
        aim="CSRs from elsewhere. What each becomes is the plan's decision, never the CSR's.",
        rows=tuple(rows),
    )


def later_import_rows(plan: Plan) -> Iterator[Row]:
    """What the officers decide over the Factory of today: new names, which device CAs."""
    if any(slot is not Slot.ONLINE_CA for slot in plan.requests):
        for seat in "AB":
            yield (
                seat,
                (
                    "If DNS names differ from the certificate of today: type each name, in its "
                    "order, from what the platform said by other means."
                ),
                "Match, or nothing was asked; three wrong tries end the ceremony",
            )
    if facts_of(plan.kind).reason is not None and not plan.device_ca:
        yield (
            BOTH,
            "Choose each device CA that the CRL acts on, by its serial. Both agree on each.",
            "On record; the serials are typed back at step 6",
        )


def serial_rows(plan: Plan) -> Iterator[Row]:
    """Before the fence: both officers type each serial, and hear what follows."""
    reason = facts_of(plan.kind).reason
    if reason is None:
        return
    for seat in "AB":
        yield (
            seat,
            "Type the serial of each chosen device CA from this script; the screen hides it.",
            "Match; three wrong tries end the ceremony",
        )
    yield (
        BOTH,
        (
            "Read aloud what follows for devices. If the last usable device CA goes, both type "
            "their phrase at a second fence."
        ),
        f"For each: {_EFFECTS[reason]}",
    )


def crl_review(plan: Plan) -> Row:
    """The CRL before it is signed."""
    reason = facts_of(plan.kind).reason or Reason.DISABLE
    return (
        BOTH,
        "Review crl.pem: serials, reason, number, next update. Accept.",
        (
            f"Only the chosen serials; reason {reason.value} ({reason.code}); "
            f"{plan.limits.crl_days} days"
        ),
    )


def destroy_part(plan: Plan) -> Part:
    """Keys of an abandoned ceremony, destroyed."""
    destroy = plan.destroy
    names = [] if destroy is None else list(destroy.keys)
    which = "" if destroy is None else destroy.ceremony
    rows: list[Row] = [
        (
            seat,
            f"Read aloud which keys of {which} are destroyed for good. Type your phrase.",
            "Accepted",
        )
        for seat in "AB"
    ]
    if plan.root.key_store == "token":
        rows += _open_store(plan)
    else:
        told = f"Type the passphrase of each key from its sheet{own_part(plan)}."
        rows.append((holder(plan, CUSTODIAN), told, "Opened"))
    rows += [
        (BOTH, f"Watch: the key '{name}' is destroyed.", "Looked for again, and not there")
        for name in names
    ]
    return Part(
        title="Root key",
        aim="Keys that an abandoned ceremony made, and that certify nothing that left the room.",
        fence=True,
        rows=tuple(rows),
    )


def root_export_part(plan: Plan) -> Part:
    """The root key, decrypted, to a stick and to one person."""
    rows: list[Row] = [
        (
            seat,
            "Read aloud that the root key leaves NOT encrypted. Type your phrase.",
            "Accepted",
        )
        for seat in "AB"
    ]
    rows += [
        (
            EITHER,
            f"Plug in the stick that holds {show(plan.root.label)}.key, encrypted. Choose it.",
            "Read; it holds the key of that root certificate",
        ),
        _root_passphrase(plan),
        (
            CUSTODIAN,
            "Custody of the key 'root-plain': enter receiver and stick; plug in that stick.",
            "factory_ca.key, plain, and factory_ca.pem written and read back",
        ),
    ]
    return Part(
        title="Export",
        aim="The root key in plain form, for other tools, to one named person. Whoever reads that "
        "stick once has the root.",
        fence=True,
        rows=tuple(rows),
    )
