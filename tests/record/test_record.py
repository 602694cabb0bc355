import fcntl
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import CeremonyError, MediaError, StoppedError, VerificationError
from ceremony.record.chain import FIRST, format_line, read_lines, verify_chain
from ceremony.record.journal import NAME, Record


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


OPEN = {
    "schema": "ceremony-record/1",
    "ceremony_id": "create-20260102-0000",
    "factory": "acme",
    "kind": "create",
    "rehearsal": False,
    "plan_sha256": "ab" * 32,
}


def _record(directory: Path, more: int = 3) -> Record:
    record = Record.create(directory, FixedClock(), OPEN)
    for number in range(more):
        record.append("Open", "note", str(number), {"text": f"line {number} \u202e"})
    return record


def _raw(lines: int = 4) -> bytes:
    previous, raw = FIRST, b""
    for n in range(lines):
        line = format_line(
            n=n,
            prev=previous,
            at="2026-01-02T03:04:05Z",
            step="Open",
            type_="open" if n == 0 else "note",
            key=str(n),
            data=OPEN if n == 0 else {"text": f"{n}"},
        )
        previous, raw = line.fingerprint.hex, raw + line.raw
    return raw


def test_what_was_appended_is_read_again_in_order(tmp_path: Path) -> None:
    with _record(tmp_path) as record:
        written = record.lines
    assert read_lines((tmp_path / NAME).read_bytes()) == written
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_the_head_is_what_sha256sum_says_of_the_last_line(tmp_path: Path) -> None:
    with _record(tmp_path) as record:
        last = (tmp_path / NAME).read_bytes().splitlines(keepends=True)[-1]
        assert record.head == Fingerprint.of(last)


@given(st.data())
def test_29_any_flipped_bit_is_found(data: st.DataObject) -> None:
    raw = bytearray(_raw())
    whole = verify_chain(bytes(raw))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VerificationError):
        verify_chain(bytes(raw), whole[-1].fingerprint)


@given(st.permutations(range(5)), st.integers(0, 5))
def test_29_lines_dropped_swapped_or_repeated_are_found(order: list[int], keep: int) -> None:
    raw = _raw(5)
    lines = raw.splitlines(keepends=True)
    changed = b"".join(lines[i] for i in order[:keep])
    if raw.startswith(changed) and changed:
        assert read_lines(changed)
    else:
        with pytest.raises(VerificationError):
            read_lines(changed)


def test_29_a_truncated_record_is_found_against_the_head_on_paper() -> None:
    raw = _raw(4)
    head = verify_chain(raw)[-1].fingerprint
    shorter = b"".join(raw.splitlines(keepends=True)[:3])
    assert verify_chain(shorter)
    with pytest.raises(VerificationError) as caught:
        verify_chain(shorter, head)
    assert caught.value.code == "record.head"


def test_29_a_line_in_another_spelling_is_no_line_of_ours() -> None:
    raw = _raw(1)
    spaced = json.dumps(json.loads(raw)).encode() + b"\n"
    with pytest.raises(VerificationError) as caught:
        read_lines(spaced)
    assert caught.value.code == "record.line"


def test_28_a_torn_last_line_is_cut_off_and_told(tmp_path: Path) -> None:
    _record(tmp_path).close()
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes() + b'{"n":4,"prev":"12')
    with Record.open(tmp_path, FixedClock()) as record:
        assert [line.type for line in record.lines][-1] == "torn"
        assert record.lines[-1].data["bytes"] == 17
    assert verify_chain(path.read_bytes())


def test_34_a_second_process_is_refused(tmp_path: Path) -> None:
    with _record(tmp_path), pytest.raises(StoppedError) as caught:
        Record.open(tmp_path, FixedClock())
    assert caught.value.code == "state.locked"
    Record.open(tmp_path, FixedClock()).close()


def test_33_a_record_is_never_begun_over_another(tmp_path: Path) -> None:
    _record(tmp_path).close()
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(MediaError) as caught:
        Record.create(tmp_path, FixedClock(), OPEN)
    assert caught.value.code == "state.exists"
    assert (tmp_path / NAME).read_bytes() == before


def test_nothing_follows_the_close_line(tmp_path: Path) -> None:
    with _record(tmp_path) as record:
        record.append("Close", "close", "close", {})
        with pytest.raises(StoppedError):
            record.append("Close", "note", "late", {})
        closed = (tmp_path / NAME).read_bytes()
    forged = format_line(
        n=len(record.lines),
        prev=record.head.hex,
        at="2026-01-02T03:04:05Z",
        step="Close",
        type_="note",
        key="late",
        data={},
    )
    with pytest.raises(VerificationError):
        read_lines(closed + forged.raw)


def test_32_a_full_disk_leaves_no_part_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    with _record(tmp_path) as record:
        before = (tmp_path / NAME).read_bytes()
        real = os.write

        with monkeypatch.context() as patch:
            calls = iter([10])

            def once(descriptor: int, data: bytes) -> int:
                if next(calls, None):
                    return real(descriptor, bytes(data)[:10])
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(os, "write", once)
            with pytest.raises(CeremonyError) as caught:
                record.append("Open", "note", "late", {"text": "x" * 100})
        assert caught.value.code == "state.write"
        assert (tmp_path / NAME).read_bytes() == before
        record.append("Open", "note", "later", {})
    assert verify_chain((tmp_path / NAME).read_bytes())


def test_the_lock_is_a_lock_of_the_file_and_not_a_leftover(tmp_path: Path) -> None:
    _record(tmp_path).close()
    with (tmp_path / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("value", ["/media/\udcff", "x" * (1 << 20)], ids=["half", "long"])
def test_a_line_that_could_not_be_read_again_is_never_written(
    tmp_path: Path, value: object
) -> None:
    """One such line, a stick's name that is not UTF-8, would end the whole ceremony."""
    with _record(tmp_path) as record:
        before = (tmp_path / NAME).read_bytes()
        with pytest.raises(CeremonyError) as caught:
            record.append("Open", "note", "x", {"path": value})
        assert caught.value.code == "record.unwritable"
        assert (tmp_path / NAME).read_bytes() == before
        record.append("Open", "note", "y", {"path": "/media/stick"})
    with Record.open(tmp_path, FixedClock()) as record:
        assert record.lines[-1].key == "y"


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-02T03:04:05Z\n",
        "\u0662026-01-02T03:04:05Z",
        "2026-02-30T00:00:00Z",
        "2026-01-02T24:00:60Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_30_a_time_that_does_not_exist_is_no_lines(at: str) -> None:
    line = format_line(n=0, prev=FIRST, at=at, step="Open", type_="open", key="open", data=OPEN)
    with pytest.raises(VerificationError) as caught:
        read_lines(line.raw)
    assert caught.value.code == "record.line"


@pytest.mark.parametrize("prev", [FIRST + "\n", "\u0660" + FIRST[1:], FIRST[1:]])
def test_29_a_hash_with_anything_beside_64_hex_digits_is_no_lines(prev: str) -> None:
    line = format_line(
        n=0, prev=prev, at="2026-01-02T03:04:05Z", step="Open", type_="open", key="", data=OPEN
    )
    with pytest.raises(VerificationError) as caught:
        read_lines(line.raw)
    assert caught.value.code == "record.line"


@pytest.mark.parametrize(
    "chain", [7, [7], [{}], [{"subject": "CN=x"}], [{"subject": "CN=x", "sha256": "0"}]]
)
def test_29_a_chain_above_the_root_without_its_members_is_no_lines(chain: object) -> None:
    first = format_line(
        n=0, prev=FIRST, at="2026-01-02T03:04:05Z", step="Open", type_="open", key="open", data=OPEN
    )
    data = {"sha256": FIRST, "file": "factory_ca.pem", "chain": chain}
    head = first.fingerprint.hex
    done = format_line(
        n=1,
        prev=head,
        at="2026-01-02T03:04:05Z",
        step="Sign",
        type_="done",
        key="certificate/root",
        data=data,
    )
    with pytest.raises(VerificationError) as caught:
        read_lines(first.raw + done.raw)
    assert caught.value.code == "record.line"


@pytest.mark.parametrize("above", ["QUJD", ["%%"], [7]])
def test_29_cas_above_the_root_that_are_no_base64_are_no_lines(above: object) -> None:
    at = "2026-01-02T03:04:05Z"
    first = format_line(n=0, prev=FIRST, at=at, step="Open", type_="open", key="open", data=OPEN)
    data = {"above": above}
    head = first.fingerprint.hex
    line = format_line(n=1, prev=head, at=at, step="Root key", type_="intent", key="x", data=data)
    with pytest.raises(VerificationError) as caught:
        read_lines(first.raw + line.raw)
    assert caught.value.code == "record.line"
