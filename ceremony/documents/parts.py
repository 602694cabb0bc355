"""What the nine parts of a script are made of, and rows that several of them share."""

from collections.abc import Iterator
from dataclasses import dataclass

from ceremony.config import Plan, Token
from ceremony.core.text import show
from ceremony.core.typeback import Policy
from ceremony.documents.model import Block
from ceremony.kinds import facts_of

BOTH = "A and B"
EITHER = "A or B"
PIN_HOLDER = "PIN holder"
CUSTODIAN = "Custodian"
Row = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the nine steps of a ceremony.

    Attributes:
        aim: what it is for, in a sentence.
        rows: who, activity, expected.
        fence: it needs both officers' phrases.
        undone: what is behind the fence makes and destroys nothing.
        after: blocks to be filled in by hand.
    """

    title: str
    aim: str
    rows: tuple[Row, ...]
    fence: bool = False
    undone: bool = False
    after: tuple[Block, ...] = ()


_STEPS = (
    "Open",
    "Preflight",
    "Import",
    "Root key",
    "Local device CAs",
    "Sign",
    "Verify",
    "Export",
    "Close",
)


def numbered(step: str) -> str:
    """A step's name under the number that it has on the screen and in the script."""
    return f"{_STEPS.index(step) + 1}  {step}" if step in _STEPS else step


def words_each(plan: Plan) -> int:
    """How many words each officer types at a crossing."""
    return Policy(plan.rules.type_back).words_each


def type_back(plan: Plan, paper: str) -> Iterator[Row]:
    """Both officers type words from `paper`."""
    count = words_each(plan)
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


def passphrase(plan: Plan, what: str) -> Iterator[Row]:
    """A generated passphrase goes to paper and is typed back; a part of it by each officer."""
    stored = "The key is generated and stored under it."
    if not plan.rules.split_pin:
        yield (
            CUSTODIAN,
            f"Copy the passphrase of {what} from the screen to its sheet. It is shown once.",
            "On paper, in an envelope of its own afterwards",
        )
        yield CUSTODIAN, "Type the passphrase back from the sheet.", f"Match. {stored}"
        return
    for officer, part, other in (("A", "first", "B"), ("B", "second", "A")):
        yield (
            officer,
            (
                f"Copy the {part} part of the passphrase of {what} from the screen to a sheet of "
                f"its own, unseen by {other} and everybody else. It is shown once."
            ),
            "On paper, in an envelope of its own afterwards",
        )
        yield (
            officer,
            f"Type the {part} part back from the sheet.",
            "Match." if officer == "A" else f"Match. {stored}",
        )


def holder(plan: Plan, alone: str) -> str:
    """Who types a PIN or a passphrase: one person, or each officer a part."""
    return BOTH if plan.rules.split_pin else alone


def own_part(plan: Plan) -> str:
    """What stands behind the name of a secret that is typed in two parts."""
    return ", each the own part" if plan.rules.split_pin else ""


def token_name(token: Token) -> str:
    """A token as people tell it apart."""
    parts = []
    if token.serial is not None:
        parts.append(f"serial {show(token.serial)}")
    if token.label is not None:
        parts.append(f"label {show(token.label)}")
    return ", ".join(parts) or "the only token of its module"


def plug_in(token: Token) -> Row:
    """The root's token comes out of its bag."""
    return (
        EITHER,
        "Take the token out of its bag. Compare the serial number on it. Plug it in.",
        token_name(token),
    )


def pin_row(plan: Plan) -> Row:
    """The PIN of the root's token, whole or in two parts."""
    return (
        holder(plan, PIN_HOLDER),
        f"Enter the PIN of the token{own_part(plan)}, unseen by everybody else.",
        "Logged in. A wrong PIN counts; after two, both officers decide.",
    )


def custody_names(plan: Plan) -> list[str]:
    """Keys that leave the room in files."""
    names = [ca.name for ca in plan.local_ca if ca.key_store == "file"]
    if plan.root.backup.method != "file" or not facts_of(plan.kind).makes_root:
        return names
    more = range(2, plan.root.backup.copies + 1)
    return [*names, "root", *(f"root_{number}" for number in more)]
