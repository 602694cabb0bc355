"""What stays around every prompt: header or sidebar, rehearsal band, title, footer."""

from collections.abc import Callable, Sequence
from datetime import datetime

from textual.content import Content
from textual.widget import Widget

from ceremony.flow.prompts import Frame, Step
from screens.body import SIDE, content_of
from screens.glyphs import COMING, DONE, HERE, guard_line, shorten
from screens.layout import Line, Part

Key = tuple[str, str]
NOBODY = "anyone"


def exceptions_said(count: int) -> str:
    """`no exceptions`, `1 exception`, `2 exceptions`."""
    return f"{count or 'no'} exception{'' if count == 1 else 's'}"


class Surround(Widget):
    """A part that shows the frame, redrawn each second for its clock."""

    def __init__(
        self, frame: Frame, step: Step, officer: str | None, now: Callable[[], datetime]
    ) -> None:
        super().__init__()
        self.frame = frame
        self.step = step
        self.officer = guard_line(officer) if officer else NOBODY
        self._now = now

    def on_mount(self) -> None:
        """Starts the clock."""
        self.set_interval(1, self.refresh)

    @property
    def clock(self) -> str:
        """The present, UTC."""
        return f"{self._now():%H:%M:%S} UTC"

    @property
    def head(self) -> str:
        """The first eight digits of the record's head."""
        return self.frame.head.hex[:8] if self.frame.head else "not yet"


class Header(Surround):
    """Two lines, for narrow terminals."""

    def render(self) -> Content:
        """Who we are and where we are."""
        width = self.size.width - 2
        return content_of([self._place(width), self._rail(width)])

    def _place(self, width: int) -> Line:
        frame = self.frame
        noted = f"{exceptions_said(frame.exceptions)}  " if frame.exceptions else ""
        right = f"record {self.head}  {self.clock}"
        room = width - len(noted) - len(right) - 14
        name = frame.ceremony_id or frame.factory
        if frame.kind not in name:
            name = f"{frame.kind} {COMING} {name}"
        said = shorten(guard_line(name), room)
        return (
            (" CEREMONY", "bold $accent"),
            (f"  {said:<{room}}   ", ""),
            (noted, "bold $warning"),
            (right, "$dim"),
        )

    def _rail(self, width: int) -> Line:
        parts: list[Part] = [(" ", "")]
        parts += [(f"{_mark(step, self.step)} ", _style(step, self.step)) for step in Step]
        place = f" {self.step.number} of {len(Step)}  {self.step.value}"
        parts.append((place, "bold"))
        turn = shorten(self.officer, 30)
        used = sum(len(text) for text, _ in parts)
        parts.append((" " * max(1, width - used - len(turn) - 6), ""))
        parts += _turn(turn)
        return tuple(parts)


def _mark(step: Step, here: Step) -> str:
    if step.number < here.number:
        return DONE
    return HERE if step is here else COMING


def _style(step: Step, here: Step) -> str:
    if step.number < here.number:
        return "$success"
    return "bold $accent" if step is here else "$dim"


def _turn(officer: str) -> list[Part]:
    style = "$dim" if officer == NOBODY else "bold $background on $accent"
    return [("turn: ", "$dim"), (f" {officer} " if officer != NOBODY else officer, style)]


class Sidebar(Surround):
    """A column with the nine steps, for wide terminals."""

    def render(self) -> Content:
        """The same facts, one under the other."""
        frame, room = self.frame, SIDE - 4
        lines: list[Line] = [
            (),
            (("CEREMONY", "bold $accent"),),
            ((shorten(guard_line(frame.kind), room), "bold"),),
            ((shorten(guard_line(frame.factory), room), ""),),
            ((shorten(guard_line(frame.ceremony_id), room), "$dim"),),
            (),
        ]
        for step in Step:
            style = _style(step, self.step)
            name = "bold" if step is self.step else ("" if style == "$success" else "$dim")
            lines.append(((f"{_mark(step, self.step)} ", style), (step.value, name)))
        lines += [(), (("TURN", "$dim"),)]
        style = "$dim" if self.officer == NOBODY else "bold $background on $accent"
        turn = self.officer if self.officer == NOBODY else f" {shorten(self.officer, room - 2)} "
        lines.append(((turn, style),))
        lines += [(), (("RECORD", "$dim"),), ((self.head, ""),)]
        noted = "bold $warning" if frame.exceptions else "$dim"
        lines += [((exceptions_said(frame.exceptions), noted),), (), ((self.clock, "bold"),)]
        return content_of(lines)


class Band(Widget):
    """The rehearsal mark: a full line that cannot be overlooked."""

    def render(self) -> Content:
        """REHEARSAL, left and right."""
        room = self.size.width - 2
        said = "nothing made here is real"
        sides = "REHEARSAL"
        return Content(f" {sides}{said:^{max(0, room - 2 * len(sides))}}{sides} ")


class Title(Widget):
    """What this screen is about."""

    def __init__(self, title: str) -> None:
        super().__init__(id="title")
        self._title = guard_line(title)

    def render(self) -> Content:
        """One line, bold."""
        return Content.assemble((self._title, "bold"))


class Footer(Widget):
    """Two lines: what goes on here, and what is always there."""

    ALWAYS: Sequence[Key] = (
        ("F1 ^G", "help"),
        ("F2 ^X", "exception"),
        ("F3 ^P", "pause"),
        ("F4 ^O", "command"),
        ("^Q", "quit"),
    )

    def __init__(self, keys: Callable[[], Sequence[Key]]) -> None:
        super().__init__()
        self._keys = keys

    def render(self) -> Content:
        """Keys in accent, what they do beside them."""
        return content_of([self._line(self._keys(), "bold"), self._line(self.ALWAYS, "$dim")])

    @staticmethod
    def _line(keys: Sequence[Key], style: str) -> Line:
        parts: list[Part] = [(" ", "")]
        for key, what in keys:
            parts += [(key, "bold $accent"), (f" {guard_line(what)}   ", style)]
        return tuple(parts)
