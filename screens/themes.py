"""Sets of colours. States are always words too; colour only helps."""

import os

from textual.theme import Theme

DARK, LIGHT, CONTRAST, CONSOLE, PLAIN = "dark", "light", "contrast", "console", "plain"
ORDER = (DARK, LIGHT, CONTRAST)


def _theme(name: str, *, dark: bool, colours: dict[str, str], extra: dict[str, str]) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=colours["accent"],
        secondary=colours["accent"],
        accent=colours["accent"],
        success=colours["success"],
        warning=colours["warning"],
        error=colours["error"],
        foreground=colours["ink"],
        background=colours["paper"],
        surface=colours["paper"],
        panel=colours["paper"],
        variables=extra,
    )


THEMES = (
    _theme(
        DARK,
        dark=True,
        colours={
            "ink": "#dde3ec",
            "paper": "#11161f",
            "accent": "#7cc4e8",
            "success": "#86d19a",
            "warning": "#f0c35e",
            "error": "#ff8b80",
        },
        extra={
            "dim": "#a6b3c5",
            "rule": "#33405a",
            "side": "#171e2a",
            "field": "#232d3f",
            "field-here": "#2a4562",
            "here-ink": "#ffffff",
            "here-dim": "#a6b3c5",
            "on-error": "#11161f",
            "band": "#f0c35e",
            "band-ink": "#11161f",
        },
    ),
    _theme(
        LIGHT,
        dark=False,
        colours={
            "ink": "#1b2430",
            "paper": "#f7f5f0",
            "accent": "#0b5a8a",
            "success": "#1d6b36",
            "warning": "#8a5200",
            "error": "#ad1f1f",
        },
        extra={
            "dim": "#566273",
            "rule": "#c4c0b6",
            "side": "#ebe8e0",
            "field": "#e3e0d7",
            "field-here": "#c9e0ef",
            "here-ink": "#1b2430",
            "here-dim": "#4a5566",
            "on-error": "#f7f5f0",
            "band": "#f2b632",
            "band-ink": "#1b2430",
        },
    ),
    _theme(
        CONTRAST,
        dark=True,
        colours={
            "ink": "#ffffff",
            "paper": "#000000",
            "accent": "#66e0ff",
            "success": "#66ff66",
            "warning": "#ffff00",
            "error": "#ff7777",
        },
        extra={
            "dim": "#d8d8d8",
            "rule": "#ffffff",
            "side": "#000000",
            "field": "#333333",
            "field-here": "#0000c0",
            "here-ink": "#ffffff",
            "here-dim": "#ffffff",
            "on-error": "#000000",
            "band": "#ffff00",
            "band-ink": "#000000",
        },
    ),
    # The Linux console: eight colours, bright only in front; names of the ANSI palette. Bold
    # makes them bright there, black too: nothing black stands bold on a colour.
    _theme(
        CONSOLE,
        dark=True,
        colours={
            "ink": "#c0c0c0",
            "paper": "#000000",
            "accent": "#00ffff",
            "success": "#00ff00",
            "warning": "#ffff00",
            "error": "#ff0000",
        },
        extra={
            "dim": "#c0c0c0",
            "rule": "#008080",
            "side": "#000000",
            "field": "#000080",
            "field-here": "#800080",
            "here-ink": "#ffffff",
            "here-dim": "#ffffff",
            "on-error": "#ffffff",
            "band": "#808000",
            "band-ink": "#000000",
        },
    ),
    # NO_COLOR: black and white alone, so that no grey has to stand for a colour.
    _theme(
        PLAIN,
        dark=True,
        colours=dict.fromkeys(("ink", "accent", "success", "warning", "error"), "#ffffff")
        | {"paper": "#000000"},
        extra={
            "dim": "#c0c0c0",
            "rule": "#c0c0c0",
            "side": "#000000",
            "field": "#404040",
            "field-here": "#606060",
            "here-ink": "#ffffff",
            "here-dim": "#ffffff",
            "on-error": "#000000",
            "band": "#ffffff",
            "band-ink": "#000000",
        },
    ),
)


def first_theme() -> str:
    """Black and white under NO_COLOR, the console's own under TERM=linux, else the dark ones."""
    if "NO_COLOR" in os.environ:
        return PLAIN
    return CONSOLE if os.environ.get("TERM") == "linux" else DARK


def next_theme(name: str) -> str:
    """The one after `name`; any other set is followed by the dark one."""
    return ORDER[(ORDER.index(name) + 1) % len(ORDER)] if name in ORDER else DARK
