"""Sticks told apart by serial and label, over made-up /proc and /sys."""

from pathlib import Path

import pytest

from ceremony.offline.sticks import stick_at, stick_rows, sticks

LINE = "36 35 {device} / {point} rw,{options} shared:1 - {fstype} {source} rw\n"


def usb(root: Path, name: str, *, port: str, device: str, serial: str, size: str = "100") -> None:
    """A USB stick with one partition, as the kernel shows it."""
    place = root / f"sys/devices/pci0000:00/usb1/{port}"
    disk = place / f"{port}:1.0/host6/block/{name}"
    (disk / "device").mkdir(parents=True)
    (place / "serial").write_text(f"{serial}\n")
    (disk / "device/vendor").write_text("Acme    \n")
    (disk / "device/model").write_text("Stick\n")
    (disk / "removable").write_text("1\n")
    (disk / "size").write_text(f"{size}\n")
    (disk / "dev").write_text("8:16\n")
    (disk / f"{name}1").mkdir()
    (disk / f"{name}1/partition").write_text("1\n")
    for folder, link, target in (
        ("sys/block", name, disk),
        ("sys/dev/block", device, disk / f"{name}1"),
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / link).symlink_to(target)


def mounted(root: Path, *mounts: tuple[str, str, str, str]) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    lines = [
        LINE.format(device=device, point=point, source=source, options=options, fstype="vfat")
        for device, point, source, options in mounts
    ]
    (root / "proc/self/mountinfo").write_text("".join(lines))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    root = tmp_path / "machine"
    usb(root, "sdb", port="1-1", device="8:17", serial="SER-1")
    usb(root, "sdc", port="1-2", device="8:33", serial="SER-2")
    (root / "run/udev/data").mkdir(parents=True)
    (root / "run/udev/data/b8:17").write_text("S:x\nE:ID_FS_LABEL=CSR-IN\nE:ID_FS_TYPE=vfat\n")
    (root / "dev/disk/by-label").mkdir(parents=True)
    (root / "dev/sdc1").write_text("")
    (root / r"dev/disk/by-label/SIGNED\x20OUT").symlink_to("../../sdc1")
    return root


def test_two_sticks_of_one_model_are_told_apart(machine: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    mounted(
        machine,
        ("8:17", str(one), "/dev/sdb1", "noexec,nosuid,nodev"),
        ("8:33", str(two), "/dev/sdc1", "nosuid,nodev"),
    )
    first, second = stick_at(one, machine), stick_at(two / "below", machine)
    assert first is not None
    assert second is not None
    assert first.name == "Acme Stick, serial SER-1, label CSR-IN"
    assert second.name == "Acme Stick, serial SER-2, label SIGNED OUT"
    assert (first.lacks, second.lacks) == ((), ("noexec",))
    assert stick_at(tmp_path, machine) is None


def test_a_stick_that_is_not_mounted_is_told_and_an_empty_reader_is_not(machine: Path) -> None:
    usb(machine, "sdd", port="1-3", device="8:49", serial="READER", size="0")
    mounted(machine, ("8:17", "/media/a", "/dev/sdb1", "noexec,nosuid,nodev"))
    assert [stick.serial for stick in sticks(machine)] == ["SER-2", "SER-1"]
    codes = {row.code for row in stick_rows(machine)}
    assert codes == {"stick.unmounted", "stick.found"}


@pytest.mark.parametrize(
    ("options", "status"),
    [("noexec,nosuid,nodev", "PASS"), ("nosuid,nodev", "PASS"), ("noexec,nodev", "WARN")],
)
def test_mount_options_are_checked_and_told(machine: Path, options: str, status: str) -> None:
    mounted(
        machine,
        ("8:17", "/media/a", "/dev/sdb1", options),
        ("8:33", "/media/b", "/dev/sdc1", "noexec,nosuid,nodev"),
    )
    row = stick_rows(machine)[0]
    assert row.status.value == status
    missing = {"noexec", "nosuid", "nodev"} - set(options.split(","))
    assert all(flag in row.sentence for flag in missing)


def test_a_hostile_serial_or_label_reaches_no_terminal(machine: Path) -> None:
    (machine / "sys/devices/pci0000:00/usb1/1-1/serial").write_text("\x1b[2J\n")
    (machine / "run/udev/data/b8:17").write_text("E:ID_FS_LABEL=\x1b]0;x\x07\n")
    mounted(machine, ("8:17", "/media/a", "/dev/sdb1", "nosuid"))
    assert all(row.sentence.isprintable() for row in stick_rows(machine))


def test_a_machine_without_sticks_says_so(tmp_path: Path) -> None:
    assert [row.code for row in stick_rows(tmp_path)] == ["stick.none"]
