"""One line of input that cannot carry control characters, and the label beside it."""

import re

from textual.content import Content
from textual.events import Paste
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Input

from screens.body import content_of
from screens.glyphs import HERE, guard_line
from screens.wrapping import wrap

TEXT = r"[ -~\w\xa1-\xac\xae-\xff]*"
MASKED = r"[^\x00-\x1f\x7f-\x9f]*"


class Label(Widget):
    """What a field is for. Its mark says where the keys go, without colours too."""

    def __init__(self, text: str) -> None:
        super().__init__(classes="label")
        self._text = guard_line(text)

    def mark(self, here: bool) -> None:
        """Whether the field beside it has the keys."""
        self.set_class(here, "-here")
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Lines at this width."""
        return len(wrap(self._text, width - len(HERE) - 1))

    def render(self) -> Content:
        """The mark stands before the first line."""
        first = HERE if self.has_class("-here") else " "
        texts = wrap(self._text, self.content_size.width - len(HERE) - 1)
        return content_of(
            [((f"{' ' if i else first} {text}", ""),) for i, text in enumerate(texts)]
        )


class Line(Input):
    """A field without frame; a secret one shows dots.

    Args:
        label: to be marked while the keys go here.
        value: filled in at first.
        placeholder: shown while empty.
        secret: masked.
        name: of the field in the answer.
    """

    def __init__(
        self,
        label: Label,
        value: str = "",
        *,
        placeholder: str = "",
        secret: bool = False,
        name: str = "",
    ) -> None:
        self._label = label
        super().__init__(
            guard_line(value),
            placeholder=guard_line(placeholder),
            password=secret,
            restrict=MASKED if secret else TEXT,
            compact=True,
            select_on_focus=False,
            name=name,
        )
        self.cursor_blink = False

    def watch_has_focus(self, has_focus: bool) -> None:
        """The label follows."""
        super().watch_has_focus(has_focus)
        self._label.mark(has_focus)

    def _on_paste(self, event: Paste) -> None:
        """Keeps what may be typed, so that a paste is neither lost nor dangerous."""
        pattern = (self.restrict or "").removesuffix("*")
        first = (event.text.splitlines() or [""])[0]
        if first:
            self.insert_text_at_cursor("".join(re.findall(pattern, first)))
        event.stop()
        event.prevent_default()
