"""Scripted officers: a front end that goes through the ceremony as two careful people would.

They know what is on their papers and nothing else: the approved script, the sheet of words
of the request bundle, the PIN, their phrases, and what they copied from the screen.
"""

import sys
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ceremony.config import Plan
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
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
    Finished,
    Frame,
    Picked,
    PickPath,
    Print,
    Review,
    SecretEntered,
    ShowSecret,
    Step,
    TypeBack,
    Typed,
    Working,
)

_CHOICES: Mapping[str, str] = {
    "preflight.clock.A": "right",
    "preflight.clock.B": "right",
    "root.no_backup.A": "confirm",
    "root.no_backup.B": "confirm",
    "preflight.failed": "stop",
    "stopped": "leave",
    "key.adopt.A": "adopt",
    "key.adopt.B": "adopt",
}

# What is copied from one screen and typed back at another.
_COPIED: Mapping[str, str] = {
    "export.words": "upload.words",
    "quit.head": "head.words",
    "root-csr.paper": "root-csr.words",
}

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "open.place": {
        "place": "practice room",
        "purpose": "rehearsal of the first ceremony",
        "approval": "REHEARSAL-1",
    },
    "open.officer.A": {
        "name": "Ada Practice",
        "role": "security officer",
        "identity": "staff card",
    },
    "open.officer.B": {"name": "Ben Practice", "role": "security officer", "identity": "passport"},
    "open.witness": {"name": "Cleo Practice", "role": "witness", "identity": "passport"},
    "open.others": {
        "administrator": "Dora Practice",
        "administrator_identity": "staff card",
        "custodian": "",
        "custodian_identity": "",
    },
    "findings.acknowledge": {"why": "expected in a rehearsal"},
    "preflight.note": {"why": "a rehearsal", "by": "Ada Practice"},
    "backup.same_disk": {"why": "two practice folders", "by": "Ada Practice"},
    "export.custody": {"receiver": "Ada Practice", "medium": "practice folder"},
}


@dataclass(kw_only=True)
class Papers:
    """What lies on the table.

    Attributes:
        words: fingerprint on the sheet for the key of each type-back prompt.
        pin: of the practice token.
        phrases: of officers A and B.
        passphrases: of key files, by name, as copied from the screen.
        clone: does the vendor's clone procedure.
        texts: what is typed into the form with that key, where this run has its own.
        choices: which option is taken at the question with that key, likewise.
    """

    words: dict[str, Fingerprint]
    pin: Secret
    phrases: Mapping[str, Secret]
    passphrases: dict[str, Secret] = field(default_factory=dict)
    clone: Callable[[], None] = lambda: None
    texts: dict[str, Mapping[str, str]] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)

    def passphrase(self, name: str) -> Secret | None:
        """Of the key file of that name, whole; None where it was never shown."""
        parts = [self.passphrases.get(f"{name}.{seat}") for seat in ("A", "B")]
        known = [part.reveal() for part in parts if part is not None]
        return Secret("-".join(known)) if known else self.passphrases.get(name)


def texts_for(plan: Plan) -> dict[str, Mapping[str, str]]:
    """What is typed into the forms of a rehearsal with that plan."""
    texts: dict[str, Mapping[str, str]] = {
        "open.place": {
            "place": "practice room",
            "purpose": f"rehearsal of {plan.kind.value}",
            "approval": "REHEARSAL-1",
        }
    }
    for ca in plan.device_ca:
        texts["sign.serial"] = {"serial": str(ca.serial)}
    return texts


def _bags(prompt: EnterText) -> dict[str, str]:
    """Bag numbers of a rehearsal: the same for the same thing each time."""
    numbers = {f.name: f"R-{zlib.crc32(f.label.encode()):08x}" for f in prompt.fields}
    match prompt.key:
        case "open.bags":
            return numbers
        case "close.bags":
            holders = {field.name: _holder(field.label) for field in prompt.fields}
            return {name: f"{number}, {holders[name]}" for name, number in numbers.items()}
    raise LookupError(prompt.key)


def _holder(thing: str) -> str:
    """Nobody holds a token and its PIN, or the token and its backup."""
    apart = {"PINs and passphrases": "Ben Practice", "backup": "Dora Practice"}
    return next((who for what, who in apart.items() if thing.startswith(what)), "Ada Practice")


class ScriptedOfficers:
    """A front end that answers from papers and prints a line a step."""

    def __init__(self, papers: Papers, *, quiet: bool = False) -> None:
        self.papers = papers
        self.outcome: tuple[str, ...] = ()
        self._quiet = quiet
        self._step: Step | None = None
        self._began = time.monotonic()

    def progress(self, working: Working, frame: Frame) -> None:
        """Nothing to show between the lines."""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        """Answers as the papers say."""
        self._tell(prompt.step, frame)
        if prompt.problem:
            raise AssertionError(f"{prompt.key} was refused: {prompt.problem}")
        match prompt:
            case Acknowledge() | Finished():
                self._copy(prompt)
                return Done()
            case ShowSecret():
                self.papers.passphrases[prompt.key.replace(".passphrase", "")] = prompt.secret
                return Done()
            case Choose():
                choices = {**_CHOICES, **self.papers.choices}
                return Chosen(value=choices.get(prompt.key, prompt.options[0].value))
            case EnterText():
                texts = {**_TEXTS, **self.papers.texts}
                return Entered(values=texts.get(prompt.key) or _bags(prompt))
            case EnterSecret():
                return SecretEntered(secret=self._secret(prompt.key))
            case TypeBack():
                words = self.papers.words[prompt.key].words
                return Typed(words=tuple(words[position] for position in prompt.positions))
            case Review():
                return Decided(accepted=True)
            case PickPath():
                return Picked(path=prompt.candidates[0].path)

    def _secret(self, key: str) -> Secret:
        if ".phrase." in key:
            return self.papers.phrases[key[-1]]
        name, _, seat = key.removesuffix(".typed").partition(".")
        seat = seat.rpartition(".")[2]
        if seat not in {"A", "B"}:
            return self.papers.passphrases.get(name, self.papers.pin)
        half = len(self.papers.pin.reveal()) // 2
        pin = self.papers.pin.reveal()
        part = Secret(pin[:half] if seat == "A" else pin[half:])
        return self.papers.passphrases.get(f"{name}.{seat}", part)

    def _copy(self, prompt: AnyPrompt) -> None:
        if prompt.key == "root.backup.clone":
            self.papers.clone()
        for block in prompt.body:
            if isinstance(block, Print) and prompt.key in _COPIED:
                self.papers.words[_COPIED[prompt.key]] = block.fingerprint

    def _tell(self, step: Step, frame: Frame) -> None:
        if step is self._step or self._quiet:
            return
        self._step = step
        took = time.monotonic() - self._began
        name = frame.ceremony_id
        sys.stderr.write(f"[{step.number}/{len(Step)}] {step.value:<18} {took:5.2f} s  {name}\n")
        sys.stderr.flush()
