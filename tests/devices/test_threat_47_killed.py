"""A batch that is killed goes on where it stopped; nothing is issued twice."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceremony.devices.sources import Count, Uuids
from ceremony.errors import MediaError

COUNT = 9_000


def command(floor: Any, out: str, *source: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "ceremony",
        "devices",
        "issue",
        "--ca",
        str(floor.folder / "local_ca.pem"),
        "--secret-file",
        str(floor.folder / "secret"),
        "--out",
        str(floor.folder / out),
        *source,
    ]


def check(floor: Any, out: str, number: int) -> None:
    """Output, results and ledger tell the same, and nothing twice."""
    rows = [json.loads(line) for line in (floor.folder / out).read_text().splitlines()]
    results = (floor.folder / out).with_suffix(".results.jsonl")
    told = [json.loads(line) for line in results.read_text().splitlines()]
    with sqlite3.connect(floor.ledger_path) as db:
        known = {row[0]: (row[1], row[2]) for row in db.execute("SELECT * FROM devices")}
    db.close()
    assert len(rows) == len(told) == len(known) == number
    for column in ("uuid", "serial", "key_sha256", "client.pem", "pkey.pem"):
        assert len({row[column] for row in rows}) == number
    assert {row["uuid"]: (row["serial_hex"], row["key_sha256"]) for row in rows} == known
    assert [row["uuid"] for row in told] == [row["uuid"] for row in rows]
    assert [row["line"] for row in told] == list(range(1, number + 1))


def test_47_kill_9_at_random_moments_and_the_same_command_again(floor: Any) -> None:
    chance = random.Random(47)
    args = command(floor, "batch.jsonl", "--count", str(COUNT))
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # At the beginning the interpreter starts: most kills come behind that.
        time.sleep(0.35 + chance.random() * 0.6)
        if process.poll() is None and kills < 6:
            process.send_signal(signal.SIGKILL)
            kills += 1
        if process.wait() == 0:
            break
    assert kills >= 2, "it was never killed: nothing was shown"
    check(floor, "batch.jsonl", COUNT)


class Cut(BaseException):
    """The power goes."""


@pytest.fixture
def cut_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ends a run at the n-th call of one of the calls that reach the disk."""
    from ceremony.devices import outputs
    from ceremony.devices.ledger import Ledger, Step

    def arm(number: int) -> None:
        left = iter(range(number))

        def wrap(owner: Any, name: str, *, half: bool = False) -> None:
            real = getattr(owner, name)

            def wrapped(self: Any, *args: Any, **options: Any) -> Any:
                if next(left, None) is None:
                    if half and args and args[0]:
                        real(self, args[0][: len(args[0]) // 2])
                    raise Cut
                return real(self, *args, **options)

            monkeypatch.setattr(owner, name, wrapped)

        for owner, name, half in (
            (outputs.GrowingFile, "append", True),
            (outputs.GrowingFile, "sync", False),
            (outputs.GrowingFile, "finish", False),
            (outputs.Folders, "write", True),
            (Step, "pend", False),
            (Ledger, "end", False),
        ):
            wrap(owner, name, half=half)

    return arm


@pytest.mark.parametrize("out", ["out.jsonl", "out.tar", "out"])
def test_47_a_cut_before_or_inside_any_write_leads_to_the_same_end(
    floor: Any, out: str, monkeypatch: pytest.MonkeyPatch, cut_at: Any, tmp_path: Path
) -> None:
    source = tmp_path / "uuids"
    uuids = [f"9b2f3c1e-0000-4000-8000-{i:012d}" for i in range(7)]
    source.write_text("\n".join([*uuids, "no uuid"]))
    for number in range(60):
        folder = floor.folder / f"run-{number}"
        folder.mkdir()
        floor.ledger_path.unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            ended = False
            cut_at(number)
            try:
                floor.issue(Uuids(source), f"run-{number}/{out}", step=3, workers=1)
                ended = True
            except Cut:
                patch.undo()
            monkeypatch.undo()
        summary = floor.issue(Uuids(source), f"run-{number}/{out}", step=3, workers=1)
        assert (summary.issued, summary.refused) == (7, 1)
        with floor.ledger() as ledger:
            known = {device.uuid: device.serial for device in ledger.devices()}
        assert known == dict(written(folder / out))
        assert sorted(known) == uuids
        if ended:
            return
    raise AssertionError("it never came to its end")


def written(out: Path) -> Iterator[tuple[str, str]]:
    import tarfile

    from cryptography import x509

    def serial(pem: bytes) -> str:
        return f"{x509.load_pem_x509_certificate(pem).serial_number:040x}"

    if out.suffix == ".jsonl":
        for line in out.read_text().splitlines():
            row = json.loads(line)
            yield row["uuid"], serial(row["client.pem"].encode())
    elif out.suffix == ".tar":
        with tarfile.open(out) as tar:
            for member in tar.getmembers():
                if member.name.endswith("/client.pem"):
                    file = tar.extractfile(member)
                    assert file is not None
                    yield member.name.partition("/")[0], serial(file.read())
    else:
        for folder in out.iterdir():
            if folder.is_dir():
                yield folder.name, serial((folder / "client.pem").read_bytes())


def test_47_two_runs_at_once_do_not_write_into_one_file(floor: Any) -> None:
    from ceremony.devices.outputs import GrowingFile

    other = GrowingFile(floor.folder / "out.jsonl")
    with floor.ledger() as ledger:
        ledger.begin(
            str(floor.folder / "out.jsonl"),
            floor.order(Count(3), "out.jsonl").words,
            "2026-01-01T00:00:00Z",
            alone=True,
        )
    other.open()
    other.append(b"what the ledger will know in a moment")
    with pytest.raises(MediaError) as caught:
        floor.issue(Count(3), "out.jsonl")
    assert caught.value.code == "devices.busy"
    other.cut(0)
    other.close()
    assert floor.issue(Count(3), "out.jsonl").issued == 3


def test_47_an_output_that_lost_what_the_ledger_knows_is_not_continued(
    floor: Any, monkeypatch: pytest.MonkeyPatch, cut_at: Any
) -> None:
    cut_at(9)
    with pytest.raises(Cut):
        floor.issue(Count(9), "out.jsonl", step=2, workers=1)
    monkeypatch.undo()
    os.truncate(floor.folder / "out.jsonl.partial", 10)
    with pytest.raises(MediaError) as caught:
        floor.issue(Count(9), "out.jsonl", step=2, workers=1)
    assert caught.value.code == "devices.output_short"


def test_47_a_worker_that_dies_ends_the_run_and_the_next_goes_on(floor: Any) -> None:
    from ceremony.devices import pool

    def serve(request: bytes) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return request

    with pytest.raises(MediaError) as caught, pool.Pool(2, serve) as workers:
        list(workers.answers([b"a", b"b"]))
    assert caught.value.code == "devices.worker_ended"


def test_47_two_commands_that_begin_at_once_are_one_batch_or_two_places(floor: Any) -> None:
    """Each has looked before the other wrote: what counts is what the ledger has then."""
    with floor.ledger() as ledger, floor.ledger() as other:
        first = ledger.begin("x.jsonl", "count 2", "now", alone=True)
        assert other.begin("x.jsonl", "count 2", "now", alone=True) == first
        assert other.begin("x.jsonl", "count 3", "now", alone=True) is None
        assert len(ledger.batches()) == 1
