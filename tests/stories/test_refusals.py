"""Wrong plan, dead API, wrong PIN, wrong word: status, sentence, hint, and nothing half-written."""

import io
import shutil
import socket
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from ceremony import config
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.errors import ExitStatus
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Command,
    EnterSecret,
    Frame,
    SecretEntered,
)
from ceremony.offline.running import hold
from ceremony.practice.officers import Papers, ScriptedOfficers
from ceremony.process import guarded
from tests.stories.conftest import TOP, Kept, Run, run


def _refused(done: Run, status: ExitStatus, code: str) -> None:
    assert done.status == status, done.err
    assert f"[{code}]" in done.err
    assert "error: " in done.err
    assert "hint: " in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        ("days      = 7300", "days = 36500", "plan.value", "root.days"),
        ("[rules]", "[rules]\nrandom = 1", "plan.value", "random"),
        ('factory = "acme-fleet"', 'factory = "acm\u0435"', "plan.absurd", "U+0435"),
        ("[root]", "[root", "plan.syntax", "TOML"),
    ],
)
def test_a_wrong_plan_is_refused_with_the_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, code: str, told: str
) -> None:
    plan = tmp_path / "plan.toml"
    text = (TOP / "ceremony.toml").read_text()
    assert old in text
    plan.write_text(text.replace(old, new, 1))
    for arguments in (("script", plan), ("rehearse", plan, "--auto", "--keep", tmp_path / "k")):
        done = run("ceremony", *arguments)
        _refused(done, ExitStatus.USAGE, code)
        assert told in done.err
        assert done.out == ""


def test_a_dead_api_is_said_and_leaves_no_bundle(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = (TOP / "ceremony.toml").read_text()
    text = text.replace("https://api.foundries.io", f"http://127.0.0.1:{port}")
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    stick = tmp_path / "stick"
    stick.mkdir()
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    token.chmod(0o600)
    done = run(
        "ceremony-online", "fetch", plan, "--to", stick, "--token-file", token,
        "--state", tmp_path / "state",
    )  # fmt: skip
    _refused(done, ExitStatus.NETWORK, "api.unreachable")
    assert "secret-token" not in done.err
    assert list(stick.iterdir()) == []


def test_the_wizard_without_a_terminal_says_what_to_do(tmp_path: Path) -> None:
    done = run("ceremony", "run", "--dir", tmp_path / "state")
    assert done.status == ExitStatus.USAGE
    assert "--plain" in done.err


class Leaving(ScriptedOfficers):
    """Officers who leave as soon as something they gave is refused twice."""

    def __init__(self, papers: Papers) -> None:
        super().__init__(papers, quiet=True)
        self.problems: list[str] = []

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.problem is None:
            return super().ask(prompt, frame)
        self.problems.append(prompt.problem)
        if len(self.problems) > 1 or not isinstance(prompt, EnterSecret):
            return Command.QUIT
        return SecretEntered(secret=self.papers.pin)


def _hold(plan: Path, state: Path, officers: ScriptedOfficers) -> tuple[int, str]:
    plan_file = config.load(plan)
    state.mkdir(mode=0o700)
    words = io.StringIO()
    with redirect_stderr(words):
        status = guarded(lambda: hold(plan_file, state, officers))
    assert "Traceback" not in words.getvalue()
    return status, words.getvalue()


def _papers(kept: Kept, plan: Path) -> Papers:
    return Papers(
        words={
            "plan.words": config.load(plan).fingerprint,
            "request.words": Fingerprint.of((kept.request / "SHA256SUMS").read_bytes()),
        },
        pin=Secret((kept.directory / "paper" / "token-pin.txt").read_text().strip()),
        phrases={"A": Secret("practice phrase A"), "B": Secret("practice phrase B")},
    )


def _no_key(state: Path) -> bool:
    return not [*state.rglob("*.key"), *state.rglob("*.pem")]


def test_a_wrong_word_stops_with_status_3_and_makes_no_key(kept: Kept, tmp_path: Path) -> None:
    plan = kept.directory / "plan.toml"
    papers = _papers(kept, plan)
    papers.words["request.words"] = Fingerprint(bytes(32))
    status, words = _hold(plan, tmp_path / "state", ScriptedOfficers(papers, quiet=True))
    assert status == ExitStatus.VERIFICATION
    assert "[typeback.mismatch]" in words
    assert _no_key(tmp_path / "state")


def test_an_altered_stick_is_refused_by_name_and_the_flow_waits_for_another(
    kept: Kept, tmp_path: Path
) -> None:
    copy = tmp_path / "usb-in"
    shutil.copytree(kept.request.parent, copy)
    request = next(copy.glob("*-request-*/"))
    (request / "tls.csr").write_bytes((request / "est-tls.csr").read_bytes())
    text = (kept.directory / "plan.toml").read_text()
    plan = tmp_path / "plan.toml"
    plan.write_text(text.replace(str(kept.directory / "usb-in"), str(copy)))
    officers = Leaving(_papers(kept, plan))
    status, _ = _hold(plan, tmp_path / "state", officers)
    assert status == ExitStatus.STOPPED
    assert "tls.csr" in officers.problems[0]
    assert "[sums.digest]" in officers.problems[0]
    assert _no_key(tmp_path / "state")


def test_a_wrong_pin_is_refused_with_what_the_token_says_and_makes_no_key(
    kept: Kept, tmp_path: Path
) -> None:
    plan = kept.directory / "plan.toml"
    if 'key_store = "token"' not in plan.read_text():
        assert not (kept.directory / "token").exists()
        return
    papers = _papers(kept, plan)
    papers.pin = Secret("86420975")
    officers = Leaving(papers)
    status, _ = _hold(plan, tmp_path / "state", officers)
    assert status == ExitStatus.STOPPED
    assert len(officers.problems) == 1
    assert "86420975" not in officers.problems[0]
    record = next((tmp_path / "state").rglob("record.jsonl")).read_text()
    assert record.count('"token.pin_wrong"') == 2
    assert "86420975" not in record
    assert _no_key(tmp_path / "state")
