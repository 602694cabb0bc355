"""Whatever a prompt or a paste carries, the terminal gets only what is harmless."""

import dataclasses
import unicodedata

import pytest
import samples
from textual.events import Paste

from ceremony.core.findings import Finding, Severity
from ceremony.flow.prompts import (
    Acknowledge,
    CheckRow,
    Checks,
    CheckStatus,
    Choose,
    Compare,
    CompareRow,
    EnterSecret,
    EnterText,
    Facts,
    Field,
    FindingList,
    Option,
    PickPath,
    Place,
    Print,
    Review,
    Step,
    Text,
    TypeBack,
)
from screens.glyphs import guard

EVIL = (
    "\x1b]0;owned\x07\x1b[31m\x9b31m\x9d52;c;eA==\x9c"
    "[@click=app.quit]x[/] [/] [red] $error "
    "\u202eevil\u2066\u200b\u200d\ufeff\u0301\ud800\U000e0041\r\b"
)
BLOCKS = (
    Text(text=EVIL),
    Facts(rows=((EVIL, EVIL),), caption=EVIL),
    Checks(rows=(CheckRow(status=CheckStatus.FAIL, code=EVIL, sentence=EVIL, hint=EVIL),)),
    Compare(title=EVIL, rows=(CompareRow(field=EVIL, asked=EVIL, issued=EVIL, mark="warn"),)),
    FindingList(findings=(Finding(severity=Severity.ERROR, code=EVIL, where=EVIL, message=EVIL),)),
    Print(caption=EVIL, fingerprint=samples.FINGERPRINT),
)
BASE = {"key": "x", "step": Step.IMPORT, "title": EVIL, "officer": EVIL, "problem": EVIL}
BASE |= {"help": EVIL, "command": EVIL}
HOSTILE = {
    "acknowledge": Acknowledge(**BASE, body=BLOCKS, action=EVIL),
    "choose": Choose(**BASE, options=(Option(value="v", label=EVIL, detail=EVIL),)),
    "text": EnterText(
        **BASE, fields=(Field(name="n", label=EVIL, default=EVIL, placeholder=EVIL),)
    ),
    "secret": EnterSecret(**BASE, label=EVIL),
    "words": TypeBack(**BASE, paper=EVIL, positions=(0, 1), typed=(EVIL, EVIL)),
    "review": Review(**BASE, body=BLOCKS, accept=EVIL, refuse=EVIL),
    "pick": PickPath(**BASE, candidates=(Place(path=EVIL, label=EVIL),)),
}


def assert_harmless(text: str) -> None:
    bad = {c for c in text if c != "\n" and unicodedata.category(c)[0] == "C"}
    bad |= {c for c in text if unicodedata.combining(c)}
    assert not bad


@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_hostile_text_reaches_the_terminal_escaped(show, name, size):
    async with show(HOSTILE[name], size) as shown:
        assert "\\x1b" in shown.text
        assert_harmless(shown.text)
        for key in ("f1", "f4", "f5"):
            await shown.press(key)
            assert_harmless(shown.text)
            await shown.press("escape")


async def test_markup_makes_no_link(show):
    async with show(HOSTILE["acknowledge"], (120, 60)) as shown:
        assert "[@click=app.quit]" in shown.text
        strips = shown.app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        assert not any(style.link or "@click" in style.meta for style in styles)


async def test_a_frame_is_guarded_too(show):
    async with show(samples.PROMPTS["welcome"]) as shown:
        frame = dataclasses.replace(samples.frame(Step.OPEN), factory=EVIL, ceremony_id=EVIL)
        shown.app.present(samples.PROMPTS["pin"], frame)
        await shown.pilot.pause()
        assert_harmless(shown.text)
        await shown.pilot.resize_terminal(120, 40)
        await shown.pilot.pause()
        assert_harmless(shown.text)


@pytest.mark.parametrize("name", ["officer", "pin", "words"])
async def test_a_paste_cannot_steer_the_terminal(show, name):
    async with show(samples.PROMPTS[name]) as shown:
        shown.app.screen.focused.post_message(Paste("good\x1b]0;owned\x07\u202e\nsecond"))
        await shown.pilot.pause()
        assert_harmless(shown.text)
        assert shown.answers == []


def test_the_guard_keeps_what_is_ours():
    ours = "a ► b √ Jörg\nnext\\x1b"
    assert guard(ours) == ours


def test_the_guard_escapes_what_moves_or_hides():
    assert guard("a\x1b\u202e\u200b\xad\u4e2d\t") == "a\\x1b\\u202e\\u200b\\xad\\u4e2d "
