"""The wizard as the flow sees it: questions out of one thread, answers into it."""

from queue import SimpleQueue
from typing import Protocol

from ceremony.flow.prompts import Answer, AnyPrompt, Command, Frame, Working


class ScreenClosedError(RuntimeError):
    """The screen went away under a question: no answer will come."""


class Display(Protocol):
    """What the front end needs of the app; each method may be called from any thread."""

    def present(self, prompt: AnyPrompt, frame: Frame) -> bool:
        """Shows a prompt; False when the app is over."""
        ...

    def report(self, working: Working, frame: Frame) -> bool:
        """Shows work; False when the app is over."""
        ...


class WizardFrontend:
    """A `Frontend` whose `ask` blocks the flow's thread until the officer answered."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._answers: SimpleQueue[Answer | Command | None] = SimpleQueue()

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        """Shows a prompt and waits.

        Raises:
            ScreenClosedError: the app ended before there was an answer.
        """
        if not self._display.present(prompt, frame):
            raise ScreenClosedError(prompt.key)
        answer = self._answers.get()
        if answer is None:
            self._answers.put(None)
            raise ScreenClosedError(prompt.key)
        return answer

    def progress(self, working: Working, frame: Frame) -> None:
        """Shows work; returns at once."""
        self._display.report(working, frame)

    def give(self, answer: Answer | Command) -> None:
        """An officer's answer, from the app's thread."""
        self._answers.put(answer)

    def close(self) -> None:
        """No answer will come any more; a waiting `ask` raises."""
        self._answers.put(None)
