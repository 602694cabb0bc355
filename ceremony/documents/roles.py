"""Who does what in a ceremony: the roles of its script, and what each answers for.

ETSI EN 319 411-1 GEN-6.3.1 and WebTrust for CAs §4.1 ask that a script names the roles, their
functions and the phases that they act in.
"""

from collections.abc import Sequence

from ceremony.config import Plan
from ceremony.documents.activities import activities
from ceremony.documents.model import Block, Column, Heading, Steps, Table
from ceremony.documents.parts import BOTH, CUSTODIAN, EITHER, PIN_HOLDER

_ADMINISTRATOR, _WITNESS = "Ceremony administrator", "Witness"
_OFFICERS = ("Officer A", "Officer B")
_ANSWERS = {
    _ADMINISTRATOR: "Prepares room, laptop and papers; reads the steps aloud and keeps the times.",
    _OFFICERS[0]: "Takes the steps of A, watches those of B. Decides, with B, on each exception.",
    _OFFICERS[1]: "Takes the steps of B, watches those of A. Decides, with A, on each exception.",
    PIN_HOLDER: "Enters the PIN of a token, unseen. Afterwards keeps it apart from the token.",
    CUSTODIAN: "Copies passphrases to paper and keeps them apart from the key files; hands "
    "the files to their receivers.",
    _WITNESS: "Sees every step and takes none. Signs the statement at the end of this script.",
}


def roles_of(plan: Plan) -> tuple[tuple[str, str, str], ...]:
    """Role, what it answers for, and the numbers of its steps."""
    steps = [step for block in activities(plan) if isinstance(block, Steps) for step in block.rows]
    rows = []
    for role, answers in _ANSWERS.items():
        mine = _spans([step.number for step in steps if step.who == role])
        if role == _ADMINISTRATOR or (role == _WITNESS and plan.rules.witness):
            mine = "all"
        elif role in _OFFICERS:
            mine = f"those of {role[-1]}, of {BOTH}, of {EITHER}"
        if mine:
            rows.append((role, answers, mine))
    return tuple(rows)


def _spans(numbers: Sequence[str]) -> str:
    """Step numbers, runs of them as ``8.7 to 8.20``."""
    runs: list[list[str]] = []
    for number in numbers:
        part, _, at = number.partition(".")
        if runs and runs[-1][-1] == f"{part}.{int(at) - 1}":
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def role_table(plan: Plan) -> tuple[Block, ...]:
    """The roles as a section of the script."""
    return (
        Heading(text="Roles", level=2),
        Table(
            columns=(
                Column(title="Role", share=30),
                Column(title="Answers for", share=74),
                Column(title="Steps", share=56),
            ),
            rows=roles_of(plan),
        ),
    )
