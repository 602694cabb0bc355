"""Measurements: `make bench` prints a table and writes JSON. Nothing here passes or fails.

Every figure is taken on this machine in this run: whole programs in processes of their
own, the wizard at a real pseudo-terminal. Beside them stand the openssl command line with
the documentation's recipe for the same certificates, and what the processor itself signs.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pexpect

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP))

from tests.stories.person import Person, title_of  # noqa: E402

CEREMONY = str(Path(sys.executable).with_name("ceremony"))
FIRST_TITLE = "A new root of trust"
LAST_TITLE = "The ceremony is closed"
WORKING = "work under way"
LOOK_S = 0.25  # A person looks at a screen before the next key.
BURST_S = 0.03  # Writes closer together than this belong to one change of the screen.

SUBJECT = "[req]\nprompt = no\ndistinguished_name = dn\n{more}\n[dn]\nCN = {cn}\nOU = {factory}\n"
ROOT_EXT = (
    "[ext]\nbasicConstraints=CA:TRUE\nkeyUsage = keyCertSign, cRLSign\n"
    "extendedKeyUsage = critical, clientAuth, serverAuth\n"
)
EXTENSIONS = {
    "ca.ext": "keyUsage=critical, keyCertSign\nbasicConstraints=critical, CA:TRUE, pathlen:0\n",
    "server.ext": "keyUsage=critical, digitalSignature\nextendedKeyUsage=critical, serverAuth\n",
}
KEY = "openssl ecparam -genkey -name prime256v1 | openssl ec -out {name}.key\n"
ROOT = KEY.format(name="factory_ca") + (
    "openssl req -new -x509 -days 7300 -sha256 -config factory_ca.cnf -key factory_ca.key"
    " -out factory_ca.pem\n"
)
LOCAL = "openssl req -new -config local_ca.cnf -key {name}.key -out {name}.csr\n"
SIGN = (
    "openssl x509 -req -days 3650 -sha256 -CAcreateserial -in {name}.csr -extfile {ext}"
    " -CAkey factory_ca.key -CA factory_ca.pem -out {name}.pem\n"
)
NAMES = (
    'cp server.ext {name}.ext; echo "subjectAltName='
    '$(openssl req -text -noout -verify -in {name}.csr | grep DNS:)" >> {name}.ext\n'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process with all its children. `peak_mib` is that of the largest of them."""

    wall_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; `samples` in the unit of the row."""

    name: str
    unit: str
    aim: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A prompt, and the time from the key that brought it until its title, and all, stood there.

    `work_shown`: the wizard said meanwhile that it was busy (a token, a disk, a linter).
    """

    prompt: str
    title_ms: float
    ms: float
    work_shown: bool


def run(*command: str, directory: Path = TOP) -> Run:
    """Runs to the end; fails loudly, for a wrong run measures nothing."""
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode not in {0, 8}:
        sys.exit(f"error: {' '.join(command)}: {process.returncode}\n{said.decode()}")
    return Run(wall_s=wall, cpu_s=used.ru_utime + used.ru_stime, peak_mib=used.ru_maxrss / 1024)


# --- the wizard at a pseudo-terminal --------------------------------------------------------


class Screen:
    """As much of a terminal as Textual uses: text at places."""

    _TOKEN = re.compile(
        r"\x1b\[([0-9;?<=>]*)[ -/]*([@-~])"  # CSI
        r"|\x1b[\]P_^][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-OQ-Z\\`-~]"
        r"|[\r\n\x08]|[^\x1b\r\n\x08]+"
    )

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self._cells = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Draws; an escape sequence cut in two waits for its other half."""
        text = self._rest + text
        end = 0
        for found in self._TOKEN.finditer(text):
            if found.start() != end:
                break
            end = found.end()
            self._draw(found.group(), found.group(1), found.group(2))
        self._rest = text[end:]

    def _draw(self, token: str, arguments: str | None, final: str | None) -> None:
        if final == "H":
            row, _, column = (arguments or "").partition(";")
            self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
        elif final == "J":
            self._cells = [[" "] * len(line) for line in self._cells]
        elif token == "\n":
            self._row += 1
        elif token == "\r":
            self._column = 0
        elif not token.startswith(("\x1b", "\x08")):
            for char in token:
                if self._row < len(self._cells) and self._column < len(self._cells[self._row]):
                    self._cells[self._row][self._column] = char
                self._column += 1

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self._cells)


class PseudoTerminal:
    """A program at 80x24, with the time of each key and each change of its screen."""

    def __init__(self, *command: str) -> None:
        self.began = time.monotonic()
        self._child = pexpect.spawn(
            command[0], list(command[1:]), dimensions=(24, 80), cwd=str(TOP), timeout=None,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )  # fmt: skip
        self._screen = Screen()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.pressed: list[float] = []
        self.written: list[float] = []
        self.places: list[tuple[float, str]] = [(self.began, "")]
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._child.child_fd, 1 << 16)
            except OSError:
                data = b""
            now = time.monotonic()
            if not data:
                self._over.set()
                return
            with self._lock:
                self._screen.feed(data.decode(errors="replace"))
                text = self._screen.text
            self.written.append(now)
            turn = re.search(r"turn: +(.*\S)", text)
            place = f"{title_of(text)} ({turn.group(1) if turn else ''})"
            if " gone by" in text:
                place = WORKING
            if title_of(text) and place != self.places[-1][1]:
                self.places.append((now, place))

    def screen(self) -> str:
        with self._lock:
            return self._screen.text

    def type(self, text: str) -> None:
        time.sleep(max(0.0, self.places[-1][0] + LOOK_S - time.monotonic()))
        self.pressed.append(time.monotonic())
        os.write(self._child.child_fd, text.encode())

    def keys(self, *names: str) -> None:
        for name in names:
            self.type({"Enter": "\r"}.get(name, name))
            time.sleep(LOOK_S)

    def ended(self) -> bool:
        return self._over.is_set()

    def wait(self, text: str, timeout_s: float = 30) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self.screen():
            if self.ended() or time.monotonic() > deadline:
                sys.exit(f"error: {text!r} did not come; last seen:\n{self.screen()}")
            time.sleep(0.005)

    def painted(self, appeared: float) -> float:
        """When the burst of writes that brought something was over."""
        end = appeared
        for moment in self.written:
            if end < moment <= end + BURST_S:
                end = moment
        return end

    def changes(self) -> list[Change]:
        """Each prompt that a key brought."""
        found = []
        worked: float | None = None
        for at, place in self.places[1:]:
            if place == WORKING:
                worked = worked or at
                continue
            keys = [key for key in self.pressed if key < (worked or at)]
            if keys:
                found.append(
                    Change(
                        prompt=place,
                        title_ms=round((at - keys[-1]) * 1000, 1),
                        ms=round((self.painted(at) - keys[-1]) * 1000, 1),
                        work_shown=bool(worked),
                    )
                )
            worked = None
        return found

    def close(self) -> None:
        self._child.close(force=True)


def first_paint(plan: Path, folder: Path) -> tuple[float, float]:
    """From the start of `ceremony run` until its first title, and all, stands, in seconds."""
    terminal = PseudoTerminal(CEREMONY, "run", str(plan), "--dir", str(folder))
    try:
        terminal.wait(FIRST_TITLE)
        time.sleep(4 * BURST_S)
        title = terminal.places[1][0]
        return title - terminal.began, terminal.painted(title) - terminal.began
    finally:
        terminal.close()


def step_changes(folder: Path) -> list[Change]:
    """A whole rehearsal in the wizard, keys only."""
    terminal = PseudoTerminal(CEREMONY, "rehearse", "--keep", str(folder))
    try:
        terminal.wait("Press Enter")
        terminal.keys("Enter")
        terminal.wait(FIRST_TITLE)
        Person(terminal, folder / "paper").go(until=LAST_TITLE)  # type: ignore[arg-type]
        return [change for change in terminal.changes() if FIRST_TITLE not in change.prompt]
    finally:
        terminal.close()


# --- beside it ---------------------------------------------------------------------------


def recipe(csrs: Path, folder: Path) -> Run:
    """The documentation's recipe: a root, two device CAs, and the three CSRs of `csrs`."""
    folder.mkdir()
    names = {
        "tls": "server",
        "est-tls": "server",
        "online-ca": "ca",
        "line-1": "ca",
        "line-2": "ca",
    }
    more = {"factory_ca": f"x509_extensions = ext\n{ROOT_EXT}", "local_ca": ""}
    for name, cn in (("factory_ca", "Factory-CA"), ("local_ca", "fio-5e8a2f04c1d7")):
        text = SUBJECT.format(cn=cn, factory="rehearsal-acme-fleet", more=more[name])
        (folder / f"{name}.cnf").write_text(text)
    for name, text in EXTENSIONS.items():
        (folder / name).write_text(text)
    script = ROOT
    for name, ext in names.items():
        if (csrs / f"{name}.csr").exists():
            (folder / f"{name}.csr").write_bytes((csrs / f"{name}.csr").read_bytes())
        else:
            script += KEY.format(name=name) + LOCAL.format(name=name)
        if ext == "server":
            script += NAMES.format(name=name)
        script += SIGN.format(name=name, ext=f"{name if ext == 'server' else ext}.ext")
    script += "cat online-ca.pem line-1.pem line-2.pem > device_ca_list.pem\n"
    done = run("bash", "-e", "-o", "pipefail", "-c", script, directory=folder)
    made = len(list(folder.glob("*.pem"))) - 1
    if made != 6:
        sys.exit(f"error: the recipe made {made} certificates")
    return done


def signatures_per_second() -> tuple[float, float]:
    """What `openssl speed` signs and verifies on one core, one second each."""
    said = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ecdsap256"], check=True, capture_output=True,
        text=True,
    ).stdout  # fmt: skip
    sign, verify = said.split()[-2:]
    return float(sign), float(verify)


# --- the table -----------------------------------------------------------------------------


def measure(runs: int, folder: Path, tell: Callable[[str], None]) -> tuple[list[Row], list[Change]]:
    """All figures, and each change of the wizard's screen."""
    tell("whole rehearsals")
    kept = [folder / f"rehearsal-{n}" for n in range(runs)]
    auto = ("rehearse", "--auto", "--key-store", "pkcs11", "--keep")
    whole = [run(CEREMONY, *auto, str(path)) for path in kept]
    bundle = next((kept[0] / "usb-out").glob("*-upload-*/"))
    csrs = next((kept[0] / "usb-in").glob("*-request-*/"))
    tell("the recipe")
    beside = [recipe(csrs, folder / f"recipe-{n}") for n in range(runs)]
    tell("verify")
    verified = [run(CEREMONY, "verify", str(bundle)) for _ in range(runs)]
    tell("first paint")
    plan = kept[0] / "plan.toml"
    paints = [first_paint(plan, folder / f"state-{n}") for n in range(runs)]
    tell("a whole ceremony in the wizard")
    changes = step_changes(folder / "wizard")
    sign, verify = signatures_per_second()

    def row(name: str, unit: str, samples: Sequence[float], aim: str = "") -> Row:
        return Row(name=name, unit=unit, aim=aim, samples=tuple(samples))

    rows = [
        row("rehearse --auto (pkcs11), whole", "s", [r.wall_s for r in whole], "< 3"),
        row("  its CPU time, children included", "s", [r.cpu_s for r in whole]),
        row("  its largest process", "MiB", [r.peak_mib for r in whole]),
        row("OpenSSL recipe, same 6 certificates", "s", [r.wall_s for r in beside]),
        row("  its CPU time", "s", [r.cpu_s for r in beside]),
        row("wizard: start to first title", "s", [title for title, _ in paints], "< 0.5"),
        row("  until all of it is painted", "s", [full for _, full in paints]),
        row("wizard: key to the next title", "ms", [one.title_ms for one in changes], "< 50"),
        row("  until all of it is painted", "ms", [one.ms for one in changes]),
        row("  of these, work was shown", "ms", [one.ms for one in changes if one.work_shown]),
        row("verify an upload bundle", "s", [r.wall_s for r in verified]),
        row("  its peak memory", "MiB", [r.peak_mib for r in verified]),
        row("openssl speed ecdsap256, sign", "/s", [sign]),
        row("openssl speed ecdsap256, verify", "/s", [verify]),
    ]
    return rows, changes


def table(rows: Sequence[Row]) -> str:
    """Median, minimum and maximum."""
    lines = [f"{'':38}{'median':>10}{'min':>10}{'max':>10}  {'unit':5}{'aim':7}n"]
    for row in rows:
        figures = (row.median, min(row.samples), max(row.samples))
        shown = "".join(f"{value:>10.{0 if value >= 1000 else 2}f}" for value in figures)
        lines.append(f"{row.name:38}{shown}  {row.unit:5}{row.aim:7}{len(row.samples)}")
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """What the figures belong to."""
    processor = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "openssl": openssl.stdout.strip(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, default=TOP / "build" / "bench.json")
    given = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory(prefix="ceremony-bench-") as folder:
        rows, changes = measure(
            given.runs, Path(folder), lambda what: print(f"bench: {what}", file=sys.stderr)
        )
    print(f"{where['processor']}, {where['cores']} cores, load {where['load_before']:.1f}; "
          f"Python {where['python']}, {where['openssl']}")  # fmt: skip
    if where["load_before"] > 0.5:  # type: ignore[operator]
        print("other work runs on this machine: the figures are higher than they need be")
    print(table(rows))
    slow = sorted(changes, key=lambda change: -change.ms)[:3]
    told = "; ".join(f"{change.prompt} {change.ms:.0f} ms" for change in slow)
    print(f"slowest prompts: {told}")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": where,
        "rows": [{**asdict(row), "median": row.median} for row in rows],
        "step_changes": [asdict(change) for change in changes],
    }
    given.json.write_text(json.dumps(document, indent=1) + "\n")
    print(f"written: {given.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
