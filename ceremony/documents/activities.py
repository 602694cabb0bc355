"""The numbered steps of a first ceremony, as its plan makes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ceremony.config import LocalCa, Plan, Slot, Token
from ceremony.core.text import show
from ceremony.core.typeback import Policy
from ceremony.documents.model import Block, Heading, Paragraph, Print, Step, Steps, Tone

BOTH = "A and B"
EITHER = "A or B"
_Row = tuple[str, str, str]

CERTIFICATE_FILES = {
    Slot.ONLINE_CA: ("online_ca.pem", "online device CA"),
    Slot.TLS: ("tls.pem", "gateway TLS"),
    Slot.EST_TLS: ("est-tls.pem", "EST TLS"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the nine steps of a ceremony.

    Attributes:
        aim: what it is for, in a sentence.
        rows: who, activity, expected.
        after: blocks to be filled in by hand.
    """

    title: str
    aim: str
    rows: tuple[_Row, ...]
    fence: bool = False
    after: tuple[Block, ...] = ()


def activities(plan: Plan) -> tuple[Block, ...]:
    """Headings, numbered steps and blanks for the nine steps."""
    blocks: list[Block] = []
    for number, make in enumerate(_PARTS, 1):
        part = make(plan)
        blocks.append(Heading(text=f"{number}  {part.title}", level=1))
        blocks.append(Paragraph(text=part.aim))
        if part.fence:
            blocks.append(_FENCE)
        rows = tuple(
            Step(number=f"{number}.{at}", who=who, activity=activity, expected=expected)
            for at, (who, activity, expected) in enumerate(part.rows, 1)
        )
        blocks += [Steps(rows=rows), *part.after]
    return tuple(blocks)


_FENCE = Paragraph(
    tone=Tone.NOTICE,
    lead="Fence.",
    text="Both officers are at the table. Each types the personal phrase, unseen by the other. "
    "Nothing is done before the second phrase; what follows cannot be undone.",
)


def _words_each(plan: Plan) -> int:
    return Policy(plan.rules.type_back).words_each


def _type_back(plan: Plan, paper: str) -> Iterator[_Row]:
    count = _words_each(plan)
    for officer, other in (("A", "B"), ("B", "A")):
        yield (
            officer,
            (
                f"Type the {count} words that the screen asks for by line and place (A1 to H4), "
                f"read from {paper}. Officer {other} watches the paper."
            ),
            (
                "Match. The screen never shows the expected words. A wrong word is an exception; "
                "a second wrong try stops the ceremony."
            ),
        )


def token_name(token: Token) -> str:
    """A token as people tell it apart."""
    parts = []
    if token.serial is not None:
        parts.append(f"serial {show(token.serial)}")
    if token.label is not None:
        parts.append(f"label {show(token.label)}")
    return ", ".join(parts) or "the only token of its module"


def _open(plan: Plan) -> Part:
    rows: list[_Row] = [
        (
            BOTH,
            (
                "Check the room: only the people named in this script; no phone or camera that the "
                "plan does not allow; door closed."
            ),
            "As stated",
        ),
        (
            EITHER,
            "Start the laptop from its approved medium. Run: ceremony run ceremony.toml",
            "Screen 'A new root of trust'"
            + (", marked REHEARSAL" if plan.rehearsal else "")
            + f"; factory {plan.factory}",
        ),
        (EITHER, "Enter place, purpose and approval reference.", "As on page 1 of this script"),
    ]
    rows += [
        (
            seat,
            (
                f"Enrol as officer {seat}: name as on the identity document, role, and a personal "
                "phrase typed twice, unseen by everybody else."
            ),
            "Accepted" if seat == "A" else "Accepted; another person than officer A",
        )
        for seat in "AB"
    ]
    if plan.rules.witness:
        rows.append(("Witness", "Have name and role entered.", "Accepted"))
    rows += _type_back(plan, "the plan's fingerprint in this script")
    return Part(
        title="Open",
        aim="Who is here, where, and on whose approval; and that the plan in the laptop is the "
        "plan that was approved.",
        rows=tuple(rows),
    )


def _preflight(plan: Plan) -> Part:
    interfaces = ", ".join(show(name) for name in plan.rules.interfaces)
    off = f"All down but {interfaces}" if interfaces else "All down"
    rows: list[_Row] = [
        (BOTH, "Check with your own eyes: no network cable, no radio, no foreign device.", off),
        (
            EITHER,
            "Read the list of checks aloud: PASS, WARN or FAIL.",
            "No FAIL. FAIL stops until it is mended."
            if not plan.rehearsal
            else "True status on each line; in a rehearsal none stops.",
        ),
        (
            BOTH,
            "For each WARN: decide, and enter why it is acceptable and who decided.",
            "One exception on record for each WARN; an exception sheet for each",
        ),
    ]
    rows += [
        (seat, "Compare the time (UTC) on the screen with your own watch.", "Right within minutes")
        for seat in "AB"
    ]
    return Part(
        title="Preflight",
        aim="That this laptop, its clock and the token are fit for the ceremony.",
        rows=tuple(rows),
    )


def _import(plan: Plan) -> Part:
    files = ", ".join(f"{slot.value}.csr" for slot in plan.requests)
    sheet = "the sheet of words printed at the online machine"
    hosts = ", ".join(plan.rules.host_suffixes)
    return Part(
        title="Import",
        aim="The CSRs of the platform, from the stick CSR IN; and that they are those that the "
        "online machine fetched.",
        rows=(
            (
                EITHER,
                "Plug in the stick CSR IN. Choose the request bundle on it.",
                f"Read once and checked: {files}",
            ),
            *_type_back(plan, sheet),
            (
                BOTH,
                (
                    "Read subject, key and every DNS name of each CSR aloud. Compare key "
                    "fingerprints by other means where you can."
                ),
                f"DNS names end in: {hosts}",
            ),
            (BOTH, "Accept the CSRs, or refuse them. Acknowledge each warning.", "Accepted"),
            (EITHER, "Pull the stick CSR IN.", "Stick in its bag"),
        ),
        after=(
            Print(caption="Request bundle: copy lines A to H here, or staple its sheet of words"),
        ),
    )


def _root(plan: Plan) -> Part:
    root = plan.root
    rows: list[_Row] = []
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
        (
            BOTH,
            "Review the root certificate as it will be signed, line by line. Accept.",
            (
                f"CN=Factory-CA, OU={plan.factory}; {root.days} days; no findings, or each "
                "acknowledged"
            ),
        ),
        (
            BOTH,
            (
                "Copy the fingerprint of the root certificate to the lines below, each officer "
                "checking the other."
            ),
            "The root is signed, checked and written",
        ),
    ]
    if root.backup.method == "vendor":
        rows += _VENDOR_BACKUP
    return Part(
        title="Root key",
        aim="The root key of the Factory, made once, and its certificate.",
        fence=True,
        rows=tuple(rows),
        after=(Print(caption="Root certificate factory_ca.pem: SHA-256"),),
    )


_VENDOR_BACKUP: tuple[_Row, ...] = (
    (
        BOTH,
        (
            "Copy the root key to the backup token by the vendor's own procedure. Write the "
            "procedure's reference and the backup token's serial number on page 2."
        ),
        "The vendor's tool reports success",
    ),
    (
        BOTH,
        "List the backup token's keys with the vendor's tool, and compare its public key.",
        "The same public key as the root's",
    ),
)


def _root_store(plan: Plan) -> Iterator[_Row]:
    root = plan.root
    if root.key_store == "token" and root.token is not None:
        yield (
            EITHER,
            "Take the token out of its bag. Compare the serial number on it. Plug it in.",
            token_name(root.token),
        )
        yield (
            "PIN holder",
            "Enter the PIN of the token, unseen by everybody else.",
            "Logged in. A wrong PIN counts; after two, both officers decide.",
        )
        yield (
            EITHER,
            "Watch the inventory and the generation of the key.",
            (
                f"No key of that name before; then one: label {show(root.label)}, id {root.key_id}, "
                f"{root.curve.value}"
            ),
        )
        return
    yield from _passphrase("the root key file")


def _passphrase(what: str) -> Iterator[_Row]:
    yield (
        "Custodian",
        f"Copy the passphrase of {what} from the screen to its sheet. It is shown once.",
        "On paper, in an envelope of its own afterwards",
    )
    yield (
        "Custodian",
        "Type the passphrase back from the sheet.",
        "Match. The key is generated and stored under it.",
    )


def _local_cas(plan: Plan) -> Part:
    rows: list[_Row] = []
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


def _local_ca(plan: Plan, ca: LocalCa) -> Iterator[_Row]:
    owner = f"CN=fio-{show(plan.owner(ca))}"
    match ca.key_store:
        case "file":
            yield from _passphrase(f"the key of '{ca.name}' ({owner})")
        case "token":
            where = "the root's token" if ca.token is None else token_name(ca.token)
            yield (
                "PIN holder",
                f"Key of '{ca.name}' ({owner}): have its token plugged in; enter its PIN.",
                f"{where}; one new key",
            )
        case "csr":
            yield (
                EITHER,
                f"CSR of '{ca.name}' ({owner}), whose key was made elsewhere: choose the file.",
                "Read and checked",
            )
            yield from _type_back(plan, f"the sheet of words of the CSR of '{ca.name}'")


def _certificates(plan: Plan) -> list[tuple[str, str]]:
    named = [CERTIFICATE_FILES[slot] for slot in CERTIFICATE_FILES if slot in plan.requests]
    return named + [(f"local_ca-{ca.name}.pem", "local device CA") for ca in plan.local_ca]


def _sign(plan: Plan) -> Part:
    rows: list[_Row] = [
        (seat, "Read the list aloud. Type your phrase.", "Accepted") for seat in "AB"
    ]
    rows += [
        (
            BOTH,
            f"Review {file} ({kind}): asked for, beside will be issued. Accept.",
            "Only what the profile allows; no findings, or each acknowledged",
        )
        for file, kind in _certificates(plan)
    ]
    holder = "PIN holder" if plan.root.key_store == "token" else "Custodian"
    secret = "PIN of the root's token" if plan.root.key_store == "token" else "root's passphrase"
    count = len(_certificates(plan))
    rows.append((holder, f"Enter the {secret}.", f"{count} certificates signed and checked"))
    return Part(
        title="Sign",
        aim="Every certificate below the root, each reviewed before it is signed.",
        fence=True,
        rows=tuple(rows),
    )


def _verify(plan: Plan) -> Part:  # noqa: ARG001 - the same for every plan
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


def _export(plan: Plan) -> Part:
    rows: list[_Row] = [
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
                "Copy lines A to H of the upload bundle's words below and to the sheet that travels, "
                "each officer checking the other."
            ),
            "32 words, twice",
        ),
    ]
    rows += [
        (
            seat,
            (
                f"Type the {Policy.PROOF.words_each} words that the screen asks for, from the sheet "
                "just written."
            ),
            "Match",
        )
        for seat in "AB"
    ]
    for name in custody_names(plan):
        rows.append(
            (
                "Custodian",
                f"Custody of the key '{name}': enter receiver and stick; plug in that stick.",
                "Encrypted key and certificate written and read back; passphrase kept apart",
            )
        )
    return Part(
        title="Export",
        aim="The certificates, on a stick for the online machine, and their fingerprint on paper. "
        "No key and no name of a person leaves on it.",
        fence=True,
        rows=tuple(rows),
        after=(Print(caption="Upload bundle: SHA-256 of its SHA256SUMS"),),
    )


def custody_names(plan: Plan) -> list[str]:
    """Keys that leave the room in files."""
    names = [ca.name for ca in plan.local_ca if ca.key_store == "file"]
    return [*names, "root"] if plan.root.backup.method == "file" else names


def _close(plan: Plan) -> Part:
    rows: list[_Row] = [
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
            "Pull all sticks. Put each into its bag; write bag numbers and holders on page 2.",
            "EVIDENCE to the safe; SIGNED OUT to the online machine",
        ),
    ]
    if plan.root.key_store == "token":
        rows.append(("PIN holder", "Pull the token. Into its bag, to the safe.", "Bag number"))
    rows.append((BOTH, "Complete exception sheets and sign-off. Time of the end: below.", "Signed"))
    return Part(
        title="Close",
        aim="The record ends, its head is on paper, and everything goes where it belongs.",
        rows=tuple(rows),
        after=(Print(caption="Head of the record: SHA-256 of its last line"),),
    )


_PARTS: tuple[Callable[[Plan], Part], ...] = (
    _open,
    _preflight,
    _import,
    _root,
    _local_cas,
    _sign,
    _verify,
    _export,
    _close,
)
