"""The plain line mode: over streams, and on a real pseudo-terminal."""

import io
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ceremony.core.findings import Finding, Severity
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.errors import StoppedError
from ceremony.flow.prompts import (
    Acknowledge,
    Answer,
    AnyPrompt,
    CheckRow,
    Checks,
    CheckStatus,
    Choose,
    Chosen,
    Command,
    Compare,
    CompareRow,
    Decided,
    Done,
    Entered,
    EnterSecret,
    EnterText,
    Facts,
    Field,
    FindingList,
    Finished,
    Frame,
    Option,
    Picked,
    PickPath,
    Place,
    Print,
    Review,
    SecretEntered,
    ShowSecret,
    Step,
    Text,
    Tone,
    TypeBack,
    Typed,
    Working,
)
from ceremony.offline.plain import PlainFrontend
from tests.stories.terminal import Terminal

FRAME = Frame(
    factory="acme",
    kind="create",
    ceremony_id="20260101-1",
    step=Step.ROOT,
    rehearsal=False,
    head=Fingerprint.of(b"head"),
    exceptions=2,
)
COMMON: dict[str, Any] = {"key": "test", "step": Step.ROOT, "title": "A title"}
OPTIONS = (
    Option(value="token", label="Token", detail="on a cable"),
    Option(value="file", label="File"),
)
PRINT = Print(caption="Request bundle", fingerprint=Fingerprint.of(b"x"))


def ask(prompt: AnyPrompt, *typed: str, frame: Frame = FRAME) -> tuple[Answer | Command, str]:
    """The answer to what was typed, and all that was printed after the introduction."""
    sink = io.StringIO()
    source = io.StringIO("".join(f"{line}\n" for line in typed))
    answer = PlainFrontend(source, sink).ask(prompt, frame)
    assert source.read() == "", "not all that was typed was read"
    return answer, sink.getvalue().partition("as QR codes\n")[2]


# --- one prompt of each kind ----------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "typed", "answer"),
    [
        (Acknowledge(**COMMON), [""], Done()),
        (Finished(**COMMON), ["ok"], Done()),
        (Acknowledge(**COMMON, irreversible=True), ["", "y", "yes"], Done()),
        (Choose(**COMMON, options=OPTIONS), ["2"], Chosen(value="file")),
        (
            Choose(**COMMON, options=OPTIONS),
            ["", "0", "3", "-1", "x", "\u00b2", " 1 "],
            Chosen(value="token"),
        ),
        (Review(**COMMON), ["1"], Decided(accepted=True)),
        (Review(**COMMON), ["", "yes", "2"], Decided(accepted=False)),
        (PickPath(**COMMON, candidates=()), ["", "/media/x"], Picked(path="/media/x")),
        (
            PickPath(**COMMON, candidates=(Place(path="/media/a", label="stick"),)),
            ["1"],
            Picked(path="/media/a"),
        ),
        (
            PickPath(**COMMON, candidates=(Place(path="/media/a", label="stick"),)),
            ["2"],
            Picked(path="2"),
        ),
        (
            EnterText(
                **COMMON,
                fields=(
                    Field(name="who", label="Name"),
                    Field(name="where", label="Place", default="Bonn"),
                    Field(name="note", label="Note", required=False),
                ),
            ),
            ["", "Ada", "", ""],
            Entered(values={"who": "Ada", "where": "Bonn", "note": ""}),
        ),
        (EnterSecret(**COMMON, label="PIN"), ["12 34 "], SecretEntered(secret=Secret("12 34 "))),
        (EnterSecret(**COMMON, label="PIN"), ["/b"], SecretEntered(secret=Secret("/b"))),
        (
            EnterSecret(**COMMON, label="Phrase", twice=True),
            ["one", "two", "three", "three"],
            SecretEntered(secret=Secret("three")),
        ),
        (ShowSecret(**COMMON, label="Passphrase", secret=Secret("apple-pie")), [""], Done()),
        (
            TypeBack(**COMMON, paper="the sheet", positions=(0, 1, 9, 31)),
            ["apple", "", "Banana  carrot", "-", "cherry", "date"],
            Typed(words=("apple", "Banana", "cherry", "date")),
        ),
        (
            TypeBack(**COMMON, paper="the sheet", positions=(0, 1)),
            ["a b c", "a b"],
            Typed(words=("a", "b")),
        ),
        (
            TypeBack(
                **COMMON,
                paper="the sheet",
                positions=(0, 1, 2),
                typed=("good", "bad", "fine"),
                slips=(1,),
            ),
            ["better"],
            Typed(words=("good", "better", "fine")),
        ),
    ],
)
def test_each_prompt_gets_its_answer(prompt: AnyPrompt, typed: list[str], answer: Answer) -> None:
    assert ask(prompt, *typed)[0] == answer


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("/back", Command.BACK),
        ("/b", Command.BACK),
        ("/EXCEPTION", Command.EXCEPTION),
        ("/e", Command.EXCEPTION),
        (" /pause ", Command.PAUSE),
        ("/p", Command.PAUSE),
        ("/quit", Command.QUIT),
        ("/q", Command.QUIT),
    ],
)
@pytest.mark.parametrize(
    "prompt",
    [
        Acknowledge(**COMMON),
        Choose(**COMMON, options=OPTIONS),
        EnterText(**COMMON, fields=(Field(name="a", label="A"),)),
        PickPath(**COMMON, candidates=()),
        TypeBack(**COMMON, paper="x", positions=(0,)),
    ],
)
def test_commands_work_at_every_prompt(prompt: AnyPrompt, typed: str, command: Command) -> None:
    assert ask(prompt, typed)[0] is command


@pytest.mark.parametrize("typed", ["/back", "/exception", "/pause", "/quit"])
def test_whole_commands_work_where_a_secret_is_asked(typed: str) -> None:
    assert ask(EnterSecret(**COMMON, label="PIN"), typed)[0] is Command(typed[1:])


@pytest.mark.parametrize("typed", ["/help", "/again", "/status", "/command"])
def test_whole_asides_work_where_a_secret_is_asked(typed: str) -> None:
    prompt = EnterSecret(**COMMON, label="PIN", help="What if?", command="pkcs11-tool")
    answer, said = ask(prompt, typed, "/h")
    assert answer == SecretEntered(secret=Secret("/h"))
    assert said.count("PIN (not shown):") == 2
    assert len(said.splitlines()) > len(ask(prompt, "/h")[1].splitlines())


def test_a_passphrase_is_shown_in_rows_that_fit_any_terminal() -> None:
    words = [f"word{number}" for number in range(12)]
    said = ask(ShowSecret(**COMMON, label="Passphrase", secret=Secret("-".join(words))), "")[1]
    assert "    1. word0 word1 word2 word3\n" in said
    assert "    3. word8 word9 word10 word11\n" in said


def test_asides_answer_nothing() -> None:
    prompt = Acknowledge(**COMMON, body=(PRINT,), help="What if?", command="openssl x509")
    answer, said = ask(prompt, "/help", "/?", "/command", "/status", "/again", "/qr", "")
    assert answer == Done()
    assert said.count("What if?") == 2
    assert "openssl x509" in said
    assert "Exceptions on record: 2." in said
    assert FRAME.head is not None
    assert " ".join(FRAME.head.groups) in said
    assert said.count("Step 4 of 9, Root key: A title") == 2


def test_a_qr_code_is_drawn_on_request_only_and_holds_the_hex() -> None:
    from ceremony.bundle.qr import qr_rows

    rows = qr_rows(PRINT.fingerprint.hex.upper())
    drawn = "\n".join(rows)
    assert drawn in ask(Acknowledge(**COMMON, body=(PRINT,)), "/qr", "")[1]
    assert rows[8] not in ask(Acknowledge(**COMMON, body=(PRINT,)), "")[1]


# --- what is printed ------------------------------------------------------------------


def test_everything_a_prompt_says_is_printed() -> None:
    body = (
        Text(text="Danger ahead", tone=Tone.DANGER),
        Facts(rows=(("Serial", "DENK01"),), caption="Token"),
        Checks(
            rows=(
                CheckRow(status=CheckStatus.FAIL, code="a.b", sentence="It is up", hint="Unplug"),
                CheckRow(status=CheckStatus.PASS, code="c.d", sentence="It is down"),
            )
        ),
        Compare(
            title="tls",
            rows=(
                CompareRow(field="subject", asked="CN=a", issued="CN=a"),
                CompareRow(field="EKU", asked="", issued="serverAuth", mark="set"),
                CompareRow(field="CA", asked="TRUE", issued="", mark="ignored"),
            ),
        ),
        FindingList(
            findings=(
                Finding(severity=Severity.WARNING, code="x.y", where="tls.csr", message="Odd"),
            )
        ),
        PRINT,
    )
    prompt = Acknowledge(
        **COMMON, body=body, officer="Ada (A)", problem="No such thing", irreversible=True
    )
    said = ask(prompt, "yes")[1]
    for expected in (
        "Turn of: Ada (A)",
        "IRREVERSIBLE",
        "Danger: Danger ahead",
        "Serial: DENK01",
        "Checks: 1 PASS, 0 WARN, 1 FAIL",
        "FAIL It is up [a.b]",
        "hint: Unplug",
        "asked for: nothing\n    will be issued: serverAuth",
        "asked for: TRUE\n    will be issued: nothing",
        "WARNING tls.csr: Odd [x.y]",
        "Not accepted: No such thing",
    ):
        assert expected in said
    for letter, digits, words in PRINT.fingerprint.lines:
        assert f"{letter}  {digits}  {' '.join(words)}" in said


def test_a_rehearsal_is_marked_at_every_prompt() -> None:
    from dataclasses import replace

    said = ask(Acknowledge(**COMMON), "", frame=replace(FRAME, rehearsal=True))[1]
    assert said.startswith("\nREHEARSAL. Step 4 of 9")
    assert "REHEARSAL" not in ask(Acknowledge(**COMMON), "")[1]


def test_lines_fit_eighty_columns() -> None:
    body = (Text(text="word " * 200), Facts(rows=(("Label", "value " * 50),)), PRINT)
    said = ask(Acknowledge(**COMMON, body=body), "")[1]
    assert max(map(len, said.splitlines())) <= 80


def test_control_characters_never_reach_the_terminal() -> None:
    hostile = "\x1b[2J\x9b\u202e\u200b\r\x07"
    prompt = Choose(
        key="x",
        step=Step.ROOT,
        title=hostile,
        body=(Text(text=hostile), Facts(rows=((hostile, hostile),))),
        officer=hostile,
        problem=hostile,
        options=(Option(value="a", label=hostile, detail=hostile),),
    )
    said = ask(prompt, "1")[1]
    assert not set(said) & set(hostile.replace("[2J", ""))


def test_a_terminal_that_knows_only_ascii_gets_escapes_and_no_crash() -> None:
    raw = io.BytesIO()
    sink = io.TextIOWrapper(raw, encoding="ascii")
    PlainFrontend(io.StringIO("/qr\n\n"), sink).ask(
        Acknowledge(**COMMON, body=(Text(text="caf\u00e9"), PRINT)), FRAME
    )
    assert b"caf\\xe9" in raw.getvalue()
    assert b"no block characters" in raw.getvalue()


def test_the_introduction_is_said_once() -> None:
    sink = io.StringIO()
    frontend = PlainFrontend(io.StringIO("\n\n"), sink)
    frontend.ask(Acknowledge(**COMMON), FRAME)
    frontend.ask(Acknowledge(**COMMON), FRAME)
    assert sink.getvalue().count("Plain line mode") == 1


@pytest.mark.parametrize("key", ["Esc", "F2", "F3", "F4", "Ctrl+Q"])
def test_help_that_names_a_key_of_the_wizard_can_be_followed_here_too(key: str) -> None:
    sink = io.StringIO()
    PlainFrontend(io.StringIO("/help\n\n"), sink).ask(Acknowledge(**COMMON), FRAME)
    assert sink.getvalue().count(f"the wizard's {key}\n") == 2


def test_progress_is_a_line_a_quarter_and_not_a_flood() -> None:
    sink = io.StringIO()
    frontend = PlainFrontend(io.StringIO(), sink)
    for done in range(101):
        frontend.progress(Working(step=Step.SIGN, title="Signing", done=done, total=100), FRAME)
    assert sink.getvalue().splitlines() == [
        "Working: Signing",
        *(f"Working: Signing, {share} %" for share in (25, 50, 75, 100)),
    ]


# --- input that is no answer ----------------------------------------------------------


def test_arrow_keys_and_endless_lines_are_asked_for_once_more() -> None:
    prompt = EnterText(**COMMON, fields=(Field(name="a", label="A"),))
    answer, said = ask(prompt, "\x1b[A", "x" * 10_000, "x" * 4096, "fine")
    assert answer == Entered(values={"a": "fine"})
    assert said.count("keys that are no text") == 3


def test_a_secret_with_arrow_keys_is_asked_for_once_more_and_never_printed() -> None:
    answer, said = ask(EnterSecret(**COMMON, label="PIN"), "12\x1b[D34", "987654")
    assert answer == SecretEntered(secret=Secret("987654"))
    assert "987654" not in said
    assert "12" not in said


def test_the_end_of_the_input_stops_and_can_be_resumed() -> None:
    with pytest.raises(StoppedError) as caught:
        ask(Acknowledge(**COMMON))
    assert caught.value.code == "stopped.input_ended"


# --- a real terminal ------------------------------------------------------------------

SESSION = """
import sys
from ceremony.flow.prompts import *
from ceremony.core.fingerprints import Fingerprint
from ceremony.offline.plain import PlainFrontend
frame = Frame(factory="a", kind="create", ceremony_id="", step=Step.ROOT, rehearsal=False,
              head=None, exceptions=0)
front = PlainFrontend(sys.stdin, sys.stdout)
common = dict(key="k", step=Step.ROOT, title="t")
front.ask(EnterText(**common, fields=(Field(name="a", label="Name"),)), frame)
secret = front.ask(EnterSecret(**common, label="PIN", twice=True), frame)
print("length", len(secret.secret.reveal()))
shown = Print(caption="c", fingerprint=Fingerprint.of(b"x"))
front.ask(Acknowledge(**common, body=(shown,)), frame)
front.ask(EnterText(**common, fields=(Field(name="a", label="Again"),)), frame)
front.ask(EnterSecret(**common, label="Last"), frame)
"""


@pytest.fixture
def terminal() -> Any:
    child = pexpect.spawn(
        sys.executable, ["-c", SESSION], encoding="utf-8", timeout=15, dimensions=(24, 80)
    )
    child.logfile_read = io.StringIO()
    yield child
    child.close(force=True)


def test_a_secret_is_not_echoed_on_a_terminal_and_names_are(terminal: Any) -> None:
    terminal.expect_exact("Name: ")
    terminal.sendline("Ada")
    terminal.expect_exact("PIN (not shown): ")
    terminal.sendline("314159")
    terminal.expect_exact("PIN, once more (not shown): ")
    terminal.sendline("314159")
    terminal.expect_exact("length 6")
    terminal.expect_exact("Press Enter: Continue. ")
    terminal.sendline("/qr")
    terminal.expect_exact("\x1b[38;2;0;0;0;48;2;255;255;255m")
    terminal.expect_exact("Press Enter: Continue. ")
    terminal.sendline("")
    terminal.expect_exact("Again: ")
    terminal.sendline("echoed")
    terminal.expect_exact("Last (not shown): ")
    said = terminal.logfile_read.getvalue()
    assert "Ada" in said
    assert "echoed" in said
    assert "314159" not in said


def test_echo_comes_back_when_a_secret_is_interrupted(terminal: Any) -> None:
    terminal.expect_exact("Name: ")
    terminal.sendline("Ada")
    terminal.expect_exact("PIN (not shown): ")
    assert not terminal.getecho()
    terminal.sendintr()
    terminal.expect_exact("KeyboardInterrupt")
    deadline = time.monotonic() + 5
    while not terminal.getecho() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert terminal.getecho()


PARTS = """
import sys
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.flow.prompts import *
from ceremony.offline.plain import PlainFrontend
frame = Frame(factory="a", kind="create", ceremony_id="", step=Step.ROOT, rehearsal=False,
              head=None, exceptions=0)
front = PlainFrontend(sys.stdin, sys.stdout)
common = dict(key="k", step=Step.ROOT, title="t")
words = "absurd-adviser-aimless-almighty-acme-amulet-adrift-antenna-afflict-apollo-alone-armistice"
front.ask(ShowSecret(**common, label="First part", secret=Secret(words)), frame)
front.ask(EnterSecret(**common, label="Of the other"), frame)
print("over")
sys.stdin.readline()
"""


@pytest.mark.parametrize("answer", ["", "/back"])
@pytest.mark.parametrize("rows", [8, 40])
def test_22_the_officer_who_sits_down_next_finds_the_first_part_nowhere(
    tmp_path: Path, rows: int, answer: str
) -> None:
    with Terminal(tmp_path, rows=rows) as terminal:
        terminal.start(sys.executable, "-c", PARTS)
        terminal.wait(lambda screen: "Press Enter when it is on paper." in screen)
        assert "absurd" in terminal.scrollback()
        terminal.type(answer)
        terminal.keys("Enter")
        terminal.wait(lambda screen: "Of the other (not shown):" in screen)
        everything = terminal.scrollback()
    assert "armistice" not in everything
    assert "absurd" not in everything


AHEAD = """
import sys
from ceremony.flow.prompts import *
from ceremony.offline.plain import PlainFrontend
frame = Frame(factory="a", kind="create", ceremony_id="", step=Step.ROOT, rehearsal=False,
              head=None, exceptions=0)
front = PlainFrontend(sys.stdin, sys.stdout)
common = dict(key="k", step=Step.ROOT, title="t")
front.ask(Acknowledge(**common), frame)
signed = front.ask(Review(**common, irreversible=True, accept="Sign it"), frame)
print("accepted", signed.accepted)
"""


def test_what_was_typed_ahead_accepts_nothing_that_was_not_shown_yet() -> None:
    terminal = pexpect.spawn(sys.executable, ["-c", AHEAD], encoding="utf-8", timeout=150)
    terminal.expect_exact("Press Enter: Continue. ")
    terminal.send("\n1\n1\n")
    terminal.expect_exact("Number, 1 to 2: ")
    terminal.sendline("2")
    terminal.expect_exact("accepted False")
    terminal.close(force=True)
