"""Disk, record, clock, a second instance, a wrong stick, the environment."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography import x509

from ceremony.config import Curve
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import CeremonyError, MediaError, StoppedError, VerificationError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Chosen,
    Command,
    Picked,
    PickPath,
)
from ceremony.offline import store
from ceremony.offline.preflight import machine_rows
from ceremony.record.chain import Line, read_lines, verify_chain
from ceremony.x509.issuing import root_content, twin
from tests.flow.memory import MemoryToken, memory_table
from tests.flow.sittings import CLEARED, Acts, Patient, Sittings, Watched, check_end
from tests.flow.table import Table


def sit(table: Table, acts: Acts | None = None) -> Watched:
    officers = Watched(table, acts or {})
    with store.occupied(table.media / "state"):
        room = table.sit_down()
        with room.record:
            assert run(room, officers) is Outcome.CLOSED
    return officers


def refused(table: Table, acts: Acts | None = None) -> CeremonyError:
    with pytest.raises(CeremonyError) as caught:
        sit(table, acts)
    assert caught.value.hint
    return caught.value


def leave_at(table: Table, key: str) -> None:
    def gone(_: AnyPrompt) -> Answer:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sit(table, {key: gone})


def choose(value: str) -> Callable[[AnyPrompt], Answer]:
    return lambda _: Chosen(value=value)


def ended(table: Table, token: MemoryToken) -> None:
    check_end(Sittings(table, lambda _: None, lambda: [info.label for info, _ in token.keys]))


@pytest.fixture
def memory(tmp_path: Path) -> tuple[Table, MemoryToken]:
    return memory_table(tmp_path)


def record(table: Table) -> Path:
    return table.directory / "record.jsonl"


def lines(table: Table) -> tuple[Line, ...]:
    return read_lines(record(table).read_bytes())


# --- 29: the record --------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Table:
    table, _ = memory_table(tmp_path_factory.mktemp("finished"))
    sit(table)
    return table


def test_29_a_whole_ceremonys_record_hides_no_change_of_a_line(finished: Table) -> None:
    raw = record(finished).read_bytes()
    lines = raw.splitlines(keepends=True)
    head = Fingerprint.of(lines[-1])
    assert verify_chain(raw, head)
    changed = [
        b"".join(part)
        for at in range(len(lines))
        for part in (
            (*lines[:at], *lines[at + 1 :]),
            (*lines[:at], lines[at], *lines[at:]),
            (*lines[: max(at - 1, 0)], *lines[at : at + 1], *lines[max(at - 1, 0) : at]),
            (*lines[:at], lines[at].replace(b'"at":"2026', b'"at":"2027'), *lines[at + 1 :]),
            tuple(lines[:at]),
        )
    ]
    for each in changed:
        if each != raw:
            with pytest.raises(VerificationError):
                verify_chain(each, head)


def test_29_a_record_rolled_back_or_rewritten_is_found_against_the_head_on_paper(
    finished: Table, tmp_path: Path
) -> None:
    raw = record(finished).read_bytes()
    head = Fingerprint.of(raw.splitlines(keepends=True)[-1])
    other, _ = memory_table(tmp_path)
    sit(other)
    rewritten = record(other).read_bytes()
    earlier = b"".join(raw.splitlines(keepends=True)[:-1])
    for false in (rewritten, earlier):
        assert verify_chain(false)
        with pytest.raises(VerificationError) as caught:
            verify_chain(false, head)
        assert caught.value.code == "record.head"


def test_29_a_record_that_was_edited_is_not_gone_on_with(memory: tuple[Table, MemoryToken]) -> None:
    table, _ = memory
    leave_at(table, "sign.phrase.A")
    raw = record(table).read_bytes()
    record(table).write_bytes(raw.replace(b'"name":"Ada"', b'"name":"Eda"'))
    assert refused(table).code == "record.chain"


def test_29_a_record_changed_under_the_running_program_stops_it(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, _ = memory

    def change(_: AnyPrompt) -> Answer:
        raw = record(table).read_bytes()
        record(table).write_bytes(raw + b"{}\n")
        return Chosen(value="right")

    assert refused(table, {"preflight.clock.B": change}).code == "state.changed"


# --- 30, 31: the clock -----------------------------------------------------------------


def rows(table: Table) -> list[tuple[str, str]]:
    found = [line for line in read_lines(record(table).read_bytes()) if line.type == "preflight"]
    return [(row["code"], row["status"]) for row in found[-1].data["rows"]]


def test_30_a_clock_behind_a_confirmed_time_fails_and_stops(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    leave_at(table, "sign.phrase.A")
    table.services.clock.time -= timedelta(days=1)
    error = refused(table, {"preflight.failed": choose("stop")})
    assert error.code == "preflight.failed"
    assert "clock.backwards" not in dict(rows(table)).values()
    table.services.clock.time += timedelta(days=1)
    sit(table)
    ended(table, token)


def test_30_a_resume_by_a_clock_years_ahead_is_caught_by_the_officers_and_mended(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    leave_at(table, "sign.phrase.A")
    right = table.services.clock.time
    table.services.clock.time = right + timedelta(days=3650)
    assert refused(table, {"preflight.clock.A": choose("wrong")}).code == "clock.wrong"
    table.services.clock.time = right + timedelta(minutes=5)
    officers = sit(table)
    assert "preflight.note" in [prompt.key for prompt in officers.prompts]
    assert ("clock.behind_record", "WARN") in rows(table)
    ended(table, token)
    confirmed = next(
        line.data["confirmed_at"]
        for line in read_lines(record(table).read_bytes())
        if line.type == "clock"
    )
    for path in (table.directory / "certificates").glob("*.pem"):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        assert f"{certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}" == confirmed


def test_30_a_clock_that_falls_back_during_a_sitting_stops_at_the_next_fence(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory

    def back(prompt: AnyPrompt) -> Answer:
        table.services.clock.time = datetime(1970, 1, 1, tzinfo=UTC)
        return Patient(table).ask(prompt, None)  # type: ignore[arg-type,return-value]

    assert refused(table, {"root.phrase.B": back}).code == "clock.backwards"
    assert token.keys == []


def test_30_a_clock_before_the_program_was_written_fails() -> None:
    found = machine_rows(
        allowed=(), state=Path("/tmp"), removed=(), now=datetime(1970, 1, 1, tzinfo=UTC)
    )
    assert [row.status.value for row in found if row.code == "clock.before_tool"] == ["FAIL"]


@pytest.mark.parametrize("days", [-30, 400])
def test_30_a_clock_that_does_not_fit_the_request_bundle_is_told(
    memory: tuple[Table, MemoryToken], days: int
) -> None:
    table, token = memory
    table.services.clock.time += timedelta(days=days)
    problems: list[str] = []

    def pick(prompt: AnyPrompt) -> Answer | Command:
        if prompt.problem:
            problems.append(prompt.problem)
            return Command.QUIT
        assert isinstance(prompt, PickPath)
        return Picked(path=prompt.candidates[0].path)

    with store.occupied(table.media / "state"):
        room = table.sit_down()
        with room.record:
            assert run(room, Watched(table, {"import.path": pick})) is Outcome.QUIT  # type: ignore[dict-item]
    assert "request.age" in problems[0]
    assert token.keys == []


@pytest.mark.parametrize(
    ("not_before", "days", "tag"),
    [
        (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC) - timedelta(days=400), 400, 0x17),
        (datetime(2050, 1, 1, tzinfo=UTC) - timedelta(days=400), 400, 0x18),
        (datetime(2048, 2, 29, 12, 0, 0, tzinfo=UTC), 7300, 0x18),
    ],
)
def test_31_dates_from_2050_on_are_generalized_time(
    not_before: datetime, days: int, tag: int
) -> None:
    key = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert spki.startswith(key)
    content = root_content(
        factory="acme", spki=spki, serial=5, not_before=not_before, days=days, profile="strict"
    )
    certificate = x509.load_der_x509_certificate(twin(content, Curve.P256))
    end = certificate.not_valid_after_utc
    year = f"{end:%Y}" if tag == 0x18 else f"{end:%y}"
    encoded = f"{year}{end:%m%d%H%M%S}Z".encode()
    assert bytes((tag, len(encoded))) + encoded in certificate.public_bytes(Encoding.DER)
    assert (end.year >= 2050) == (tag == 0x18)


# --- 32, 33, 36: the disk --------------------------------------------------------------


@contextmanager
def failing(below: Path, number: int, room: int = 0) -> Iterator[Callable[[], None]]:
    """Each write below a folder is refused once `room` bytes were taken; then for good."""
    left = [room]
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        where = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not where.is_relative_to(below):
            return real(descriptor, data)
        if left[0] <= 0:
            raise OSError(number, os.strerror(number))
        part = bytes(data)[: left[0]]
        left[0] -= len(part)
        return real(descriptor, part)

    def mend() -> None:
        left[0] = 1 << 30

    with patch.object(os, "write", write):
        yield mend


@pytest.mark.parametrize("room", [0, 900, 5_000, 12_000, 16_000, 20_000])
def test_32_a_full_disk_under_the_record_stops_and_the_resume_ends_well(
    memory: tuple[Table, MemoryToken], room: int
) -> None:
    table, token = memory
    with failing(table.media / "state", errno.ENOSPC, room):
        error = refused(table)
    assert isinstance(error, MediaError)
    assert "No space left" in error.message
    sit(table)
    ended(table, token)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("stick", ["usb-out", "evidence", "custody"])
def test_32_a_stick_that_refuses_is_told_and_another_try_ends_well(
    memory: tuple[Table, MemoryToken], stick: str, number: int
) -> None:
    table, token = memory
    problems: list[str] = []

    def pick(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, PickPath)
        if prompt.problem:
            problems.append(prompt.problem)
            raise KeyboardInterrupt
        return Picked(path=prompt.candidates[0].path)

    key = {"usb-out": "export.path", "evidence": "close.path", "custody": "export.custody.path"}
    with (
        failing(table.media / stick, number, 700),
        pytest.raises(KeyboardInterrupt),
    ):
        sit(table, {key[stick]: pick})
    code = {errno.ENOSPC: "media.full", errno.EROFS: "media.read_only"}.get(number, "media.write")
    assert code in problems[0]
    assert list((table.media / stick).iterdir()) == []
    sit(table)
    ended(table, token)


@contextmanager
def lying(below: Path) -> Iterator[None]:
    """A medium that takes every byte, says so, and keeps others: the last of a file's is lost."""
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        where = Path(f"/proc/self/fd/{descriptor}").readlink()
        if where.is_relative_to(below):
            real(descriptor, bytes(data)[:-1] + b"?")
            return len(data)
        return real(descriptor, data)

    with patch.object(os, "write", write):
        yield


@pytest.mark.parametrize("stick", ["usb-out", "evidence", "custody"])
def test_32_a_stick_that_says_yes_and_keeps_other_bytes_is_found_and_nothing_is_called_written(
    memory: tuple[Table, MemoryToken], stick: str
) -> None:
    table, token = memory
    key = {"usb-out": "export.path", "evidence": "close.path", "custody": "export.custody.path"}
    done = {"usb-out": "export/upload", "evidence": "", "custody": "custody/line-1"}
    problems: list[str] = []

    def pick(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, PickPath)
        if prompt.problem:
            problems.append(prompt.problem)
            raise KeyboardInterrupt
        return Picked(path=prompt.candidates[0].path)

    with lying(table.media / stick), pytest.raises(KeyboardInterrupt):
        sit(table, {key[stick]: pick})
    assert "media.read_back" in problems[0]
    assert done[stick] not in [line.key for line in lines(table) if line.type == "done"]
    assert "custody" not in [line.type for line in lines(table)] or stick == "evidence"
    assert not (table.directory / "finished").exists()
    shutil.rmtree(table.media / stick)
    (table.media / stick).mkdir(mode=0o700)
    sit(table)
    ended(table, token)


@pytest.mark.parametrize("how", ["missing", "a folder", "changed"])
def test_32_a_key_file_that_the_folder_lost_before_custody_is_a_refusal_by_code(
    memory: tuple[Table, MemoryToken], how: str
) -> None:
    table, token = memory
    leave_at(table, "export.custody.path")
    key = table.directory / "keys" / "local_ca-line-1.key"
    kept = key.with_suffix(".kept")
    key.rename(kept)
    if how == "a folder":
        key.mkdir()
    elif how == "changed":
        (table.media / "custody").chmod(0o755)
        kept.rename(key)
        with failing(table.media / "custody", errno.EIO, 700), pytest.raises(KeyboardInterrupt):
            sit(table, {"export.custody.path": once})
        key.rename(kept)
        key.write_bytes(kept.read_bytes() + b"\n")
        key.chmod(0o600)
    code = "file.changed" if how == "changed" else "file.unreadable"
    assert refused(table).code == code
    if key.is_dir():
        key.rmdir()
    kept.replace(key)
    sit(table)
    ended(table, token)


def once(prompt: AnyPrompt) -> Answer:
    assert isinstance(prompt, PickPath)
    if prompt.problem:
        raise KeyboardInterrupt
    return Picked(path=prompt.candidates[0].path)


def test_28_a_custody_that_was_cut_off_goes_on_to_its_stick_without_asking_for_whom(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    with failing(table.media / "custody", errno.EIO, 700), pytest.raises(KeyboardInterrupt):
        sit(table, {"export.custody.path": once})
    (intent,) = [line for line in lines(table) if line.key == "custody/line-1"]
    officers = sit(table)
    asked = [prompt.key for prompt in officers.prompts]
    assert "export.custody" not in asked
    assert (
        next(
            prompt.candidates[0].path for prompt in officers.prompts if isinstance(prompt, PickPath)
        )
        == intent.data["parent"]
    )
    (custody,) = [line for line in lines(table) if line.type == "custody"]
    assert (custody.data["files"], custody.data["path"]) == (
        intent.data["files"],
        intent.data["path"],
    )
    ended(table, token)


def test_32_a_stick_that_is_pulled_is_told(memory: tuple[Table, MemoryToken]) -> None:
    table, token = memory
    (table.media / "usb-out").rename(table.media / "pulled")
    problems: list[str] = []

    def pick(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, PickPath)
        if prompt.problem:
            problems.append(prompt.problem)
            (table.media / "pulled").rename(table.media / "usb-out")
        return Picked(path=prompt.candidates[0].path)

    sit(table, {"export.path": pick})
    assert len(problems) == 1
    ended(table, token)


@contextmanager
def small(stick: Path) -> Iterator[Callable[[], None]]:
    """A file system of 16 KiB where one may be mounted; else a limit on the size of files."""
    if os.geteuid() == 0:
        options = ["-t", "tmpfs", "-o", "size=16k,nr_inodes=9"]
        subprocess.run(["mount", *options, "tmpfs", str(stick)], check=True)
        try:
            yield lambda: subprocess.run(["umount", str(stick)], check=True) and None
        finally:
            if stick.is_mount():
                subprocess.run(["umount", str(stick)], check=True)
        return
    with failing(stick, errno.ENOSPC, 700) as mend:
        yield mend


def test_32_a_real_full_stick_keeps_nothing_half_written(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    stick = table.media / "usb-out"
    problems: list[str] = []

    def pick(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, PickPath)
        if prompt.problem:
            problems.append(prompt.problem)
            assert list(stick.iterdir()) == []
            mend()
        return Picked(path=prompt.candidates[0].path)

    with small(stick) as mend:
        sit(table, {"export.path": pick})
    assert "media.full" in problems[0]
    ended(table, token)


def test_33_another_bundle_of_the_name_is_kept_and_refused(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    problems: list[str] = []

    def pick(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, PickPath)
        name = f"acme-upload-{table.directory.name}"
        if prompt.problem:
            problems.append(prompt.problem)
            assert [path.name for path in (table.media / "usb-out" / name).iterdir()] == ["mine"]
            shutil.rmtree(table.media / "usb-out" / name)
        else:
            (table.media / "usb-out" / name).mkdir()
            (table.media / "usb-out" / name / "mine").write_text("keep me")
        return Picked(path=prompt.candidates[0].path)

    sit(table, {"export.path": pick})
    assert len(problems) == 1
    ended(table, token)


def test_34_a_second_instance_is_told_and_changes_nothing(
    memory: tuple[Table, MemoryToken],
) -> None:
    table, token = memory
    seen: list[str] = []

    def second(_: AnyPrompt) -> Answer:
        program = (
            "import sys; from pathlib import Path\n"
            "from ceremony.offline import store\n"
            "from ceremony.errors import StoppedError\n"
            "try:\n"
            "    with store.occupied(Path(sys.argv[1])): print('in')\n"
            "except StoppedError as exc: print(exc.code)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(table.media / "state")],
            capture_output=True,
            text=True,
            check=True,
        )
        seen.append(done.stdout.strip())
        with pytest.raises(StoppedError) as caught:
            table.sit_down()
        seen.append(caught.value.code)
        return Chosen(value="right")

    sit(table, {"preflight.clock.A": second})
    assert seen == ["state.locked", "state.locked"]
    ended(table, token)


def test_34_a_module_that_finishes_its_call_is_waited_for_with_a_word(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with store.occupied(tmp_path) as modules:
        module = subprocess.Popen(["sleep", "3"], pass_fds=(modules,))
    said: list[str] = []
    with pytest.raises(StoppedError) as caught, store.occupied(tmp_path, patience_s=0.1):
        pass
    assert caught.value.code == "state.module_busy"
    with store.occupied(tmp_path, waiting=lambda: said.append("busy")):
        assert module.poll() is not None or said == ["busy"]
    assert said == ["busy"]
    assert module.wait() == 0


@pytest.mark.parametrize("key", ["import.path"])
def test_35_a_stick_without_a_bundle_is_named_and_asked_for_again(
    memory: tuple[Table, MemoryToken], key: str
) -> None:
    table, token = memory
    wrong = table.media / "holiday-photos"
    wrong.mkdir()
    (wrong / "beach.jpg").write_bytes(b"\xff\xd8\xff")
    problems: list[str] = []

    def pick(prompt: AnyPrompt) -> Answer:
        assert isinstance(prompt, PickPath)
        if prompt.problem:
            problems.append(prompt.problem)
            return Picked(path=prompt.candidates[0].path)
        return Picked(path=str(wrong))

    sit(table, {key: pick})
    assert len(problems) == 1
    ended(table, token)


def test_36_under_umask_000_nothing_is_open_to_others(memory: tuple[Table, MemoryToken]) -> None:
    table, token = memory
    before = os.umask(0)
    try:
        sit(table)
    finally:
        os.umask(before)
    ended(table, token)
    for name in CLEARED:
        for path in (table.media / name).rglob("*"):
            assert path.stat().st_mode & 0o022 == 0, path
    for path in (table.media / "custody").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("mode", "which", "code"),
    [(0o777, "folder", "state.open"), (0o644, "record", "state.open")],
)
def test_36_a_ceremonys_folder_or_record_open_to_others_is_refused(
    memory: tuple[Table, MemoryToken], mode: int, which: str, code: str
) -> None:
    table, token = memory
    leave_at(table, "sign.phrase.A")
    path = table.directory if which == "folder" else record(table)
    right = path.stat().st_mode & 0o777
    path.chmod(mode)
    assert refused(table).code == code
    path.chmod(right)
    sit(table)
    ended(table, token)


@pytest.mark.parametrize("which", ["folder", "record"])
def test_36_a_ceremonys_folder_or_record_of_somebody_else_is_refused(
    memory: tuple[Table, MemoryToken], which: str
) -> None:
    table, _ = memory
    leave_at(table, "sign.phrase.A")
    target = table.directory if which == "folder" else record(table)
    owner = os.geteuid() + 1 if which == "folder" else os.geteuid()
    if which == "record":
        moved = target.with_suffix(".moved")
        target.rename(moved)
        target.symlink_to(moved)
        assert refused(table).code == "state.read"
        return
    with patch.object(os, "geteuid", lambda: owner):
        assert refused(table).code == "state.foreign"


def test_37_variables_that_steer_are_removed_and_listed_by_the_real_program(
    tmp_path: Path,
) -> None:
    steering = {
        "TEXTUAL_LOG": str(tmp_path / "keys.log"),
        "TEXTUAL_DRIVER": "evil:Driver",
        "PYTHONSTARTUP": str(tmp_path / "evil.py"),
        "LD_PRELOAD": str(tmp_path / "evil.so"),
        "SSLKEYLOGFILE": str(tmp_path / "tls"),
        "OPENSSL_CONF": str(tmp_path / "openssl.cnf"),
        "SOFTHSM2_CONF": str(tmp_path / "softhsm.conf"),
        "https_proxy": "http://127.0.0.1:9",
    }
    program = Path(sys.executable).with_name("ceremony")
    done = subprocess.run(
        [str(program), "doctor", "--json", "--dir", str(tmp_path / "state")],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **steering},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = json.dumps(json.loads(done.stdout))
    (row,) = [part for part in text.split('"code": ')[1:] if part.startswith('"environment.')]
    assert row.startswith('"environment.acted"')
    for name in steering:
        assert name in row
    assert sorted(path.name for path in tmp_path.iterdir()) == []
