"""Draws every screen to SVG: `gallery.py OUT [--size 80x24] [--theme dark] [NAME ...]`."""

import argparse
import asyncio
from pathlib import Path

import samples

from screens.app import Wizard
from screens.prompt import PromptScreen

KEYS: dict[str, tuple[str, ...]] = {
    "passphrase": ("enter",),
    "choose": ("down",),
    "words": (*"isl", "enter", *"sailbo", "enter", *"banana", "enter", *"gad"),
}
EXTRA: dict[str, tuple[str, tuple[str, ...]]] = {
    "preflight-below": ("preflight", ("enter",)),
    "review-below": ("review", ("enter", "enter")),
    "help": ("welcome", ("f1",)),
    "command": ("root-fence", ("f4",)),
    "code": ("fingerprint", ("f5",)),
    "quit": ("welcome", ("ctrl+q",)),
}


async def draw(name: str, out: Path, size: tuple[int, int], theme: str) -> None:
    prompt_name, keys = EXTRA.get(name, (name, KEYS.get(name, ())))
    app = Wizard(now=samples.now, theme=theme)
    async with app.run_test(size=size) as pilot:
        if name == "working":
            app.report(samples.SIGNING, samples.frame(samples.SIGNING.step))
            await pilot.pause(0.3)
        else:
            prompt = samples.PROMPTS[prompt_name]
            app.present(prompt, samples.frame(prompt.step, exceptions=int(name == "finished")))
            await pilot.pause()
            await pilot.pause()
            assert isinstance(app.screen, PromptScreen)
            await pilot.press(*keys)
            await pilot.pause()
        if name == "too-small":
            await pilot.resize_terminal(60, 20)
            await pilot.pause()
        target = out / f"{name}-{size[0]}x{size[1]}-{theme}.svg"
        target.write_text(app.export_screenshot(), encoding="utf-8")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("names", nargs="*")
    given = parser.parse_intermixed_args()
    given.out.mkdir(parents=True, exist_ok=True)
    columns, rows = (int(part) for part in given.size.split("x"))
    for name in given.names or [*samples.PROMPTS, *EXTRA, "working"]:
        await draw(name, given.out, (columns, rows), given.theme)


if __name__ == "__main__":
    asyncio.run(main())
