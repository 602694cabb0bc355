"""Any number of rows in constant memory; each with its result; status 3 when one failed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.devices.conftest import write_csr

UUID = "9b2f3c1e-0000-4000-8000-000000000001"


def run(floor: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ceremony", "devices", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=floor.folder)


def results(floor: Any) -> list[dict[str, Any]]:
    text = (floor.folder / "out.results.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


ISSUE = ("issue", "--ca", "local_ca.pem", "--secret-file", "secret")


def test_50_memory_does_not_grow_with_the_number_of_rows(floor: Any) -> None:
    """Both runs are long enough to fill every queue; a row is over 3 kB."""
    program = (
        "import resource, sys\n"
        "from ceremony.offline.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        # Not RUSAGE_SELF: its peak outlives exec, so that it would be this test's own.
        "status = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
        "print(status['VmHWM'].split()[0])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    peaks = []
    for count in (12_000, 24_000):
        command = [sys.executable, "-c", program, "devices", *ISSUE]
        command += ["--count", str(count), "--out", f"{count}.jsonl"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=floor.folder)
        peaks.append([int(line) // 1024 for line in done.stdout.split()[1:]])
    # Kept in memory, the rows between would be 40 MB.
    assert peaks[1][0] < peaks[0][0] + 20
    assert peaks[1][1] < peaks[0][1] + 20
    assert max(peaks[1]) < 200


def test_50_each_row_has_its_result_and_the_exit_status_is_3(floor: Any, tmp_path: Path) -> None:
    source = tmp_path / "csrs"
    source.mkdir()
    (source / "good.csr").write_bytes(write_csr(UUID))
    (source / "bad\x1b[31m.csr").write_bytes(b"not a CSR")
    done = run(floor, *ISSUE, "--csr-dir", str(source), "--out", "out.jsonl", "--json")
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert (told["issued"], told["refused"]) == (1, 1)
    assert "1 row was refused" in done.stderr
    rows = results(floor)
    assert [row["result"] for row in rows] == ["refused", "issued"]
    assert "\x1b" not in rows[0]["source"] + done.stderr
    assert run(floor, *ISSUE, "--csr-dir", str(source), "--out", "out.jsonl").returncode == 3


def test_50_a_mixed_batch_at_the_command_line(floor: Any, tmp_path: Path) -> None:
    """Good rows are issued, each bad one is named, by file and by cause."""
    from tests.devices.test_threat_49_csr_policy import BAD

    expected = {
        "bad-signature.csr": "csr.signature_wrong",
        "ca-true.csr": "device.ca",
        "foreign-ou.csr": "device.ou",
        "not-a-csr.csr": "pem.none",
        "rsa-1024.csr": "device.key",
        "z-duplicate.csr": "device.uuid_taken",
    }
    source = tmp_path / "csrs"
    source.mkdir()
    kinds = ("signature", "CA:TRUE", "foreign OU", "no CSR", "RSA 1024")
    for name, kind in zip(expected, kinds, strict=False):
        (source / name).write_bytes(BAD[kind][1])
    good = [UUID[:-1] + digit for digit in "23"]
    for name, uuid in zip(("a.csr", "b.csr", "z-duplicate.csr"), (*good, good[0]), strict=True):
        (source / name).write_bytes(write_csr(uuid))
    done = run(floor, *ISSUE, "--csr-dir", str(source), "--out", "out.jsonl")
    assert done.returncode == 3, done.stderr
    assert "6 rows were refused; " in done.stderr
    rows = results(floor)
    assert {row["source"]: row["code"] for row in rows if row["result"] == "refused"} == expected
    issued = [json.loads(line) for line in (floor.folder / "out.jsonl").read_text().splitlines()]
    assert [row["uuid"] for row in issued] == good
    assert all(row["message"] for row in rows if row["result"] == "refused")


def test_a_whole_day_at_the_command_line(floor: Any) -> None:
    done = run(floor, *ISSUE, "--uuid", UUID, "--out", "devices")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{floor.folder}/devices\n"
    listed = run(floor, "list", "--ca", "local_ca.pem", "--json")
    (device,) = json.loads(listed.stdout)["devices"]
    assert device["uuid"] == UUID
    found = run(floor, "find", "--ca", "local_ca.pem", device["serial"])
    assert found.stdout.startswith(UUID)
    assert "batch 1" in run(floor, "list", "--ca", "local_ca.pem").stderr
    twice = run(floor, *ISSUE, "--uuid", UUID, "--out", "again")
    assert twice.returncode == 3
    assert "this uuid has a certificate already" in twice.stderr
    assert "[device.uuid_taken]" in twice.stderr
    missing = run(floor, "find", "--ca", "local_ca.pem", "nobody")
    assert missing.returncode == 3
    assert "devices.not_found" in missing.stderr
    assert run(floor, "list", "--ledger", "none").returncode == 5


def test_what_is_asked_for_must_be_clear(floor: Any) -> None:
    for wrong in (
        (),
        ("--count", "1", "--uuid", UUID),
        ("--count", "1", "--uuids", "x"),
        ("--count", "0"),
        ("--count", "1", "--hardware-id", "x"),
        ("--count", "1", "--name", "line-1"),
        ("--count", "1", "--plan", "p", "--name", "line-1", "--key", "k"),
    ):
        assert run(floor, *ISSUE, "--out", "o.jsonl", *wrong).returncode == 2
    (floor.folder / "secret").chmod(0o644)
    done = run(floor, *ISSUE, "--count", "1", "--out", "o.jsonl")
    assert "devices.secret_file" in done.stderr
    (floor.folder / "secret").chmod(0o600)
    (floor.folder / "secret").write_text("wrong\n")
    done = run(floor, *ISSUE, "--count", "1", "--out", "o.jsonl")
    assert done.returncode == 4
    assert "file.passphrase_wrong" in done.stderr
    assert "wrong\n" not in done.stderr
    (floor.folder / "local_ca.key").unlink()
    assert "devices.key_missing" in run(floor, *ISSUE, "--count", "1", "--out", "o.jsonl").stderr


def test_a_bundle_gets_no_ledger(floor: Any) -> None:
    """An upload or custody bundle would not verify any more."""
    (floor.folder / "SHA256SUMS").touch()
    done = run(floor, *ISSUE, "--count", "1", "--out", "out.jsonl")
    assert done.returncode == 2
    assert "devices.ledger_place" in done.stderr
    assert not list(floor.folder.glob("*.ledger*"))
    done = run(floor, *ISSUE, "--count", "1", "--out", "out.jsonl", "--ledger", "mine.ledger")
    assert done.returncode == 0, done.stderr


def test_uuids_from_standard_input(floor: Any) -> None:
    command = [sys.executable, "-m", "ceremony", "devices", *ISSUE, "--uuids", "-"]
    done = subprocess.run(
        [*command, "--out", "out.jsonl"],
        input=f"{UUID}\nrubbish\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=floor.folder,
    )
    assert done.returncode == 3
    rows = results(floor)
    assert [row.get("code", "") for row in rows] == ["", "device.uuid"]
    assert rows[1]["source"] == "-:2"
