"""Mounting through `udisksctl`, with a command that notes what it was told."""

from pathlib import Path

import pytest

from ceremony.offline.udisks import Udisks
from tests.offline.test_sticks import mounted, usb

SCRIPT = """#!/bin/sh
echo "$@" >> {log}
test "$1" = unmount && : > {mountinfo}
exit 0
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    root = tmp_path / "machine"
    usb(root, "sdb", port="1-1", device="8:17", serial="SER-1")
    (root / "sys/block/sdb").resolve().joinpath("sdb1/dev").write_text("8:17\n")
    mounted(root, ("8:1", "/", "/dev/sda1", "relatime"))
    command = tmp_path / "udisksctl"
    log, mountinfo = tmp_path / "log", root / "proc/self/mountinfo"
    command.write_text(SCRIPT.format(log=log, mountinfo=mountinfo))
    command.chmod(0o755)
    return root


def said(root: Path) -> list[str]:
    log = root.parent / "log"
    return log.read_text().splitlines() if log.exists() else []


def udisks(root: Path) -> Udisks:
    return Udisks(root, (str(root.parent / "missing"), str(root.parent / "udisksctl")))


def test_what_comes_in_is_mounted_read_only_without_programs_or_devices(machine: Path) -> None:
    udisks(machine).mount(read_only=True)
    assert said(machine) == ["mount --no-user-interaction -b /dev/sdb1 -o ro,noexec,nosuid,nodev"]


def test_what_goes_out_is_mounted_writable(machine: Path) -> None:
    udisks(machine).mount(read_only=False)
    assert said(machine)[0].endswith("-o rw,noexec,nosuid,nodev")


def test_a_stick_that_is_mounted_already_is_left_alone(machine: Path) -> None:
    mounted(machine, ("8:17", "/media/a", "/dev/sdb1", "nosuid"))
    udisks(machine).mount(read_only=True)
    assert said(machine) == []


def test_a_stick_is_unmounted_and_mountinfo_is_believed_not_the_command(machine: Path) -> None:
    point = machine.parent / "point"
    point.mkdir()
    mounted(machine, ("8:17", str(point), "/dev/sdb1", "nosuid"))
    assert udisks(machine).unmount(point) is True
    assert said(machine) == ["unmount --no-user-interaction -b /dev/sdb1"]
    mounted(machine, ("8:17", str(point), "/dev/sdb1", "nosuid"))
    (machine.parent / "udisksctl").write_text("#!/bin/sh\nexit 0\n")
    assert udisks(machine).unmount(point) is False


def test_without_the_command_nothing_happens(machine: Path) -> None:
    none = Udisks(machine, ("/nonexistent/udisksctl",))
    none.mount(read_only=True)
    assert none.unmount(Path("/media/a")) is False
    assert said(machine) == []
