"""The numbered steps of a ceremony, as its plan and its kind make them."""

from collections.abc import Callable, Iterator, Mapping

from ceremony.config import Plan
from ceremony.documents.arrival import import_part, open_part, preflight_part
from ceremony.documents.departure import close_part, export_part
from ceremony.documents.drill import drill_import_part, drill_part
from ceremony.documents.issuance import local_cas_part, root_part, sign_part, verify_part
from ceremony.documents.later import (
    destroy_part,
    foreign_csrs_part,
    found_root_part,
    root_export_part,
)
from ceremony.documents.model import Block, Heading, Paragraph, Step, Steps, Tone
from ceremony.documents.parts import Part, numbered
from ceremony.kinds import Kind, facts_of

_Made = Callable[[Plan], Part]


def activities(plan: Plan) -> tuple[Block, ...]:
    """Headings, numbered steps and blanks, under the numbers that the screen shows."""
    blocks: list[Block] = []
    for number, make in _parts(plan):
        part = make(plan)
        blocks.append(Heading(text=numbered(part.title), level=1))
        blocks.append(Paragraph(text=part.aim))
        if part.fence:
            blocks.append(_fence(undone=part.undone))
        rows = tuple(
            Step(number=f"{number}.{at}", who=who, activity=activity, expected=expected)
            for at, (who, activity, expected) in enumerate(part.rows, 1)
        )
        blocks += [Steps(rows=rows), *part.after]
    return tuple(blocks)


def _fence(*, undone: bool) -> Paragraph:
    return Paragraph(
        tone=Tone.NOTICE,
        lead="Fence.",
        text="Both officers are at the table. Each types the personal phrase, unseen by the other. "
        "Nothing is done before the second phrase"
        + ("." if undone else "; what follows cannot be undone."),
    )


_KEYS_ONLY: Mapping[Kind, tuple[tuple[int, _Made], ...]] = {
    Kind.DESTROY_KEY: ((4, destroy_part),),
    Kind.CHECK_BACKUP: ((3, drill_import_part), (4, drill_part)),
    Kind.EXPORT_ROOT_KEY: ((3, drill_import_part), (8, root_export_part)),
}


def _parts(plan: Plan) -> Iterator[tuple[int, _Made]]:
    """The steps of this kind: a step that it has not leaves its number free."""
    facts = facts_of(plan.kind)
    yield 1, open_part
    yield 2, preflight_part
    if plan.kind in _KEYS_ONLY:
        yield from _KEYS_ONLY[plan.kind]
    else:
        yield 3, import_part
        yield 4, root_part if facts.makes_root else found_root_part
        if facts.makes_local_cas:
            yield 5, local_cas_part
        if plan.sign_csr:
            yield 5, foreign_csrs_part
        yield 6, sign_part
        yield 7, verify_part
        yield 8, export_part
    yield 9, close_part
