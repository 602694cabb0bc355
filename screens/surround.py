"""What stays around every prompt: header, rehearsal band, title, footer; aside where it fits."""

from collections.abc import Callable, Sequence
from datetime import datetime

from textual.content import Content
from textual.widget import Widget

from ceremony.flow.prompts import Frame, Step
from screens.body import ASIDE, content_of
from screens.glyphs import COMING, DONE, HERE, guard, guard_line, shorten
from screens.layout import Line, Part
from screens.wrapping import wrap

Key = tuple[str, str]
NOBODY = "anyone"
MORE = "... F1 ^G has all of it"


def exceptions_said(count: int) -> str:
    """`no exceptions`, `1 exception`, `2 exceptions`."""
    return f"{count or 'no'} exception{'' if count == 1 else 's'}"


class Header(Widget):
    """Two lines: who we are, where we are, whose turn it is; redrawn each second for its clock."""

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

    def render(self) -> Content:
        """The same at every width; a wide terminal has room for the Factory too."""
        width = self.size.width - 2
        return content_of([self._place(width), self._rail(width)])

    def _place(self, width: int) -> Line:
        frame = self.frame
        noted = f"{exceptions_said(frame.exceptions)}  " if frame.exceptions else ""
        head = frame.head.hex[:8] if frame.head else "not yet"
        right = f"record {head}  {self._now():%H:%M:%S} UTC"
        room = width - len(noted) - len(right) - 14
        name = frame.ceremony_id or frame.factory
        if frame.kind not in name:
            name = f"{frame.kind} {COMING} {name}"
        if frame.ceremony_id and len(name) + 3 + len(frame.factory) <= room:
            name = f"{name} {COMING} {frame.factory}"
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
    style = "$dim" if officer == NOBODY else "$background on $accent"
    return [("turn: ", "$dim"), (f" {officer} " if officer != NOBODY else officer, style)]


class Aside(Widget):
    """A column for wide terminals: the steps, what if ..., and the same by hand.

    It says nothing that F1 and F4 do not say; where it has no room for all, it names them.
    """

    def __init__(self, step: Step, *, what_if: str = "", command: str = "") -> None:
        super().__init__()
        self._step = step
        self._what_if = what_if
        self._command = command

    def render(self) -> Content:
        """The command keeps its room; the what-ifs take what is left."""
        room = ASIDE - 4
        lines = [_named(step, self._step) for step in Step]
        command = _commands(self._command, room)
        left = self.size.height - len(lines) - len(command)
        what_if = _advice(self._what_if, room)
        if len(what_if) > left:
            what_if = [*what_if[: max(0, left - 1)], ((MORE, "bold $accent"),)]
        return content_of([*lines, *what_if, *command][: self.size.height])


def _advice(text: str, room: int) -> list[Line]:
    if not text:
        return []
    lines: list[Line] = [(), (("WHAT IF", "bold $accent"),)]
    for paragraph in guard(text).split("\n"):
        style = "bold" if paragraph.startswith("What if ") else ""
        lines += [((line, style),) for line in wrap(paragraph, room)]
    return lines


def _commands(text: str, room: int) -> list[Line]:
    """One line of the shell after the other; what is broken goes on with an indent."""
    lines: list[Line] = []
    for command in filter(None, guard(text).split("\n")):
        first, *rest = wrap(command, room - 2)
        lines += [((first, "bold"),), *((("  ", ""), (line, "bold")) for line in rest)]
    return [(), (("THE SAME BY HAND", "bold $accent"),), *lines] if lines else []


def _named(step: Step, here: Step) -> Line:
    style = _style(step, here)
    name = "bold" if step is here else ("" if style == "$success" else "$dim")
    return ((f"{_mark(step, here)} ", style), (step.value, name))


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
