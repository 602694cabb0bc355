"""The terminal around the prompts: size, themes, work, fingerprints, marks."""

from pathlib import Path

import pytest
import samples
from rich.color import Color

import screens
from ceremony.bundle.qr import qr_matrix
from ceremony.flow.prompts import Done, Entered
from screens import themes

PROMPTS = samples.PROMPTS
UNCOVERED = (80, 24)


async def test_a_terminal_too_small_says_so_and_keeps_what_was_typed(show):
    async with show(PROMPTS["officer"]) as shown:
        await shown.type("Anna")
        await shown.pilot.resize_terminal(79, 24)
        await shown.pilot.pause()
        assert "too small" in shown.text
        await shown.press("x", "enter")
        await shown.pilot.resize_terminal(*UNCOVERED)
        await shown.pilot.pause()
        await shown.press("enter", "enter", "enter")
        assert isinstance(shown.answers[0], Entered)
        assert shown.answers[0].values["name"] == "Anna"


async def test_a_prompt_that_comes_while_too_small_waits_behind_the_cover(show):
    async with show(PROMPTS["welcome"], (60, 20)) as shown:
        assert "too small" in shown.text
        await shown.press("enter", "f2")
        assert shown.answers == []
        await shown.pilot.resize_terminal(*UNCOVERED)
        await shown.pilot.pause()
        await shown.press("enter")
        assert shown.answers == [Done()]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_rehearsal_is_marked_on_every_screen(show, size):
    async with show(PROMPTS["welcome"], size) as shown:
        for prompt in PROMPTS.values():
            await shown.present(prompt)
            assert "REHEARSAL" in shown.text


async def test_a_rehearsal_is_marked_on_every_pane(show):
    async with show(PROMPTS["fingerprint"]) as shown:
        for key in ("f1", "f4", "f5", "ctrl+q"):
            await shown.press(key)
            assert "The words of the upload bundle" not in shown.text
            assert "REHEARSAL" in shown.text
            await shown.press("escape")


async def test_a_real_ceremony_is_not_marked(show):
    async with show(PROMPTS["welcome"], rehearsal=False) as shown:
        assert "REHEARSAL" not in shown.text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_surround_says_where_whose_and_when(show, size):
    async with show(PROMPTS["pin"], size, exceptions=2) as shown:
        for said in ("Root key", "Anna Kowalska (A)", "78e1b145", "09:41:07 UTC", "2 exceptions"):
            assert said in shown.text


async def test_long_work_is_shown_and_short_work_is_not(show):
    async with show(PROMPTS["welcome"]) as shown:
        await shown.press("enter")
        shown.app.report(samples.SIGNING, samples.frame(samples.SIGNING.step))
        await shown.pilot.pause()
        assert "Signing" not in shown.text
        await shown.pilot.pause(0.25)
        assert "Signing" in shown.text
        assert "3 of 6" in shown.text
        await shown.press("enter", "f2", "ctrl+q")
        assert shown.answers == [Done()]
        shown.app.present(PROMPTS["finished"], samples.frame(samples.SIGNING.step))
        await shown.pilot.pause()
        assert "The ceremony is over" in shown.text


async def test_a_fingerprint_is_eight_lines_of_hex_and_words(show):
    async with show(PROMPTS["fingerprint"]) as shown:
        for letter, digits, spoken in samples.FINGERPRINT.lines:
            line = next(line for line in shown.text.split("\n") if f" {letter}  {digits} " in line)
            assert line.split() == [letter, digits, *spoken]


@pytest.mark.parametrize(("size", "keys"), [((80, 24), ["f5"]), ((120, 40), [])])
async def test_the_code_is_drawn_whole_in_explicit_black_on_white(show, size, keys):
    async with show(PROMPTS["fingerprint"], size) as shown:
        await shown.press(*keys)
        rows = []
        for strip in shown.app.screen._compositor.render_strips():
            cells = [
                (segment.text, segment.style)
                for segment in strip
                if segment.style
                and segment.style.bgcolor == Color.parse("#ffffff")
                and segment.style.color == Color.parse("#000000")
            ]
            rows.append("".join(text for text, _ in cells))
        drawn = _modules([row for row in rows if row])
        assert drawn == qr_matrix(samples.FINGERPRINT.hex.upper())


def _modules(rows: list[str]) -> tuple[tuple[bool, ...], ...]:
    upper = [[cell in "█▀" for cell in row] for row in rows]
    lower = [[cell in "█▄" for cell in row] for row in rows]
    both = [row for pair in zip(upper, lower, strict=True) for row in pair]
    return tuple(tuple(row) for row in both[: len(both[0])])


@pytest.mark.parametrize("theme", [theme.name for theme in themes.THEMES])
async def test_every_theme_draws(show, theme):
    async with show(PROMPTS["review"]) as shown:
        shown.app.theme = theme
        await shown.pilot.pause()
        assert "CHECK" in shown.text


async def test_the_theme_key_goes_round(show):
    async with show(PROMPTS["welcome"]) as shown:
        seen = []
        for _ in range(3):
            await shown.press("f6")
            seen.append(shown.app.theme)
        assert seen == ["light", "contrast", "dark"]


def _pairs(theme):
    """All that is written, and what it is written on."""
    ink = {"ink": theme.foreground, "accent": theme.accent, "success": theme.success}
    ink |= {"warning": theme.warning, "error": theme.error} | theme.variables
    for name in ("ink", "accent", "success", "warning", "error", "dim"):
        yield ink[name], theme.background
        yield ink[name], ink["side"]
    for name in ("ink", "warning", "dim"):
        yield ink[name], ink["field"]
    yield ink["here-ink"], ink["field-here"]
    yield ink["here-dim"], ink["field-here"]
    yield theme.background, theme.accent
    yield theme.background, theme.warning
    yield ink["band-ink"], ink["band"]
    if theme.name != themes.CONSOLE:  # Its red is no #ff0000: see below.
        yield ink["on-error"], theme.error


@pytest.mark.parametrize("theme", themes.THEMES, ids=lambda theme: theme.name)
def test_text_has_the_contrast_that_readers_need(theme):
    from textual.color import Color as Shade

    wanted = 7 if theme.name == themes.CONTRAST else 4.5
    for ink, ground in _pairs(theme):
        assert _contrast(Shade.parse(ink), Shade.parse(ground)) >= wanted, (ink, ground)


def test_on_the_linux_console_white_stands_on_red_and_nothing_black_is_bold():
    """Its own palette: red is #aa0000, and bold black is the grey #555555."""
    from textual.color import Color as Shade

    assert _contrast(Shade.parse("#ffffff"), Shade.parse("#aa0000")) >= 7
    assert next(t for t in themes.THEMES if t.name == themes.CONSOLE).variables["on-error"] == (
        "#ffffff"
    )
    sources = [*Path(screens.__file__).parent.glob("*.py")]
    assert not [path for path in sources if "bold $background" in path.read_text()]


def _contrast(one, other):
    """WCAG 2.1 contrast ratio."""

    def luminance(shade):
        red, green, blue = (
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in shade.normalized
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "xterm"}, themes.DARK),
        ({"TERM": "linux"}, themes.CONSOLE),
        ({"TERM": "linux", "NO_COLOR": "1"}, themes.PLAIN),
    ],
)
def test_the_terminal_decides_the_first_theme(monkeypatch, environment, theme):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert themes.first_theme() == theme
