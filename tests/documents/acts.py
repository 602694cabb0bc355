"""What a record tells was done, looked for in the script that people followed."""

from collections.abc import Iterator, Sequence

from ceremony.config import Plan
from ceremony.documents.activities import activities
from ceremony.documents.model import Heading, Steps
from ceremony.flow.prompts import Step
from ceremony.record.chain import Line

Rows = list[tuple[str, str]]


def unscripted(plan: Plan, lines: Sequence[Line]) -> list[str]:
    """Acts of the record that no row of their part of the script announces, with who does them."""
    parts = _parts(plan)
    return [
        f"{line.type} {line.key} (line {line.n + 1}): {who or 'anybody'}, '{needle}'"
        for line in lines
        for who, needle in _announced(line)
        if not _found(parts.get(Step(line.step).number, []), who, needle)
    ]


def _parts(plan: Plan) -> dict[int, Rows]:
    parts: dict[int, Rows] = {}
    number = 0
    for block in activities(plan):
        if isinstance(block, Heading):
            number = int(block.text.split()[0])
        elif isinstance(block, Steps):
            rows = [(row.who, f"{row.activity} {row.expected}") for row in block.rows]
            parts[number] = rows
    return parts


def _found(rows: Rows, who: str, needle: str) -> bool:
    return any(
        needle.casefold() in told.casefold() and (not who or who in (doer, *doer.split(" and ")))
        for doer, told in rows
    )


_ALWAYS = {
    "bags": (("", "bag"),),
    "backup-check": (("", "the backup works"),),
    "clock": (("A", "watch"), ("B", "watch")),
    "findings": (("", "acknowledge"),),
    "root": (("", "fingerprint of the root"),),
    "close": (("", "the record is closed"),),
}
_MADE = {
    "key/root": "key",
    "certificate/root": "root certificate",
    "crl/crl": "review crl.pem",
    "export/upload": "SIGNED OUT",
    "export/root-csr": "HIGHER CA",
    "export/root-key": "factory_ca.key, plain",
}


def _announced(line: Line) -> Iterator[tuple[str, str]]:
    """Who does it (empty: whoever), and what the row must mention."""
    kind, _, name = line.key.partition("/")
    match line.type:
        case "fence":
            yield from (("A", "your phrase"), ("B", "your phrase"))
            yield "", "second fence" if kind == "last-ca" else "phrase"
        case "type-back":
            yield line.key[-1], "words that the screen asks for"
            yield "", line.data["what"].removeprefix("csr-")
        case "typed":
            yield line.key[-1], kind.removesuffix("s")
        case "done":
            yield "", _MADE.get(line.key) or str(line.data.get("file", f"'{name}'"))
        case "custody":
            yield "", f"'{line.key}'"
        case _:
            yield from _ALWAYS.get(line.type, ())
