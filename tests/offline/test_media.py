"""Sticks, over made-up /sys and /proc and over the real ones."""

from pathlib import Path

import pytest

from ceremony.flow.prompts import Place
from ceremony.offline.media import candidates, mount_of, mounts

LINE = "36 35 {device} / {point} {options} shared:1 - {fstype} /dev/x {more}\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    disk(tmp_path, "8:16", "pci0000:00/usb1/1-2/host6/block/sdb", partition="sdb1")
    disk(tmp_path, "8:0", "pci0000:00/ata1/block/sda", partition="sda1")
    return tmp_path


def disk(root: Path, device: str, place: str, partition: str) -> None:
    """A disk with one partition, linked as the kernel links it; `device` is the partition's."""
    base = root / "sys/devices" / place
    (base / "device").mkdir(parents=True)
    (base / "device/vendor").write_text("Acme    \n")
    (base / "device/model").write_text(f"Model {partition}\n")
    (base / "removable").write_text("0\n")
    (base / partition).mkdir()
    (base / partition / "partition").write_text("1\n")
    (root / "sys/dev/block").mkdir(parents=True, exist_ok=True)
    (root / "sys/dev/block" / device).symlink_to(base / partition)


def mounted(root: Path, *lines: dict[str, str]) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    defaults = {"fstype": "vfat", "options": "rw,nosuid,nodev", "more": "rw"}
    (root / "proc/self/mountinfo").write_text(
        "".join(LINE.format(**{**defaults, **line}) for line in lines)
    )


def test_a_usb_stick_is_offered_and_an_inner_disk_is_not(machine: Path) -> None:
    mounted(
        machine,
        {"device": "8:0", "point": "/"},
        {"device": "8:0", "point": "/data"},
        {"device": "8:16", "point": r"/media/CSR\040IN"},
    )
    assert candidates(None, root=machine) == (
        Place(
            path="/media/CSR IN",
            label="Acme Model sdb1, vfat, writable, mounted without noexec",
        ),
    )


def test_a_read_only_stick_is_told(machine: Path) -> None:
    mounted(
        machine,
        {
            "device": "8:16",
            "point": "/mnt",
            "options": "rw,noexec,nosuid,nodev",
            "more": "ro,errors=x",
        },
    )
    assert candidates(None, root=machine)[0].label == "Acme Model sdb1, vfat, read-only"


def test_a_stick_that_the_live_system_runs_from_is_not_offered(machine: Path) -> None:
    mounted(
        machine,
        {"device": "8:16", "point": "/lib/live/mount/medium"},
        {"device": "8:16", "point": "/"},
        {"device": "8:16", "point": "/boot/efi"},
    )
    assert candidates(None, root=machine) == ()


def test_an_encrypted_stick_is_found_through_its_mapping(machine: Path) -> None:
    mapped = machine / "sys/devices/virtual/block/dm-0"
    (mapped / "slaves").mkdir(parents=True)
    (mapped / "slaves/sdb1").symlink_to((machine / "sys/dev/block/8:16").resolve())
    (machine / "sys/dev/block/253:0").symlink_to(mapped)
    mounted(machine, {"device": "253:0", "point": "/media/x", "fstype": "ext4"})
    assert candidates(None, root=machine)[0].label.startswith("Acme Model sdb1, encrypted")


def test_the_folder_of_the_plan_comes_first_and_only_while_it_is_there(
    machine: Path, tmp_path: Path
) -> None:
    mounted(machine, {"device": "8:16", "point": "/media/A"})
    folder = tmp_path / "OUT"
    assert [place.path for place in candidates(str(folder), root=machine)] == ["/media/A"]
    folder.mkdir()
    assert [place.path for place in candidates(str(folder), root=machine)] == [
        str(folder),
        "/media/A",
    ]


def test_a_stick_named_with_escapes_is_shown_harmless(machine: Path) -> None:
    (machine / "sys/dev/block/8:16").resolve().parent.joinpath("device/model").write_text("\x1b[2J")
    mounted(machine, {"device": "8:16", "point": "/media/A"})
    assert "\x1b" not in candidates(None, root=machine)[0].label


def test_the_innermost_and_latest_mount_owns_a_path(machine: Path) -> None:
    mounted(
        machine,
        {"device": "8:0", "point": "/"},
        {"device": "8:0", "point": "/a", "fstype": "ext4"},
        {"device": "8:16", "point": "/a", "fstype": "tmpfs"},
    )
    found = mount_of(Path("/a/b"), mounts(machine))
    assert found is not None
    assert found.fstype == "tmpfs"
    assert (mount_of(Path("/ab"), mounts(machine)) or found).point == "/"


def test_broken_lines_are_passed_over(machine: Path) -> None:
    mounted(machine, {"device": "8:0", "point": "/"})
    path = machine / "proc/self/mountinfo"
    path.write_text("nonsense\n1 2 - \n" + path.read_text())
    assert len(mounts(machine)) == 1


def test_this_machine_has_a_root_mount() -> None:
    assert mount_of(Path("/proc/self"), mounts()) is not None
    assert candidates(None) is not None
