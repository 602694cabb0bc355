"""The scrolling body of a prompt, and the rules above and below it that tell of more."""

from collections.abc import Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from ceremony.flow.prompts import Block, Print
from screens.glyphs import DOWN, RULE, UP
from screens.layout import Line, lay

TALL = 34
WIDE = 120
ASIDE = 40


def content_of(lines: Sequence[Line]) -> Content:
    """Styled lines as one piece that no markup can enter."""
    return Content("\n").join(Content.assemble(*line) for line in lines)


class BodyView(Widget):
    """All blocks of a prompt, laid out for the width it gets."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        super().__init__(id="body")
        self._blocks = tuple(blocks)
        self._laid: dict[tuple[int, bool], tuple[Content, int]] = {}

    def _lay(self, width: int) -> tuple[Content, int]:
        key = (width, self.app.size.height >= TALL)
        if key not in self._laid:
            lines = lay(self._blocks, width, tall=key[1])
            self._laid[key] = (content_of(lines), len(lines))
        return self._laid[key]

    def first_height(self) -> int:
        """Lines in a terminal of this size, before there is a layout."""
        wide = self.app.size.width >= WIDE
        bare = any(isinstance(block, Print) for block in self._blocks)
        return self._lay(self.app.size.width - ASIDE * (wide and not bare) - 4)[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Lines at this width."""
        return self._lay(width)[1]

    def render(self) -> Content:
        """The laid-out blocks."""
        return self._lay(self.content_size.width)[0]


class BodyScroll(VerticalScroll, can_focus=False):
    """The window over the body; tells its screen when it moved."""

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Moves the view, then the rules and the actions follow."""
        super().watch_scroll_y(old_value, new_value)
        for edge in self.screen.query(Edge):
            edge.refresh()


class Edge(Widget):
    """A rule that says how much lies beyond it."""

    def __init__(self, *, top: bool) -> None:
        super().__init__(classes="edge")
        self._top = top

    def render(self) -> Content:
        """`─── ▼ 12 more lines below  PgDn ───`, or a plain rule."""
        width = self.size.width
        scroll = self.screen.query_one(BodyScroll)
        hidden = round(
            scroll.scroll_offset.y if self._top else scroll.max_scroll_y - scroll.scroll_offset.y
        )
        if hidden <= 0:
            return Content.assemble((RULE * width, "$rule"))
        lines = "line" if hidden == 1 else "lines"
        said = (
            f" {UP} {hidden} {lines} above  PgUp "
            if self._top
            else f" {DOWN} {hidden} more {lines} below  PgDn "
        )
        return Content.assemble(
            (RULE * 2, "$rule"),
            (said, "bold $accent"),
            (RULE * max(0, width - 2 - len(said)), "$rule"),
        )
