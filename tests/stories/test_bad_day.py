"""A rehearsal where much goes wrong and is mended: all of it is in the report, exit status 8."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.errors import ExitStatus
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Chosen,
    Command,
    Entered,
    Frame,
    Picked,
    SecretEntered,
    TypeBack,
    Typed,
)
from ceremony.practice import rehearsal
from ceremony.practice.officers import ScriptedOfficers

PLAN = Path(__file__).parents[2] / "ceremony.toml"


class BadDay(ScriptedOfficers):
    """Careful officers, to whom each of these happens once."""

    def __init__(self, papers: object, *, quiet: bool = True) -> None:
        super().__init__(papers, quiet=quiet)  # type: ignore[arg-type]
        self._left = {"exception", "pause", "pin", "word", "stick"}

    def _once(self, what: str) -> bool:
        if what not in self._left:
            return False
        self._left.remove(what)
        return True

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        for answer in self._mishaps(prompt):
            return answer
        if prompt.problem:
            from dataclasses import replace

            prompt = replace(prompt, problem=None)
        return super().ask(prompt, frame)

    def _mishaps(self, prompt: AnyPrompt) -> Iterator[Answer | Command]:
        match prompt.key:
            case "root.phrase.A" if self._once("exception"):
                yield Command.EXCEPTION
            case "exception":
                yield Entered(values={"what": "fire drill", "why": "monthly", "by": "Ada"})
            case "exception.decision":
                yield Chosen(value="continue")
            case "local_cas.done" if self._once("pause"):
                yield Command.PAUSE
            case "pause":
                yield Entered(values={"why": "lunch", "stays": "Ben Practice"})
            case "root.pin" if self._once("pin"):
                yield SecretEntered(secret=Secret("000000"))
            case "request.words" if isinstance(prompt, TypeBack) and self._once("word"):
                wrong = Fingerprint(bytes(32)).words
                yield Typed(words=tuple(wrong[position] for position in prompt.positions))
            case "close.path" if self._once("stick"):
                folder = Path(prompt.candidates[0].path).parent  # type: ignore[union-attr]
                yield Picked(path=str(folder / "usb-out"))


@pytest.mark.parametrize("key_store", ["pkcs11"])
def test_everything_that_went_wrong_is_in_the_report_and_the_status_is_8(
    tmp_path: Path, key_store: str
) -> None:
    options = rehearsal.Options(
        plan=PLAN, auto=True, plain=False, kind=None, key_store=key_store, keep=tmp_path / "kept"
    )
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    held = rehearsal.Rehearsal(kept, options, BadDay)
    assert held.run() == ExitStatus.EXCEPTIONS == 8
    (report,) = (tmp_path / "kept/evidence").glob("*/report.txt")
    told = " ".join(report.read_text().split())
    for part in (
        "fire drill",
        "lunch",
        "Ben Practice",
        "token.pin_wrong",
        "MISMATCH",
        "media.wrong_stick",
        "E-1",
        "E-2",
    ):
        assert part in told, part
    around = told[told.index("Refusals and interruptions") : told.index("Hardware and software")]
    assert "At the table: Ada Practice, Ben Practice." in around
    assert "count low -> line " in around, "what came after the wrong PIN"
    assert "EVIDENCE is the" in around, "what came after the wrong stick"
    exceptions = told[told.index("E-1, ") : told.index("Refusals and interruptions")]
    assert "the rule of the type-back; Ada Practice typed" in exceptions
    assert "each with a phrase" in exceptions, "the pause, and who ended it"
    assert not list((tmp_path / "kept/usb-out").glob("*evidence*"))
