"""The numbered steps of a first ceremony, as its plan makes them."""

from collections.abc import Callable

from ceremony.config import Plan
from ceremony.documents.arrival import import_part, open_part, preflight_part
from ceremony.documents.departure import close_part, export_part
from ceremony.documents.issuance import local_cas_part, root_part, sign_part, verify_part
from ceremony.documents.model import Block, Heading, Paragraph, Step, Steps, Tone
from ceremony.documents.parts import Part


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
_PARTS: tuple[Callable[[Plan], Part], ...] = (
    open_part,
    preflight_part,
    import_part,
    root_part,
    local_cas_part,
    sign_part,
    verify_part,
    export_part,
    close_part,
)
