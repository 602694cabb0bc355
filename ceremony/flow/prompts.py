"""The closed set of prompts that the flow yields, and of answers that it takes.

A front end shows a prompt and returns an answer of the type that the prompt's class
names, or a `Command`. It decides nothing: a refused answer comes back as the same
prompt with `problem` set. All texts here are plain text, never markup; foreign text in
them went through `ceremony.core.text.show` already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal, Protocol

from ceremony.core.findings import Finding
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret


class Step(Enum):
    """The steps of a ceremony, in order."""

    OPEN = "Open"
    PREFLIGHT = "Preflight"
    IMPORT = "Import"
    ROOT = "Root key"
    LOCAL_CAS = "Local device CAs"
    SIGN = "Sign"
    VERIFY = "Verify"
    EXPORT = "Export"
    CLOSE = "Close"

    @property
    def number(self) -> int:
        """1 for the first step."""
        return list(Step).index(self) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every screen shows around a prompt.

    Attributes:
        ceremony_id: empty until the record exists.
        step: `step.number` of `len(Step)`.
        head: SHA-256 of the record's last line; None until the record exists.
        exceptions: how many are on record.
    """

    factory: str
    kind: str
    ceremony_id: str
    step: Step
    rehearsal: bool
    head: Fingerprint | None
    exceptions: int


# --- blocks: what a prompt's body is made of ----------------------------------------


class Tone(StrEnum):
    """How a paragraph is meant; a front end shows it in words or colour, or both."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    DANGER = "danger"
    DIM = "dim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Label and value, one pair a row."""

    rows: tuple[tuple[str, str], ...]
    caption: str = ""


class CheckStatus(StrEnum):
    """The result of one check."""

    PASS = "PASS"  # noqa: S105 - the word of a check, no password
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check: its result, code, what was seen, and what to do (empty when PASS)."""

    status: CheckStatus
    code: str
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """A list of checks."""

    rows: tuple[CheckRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRow:
    """One field of a CSR beside the same field of the certificate.

    Attributes:
        mark: `same`, `set` (from the profile), `theirs` (a higher CA's decision), `ignored`
            (asked for, not given) or `warn`.
    """

    field: str
    asked: str
    issued: str
    mark: Literal["same", "set", "theirs", "ignored", "warn"] = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """*Asked for* beside *will be issued*, for one certificate.

    Attributes:
        given: what the second column is, where nothing is issued here.
    """

    title: str
    rows: tuple[CompareRow, ...]
    given: str = "will be issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingList:
    """Findings, worst first."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """A fingerprint shown in full: hex groups, words, and a QR code of the hex."""

    caption: str
    fingerprint: Fingerprint


Block = Text | Facts | Checks | Compare | FindingList | Print


# --- answers -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Read and acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The `value` of an option."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A value for the name of each field."""

    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEntered:
    """A secret, as typed."""

    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """Words in the order of the prompt's positions."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Whether a review was accepted."""

    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """A path, as chosen or typed."""

    path: str


Answer = Done | Chosen | Entered | SecretEntered | Typed | Decided | Picked


class Command(Enum):
    """What an officer may ask for instead of answering."""

    BACK = "back"
    EXCEPTION = "exception"
    PAUSE = "pause"
    QUIT = "quit"


# --- prompts -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What all prompts have.

    Attributes:
        key: stable name of the place in the flow, e.g. ``root.pin``.
        step: where in the ceremony.
        title: one line.
        body: shown above the input; may be longer than the screen.
        officer: whose turn it is; None when anybody's.
        problem: why the last answer was refused; None at first.
        irreversible: what follows cannot be undone.
        help: "what if" text for `?`.
        command: the equivalent stock command, for the curious; may be empty.
    """

    key: str
    step: Step
    title: str
    body: tuple[Block, ...] = ()
    officer: str | None = None
    problem: str | None = None
    irreversible: bool = False
    help: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(Prompt):
    """Read, then go on. Answer: `Done`."""

    action: str = "Continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice."""

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(Prompt):
    """One of a few. Answer: `Chosen`."""

    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One line of text.

    Attributes:
        default: filled in at first.
        required: may not be empty.
    """

    name: str
    label: str
    default: str = ""
    placeholder: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterText(Prompt):
    """A small form. Answer: `Entered`."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterSecret(Prompt):
    """A PIN, passphrase or phrase, never echoed. Answer: `SecretEntered`.

    Attributes:
        twice: the front end asks for it twice and compares.
    """

    label: str
    twice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowSecret(Prompt):
    """A generated secret, shown once, to be copied to paper. Answer: `Done`."""

    label: str
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeBack(Prompt):
    """Words read from paper. The expected value is nowhere in the prompt. Answer: `Typed`.

    Attributes:
        paper: which sheet the words are on.
        positions: 0 to 31, ascending; `fingerprints.place` names them A1 to H4.
        typed: what was typed before, when slips are to be corrected; else empty.
        slips: positions among them that the word list lacks.
    """

    paper: str
    positions: tuple[int, ...]
    typed: tuple[str, ...] = ()
    slips: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Prompt):
    """What will be signed, to be accepted or refused. Answer: `Decided`."""

    accept: str = "Accept"
    refuse: str = "Refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder that a stick is probably at."""

    path: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PickPath(Prompt):
    """A stick or folder, from the list or typed. Answer: `Picked`."""

    candidates: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Prompt):
    """The end: what was made and what to do next. Answer: `Done`; nothing follows."""

    action: str = "Leave"


AnyPrompt = (
    Acknowledge
    | Choose
    | EnterText
    | EnterSecret
    | ShowSecret
    | TypeBack
    | Review
    | PickPath
    | Finished
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """Slow work is under way; nothing to answer.

    Attributes:
        done, total: how far; total 0 when unknown.
    """

    step: Step
    title: str
    done: int = 0
    total: int = 0


class Frontend(Protocol):
    """The wizard, the plain line mode, or scripted officers."""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        """Shows a prompt and blocks until it is answered."""
        ...

    def progress(self, working: Working, frame: Frame) -> None:
        """Shows what is under way; returns at once."""
        ...
