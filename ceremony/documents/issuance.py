"""Parts 4 to 7 of the script: root key, local device CAs, sign, verify."""

from collections.abc import Iterator

from ceremony.config import LocalCa, Plan, Slot
from ceremony.core.text import show
from ceremony.documents.higher_ca import higher_ca_rows
from ceremony.documents.later import crl_review, serial_rows
from ceremony.documents.model import Print
from ceremony.documents.parts import (
    BOTH,
    CUSTODIAN,
    EITHER,
    PIN_HOLDER,
    Part,
    Row,
    holder,
    own_part,
    passphrase,
    pin_row,
    plug_in,
    token_name,
    type_back,
)
from ceremony.kinds import facts_of

_FILES = {
    Slot.ONLINE_CA: ("online_ca.pem", "online device CA"),
    Slot.TLS: ("tls.pem", "gateway TLS"),
    Slot.EST_TLS: ("est-tls.pem", "EST TLS"),
}


def root_part(plan: Plan) -> Part:
    """The root key and its certificate."""
    root = plan.root
    backup = _vendor_backup(plan) if root.backup.method == "vendor" else ()
    rows: list[Row] = []
    if root.backup.method == "none":
        rows += [
            (
                seat,
                "Read aloud that the root key is kept once, and confirm it.",
                "'I confirm: no backup' on record",
            )
            for seat in "AB"
        ]
    rows += [
        (
            seat,
            (
                "Read the fence aloud: the root can be set once; a reset cuts off every device. "
                "Type your phrase."
            ),
            "Accepted",
        )
        for seat in "AB"
    ]
    rows += _root_store(plan)
    rows += [
        (
            BOTH,
            "Read the attributes of the key as they were read back.",
            "CKA_SENSITIVE yes, CKA_EXTRACTABLE no, CKA_SIGN yes"
            if root.key_store == "token"
            else f"{root.curve.value}, in an encrypted file",
        ),
        *(higher_ca_rows(plan, backup) if plan.root_below else (_review_root(plan),)),
        (
            BOTH,
            (
                "Copy the fingerprint of the root certificate to the lines below, each officer "
                "checking the other."
            ),
            "The root is signed, checked and written",
        ),
    ]
    if not plan.root_below:
        rows += backup
    return Part(
        title="Root key",
        aim="The root key of the Factory, made once, and its certificate.",
        fence=True,
        rows=tuple(rows),
        after=(Print(caption="Root certificate factory_ca.pem: SHA-256"),),
    )


def _review_root(plan: Plan) -> Row:
    return (
        BOTH,
        "Review the root certificate as it will be signed, line by line. Accept.",
        (
            f"CN=Factory-CA, OU={plan.factory}; {plan.root.days} days; no findings, or each "
            "acknowledged"
        ),
    )


def _vendor_backup(plan: Plan) -> tuple[Row, ...]:
    return (
        (
            BOTH,
            (
                "Copy the root key to the backup token by the vendor's own procedure. Write the "
                "procedure's reference and the backup token's serial number into the list."
            ),
            "The vendor's tool reports success",
        ),
        (
            holder(plan, PIN_HOLDER),
            f"Put in the backup token; enter its PIN{own_part(plan)}. It signs a random challenge.",
            "'The backup works'; another serial number than the root's token",
        ),
    )


def _root_store(plan: Plan) -> Iterator[Row]:
    root = plan.root
    if root.key_store == "token" and root.token is not None:
        yield plug_in(root.token)
        if root.token.initialize:
            yield (
                BOTH,
                (
                    "If the token is blank: read aloud what the screen says of the vendor's "
                    f"backup scheme; agree; enter a new SO PIN and a new PIN{own_part(plan)}."
                ),
                "'The token is initialised'; SO PIN and PIN on paper, each "
                + ("part " if plan.rules.split_pin else "")
                + "in an envelope of its own",
            )
        yield pin_row(plan)
        yield (
            EITHER,
            "Watch the inventory and the generation of the key.",
            (
                f"No key of that name before; then one: label {show(root.label)}, "
                f"id {root.key_id}, {root.curve.value}"
            ),
        )
        return
    yield from passphrase(plan, "the root key file")


def local_cas_part(plan: Plan) -> Part:
    """A key for each local device CA."""
    rows: list[Row] = []
    for ca in plan.local_ca:
        rows += _local_ca(plan, ca)
    if not rows:
        rows = [(EITHER, "The plan has no local device CA: go on.", "Nothing is asked")]
    else:
        rows.append(
            (BOTH, "Compare the list of local CAs with the plan.", f"{len(plan.local_ca)} CA(s)")
        )
    return Part(
        title="Local device CAs",
        aim="Device CAs whose keys are ours. The user id in a CA's subject becomes the owner of "
        "every device that registers with it.",
        rows=tuple(rows),
    )


def _local_ca(plan: Plan, ca: LocalCa) -> Iterator[Row]:
    owner = f"CN=fio-{show(plan.owner(ca))}"
    match ca.key_store:
        case "file":
            yield from passphrase(plan, f"the key of '{ca.name}' ({owner})")
        case "token":
            where = "the root's token" if ca.token is None else token_name(ca.token)
            yield (
                holder(plan, PIN_HOLDER),
                (
                    f"Key of '{ca.name}' ({owner}): have its token plugged in; enter its PIN"
                    f"{own_part(plan)}."
                ),
                f"{where}; one new key",
            )
        case "csr":
            yield (
                EITHER,
                f"CSR of '{ca.name}' ({owner}), whose key was made elsewhere: choose the file.",
                "Read and checked",
            )
            yield from type_back(plan, f"the sheet of words of the CSR of '{ca.name}'")


def _certificates(plan: Plan) -> list[tuple[str, str]]:
    named = [_FILES[slot] for slot in _FILES if slot in plan.requests]
    named += [(f"local_ca-{ca.name}.pem", "local device CA") for ca in plan.local_ca]
    return named + [(f"signed-{one.name}.pem", f"profile {one.profile}") for one in plan.sign_csr]


def sign_part(plan: Plan) -> Part:
    """Every certificate below the root."""
    rows: list[Row] = [
        *(serial_rows(plan) if facts_of(plan.kind).reason is not None else ()),
        *((seat, "Read the list aloud. Type your phrase.", "Accepted") for seat in "AB"),
    ]
    rows += [
        (
            BOTH,
            f"Review {file} ({kind}): asked for, beside will be issued. Accept.",
            "Only what the profile allows; no findings, or each acknowledged",
        )
        for file, kind in _certificates(plan)
    ]
    rows += [crl_review(plan)] if facts_of(plan.kind).reason is not None else []
    one = PIN_HOLDER if plan.root.key_store == "token" else CUSTODIAN
    secret = "PIN of the root's token" if plan.root.key_store == "token" else "root's passphrase"
    count = len(_certificates(plan))
    made = [f"{count} certificate(s)"] if count else []
    made += ["the CRL"] if facts_of(plan.kind).reason is not None else []
    told = " and ".join(made)
    expected = f"{told[:1].upper()}{told[1:]} signed and checked"
    rows.append((holder(plan, one), f"Enter the {secret}{own_part(plan)}.", expected))
    return Part(
        title="Sign",
        aim="What the root signs, each piece reviewed before it is signed.",
        fence=True,
        rows=tuple(rows),
    )


def verify_part(plan: Plan) -> Part:  # noqa: ARG001 - the same for every plan
    """Checks of everything issued."""
    return Part(
        title="Verify",
        aim="What was issued, checked by this program and by software that knows nothing of it.",
        rows=(
            (
                BOTH,
                "Read the list of checks aloud: profile, chain, keys, and OpenSSL's opinion.",
                "No FAIL. A FAIL ends the ceremony; nothing is exported.",
            ),
        ),
    )
