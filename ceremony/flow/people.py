"""People: who they are, how that was checked, and the roles beside the two officers."""

import re
from collections.abc import Mapping

from ceremony.flow.asking import Flow, enter
from ceremony.flow.prompts import EnterText, Field, Step, Text
from ceremony.flow.room import Room

_NUMBER = re.compile(r"(?:[\s.-]?\d){4}")
IDENTITY = Field(
    name="identity",
    label="Identity checked with",
    placeholder="kind, e.g. passport; never its number",
)
WHO = (
    Field(name="name", label="Name", placeholder="as on the identity document"),
    Field(name="role", label="Role", placeholder="e.g. security officer"),
    IDENTITY,
)
_ROLES = (("administrator", "Ceremony administrator"), ("custodian", "Custodian"))


def identity_problem(values: Mapping[str, str]) -> str | None:
    """Why a form on people cannot be taken: a document's number has no place on a record."""
    told = [value for name, value in values.items() if name.endswith("identity")]
    if any(_NUMBER.search(value) for value in told):
        return "The kind of document only: its number does not belong on the record."
    return None


def enrol_others(room: Room) -> Flow[None]:
    """One form for the administrator and the custodian; both may be empty."""
    if room.has("people", "others"):
        return
    fields = tuple(
        field
        for name, label in _ROLES
        for field in (
            Field(name=name, label=label, required=False),
            Field(
                name=f"{name}_identity",
                label="Identity checked with",
                placeholder="kind of document",
                required=False,
            ),
        )
    )
    values = yield from enter(
        EnterText(
            key="open.others",
            step=Step.OPEN,
            title="The others in the room",
            body=(Text(text="Leave empty what an officer does, or nobody."),),
            fields=fields,
            help="The administrator reads the script aloud; the custodian takes keys and paper "
            "to the safe. Neither types a word or a phrase.",
        ),
        _others_problem,
    )
    room.append(Step.OPEN, "people", "others", **values)


def _others_problem(values: Mapping[str, str]) -> str | None:
    for name, label in _ROLES:
        if bool(values[name]) != bool(values[f"{name}_identity"]):
            return f"{label}: name and kind of document, or neither."
    return identity_problem(values)
