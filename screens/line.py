"""One line of input that cannot carry control characters."""

import re

from textual.events import Paste
from textual.widgets import Input

from screens.glyphs import guard_line

TEXT = r"[ -~\w\xa1-\xac\xae-\xff]*"
MASKED = r"[^\x00-\x1f\x7f-\x9f]*"


class Line(Input):
    """A field without frame; a secret one shows dots.

    Args:
        value: filled in at first.
        placeholder: shown while empty.
        secret: masked.
        name: of the field in the answer.
    """

    def __init__(
        self, value: str = "", *, placeholder: str = "", secret: bool = False, name: str = ""
    ) -> None:
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

    def _on_paste(self, event: Paste) -> None:
        """Keeps what may be typed, so that a paste is neither lost nor dangerous."""
        pattern = (self.restrict or "").removesuffix("*")
        first = (event.text.splitlines() or [""])[0]
        if first:
            self.insert_text_at_cursor("".join(re.findall(pattern, first)))
        event.stop()
        event.prevent_default()
