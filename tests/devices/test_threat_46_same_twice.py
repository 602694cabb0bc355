"""Same uuid, serial or key twice: that row is refused, the rest go on."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.devices import worker
from ceremony.devices.sources import Count, CsrDirectory, Uuids
from tests.devices.conftest import write_csr

UUIDS = [f"9b2f3c1e-0000-4000-8000-{i:012d}" for i in range(8)]


def refused(path: Path) -> dict[int, str]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["line"]: row["code"] for row in rows if row["result"] == "refused"}


def test_46_a_uuid_twice_in_a_batch_or_against_the_ledger(floor: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("\n".join([UUIDS[0], UUIDS[1], UUIDS[0], UUIDS[2]]))
    second.write_text("\n".join([UUIDS[3], UUIDS[2]]))
    summary = floor.issue(Uuids(first), "first.jsonl")
    assert (summary.issued, summary.refused) == (3, 1)
    assert refused(floor.folder / "first.results.jsonl") == {3: "device.uuid_taken"}
    summary = floor.issue(Uuids(second), "second.jsonl", step=1)
    assert (summary.issued, summary.refused) == (1, 1)
    assert refused(floor.folder / "second.results.jsonl") == {2: "device.uuid_taken"}


def test_46_a_key_twice_in_a_batch_or_against_the_ledger(floor: Any, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    for folder, uuids in (("one", UUIDS[:2]), ("two", UUIDS[2:4])):
        (tmp_path / folder).mkdir()
        for number, uuid in enumerate(uuids):
            csr = write_csr(uuid, key=key if folder == "one" or number == 0 else None)
            (tmp_path / folder / f"{number}.csr").write_bytes(csr)
    floor.issue(CsrDirectory(tmp_path / "one"), "one.jsonl")
    assert refused(floor.folder / "one.results.jsonl") == {2: "device.key_taken"}
    floor.issue(CsrDirectory(tmp_path / "two"), "two.jsonl")
    assert refused(floor.folder / "two.results.jsonl") == {1: "device.key_taken"}


def test_46_the_cas_own_key_is_no_devices_key(floor: Any, tmp_path: Path) -> None:
    (tmp_path / "csrs").mkdir()
    key = floor.store._key
    (tmp_path / "csrs/a.csr").write_bytes(write_csr(UUIDS[0], key=key))
    floor.issue(CsrDirectory(tmp_path / "csrs"), "out.jsonl")
    assert refused(floor.folder / "out.results.jsonl") == {1: "device.key_taken"}


def test_46_a_serial_number_twice(floor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of randomness that repeats itself."""
    monkeypatch.setattr(worker, "new_serial", lambda _: 1 << 100)
    summary = floor.issue(Count(3), "out.jsonl", workers=1)
    assert (summary.issued, summary.refused) == (1, 2)
    assert set(refused(floor.folder / "out.results.jsonl").values()) == {"device.serial_taken"}
