"""A real Factory's server keys are replaced only after its name was typed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, ExitStatus
from ceremony.online.login import Login
from ceremony.practice.factory import PracticeFactory
from ceremony.practice.server import Handler


@pytest.fixture
def real(
    machine: Any, make_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PracticeFactory]:
    """A Factory that does not say that it is for practice, as the platform's does not."""

    def end_headers(self: Handler) -> None:
        super(Handler, self).end_headers()

    monkeypatch.setattr(Handler, "end_headers", end_headers)
    with PracticeFactory(tmp_path / "real", factory="acme", users=("5e8a2f04c1d7",)) as running:
        machine.factory = running
        machine.login = Login(kind="token", secret=Secret(running.token))
        machine.plan_file = make_plan(running.url, factory="acme")
        yield running


@pytest.mark.parametrize("typed", [None, "", "acme-fleet", "ACME", "yes"])
def test_another_name_changes_nothing(machine: Any, real: PracticeFactory, typed: str) -> None:
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(confirm=lambda _: typed)
    assert (caught.value.code, caught.value.status) == ("fetch.not_confirmed", ExitStatus.STOPPED)
    assert real.store.state["posted"] == {}
    assert machine.writes() == []


def test_the_name_is_asked_with_what_will_happen_and_the_last_request(
    machine: Any, real: PracticeFactory
) -> None:
    told: list[str] = []
    confirm = lambda text: told.append(text) or "acme"  # noqa: E731
    machine.fetch(confirm=confirm)
    first = machine.clock.at
    machine.clock.at = first.replace(year=first.year + 1)
    machine.fetch(confirm=confirm)
    assert "new server keys" in told[0]
    assert real.url in told[0]
    assert "earlier request" not in told[0]
    assert f"An earlier request was fetched at {first:%Y-%m-%d}" in told[1]


def test_a_real_ceremony_is_uploaded_to_a_real_factory(machine: Any, real: PracticeFactory) -> None:
    bundle = machine.answer(machine.fetch(confirm=lambda _: "acme"))
    assert machine.upload(bundle).document.result == "uploaded"
    assert real.store.certs is not None
