"""Keys pressed before their screen could be read answer nothing."""

from math import inf

PAUSE_S = 0.4
"""Who types on blindly rests for that long before the next key counts."""

REFLEX_S = 0.25
"""Nobody reads a screen and decides in less."""

TOO_SOON = "That was too fast to have been read. Press the letter again."

TOLD = "Keys from before this screen do not count. Begin now."


class TypeAhead:
    """Drops keys that were meant for the screen before, and what was typed in one go with them.

    Half of a PIN typed ahead must not arrive as a whole one, nor a second Enter as an answer.
    """

    def __init__(self) -> None:
        self._dropped_at = -inf

    def drops(self, pressed_at: float, ready_at: float) -> bool:
        """Whether a key counts for nothing.

        Args:
            pressed_at: seconds of the monotonic clock.
            ready_at: when its screen stood there to be read; infinite while nothing is asked.
        """
        dropped = pressed_at < ready_at or pressed_at < self._dropped_at + PAUSE_S
        if dropped:
            self._dropped_at = pressed_at
        return dropped
