"""A ceremony whose sticks are file systems of their own, in mounts that nobody else sees.

Started by `test_mounts` under `unshare`: what it mounts is gone with it. A story is a name
of a function below; what it saw is printed as one JSON object.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ceremony.bundle.checking import check_upload_files, require
from ceremony.bundle.media import read_directory
from ceremony.bundle.request import read_request
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Choose, Chosen, Command, Frame, Picked, Working
from ceremony.keys import pkcs8
from ceremony.offline.media import candidates, mount_of, mounts
from tests.flow.conftest import cheap_scrypt
from tests.flow.sittings import Patient
from tests.flow.table import Table

WRITES_UPLOAD = "Writing the stick and reading it back"
TRIES, WRITES_EVIDENCE = (
    "Trying the stick for the evidence",
    "Writing the evidence and reading it back",
)


def mount(point: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(point)], check=True)


def remount(point: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(point)], check=True)


def pull(point: Path) -> None:
    subprocess.run(["umount", "-l", str(point)], check=True)


class Clumsy(Patient):
    """Something happens to a stick when this work begins; after the refusal it is mended."""

    def __init__(
        self,
        table: Table,
        at: str,
        happens: Callable[[], None],
        mends: Callable[[], None],
        *,
        leaves: bool = False,
    ) -> None:
        super().__init__(table)
        self._at, self._happens, self._mends, self._leaves = at, happens, mends, leaves
        self._over = False
        self.instead: Path | None = None
        self.problems: list[str] = []
        self.finished = ""

    def progress(self, working: Working, frame: Frame) -> None:
        if working.title == self._at and not self._over:
            self._over = True
            self._happens()

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.problem:
            self.problems.append(prompt.problem)
            self._mends()
            if self._leaves:
                return Command.QUIT
        if prompt.problem and self.instead is not None:
            return Picked(path=str(self.instead))
        if prompt.key == "close.finished":
            self.finished = repr(prompt.body)
        if isinstance(prompt, Choose) and prompt.key == "stick.pull":
            return Chosen(value="stays")
        return super().ask(prompt, frame)


def held(table: Table, officers: Clumsy) -> dict[str, object]:
    """Until it is closed, in as many sittings as it takes; what was seen."""
    outcome = Outcome.QUIT
    sittings = 0
    while outcome is Outcome.QUIT:
        sittings += 1
        room = table.sit_down()
        with room.record:
            outcome = run(room, officers)
            lines = room.record.lines
        officers._leaves = False
    upload, *_ = table.media.glob("*/acme-upload-*[0-9a-f]")
    require(check_upload_files(read_directory(upload), read_request(table.request)))
    evidence, *_ = table.media.glob("*/acme-evidence-*")
    return {
        "problems": officers.problems,
        "sittings": sittings,
        "sticks": [line.data["path"] for line in lines if line.type == "stick"],
        "refused": [line.key for line in lines if line.type == "refused"],
        "report": read_directory(evidence)["report.txt"].decode(),
        "finished": officers.finished,
        "partial": [str(path) for path in table.media.rglob("*.partial")],
    }


def full(table: Table, point: Path) -> Clumsy:
    mount(point, "size=12k")
    return Clumsy(table, "", lambda: None, lambda: remount(point, "size=8m"))


def read_only(table: Table, point: Path) -> Clumsy:
    mount(point, "size=8m,ro,noexec")
    return Clumsy(table, "", lambda: None, lambda: remount(point, "rw"))


def pulled(table: Table, point: Path, *, leaves: bool = False) -> Clumsy:
    """The very same stick comes back: another mount of the same file system."""
    mount(point, "size=8m")
    port = table.media / "port"
    port.mkdir()
    subprocess.run(["mount", "--bind", str(point), str(port)], check=True)

    def mends() -> None:
        assert list(point.iterdir()) == [], "written into the folder that the stick left behind"
        subprocess.run(["mount", "--bind", str(port), str(point)], check=True)

    at = WRITES_UPLOAD if point.name == "usb-out" else TRIES
    return Clumsy(table, at, lambda: pull(point), mends, leaves=leaves)


def pulled_and_left(table: Table, point: Path) -> Clumsy:
    return pulled(table, point, leaves=True)


def pulled_after_close(table: Table, point: Path) -> Clumsy:
    """The record is closed, and the stick that it names is gone for good."""
    mount(point, "size=8m")
    return Clumsy(table, WRITES_EVIDENCE, lambda: pull(point), lambda: mount(point, "size=9m"))


def lost_for_good(table: Table, point: Path) -> Clumsy:
    """Another stick is taken instead."""
    mount(point, "size=8m")
    officers = Clumsy(
        table,
        WRITES_UPLOAD if point.name == "usb-out" else WRITES_EVIDENCE,
        lambda: pull(point),
        lambda: None,
    )
    officers.instead = table.media / "other"
    officers.instead.mkdir()
    return officers


def seen(point: Path) -> dict[str, object]:
    """What the true mountinfo tells of a mount with these options."""
    mount(point, "ro,noexec,nosuid,nodev,size=1m")
    found = mount_of(point, mounts())
    assert found is not None
    label = candidates(str(point))[0].label
    remount(point, "rw,exec,suid")
    again = candidates(str(point))[0].label
    return {"fstype": found.fstype, "source": found.source, "labels": [label, again]}


STORIES = {
    story.__name__: story
    for story in (full, read_only, pulled, pulled_and_left, pulled_after_close, lost_for_good)
}


def main(name: str, media: Path, stick: str) -> None:
    hashlib.scrypt, pkcs8.ROUNDS = cheap_scrypt, 1000
    if name == "seen":
        print(json.dumps(seen(media)))
        return
    table = Table(media)
    print(json.dumps(held(table, STORIES[name](table, media / stick))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
