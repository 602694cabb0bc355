"""Sticks that udisks2 mounts: the real service on a real bus, a real file system, `make sticks`.

Needs root, loop devices, udev, dbus-daemon and udisks2. Everything happens in mounts of its own:
/run and /media are empty there, so no service of the machine is asked. What is made up is one thing
only, that the loop device is a removable disk: no kernel says that of one.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ceremony.bundle.writing import read_back, try_medium, write_directory
from ceremony.core.ports import Stick
from ceremony.errors import MediaError
from ceremony.offline.media import mount_of, mounts
from ceremony.offline.sticks import stick_at
from ceremony.offline.udisks import Udisks

ALONE = "CEREMONY_TEST_ALONE"
DAEMON = "/usr/libexec/udisks2/udisksd"
UDEV, RULES = "/lib/systemd/systemd-udevd", "/lib/udev/rules.d"
LABEL = "CSR-IN"
POINT = Path("/media") / "root" / LABEL


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def service(*argv: str) -> Iterator[None]:
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def stick(folder: Path) -> Iterator[str]:
    """A file system of 8 MiB on a loop device."""
    image = folder / "image"
    image.write_bytes(bytes(8 * 1024 * 1024))
    device = run("losetup", "--find", "--show", str(image))
    try:
        run("mkfs.ext4", "-q", "-L", LABEL, device)
        yield device
    finally:
        run("losetup", "--detach", device)


def known(device: str) -> None:
    """Waits until udev has looked at it, and udisks2 has heard of that."""
    run("udevadm", "trigger", "--settle", "--action=change", device)
    for _ in range(100):
        done = subprocess.run(["udisksctl", "info", "-b", device], capture_output=True, text=True)
        if LABEL in done.stdout:
            return
        time.sleep(0.1)
    raise AssertionError("udisks2 does not know the device")


def removable(root: Path, device: str) -> Path:
    """The machine as it is, but that this disk hangs on USB."""
    name = Path(device).name
    number = Path(f"/sys/block/{name}/dev").read_text()
    disk = root / f"sys/devices/usb1/1-1/block/{name}"
    (disk / "device").mkdir(parents=True)
    (root / "sys/devices/usb1/1-1/serial").write_text("REAL-1\n")
    for file, text in (("dev", number), ("removable", "1\n"), ("size", "16384\n")):
        (disk / file).write_text(text)
    (disk / "device/model").write_text("Loop\n")
    for folder, link in (("sys/block", name), ("sys/dev/block", number.strip())):
        (root / folder).mkdir(parents=True)
        (root / folder / link).symlink_to(disk)
    for real in ("proc", "run"):
        (root / real).symlink_to(f"/{real}")
    return root


def seen(root: Path) -> Stick:
    found = stick_at(POINT, root)
    assert found is not None, "udisks2 did not mount it"
    assert (found.label, found.serial, found.fstype) == (LABEL, "REAL-1", "ext4")
    return found


def tell(what: str) -> None:
    print(f"  {what}")


def story(root: Path, device: str) -> None:
    udisks = Udisks(root)
    udisks.mount(read_only=True)
    found = seen(root)
    assert (found.read_only, found.lacks) == (True, ())
    tell(f"in:  {found.name} at {found.point}: read-only, noexec, nosuid, nodev")
    with pytest.raises(MediaError) as refused:
        try_medium(POINT, 1000)
    assert refused.value.code == "media.read_only"
    tell(f"     writing is refused: {refused.value.code}")
    assert udisks.unmount(POINT) is True
    assert mount_of(POINT, mounts()) == mount_of(Path("/media"), mounts())
    tell("     unmounted; it may be pulled")

    udisks.mount(read_only=False)
    assert (seen(root).read_only, seen(root).lacks) == (False, ())
    files = {"tls.pem": b"a certificate\n"}
    write_directory(POINT, "bundle", files)
    with (POINT / "bundle/tls.pem").open("rb"):
        assert udisks.unmount(POINT) is False
        tell("out: a stick in use is not told to be pulled")
    assert udisks.unmount(POINT) is True
    udisks.mount(read_only=True)
    read_back(POINT / "bundle", files)
    tell("     written, unmounted, mounted again, and every byte is there")
    run("udisksctl", "unmount", "--no-user-interaction", "-b", device)


def main() -> None:
    if os.geteuid() != 0 or not Path(DAEMON).exists():
        sys.exit(f"error: this needs root and {DAEMON}\nhint: apt-get install udisks2 dbus")
    if ALONE not in os.environ:
        os.environ[ALONE] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, "-m", "tests.offline.real_sticks"])
    for place in ("/run", "/media", RULES):
        run("mount", "-t", "tmpfs", "none", place)
    Path("/run/dbus").mkdir()
    (Path(RULES) / "60-block.rules").write_text('SUBSYSTEM=="block", IMPORT{builtin}="blkid"\n')
    with tempfile.TemporaryDirectory() as folder, stick(Path(folder)) as device:
        bus = service("dbus-daemon", "--system", "--nofork", "--nopidfile")
        with bus, service(UDEV), service(DAEMON):
            known(device)
            print(f"{device}, ext4, by udisks2 over D-Bus:")
            story(removable(Path(folder) / "machine", device), device)
    print("ok")


if __name__ == "__main__":
    main()
