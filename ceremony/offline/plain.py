"""The plain line mode: for screen readers, serial consoles and terminals of any size."""

import termios
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from ceremony.core import fingerprints
from ceremony.core.secret import Secret
from ceremony.errors import StoppedError
from ceremony.flow.prompts import (
    Acknowledge,
    Answer,
    AnyPrompt,
    Choose,
    Chosen,
    Command,
    Decided,
    Done,
    Entered,
    EnterSecret,
    EnterText,
    Field,
    Finished,
    Frame,
    Picked,
    PickPath,
    Print,
    Review,
    SecretEntered,
    ShowSecret,
    TypeBack,
    Typed,
    Working,
)
from ceremony.offline import lines

_COMMANDS: Final = {
    "/back": Command.BACK,
    "/b": Command.BACK,
    "/exception": Command.EXCEPTION,
    "/e": Command.EXCEPTION,
    "/pause": Command.PAUSE,
    "/p": Command.PAUSE,
    "/quit": Command.QUIT,
    "/q": Command.QUIT,
}
_WHOLE_ASIDES: Final = frozenset({"/help", "/command", "/again", "/status"})
_ASIDES: Final = {"/h": "/help", "/?": "/help", "/c": "/command", "/a": "/again", "/s": "/status"}
_INTRODUCTION: Final = (
    "Plain line mode. Answer each prompt and press Enter. At any prompt:",
    "  /back (/b)       back, where nothing was recorded; the wizard's Esc",
    "  /exception (/e)  record an exception; the wizard's F2",
    "  /pause (/p)      pause; the wizard's F3",
    "  /quit (/q)       leave; the ceremony can be resumed; the wizard's Ctrl+Q",
    "  /help (/h)       help on this question",
    "  /command (/c)    the equivalent stock command; the wizard's F4",
    "  /again (/a)      this question once more",
    "  /status (/s)     where the ceremony stands",
    "  /qr              fingerprints of this question as QR codes",
)
_MAX_LINE: Final = 4096
_ROW: Final = 4  # words of a passphrase a line: it fits any terminal, and can be counted
_TOO_LONG: Final = "\x00"  # no text, so it is asked for once more
_NO_TEXT: Final = "That line was too long or held keys that are no text. Type it once more."
_BLACK_ON_WHITE: Final = "\x1b[38;2;0;0;0;48;2;255;255;255m"
_RESET: Final = "\x1b[0m"
_ERASE: Final = "\x1b[H\x1b[2J\x1b[3J"  # screen and saved lines (ECMA-48 ED; 3 is xterm's)


class _CommandGiven(Exception):  # noqa: N818 - control flow between a line and its prompt
    """An officer typed a command instead of an answer."""

    def __init__(self, command: Command) -> None:
        super().__init__(command.value)
        self.command = command


class PlainFrontend:
    """`ceremony.flow.prompts.Frontend` over two text streams.

    Args:
        source: where lines come from; a secret is read without echo if it is a terminal.
        sink: where lines go; printable text and line feeds only, but on a terminal for a QR
            code that was asked for, and for the erasing of a secret that was shown.
    """

    def __init__(self, source: TextIO, sink: TextIO) -> None:
        self._source = source
        self._sink = sink
        self._introduced = False
        self._told = ("", -1)

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        """Prints the prompt, reads its answer.

        Raises:
            StoppedError: `stopped.input_ended`.
        """
        if not self._introduced:
            self._introduced = True
            self._say(_INTRODUCTION)
        if self._source.isatty():  # a line typed ahead was typed for another question
            termios.tcflush(self._source.fileno(), termios.TCIFLUSH)
        self._show(prompt, frame)
        try:
            return self._answer(prompt, frame)
        except _CommandGiven as given:
            return given.command

    def progress(self, working: Working, frame: Frame) -> None:  # noqa: ARG002 - the port's
        """A line when the work begins, and one at each quarter of it."""
        quarter = 4 * working.done // working.total if working.total else 0
        if self._told == (working.title, quarter):
            return
        self._told = (working.title, quarter)
        share = f", {25 * quarter} %" if quarter else ""
        self._say((f"Working: {working.title}{share}",))

    # --- output ---------------------------------------------------------------------

    def _say(self, said: Iterable[str]) -> None:
        for line in said:
            self._write(lines.harmless(line) + "\n")
        self._sink.flush()

    def _write(self, text: str) -> None:
        encoding = self._encoding
        self._sink.write(text.encode(encoding, "backslashreplace").decode(encoding))

    @property
    def _encoding(self) -> str:
        return self._sink.encoding or "utf-8"

    def _draws(self, row: str) -> bool:
        try:
            row.encode(self._encoding)
        except UnicodeEncodeError:
            return False
        return True

    def _show(self, prompt: AnyPrompt, frame: Frame) -> None:
        self._say(lines.heading(prompt, frame))
        self._say(lines.body(prompt.body))
        if prompt.problem is not None:
            self._say(lines.paragraph(f"Not accepted: {prompt.problem}"))

    def _draw(self, prompt: AnyPrompt) -> None:
        from ceremony.bundle.qr import qr_rows

        prints = [block for block in prompt.body if isinstance(block, Print)]
        if not prints:
            self._say(("There is no fingerprint at this question.",))
        for block in prints:
            self._say((f"{block.caption}:",))
            rows = qr_rows(block.fingerprint.hex.upper())
            if not all(map(self._draws, rows)):
                self._say(("This terminal has no block characters to draw it with.",))
                break
            for row in rows:
                painted = f"{_BLACK_ON_WHITE}{row}{_RESET}" if self._sink.isatty() else row
                self._write(painted + "\n")
        self._sink.flush()

    # --- input ----------------------------------------------------------------------

    def _line(self, prompt: AnyPrompt, frame: Frame, asked: str) -> str:
        """One answered line; asides are served here, commands leave through an exception."""
        while True:
            self._write(lines.harmless(asked) + " ")
            self._sink.flush()
            typed = self._read()
            command = typed.strip().lower()
            if command in _COMMANDS:
                raise _CommandGiven(_COMMANDS[command])
            if not self._aside(_ASIDES.get(command, command), prompt, frame):
                if typed.isprintable():
                    return typed.strip()
                self._say((_NO_TEXT,))

    def _read(self) -> str:
        typed = self._source.readline(_MAX_LINE)
        while len(typed) == _MAX_LINE and not typed.endswith("\n"):
            rest = self._source.readline(_MAX_LINE)
            typed = _TOO_LONG if rest.endswith("\n") or not rest else rest
        if not typed:
            raise StoppedError(
                "stopped.input_ended",
                "the input ended before the ceremony did",
                hint="Run the same command to go on.",
            )
        return typed.rstrip("\r\n")

    def _aside(self, command: str, prompt: AnyPrompt, frame: Frame) -> bool:
        match command:
            case "/help":
                self._say(lines.paragraph(prompt.help or "There is no more to say here."))
                self._say(_INTRODUCTION[1:])
            case "/command":
                self._say((prompt.command or "No stock command does this.",))
            case "/again":
                self._show(prompt, frame)
            case "/status":
                self._say(lines.status(frame))
            case "/qr":
                self._draw(prompt)
            case _:
                return False
        return True

    def _secret(self, prompt: EnterSecret, frame: Frame, label: str) -> str:
        """A line without echo. Only whole command words count: "/b" may be a PIN."""
        while True:
            with _no_echo(self._source):
                self._write(f"{lines.harmless(label)} (not shown): ")
                self._sink.flush()
                typed = self._read()
            if self._source.isatty():
                self._say(("",))
            if typed in {"/back", "/exception", "/pause", "/quit"}:
                raise _CommandGiven(_COMMANDS[typed])
            if typed in _WHOLE_ASIDES:
                self._aside(typed, prompt, frame)
            elif typed.isprintable():
                return typed
            else:
                self._say((_NO_TEXT,))

    # --- one prompt each ------------------------------------------------------------

    def _answer(self, prompt: AnyPrompt, frame: Frame) -> Answer:
        match prompt:
            case Acknowledge() | Finished():
                return self._acknowledge(prompt, frame, prompt.action)
            case ShowSecret():
                return self._shown(prompt, frame)
            case Choose():
                options = [(o.value, o.label, o.detail) for o in prompt.options]
                return Chosen(value=self._choose(prompt, frame, options))
            case Review():
                options = [("yes", prompt.accept, ""), ("no", prompt.refuse, "")]
                return Decided(accepted=self._choose(prompt, frame, options) == "yes")
            case EnterText():
                return Entered(
                    values={each.name: self._field(prompt, frame, each) for each in prompt.fields}
                )
            case EnterSecret():
                return SecretEntered(secret=self._enter(prompt, frame))
            case TypeBack():
                return Typed(words=self._words(prompt, frame))
            case PickPath():
                return self._pick(prompt, frame)

    def _acknowledge(self, prompt: AnyPrompt, frame: Frame, action: str) -> Done:
        if not prompt.irreversible:
            self._line(prompt, frame, f"Press Enter: {action}.")
            return Done()
        while self._line(prompt, frame, f"Type yes: {action}.").lower() != "yes":
            self._say(("It cannot be undone, so Enter alone is not enough.",))
        return Done()

    def _shown(self, prompt: ShowSecret, frame: Frame) -> Done:
        self._say((f"{prompt.label}, shown once; copy it to paper:", ""))
        self._say((*_in_rows(prompt.secret.reveal()), ""))
        on_terminal = self._sink.isatty()
        if on_terminal:
            self._say(("Enter erases it. Close the terminal afterwards if it keeps it still.",))
        try:
            self._line(prompt, frame, "Press Enter when it is on paper.")
        finally:  # the next to sit here may be the officer who knows the other part
            if on_terminal:
                self._write(_ERASE)
                self._sink.flush()
        return Done()

    def _choose(self, prompt: AnyPrompt, frame: Frame, options: list[tuple[str, str, str]]) -> str:
        for number, (_, label, detail) in enumerate(options, 1):
            self._say(lines.paragraph(f"{number}. {label}" + (f": {detail}" if detail else "")))
        while True:
            typed = self._line(prompt, frame, f"Number, 1 to {len(options)}:")
            if typed.isdecimal() and typed.isascii() and 1 <= int(typed) <= len(options):
                return options[int(typed) - 1][0]
            self._say((f"Type a number from 1 to {len(options)}.",))

    def _field(self, prompt: EnterText, frame: Frame, field: Field) -> str:
        notes = [
            *([field.placeholder.replace("e.g.", "for example")] if field.placeholder else []),
            *([f"Enter alone: {field.default}"] if field.default else []),
            *([] if field.required or field.default else ["Enter alone: none"]),
        ]
        asked = field.label + (f" ({'; '.join(notes)})" if notes else "") + ":"
        while True:
            typed = self._line(prompt, frame, asked) or field.default
            if typed or not field.required:
                return typed
            self._say(("This is needed.",))

    def _enter(self, prompt: EnterSecret, frame: Frame) -> Secret:
        again = f"{prompt.label}, once more"
        while True:
            typed = self._secret(prompt, frame, prompt.label)
            if not prompt.twice or self._secret(prompt, frame, again) == typed:
                return Secret(typed)
            self._say(("The two are not the same. Type both again.",))

    def _words(self, prompt: TypeBack, frame: Frame) -> tuple[str, ...]:
        known = dict(zip(prompt.positions, prompt.typed, strict=False))
        wanted = prompt.slips or prompt.positions
        self._say(
            lines.paragraph(
                f"{len(wanted)} words from paper, {prompt.paper}: one word or several a line, "
                "in the order asked; a single minus sign takes the last one back."
            )
        )
        typed: list[str] = []
        while len(typed) < len(wanted):
            at = fingerprints.place(wanted[len(typed)])
            line = self._line(prompt, frame, f"{at} ({len(typed) + 1} of {len(wanted)}):")
            if line == "-":
                del typed[-1:]
            elif len(typed) + len(line.split()) > len(wanted):
                self._say((f"That is more than the {len(wanted) - len(typed)} words left.",))
            else:
                typed += line.split()
        known.update(zip(wanted, typed, strict=True))
        return tuple(known[position] for position in prompt.positions)

    def _pick(self, prompt: PickPath, frame: Frame) -> Picked:
        for number, place in enumerate(prompt.candidates, 1):
            self._say(lines.paragraph(f"{number}. {place.path} ({place.label})"))
        asked = "Number, or a path:" if prompt.candidates else "Path:"
        while True:
            typed = self._line(prompt, frame, asked)
            if typed.isdecimal() and typed.isascii() and 1 <= int(typed) <= len(prompt.candidates):
                return Picked(path=prompt.candidates[int(typed) - 1].path)
            if typed:
                return Picked(path=typed)


def _in_rows(secret: str) -> Iterator[str]:
    """The words of a passphrase in numbered rows of four; any other secret as it is."""
    words = secret.split("-")
    if len(words) <= _ROW:
        yield f"    {secret}"
        return
    for number, at in enumerate(range(0, len(words), _ROW), 1):
        yield f"    {number}. {' '.join(words[at : at + _ROW])}"


@contextmanager
def _no_echo(source: TextIO) -> Iterator[None]:
    """Switches a terminal's echo off, before the prompt for the secret is printed.

    What was typed ahead is thrown away: it was typed for another question.
    """
    if not source.isatty():
        yield
        return
    fd = source.fileno()
    before = termios.tcgetattr(fd)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    try:
        termios.tcsetattr(fd, termios.TCSAFLUSH, silent)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
