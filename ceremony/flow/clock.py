"""The clock: held against the record, confirmed by both officers at each visit.

A wrong clock may have written lines before anybody looked at it. So a time that both
officers confirmed is what the clock may never be behind; a line that is merely later than
the clock is a warning, which they weigh and confirm.
"""

from datetime import datetime, timedelta

from ceremony.core.times import format_time, parse_time
from ceremony.errors import StoppedError
from ceremony.flow.asking import Flow, choose
from ceremony.flow.prompts import CheckRow, CheckStatus, Choose, Facts, Option, Step, Text
from ceremony.flow.room import Room

_SLACK = timedelta(seconds=5)


def clock_rows(room: Room) -> tuple[CheckRow, ...]:
    """Rows on the clock beside the record."""
    now = room.services.clock.now()
    confirmed = _confirmed(room)
    latest = max(parse_time(line.at) for line in room.record.lines)
    if confirmed is not None and now + _SLACK < confirmed:
        return (
            CheckRow(
                status=CheckStatus.FAIL,
                code="clock.backwards",
                sentence=f"the clock says {format_time(now)}, before {format_time(confirmed)}, "
                "which both officers confirmed",
                hint="Set the clock from a watch that both officers trust.",
            ),
        )
    if now + _SLACK < latest:
        return (
            CheckRow(
                status=CheckStatus.WARN,
                code="clock.behind_record",
                sentence=f"the clock says {format_time(now)}; the record has a line of "
                f"{format_time(latest)}: one of the two is wrong",
                hint="Compare with a watch; a wrong clock may have written that line.",
            ),
        )
    sentence = f"the clock says {format_time(now)}, not behind the record"
    return (CheckRow(status=CheckStatus.PASS, code="clock.backwards", sentence=sentence),)


def confirm_clock(room: Room, visit: str) -> Flow[None]:
    """Both officers compare the laptop's time with their watches.

    Args:
        visit: "0" for the first; its time is notBefore of everything issued.

    Raises:
        StoppedError: `clock.wrong`.
    """
    key = "clock" if visit == "0" or not room.has("clock", "clock") else f"clock/{visit}"
    if room.has("clock", key):
        return
    confirmed = room.services.clock.now()
    rows = [
        ("This laptop (UTC)", format_time(confirmed)),
        ("Day", f"{confirmed:%A}, day {confirmed:%j} of {confirmed.year}"),
        ("The record began", room.record.lines[0].at),
    ]
    last = _confirmed(room)
    rows += [] if last is None else [("Confirmed last", format_time(last))]
    for seat in ("A", "B"):
        answer = yield from choose(_question(room, seat, tuple(rows)))
        if answer == "wrong":
            raise StoppedError(
                "clock.wrong",
                f"{room.officer(seat)} says that the clock is wrong",
                hint="Set it (date -u -s ...), then resume.",
            )
    room.append(
        Step.PREFLIGHT,
        "clock",
        key,
        confirmed_at=format_time(confirmed),
        by=list(room.officers),
    )


def check_clock(room: Room) -> None:
    """Nothing is signed or exported by a clock that fell behind what was confirmed.

    Raises:
        StoppedError: `clock.backwards`.
    """
    now, confirmed = room.services.clock.now(), _confirmed(room)
    if confirmed is None or room.plan.rehearsal or now + _SLACK >= confirmed:
        return
    raise StoppedError(
        "clock.backwards",
        f"the clock says {format_time(now)}, before {format_time(confirmed)}, which both "
        "officers confirmed",
        hint="Set the clock from a watch that both officers trust, then resume.",
    )


def _confirmed(room: Room) -> datetime | None:
    times = (parse_time(str(line.data["confirmed_at"])) for line in room.record.all("clock"))
    return max(times, default=None)


def _question(room: Room, seat: str, rows: tuple[tuple[str, str], ...]) -> Choose:
    return Choose(
        key=f"preflight.clock.{seat}",
        step=Step.PREFLIGHT,
        title="The time",
        body=(
            Facts(rows=rows),
            Text(
                text="Compare it with your own watch. All certificates begin at the time that is "
                "confirmed first; a wrong year would make them useless or last too long."
            ),
        ),
        officer=room.officer(seat),
        options=(
            Option(value="right", label="The time is right", detail="within minutes"),
            Option(value="wrong", label="It is wrong", detail="stop and set the clock"),
        ),
    )
