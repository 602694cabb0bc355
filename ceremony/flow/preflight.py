"""Step 2, preflight: the laptop, its surroundings, the token, and the clock."""

from datetime import datetime

from ceremony.core.times import parse_time
from ceremony.errors import StoppedError
from ceremony.flow.asking import Flow, acknowledge, choose
from ceremony.flow.clock import clock_rows, confirm_clock
from ceremony.flow.notes import note, noted
from ceremony.flow.prompts import (
    Acknowledge,
    CheckRow,
    Checks,
    CheckStatus,
    Choose,
    Option,
    Step,
    Text,
    Tone,
    Working,
)
from ceremony.flow.room import Room
from ceremony.x509.certificate import Certificate


def preflight(room: Room) -> Flow[None]:
    """Checks until nothing fails, a note for each warning, then the clock.

    After a resume the checks are made anew; only what fails, or warns for the first
    time, is shown again.
    """
    visit = str(len(room.record.all("reopen")))
    if not room.has("preflight", visit):
        yield from _checks(room, visit)
    yield from confirm_clock(room, visit)


def ceremony_time(room: Room) -> datetime:
    """The time that both officers confirmed: notBefore of everything issued."""
    return parse_time(room.need("clock", "clock").data["confirmed_at"])


def issue_time(room: Room, issuer: Certificate) -> datetime:
    """When what `issuer` signs begins: at the confirmed time.

    Under a root that a higher CA signed, not before that root: it is younger than the
    ceremony's first sitting.
    """
    confirmed = ceremony_time(room)
    return confirmed if issuer.self_signed else max(confirmed, issuer.not_before)


def _checks(room: Room, visit: str) -> Flow[None]:
    while True:
        yield Working(step=Step.PREFLIGHT, title="Looking at this laptop and the token")
        rows = (*room.services.preflight(room.plan, room.directory), *clock_rows(room))
        failed = [row for row in rows if row.status is CheckStatus.FAIL]
        new = [row for row in rows if row.status is CheckStatus.WARN and not noted(room, row)]
        if visit != "0" and not failed and not new:
            break
        yield from _show(rows)
        if room.plan.rehearsal or not failed:
            break
        again = yield from choose(_FAILED)
        if again == "stop":
            raise StoppedError(
                "preflight.failed",
                "preflight failed: " + "; ".join(f"{row.sentence} [{row.code}]" for row in failed),
                hint="Mend what is named, then resume.",
            )
    if not room.plan.rehearsal:
        for row in new:
            yield from note(room, Step.PREFLIGHT, row)
    told = [
        {"status": row.status.value, "code": row.code, "sentence": row.sentence} for row in rows
    ]
    room.append(Step.PREFLIGHT, "preflight", visit, rows=told)


_FAILED = Choose(
    key="preflight.failed",
    step=Step.PREFLIGHT,
    title="A check failed",
    body=(Text(text="The ceremony does not go on with a failed check.", tone=Tone.DANGER),),
    options=(
        Option(value="again", label="Check again", detail="after it was mended"),
        Option(value="stop", label="Stop", detail="resume later with the same command"),
    ),
)


def _show(rows: tuple[CheckRow, ...]) -> Flow[None]:
    yield from acknowledge(
        Acknowledge(
            key="preflight.checks",
            step=Step.PREFLIGHT,
            title="Preflight",
            body=(Checks(rows=rows),),
            help="PASS: as it should be. WARN: needs a note that becomes an exception. FAIL: "
            "stops. In a rehearsal each line keeps its true status, but none stops.",
        )
    )
