"""Every kind of ceremony at the wizard, by keys, and in plain lines: each screen looked at."""

import asyncio
from pathlib import Path

from ceremony.config import Kind
from ceremony.flow.prompts import Answer, Command
from ceremony.practice.abandoning import Destruction
from ceremony.practice.officers import Papers
from ceremony.practice.rehearsal import Options, Rehearsal
from screens.app import Wizard
from tests.flow.conftest import cheap_passwords
from tests.stories.conftest import TOP
from tests.stories.sitting import SMALL, Desk, Sitting

__all__ = ["cheap_passwords"]

YEAR = (
    Kind.CREATE,
    Kind.ADD_DEVICE_CA,
    Kind.ROTATE_TLS,
    Kind.AUTHORIZE_EST,
    Kind.DISABLE_DEVICE_CA,
    Kind.ENABLE_DEVICE_CA,
    Kind.REVOKE_DEVICE_CA,
    Kind.SIGN_CSR,
    Kind.CHECK_BACKUP,
)
FILE = (Kind.CREATE, Kind.EXPORT_ROOT_KEY)
LEFT = (Kind.DESTROY_KEY,)
USUAL = "witness       = false"
FULL = "witness = true\nsplit_pin = true\nbags = true"
MANY = 70


async def hold(desk: Desk, folder: Path, plan: str, kinds: tuple[Kind, ...], store: str) -> None:
    """Holds them one after the other in one folder."""
    keep = folder / "keep"
    keep.mkdir(parents=True)
    file = folder / "own.toml"
    file.write_text(plan)

    def officers(papers: Papers) -> Sitting:
        return Sitting(desk, papers)

    for kind in kinds:
        options = Options(plan=file, auto=True, plain=False, kind=kind, key_store=store, keep=keep)
        rehearsal = Destruction if kind is Kind.DESTROY_KEY else Rehearsal
        status = await asyncio.to_thread(rehearsal(keep, options, officers).run)
        assert status == 0, kind


async def sit(folder: Path) -> set[str]:
    """A year, then a first ceremony with all that a plan may ask of people, on either store."""
    answers: list[Answer | Command] = []
    app = Wizard(theme="plain")
    app.connect(lambda: None, answers.append)
    plan = (TOP / "ceremony.toml").read_text()
    assert USUAL in plan
    async with app.run_test(size=SMALL) as pilot:
        desk = Desk(app, pilot, answers)
        await hold(desk, folder / "year", plan, YEAR, "pkcs11")
        full = plan.replace(USUAL, FULL)
        await hold(desk, folder / "token", full, (Kind.CREATE,), "pkcs11")
        await hold(desk, folder / "file", full, FILE, "file")
        await hold(desk, folder / "left", plan, LEFT, "file")
    return desk.seen


def test_no_kind_is_forgotten() -> None:
    assert {*YEAR, *FILE, *LEFT} == set(Kind)


def test_every_kind_by_keys_at_the_wizard_and_in_plain_lines(tmp_path: Path) -> None:
    seen = asyncio.run(sit(tmp_path))
    assert {"sign.serial", "review.crl", "root.found", "check.phrase.A"} <= seen
    assert {"open.witness", "split.turn", "root.pin.A", "line-1.passphrase.A.typed"} <= seen
    assert len(seen) > MANY
