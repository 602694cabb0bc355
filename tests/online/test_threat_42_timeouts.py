"""Threat 42: a PATCH whose end nobody saw is looked at, a POST is never repeated."""

import time
from typing import Any

import pytest

from ceremony.errors import CeremonyError, ExitStatus


def count(machine: Any) -> list[str]:
    """Every request of the practice Factory from now on, by method."""
    seen: list[str] = []
    taken = machine.factory.faults.take

    def take(method: str, path: str) -> object:
        seen.append(method)
        return taken(method, path)

    machine.factory.faults.take = take
    return seen


@pytest.mark.parametrize(
    ("fault", "options"),
    [("reset", {}), ("status", {"status": 502}), ("html", {})],
)
def test_42_a_patch_that_took_effect_unseen_is_found_by_asking(
    machine: Any, fault: str, options: dict[str, Any]
) -> None:
    bundle = machine.answer()
    seen = count(machine)
    machine.factory.faults.add(fault, method="PATCH", applied=True, **options)
    receipt = machine.upload(bundle)
    assert receipt.document.result == "uploaded"
    assert seen.count("PATCH") == 1


def test_42_a_patch_that_takes_effect_late_is_found_by_the_next_run(machine: Any) -> None:
    bundle = machine.answer()
    seen = count(machine)
    machine.factory.faults.add("delay", method="PATCH", delay_s=1.3)
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert caught.value.code == "upload.not_applied"
    assert "late" in caught.value.hint
    until = time.monotonic() + 60
    while machine.factory.store.certs is None and time.monotonic() < until:
        time.sleep(0.02)
    assert machine.upload(bundle).document.result == "already there"
    assert seen.count("PATCH") == 1


@pytest.mark.parametrize("fault", ["reset", "status"])
def test_42_a_patch_without_effect_is_said_and_not_repeated(machine: Any, fault: str) -> None:
    bundle = machine.answer()
    seen = count(machine)
    machine.factory.faults.add(fault, method="PATCH")
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert (caught.value.code, caught.value.status) == ("upload.not_applied", ExitStatus.NETWORK)
    assert seen.count("PATCH") == 1
    assert machine.upload(bundle).document.result == "uploaded"


def test_42_a_partial_patch_is_named_and_the_next_run_sends_the_rest(machine: Any) -> None:
    bundle = machine.answer()
    machine.factory.faults.add("partial", method="PATCH")
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert caught.value.code == "upload.not_as_sent"
    receipt = machine.upload(bundle)
    assert receipt.document.result == "uploaded"
    assert "root-crt" not in receipt.document.sent


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("reset", {"times": -1}),
        ("unmarked", {}),
        ("body", {"status": 200, "body": '{"root-crt": "no certificate"}'}),
    ],
)
def test_42_when_nobody_can_tell_what_happened_that_is_what_is_said(
    machine: Any, fault: str, options: dict[str, Any]
) -> None:
    bundle = machine.answer()
    taken = machine.factory.faults.take

    def dead_after_patch(method: str, path: str) -> object:
        if method == "PATCH":
            machine.factory.faults.add(fault, method="GET", **options)
        return taken(method, path)

    machine.factory.faults.take = dead_after_patch
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert caught.value.code == "upload.unknown"
    machine.factory.faults.clear()
    assert machine.upload(bundle).document.result == "already there"


@pytest.mark.parametrize(
    ("fault", "options", "code"),
    [
        ("reset", {"applied": True}, "fetch.unknown"),
        ("delay", {"delay_s": 1.3}, "fetch.unknown"),
        ("status", {"status": 503}, "api.failed"),
        ("status", {"status": 429}, "api.busy"),
    ],
)
def test_42_a_post_is_sent_once(
    machine: Any, fault: str, options: dict[str, Any], code: str
) -> None:
    seen = count(machine)
    machine.factory.faults.add(fault, method="POST", times=-1, **options)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    assert caught.value.code == code
    assert seen.count("POST") == 1
    # Where keys may have been made, the empty file says so to the next upload.
    unknown = [] if code == "api.busy" else [b""]
    assert [(machine.state / name).read_bytes() for name in machine.writes()] == unknown


def test_42_a_get_is_repeated_after_what_may_pass(machine: Any) -> None:
    machine.factory.faults.add("status", method="GET", status=503, retry_after="0")
    machine.factory.faults.add("reset", method="GET")
    assert machine.fetch().is_dir()
