import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError, ExitStatus
from ceremony.flow.driver import run
from ceremony.offline.report import command as report_command
from ceremony.offline.script import command as script_command
from tests.flow.table import Table

PLAN = str(Path(__file__).parents[2] / "ceremony.toml")


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    media = tmp_path_factory.mktemp("paper")
    table = Table(media)
    room = table.sit_down()
    with room.record:
        run(room, table.officers())
    (found,) = (media / "evidence").iterdir()
    return found


@pytest.mark.parametrize(
    ("name", "magic"), [("s.html", b"<!DOCTYPE"), ("s.pdf", b"%PDF"), ("s.txt", b"KEY CEREMONY")]
)
def test_the_extension_chooses_the_format(name: str, magic: bytes, tmp_path: Path) -> None:
    script_command.main([PLAN, "-o", str(tmp_path / name)], standalone_mode=False)
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize("command", [script_command, report_command])
def test_33_a_file_that_is_there_is_never_overwritten(command: object, tmp_path: Path) -> None:
    there = tmp_path / "there.pdf"
    there.write_bytes(b"mine")
    link = tmp_path / "link.pdf"
    link.symlink_to(tmp_path / "nowhere")
    for target in (there, link):
        with pytest.raises(CeremonyError) as refused:
            command.main([PLAN, "-o", str(target)], standalone_mode=False)  # type: ignore[attr-defined]
        assert refused.value.code == "document.exists"
        assert refused.value.status is ExitStatus.MEDIA
    assert there.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


def test_an_extension_without_a_format_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(CeremonyError) as refused:
        script_command.main(["no-plan.toml", "-o", str(tmp_path / "s.doc")], standalone_mode=False)
    assert refused.value.code == "document.format"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_file() -> None:
    with pytest.raises(CeremonyError) as refused:
        script_command.main([PLAN, "-o", "/proc/script.pdf"], standalone_mode=False)
    assert refused.value.code == "document.write"


def test_evidence_and_the_ceremonys_folder_give_the_same_report(
    evidence: Path, tmp_path: Path
) -> None:
    (folder,) = (evidence.parents[1] / "state").iterdir()
    for source, name in ((evidence, "a.pdf"), (folder, "b.pdf")):
        report_command.main([str(source), "-o", str(tmp_path / name)], standalone_mode=False)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes() == (evidence / "report.pdf").read_bytes()


def _copy(evidence: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(evidence, copy)
    for path in copy.iterdir():
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return copy


def _refusal(directory: Path) -> str:
    with pytest.raises(CeremonyError) as refused:
        report_command.main([str(directory)], standalone_mode=False)
    return refused.value.code


def test_29_a_record_that_was_edited_gets_no_report(evidence: Path, tmp_path: Path) -> None:
    copy = _copy(evidence, tmp_path)
    record = copy / "record.jsonl"
    record.write_bytes(record.read_bytes().replace(b"MATCH", b"match").replace(b"acme", b"acmf", 1))
    assert _refusal(copy) == "record.chain"


def test_another_plan_beside_the_record_is_refused(evidence: Path, tmp_path: Path) -> None:
    copy = _copy(evidence, tmp_path)
    (copy / "plan.toml").write_bytes((copy / "plan.toml").read_bytes() + b"\n")
    assert _refusal(copy) == "report.plan"


def test_a_swapped_certificate_beside_the_record_is_refused(evidence: Path, tmp_path: Path) -> None:
    copy = _copy(evidence, tmp_path)
    (copy / "tls.pem").write_bytes((copy / "est-tls.pem").read_bytes())
    assert _refusal(copy) == "report.certificate"


def test_a_record_that_is_a_symlink_is_refused(evidence: Path, tmp_path: Path) -> None:
    copy = _copy(evidence, tmp_path)
    (copy / "record.jsonl").rename(copy / "other")
    (copy / "record.jsonl").symlink_to("other")
    assert _refusal(copy) == "media.symlink"


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    assert _refusal(tmp_path) == "report.no_record"


def test_28_a_line_cut_off_by_a_power_cut_is_left_out_and_told(
    evidence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = _copy(evidence, tmp_path)
    record = copy / "record.jsonl"
    record.write_bytes(record.read_bytes()[:-40])
    report_command.main([str(copy)], standalone_mode=False)
    captured = capsys.readouterr()
    assert "cut off" in captured.err
    assert "UNFINISHED" in captured.out


def test_the_program_itself_prints_the_script_and_its_refusals(tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / "ceremony")
    told = subprocess.run(
        [program, "script", PLAN], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert told.stdout.startswith("KEY CEREMONY SCRIPT")
    assert told.stderr == ""
    missing = subprocess.run(
        [program, "script"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert missing.returncode == ExitStatus.USAGE
    assert missing.stdout == ""
    assert "plan.unreadable" in missing.stderr
    assert list(tmp_path.iterdir()) == []
