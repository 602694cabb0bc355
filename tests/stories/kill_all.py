"""`make kill-all`: real processes, a real token, SIGKILL at every point of a ceremony.

Each run is a process of its own that ends itself with SIGKILL at one numbered point: after
the effect of that call, in the middle of a write, or while the token's module works on a
request: the module then finishes its call, and the next process waits for that. A second
process goes on; some of those are killed too. Then everything is looked at: the token, the
record, the certificates, the bundle.

Where the module works on a request, it is killed with the program once more, as by a cut of
power: what it left half made is then destroyed and made anew. SoftHSM2 writes its token's
own file in place at a login; cut off there, it has lost the token, and the ceremony says so.

    python tests/stories/kill_all.py [--points 40] [--seed N] [--jobs 2]
"""

import argparse
import hashlib
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ceremony.config import Token
from ceremony.core.ports import KeyStore, StoreInfo
from ceremony.core.secret import Secret
from ceremony.keys import pkcs8
from ceremony.keys.token import open_token, spawn_child
from ceremony.practice.softhsm import create_token
from tests.flow.conftest import cheap_scrypt
from tests.flow.faults import Act, Points
from tests.flow.memory import token_plan
from tests.flow.sittings import Sittings, certificates, check_end, lost, second_tbs
from tests.flow.table import Table, TableServices

PIN = Secret("24681357")
_DONE, _BROKEN = 0, 1
_REQUEST = "store.request"
_BEGAN = time.time()


class LaterClock:
    """The table's day, and the seconds since this program began: the same for all processes."""

    def now(self) -> datetime:
        passed = timedelta(seconds=int(time.time() - _BEGAN))
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + passed


@dataclass
class SoftHsmServices(TableServices):
    """The table's ports, with a token in SoftHSM2, a clock that goes on, real randomness."""

    clock: LaterClock = field(default_factory=LaterClock)  # type: ignore[assignment]

    def randbytes(self, count: int) -> bytes:
        return os.urandom(count)

    def token_store(self, token: Token) -> KeyStore:
        spawn = partial(spawn_child, lock=self.modules)
        return open_token(token, timeout_s=60, generate_timeout_s=60, spawn=spawn)

    def blank_token(self, token: Token) -> StoreInfo | None:
        return None

    def new_passphrase(self) -> Secret:
        """The same each time: the officers' paper outlives the process."""
        return Secret("absurd-adviser")


class Bench:
    """One folder with a table and a token, for one run at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = folder / "token"
        token = create_token(self._store, "practice root", Secret("87654321"), PIN)
        shutil.copytree(self._store / "tokens", folder / "fresh")
        media = folder / "media"
        media.mkdir()
        table = Table(media, plan=token_plan(media, token))
        table.papers.pin = PIN
        table.papers.passphrases["line-1"] = Secret("absurd-adviser")
        self.token = token
        self.sittings = Sittings(table, self._renew, self._keys)

    def _renew(self, table: Table) -> None:
        shutil.rmtree(self._store / "tokens")
        shutil.copytree(self._folder / "fresh", self._store / "tokens")
        table.papers.passphrases["line-1"] = Secret("absurd-adviser")
        table.services = SoftHsmServices(table.media)

    def _keys(self) -> list[str]:
        with open_token(self.token, timeout_s=60, generate_timeout_s=60) as store:
            store.login(PIN)
            return [key.label for key in store.keys()]  # noqa: SIM118

    def process(self, points: Points) -> int:
        """A process that holds the ceremony; its exit status, negative for a signal."""
        child = os.fork()
        if child == 0:
            status = _BROKEN
            try:
                self.sittings.sit(points)
                status = _DONE
            except BaseException:  # noqa: BLE001 - a process's end
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def count(self) -> list[tuple[str, str]]:
        """The points of a ceremony that nothing cuts off."""
        self.sittings.clear()
        points = self.points()
        self.sittings.sit(points)
        check_end(self.sittings)
        return points.seen

    def points(self, at: int = -1, act: Act = Act.AFTER, late_s: float = 0) -> Points:
        """Points of this bench."""
        media = self.sittings.table.media
        return Points(media, at, act, killed=True, pipes=True, late_s=late_s)


@dataclass
class Tally:
    """What was seen."""

    runs: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    again: int = 0
    trees: int = 0
    ruined: int = 0
    resumed: int = 0
    root_keys: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    second: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Both together."""
        self.runs += other.runs
        self.killed += other.killed
        self.again += other.again
        self.trees += other.trees
        self.ruined += other.ruined
        self.resumed += other.resumed
        self.root_keys += other.root_keys
        self.lost += other.lost
        self.second += other.second
        self.failures += other.failures


def run(
    bench: Bench, at: int, name: str, act: Act, intended: object, chance: random.Random
) -> Tally:
    """One kill, and what comes of it."""
    tally = Tally(runs=Counter([name]))
    sittings = bench.sittings
    sittings.clear()
    late_s = chance.choice((0, 0.002, 0.005, 0.01, 0.03)) if name == _REQUEST else 0
    if bench.process(bench.points(at, act, late_s)) != -signal.SIGKILL:
        raise AssertionError("it was not killed")
    tally.killed += 1
    tally.trees += act is Act.TREE
    before = sittings.record
    if chance.random() < 0.3:
        status = bench.process(bench.points(chance.randrange(40)))
        tally.again += status == -signal.SIGKILL
    status = bench.process(bench.points())
    if act is Act.TREE and sittings.record[-1].key == "token.missing":
        tally.ruined += 1
        return tally
    if status != _DONE:
        raise AssertionError("it was not resumed")
    tally.resumed += 1
    tally.root_keys[sittings.root_keys().count("root-ca")] += 1
    tally.lost += lost(before, sittings.record)
    tally.second += second_tbs(sittings)
    if sittings.record[: len(before)] != before:
        raise AssertionError("the record was rewritten")
    check_end(sittings)
    if sittings.intended() != intended:
        raise AssertionError(f"another end: {certificates(sittings.record)}")
    return tally


def work(folder: Path, job: int, jobs: int, seed: int, count: int) -> Tally:
    """One job's share of the points."""
    bench = Bench(folder)
    seen = bench.count()
    intended = bench.sittings.intended()
    every = [(at, name, Act.AFTER) for at, (name, _) in enumerate(seen)]
    every += [(at, name, Act.HALF) for at, (name, _) in enumerate(seen) if name == "write"]
    trees = [(at, name, Act.TREE) for at, (name, _) in enumerate(seen) if name == _REQUEST]
    drawn = (
        [*every, *trees] if not count else random.Random(seed).sample(every, min(count, len(every)))
    )
    tally = Tally()
    for at, name, act in drawn[job::jobs]:
        chance = random.Random(f"{seed} {at} {act.name}")
        try:
            tally.add(run(bench, at, name, act, intended, chance))
        except Exception as exc:  # noqa: BLE001 - every point gets its verdict
            told = f"point {at} ({act.value}) {seen[at]}: {type(exc).__name__}: {exc}"
            tally.failures.append(told)
    if job == 0:
        sys.stdout.write(f"points       {len(seen)} ({_counts(seen)})\n")
    return tally


def _counts(seen: list[tuple[str, str]]) -> str:
    return ", ".join(f"{n} {name}" for name, n in Counter(name for name, _ in seen).most_common())


def _forked(task: Callable[[], Tally]) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            with os.fdopen(writer, "wb") as file:
                pickle.dump(task(), file)
            sys.stdout.flush()
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a process's end
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    os.close(writer)
    return child, reader


def main() -> int:
    """Prints the table; 1 if anything in it is not as it must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--points", type=int, default=0, help="how many are drawn; all of them")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4))
    sys.stdout.write(f"seed         {seed}\n")
    sys.stdout.flush()
    hashlib.scrypt = cheap_scrypt  # type: ignore[assignment]
    pkcs8.ROUNDS = 1000
    began = time.monotonic()
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="kill-all-") as folder:
        children = []
        for job in range(options.jobs):
            own = Path(folder) / str(job)
            own.mkdir(mode=0o700)
            children.append(
                _forked(lambda o=own, j=job: work(o, j, options.jobs, seed, options.points))
            )
        for child, reader in children:
            with os.fdopen(reader, "rb") as file:
                data = file.read()
            if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
                tally.failures.append("a job ended early")
            else:
                tally.add(pickle.loads(data))
    _print(tally, time.monotonic() - began)
    return 1 if tally.failures or tally.lost or tally.second or set(tally.root_keys) - {1} else 0


def _print(tally: Tally, took_s: float) -> None:
    counts = ", ".join(f"{n} with {keys}" for keys, n in sorted(tally.root_keys.items()))
    rows = (
        (
            "killed",
            f"{tally.killed} ({', '.join(f'{n} {k}' for k, n in tally.runs.most_common())})",
        ),
        ("killed again", f"{tally.again}, during the resume"),
        ("with module", f"{tally.trees}, killed together with the module in its own call"),
        ("resumed", str(tally.resumed)),
        ("token lost", f"{tally.ruined} of those: SoftHSM2 cut off writing its token's own file"),
        ("root keys", counts or "none"),
        ("lost", f"{tally.lost} certificates"),
        ("second TBS", str(tally.second)),
        ("failed", str(len(tally.failures))),
        ("time", f"{took_s:.0f} s"),
    )
    for name, value in rows:
        sys.stdout.write(f"{name:<12} {value}\n")
    for failure in tally.failures:
        sys.stdout.write(f"  {failure}\n")


if __name__ == "__main__":
    sys.exit(main())
