"""What officers go on with: warnings become exceptions, findings get a reason on record."""

from ceremony.core.findings import Finding, Severity, warnings
from ceremony.flow.asking import Flow, enter
from ceremony.flow.prompts import (
    CheckRow,
    Checks,
    CheckStatus,
    EnterText,
    Field,
    FindingList,
    Step,
    Text,
)
from ceremony.flow.room import Room

_EACH = "device."  # each new device is weighed, not each kind of warning


def noted(room: Room, row: CheckRow) -> bool:
    """Whether this warning was weighed already; it is asked about once in a ceremony."""
    if not row.code.startswith(_EACH):
        return room.has("note", row.code)
    return any(line.data.get("sentence") == row.sentence for line in room.record.all("note"))


def note(room: Room, step: Step, row: CheckRow) -> Flow[None]:
    """Asks why it is acceptable to go on, and who decided; records the exception."""
    values = yield from enter(
        EnterText(
            key="preflight.note",
            step=step,
            title="A note for the record",
            body=(
                Checks(rows=(row,)),
                Text(text="Why is it acceptable to go on? This becomes an exception."),
            ),
            fields=(
                Field(name="why", label="Reason"),
                Field(name="by", label="Decided by"),
            ),
        )
    )
    what, about = f"{row.code}: {row.sentence}", f"note {row.code} {row.sentence}"
    room.exception(step, what, values["why"], "go on", [values["by"]], about=about)
    room.append(step, "note", row.code, text=values["why"], code=row.code, sentence=row.sentence)


def weigh_new_devices(room: Room, step: Step) -> Flow[None]:
    """A network interface or keyboard that appeared since the start needs a note."""
    if room.plan.rehearsal:
        return
    for row in room.services.new_devices():
        if row.status is not CheckStatus.PASS and not noted(room, row):
            yield from note(room, step, row)


def acknowledge_findings(
    room: Room, step: Step, where: str, findings: tuple[Finding, ...]
) -> Flow[None]:
    """A typed acknowledgement of warnings, on the record; nothing where there is none."""
    if not warnings(findings):
        return
    values = yield from enter(
        EnterText(
            key="findings.acknowledge",
            step=step,
            title="Findings to acknowledge",
            body=(FindingList(findings=warnings(findings)),),
            fields=(Field(name="why", label="Why it is acceptable"),),
            officer=room.officer("A"),
        )
    )
    room.append(
        step, "findings", where, findings=_told(findings), by=list(room.officers), why=values["why"]
    )


def _told(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    return [
        {"severity": f.severity.value, "code": f.code, "where": f.where, "message": f.message}
        for f in findings
        if f.severity is not Severity.NOTE
    ]
