"""A fault at every point of a ceremony, then resume: the same end, whatever was cut off."""

from contextlib import suppress
from dataclasses import dataclass

import pytest

from ceremony.core.ports import KeyObject
from ceremony.errors import CeremonyError
from ceremony.record.chain import sha256_hex
from tests.flow.faults import Act, Gone, Points
from tests.flow.memory import MemoryServices, MemoryToken, memory_table
from tests.flow.sittings import Sittings, check_end, lost
from tests.flow.table import Table

SHARES = 4


@dataclass
class Reference:
    """A ceremony that nothing cut off: its points, and what it intended."""

    sittings: Sittings
    token: MemoryToken
    seen: list[tuple[str, str]]
    intended: list[tuple[str, ...]]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    table, token = memory_table(tmp_path_factory.mktemp("power"))

    def renew(table: Table) -> None:
        token.keys.clear()
        token.signed.clear()
        table.services = MemoryServices(table.media, memory=token)

    sittings = Sittings(table, renew, lambda: [info.label for info, _ in token.keys])
    sittings.clear()
    points = Points(table.media)
    sittings.sit(points)
    check_end(sittings)
    return Reference(sittings, token, points.seen, sittings.intended())


def fault(reference: Reference, at: int, act: Act) -> None:
    """The fault; after it a resume that is itself cut off early; after that the end."""
    sittings = reference.sittings
    sittings.clear()
    points = Points(sittings.table.media, at, act)
    before = ()
    try:
        sittings.sit(points, again=at % 2 == 0)
    except (Gone, CeremonyError):
        before = sittings.record
        try:
            sittings.sit(Points(sittings.table.media, at % 13, Act.AFTER))
        except Gone:
            sittings.sit(Points(sittings.table.media))
    assert len(points.seen) > at, "the point was not reached"
    check_end(sittings)
    assert sittings.record[: len(before)] == before
    assert lost(before, sittings.record) == 0
    assert sittings.intended() == reference.intended
    wanted = {line.data["tbs_sha256"] for line in sittings.record if "tbs_sha256" in line.data}
    signed = {sha256_hex(data) for data in reference.token.signed if data.startswith(b"0")}
    assert signed == wanted


def act_at(number: int, name: str) -> Act:
    """Each point has one of the acts; each kind of call has them all in turn."""
    acts = [Act.RAISES, Act.AFTER, *([Act.HALF] if name == "write" else [])]
    return acts[number % len(acts)]


@pytest.mark.parametrize("share", range(SHARES))
def test_28_a_fault_at_every_point_is_resumed_to_the_same_end(
    reference: Reference, share: int
) -> None:
    for at in range(share, len(reference.seen), SHARES):
        act = act_at(at // SHARES, reference.seen[at][0])
        try:
            fault(reference, at, act)
        except (AssertionError, OSError, TypeError, LookupError, ValueError) as exc:
            raise AssertionError(f"point {at}, {act.value}: {reference.seen[at]}") from exc


def test_28_every_effect_on_the_disk_is_a_numbered_point(reference: Reference) -> None:
    """What another process sees between two points is what the last point left."""
    sittings = reference.sittings
    sittings.clear()
    media = sittings.table.media
    unseen: list[tuple[str, str]] = []

    class Watching(Points):
        state: object = None

        def call(self, name, where, effect, half=None):  # type: ignore[no-untyped-def]
            if self.state is not None and self.state != tree():
                unseen.append((name, where))
            made = super().call(name, where, effect, half)
            self.state = tree()
            return made

    def tree() -> list[tuple[str, int, int]]:
        return sorted(
            (str(path), path.lstat().st_size, path.lstat().st_ino) for path in media.rglob("*")
        )

    sittings.sit(Watching(media))
    assert unseen == []


def test_28_what_a_line_of_the_record_builds_on_is_synced_before_it(reference: Reference) -> None:
    """A cut of power takes back what was not synced: no line may be older than its ground."""
    sittings = reference.sittings
    sittings.clear()
    media = sittings.table.media
    late: list[tuple[str, set[str]]] = []

    class Syncing(Points):
        unsynced: set[str] = set()  # noqa: RUF012 - one object of it

        def call(self, name, where, effect, half=None):  # type: ignore[no-untyped-def]
            path = where.removeprefix(f"{media}/")
            if name == "write" and path.startswith("state/") and path.endswith("/record.jsonl"):
                late.extend([(path, set(self.unsynced))] if self.unsynced else [])
            made = super().call(name, where, effect, half)
            folder = path.rpartition("/")[0]
            match name:
                case "write" if not path.endswith("/record.jsonl"):
                    self.unsynced.add(path)
                case "fsync":
                    self.unsynced.discard(path)
                    self.unsynced -= {each for each in self.unsynced if each == f"{path}/"}
                case "create" | "mkdir" | "rename" | "replace" | "link":
                    self.unsynced.discard(path)
                    self.unsynced.add(f"{folder}/")
            return made

    sittings.sit(Syncing(media))
    ours = [(at, {path for path in paths if "lock" not in path}) for at, paths in late]
    assert [each for each in ours if each[1]] == []


def half_made(reference: Reference) -> None:
    """The first sitting is gone in key generation; its token kept a public half alone."""
    sittings, token = reference.sittings, reference.token
    sittings.clear()
    token.halves.clear()
    at = reference.seen.index(("store.generate", "token before"))
    with suppress(Gone):
        sittings.sit(Points(sittings.table.media, at))
    token.keys.clear()
    token.halves.append(KeyObject(kind="public", label="root-ca", key_id="01", key_type="EC"))


def test_28_a_cut_at_any_point_of_clearing_half_a_key_ends_with_one_key(
    reference: Reference,
) -> None:
    sittings = reference.sittings
    half_made(reference)
    whole = Points(sittings.table.media)
    sittings.sit(whole)
    check_end(sittings)
    names = [name for name, _ in whole.seen]
    cleared = names.index("store.discard")
    for at in range(cleared - 6, cleared + 6):
        half_made(reference)
        with suppress(Gone):
            sittings.sit(Points(sittings.table.media, at))
        sittings.sit(Points(sittings.table.media))
        check_end(sittings)
        told = [line for line in sittings.record if line.type == "exception"]
        assert len(told) == 1, f"{at} {whole.seen[at]}"
        assert reference.token.halves == []
        assert sittings.intended() == reference.intended
