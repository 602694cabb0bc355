"""Slow work, calmly."""

from collections.abc import Callable
from datetime import datetime
from time import monotonic

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from ceremony.flow.prompts import Frame, Step, Working
from screens.body import content_of
from screens.glyphs import guard_line
from screens.layout import Line
from screens.prompt import FramedScreen
from screens.surround import Aside, Band, Header

BAR = 40
MOMENT = "One moment"


class Progress(Widget):
    """A bar where the length is known, and the time gone by."""

    def __init__(self, working: Working) -> None:
        super().__init__(id="progress")
        self.working = working
        self._began = monotonic()

    def on_mount(self) -> None:
        """Counts seconds."""
        self.set_interval(0.5, self.refresh)

    def render(self) -> Content:
        """What, how far, how long."""
        work, seconds = self.working, int(monotonic() - self._began)
        lines: list[Line] = [((guard_line(work.title), "bold"),), ()]
        if work.total:
            full = BAR * min(work.done, work.total) // work.total
            lines.append((("█" * full, "$accent"), ("░" * (BAR - full), "$rule")))
            lines.append(((f"{work.done} of {work.total}", "$dim"),))
        else:
            at = seconds % (BAR - 5)
            lines.append(
                (("░" * at, "$rule"), ("█" * 6, "$accent"), ("░" * (BAR - 6 - at), "$rule"))
            )
        lines += [(), ((f"{seconds // 60}:{seconds % 60:02} gone by", "$dim"),)]
        lines += [(), (("Nothing needs to be done. Keys do not count meanwhile.", "$dim"),)]
        return content_of(lines)


class WorkingScreen(FramedScreen):
    """Shown while the flow is busy; takes no answer."""

    def __init__(self, working: Working, frame: Frame, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.frame = frame
        self._working = working
        self._now = now

    def compose(self) -> ComposeResult:
        """The surround stays."""
        if self.frame.rehearsal:
            yield Band()
        yield Header(self.frame, self._working.step, None, self._now)
        with Horizontal(id="middle"):
            with Vertical(id="stage"):
                yield Progress(self._working)
            yield Aside(self._working.step)

    def show(self, working: Working) -> None:
        """Moves on."""
        progress = self.query_one(Progress)
        progress.working = working
        progress.refresh()


def moment(step: Step) -> Working:
    """What is said while nothing is known."""
    return Working(step=step, title=MOMENT)
