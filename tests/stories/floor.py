"""The factory floor: a rehearsal that was kept, its practice Factory, and devices of it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

NAMES = {"ceremony": "offline", "ceremony-online": "online"}


@dataclass
class Place:
    """A rehearsal that was kept, and what serves it again."""

    kept: Path
    folder: Path
    lines: dict[str, str] = field(default_factory=dict)

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        start = f"from ceremony.{NAMES[program]}.cli import main"
        return subprocess.run(
            [sys.executable, "-c", f"{start}; main()", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def custody(self, name: str = "line-1") -> Path:
        (path,) = (self.kept / "custody").glob(f"*-key-{name}-*/")
        return path

    @property
    def upload(self) -> Path:
        (path,) = (self.kept / "usb-out").glob("*-upload-*/")
        return path

    def passphrase(self, name: str = "line-1") -> str:
        return str(self.kept / "paper" / f"passphrase-{name}.txt")

    def issue(self, *arguments: str, ca: str = "line-1") -> "subprocess.CompletedProcess[str]":
        certificates = ("--ca", str(self.custody(ca) / f"local_ca-{ca}.pem"))
        root = ("--root", str(self.upload / "factory_ca.pem"))
        secret = ("--secret-file", self.passphrase(ca))
        given = (*certificates, *root, "--ledger", f"{ca}.ledger", *secret)
        return self.run("ceremony", "devices", "issue", *given, *arguments)

    def told(self, what: str, *more: str, **places: str) -> "subprocess.CompletedProcess[str]":
        """Runs the command that `--serve` printed, with its capitals filled in."""
        words = self.lines[what].split()
        for name, value in places.items():
            words[words.index(name)] = value
        return self.run(words[0], *words[1:], *more)

    def check(self, device: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        words = [device if word == "DEVICE_DIR" else word for word in self.lines["check"].split()]
        return self.run(words[0], *words[1:], *arguments)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        token = Path(self.lines["token file"]).read_text().strip()
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                method, self.lines["api"] + path, headers={"OSF-TOKEN": token}, json=body
            )
        return answer.json() if answer.data else None

    def devices(self) -> list[dict[str, Any]]:
        devices: list[dict[str, Any]] = self.call("GET", "/ota/devices/")["devices"]
        return devices

    @contextmanager
    def serving(self) -> Iterator[None]:
        """`ceremony rehearse --serve`, until the block ends."""
        command = [sys.executable, "-m", "ceremony", "rehearse", "--serve", "--keep"]
        with subprocess.Popen(
            [*command, str(self.kept)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Interrupt"):
                    break
                self.lines[line[:15].strip()] = line[15:].strip()
            try:
                yield
            finally:
                process.terminate()
                assert process.wait(10) == 0
