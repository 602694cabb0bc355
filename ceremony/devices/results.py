"""The results file of a batch: one line a row, issued or refused and why."""

import msgspec

from ceremony.devices.rows import Failed, Made


class _Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the results file."""

    line: int
    result: str
    source: str = ""
    uuid: str = ""
    serial: str = ""
    code: str = ""
    message: str = ""


_lines = msgspec.json.Encoder()


def encode_results(taken: list[Made], failed: list[Failed]) -> bytes:
    """The lines of these rows, in the order of the batch."""
    lines = [
        _Result(
            line=row.line,
            result="issued",
            source=row.source,
            uuid=row.uuid,
            serial=str(int(row.serial, 16)),
        )
        for row in taken
    ]
    if failed:
        lines += [
            _Result(
                line=row.line,
                result="refused",
                source=row.source,
                uuid=row.uuid,
                code=row.code,
                message=row.message,
            )
            for row in failed
        ]
        lines.sort(key=lambda one: one.line)
    return _lines.encode_lines(lines)
