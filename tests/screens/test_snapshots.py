"""What the screens look like at 80 x 24; `pytest --snapshot-update` after a wanted change."""

import pytest
import samples

from screens.app import Wizard

LOOKS = {
    "welcome": (),
    "root-fence": (),
    "words": (*"isl", "enter", *"sailbo", "enter", *"banana", "enter", *"gad"),
    "review": (),
    "fingerprint": (),
    "pin": (*"123456",),
}


@pytest.mark.parametrize("name", sorted(LOOKS))
def test_the_screen_looks_as_agreed(snap_compare, name):
    app = Wizard(now=samples.now, theme="dark")

    async def before(pilot):
        prompt = samples.PROMPTS[name]
        app.present(prompt, samples.frame(prompt.step))
        await pilot.pause()
        await pilot.pause()
        await pilot.press(*LOOKS[name])
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)
