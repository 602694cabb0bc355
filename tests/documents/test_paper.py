"""Scripts of every kind, reports and sheets, as they come out of a printer."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.config import PlanFile, parse
from ceremony.core.fingerprints import Fingerprint
from ceremony.documents import model
from ceremony.documents.commands import EVIDENCE_PLAN, stock_commands
from ceremony.documents.html import render_html
from ceremony.documents.pdf import render_pdf
from ceremony.documents.report import report
from ceremony.documents.script import script
from ceremony.documents.sheet import words_sheet
from ceremony.documents.text import render_text
from ceremony.flow.program import PARTS
from ceremony.flow.prompts import Step
from ceremony.kinds import EXPORTS_NOTHING, KINDS, Kind, facts_of
from tests.documents.conftest import Held
from tests.documents.paper import codes, colours, pages, words_outside
from tests.documents.plans import plan_of

TOP = Path(__file__).parents[2]


def _plan(kind: Kind) -> PlanFile:
    return parse(plan_of(kind).encode())


def _script(kind: Kind) -> model.Document:
    return script(_plan(kind), tool_version="0.1.0")


def _flat(document: model.Document) -> str:
    return " ".join(render_text(document).decode().split())


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_of_each_kind_prints_and_its_code_reads(kind: Kind, tmp_path: Path) -> None:
    document = _script(kind)
    paper = render_pdf(document)
    plan_file = _plan(kind)
    assert codes(paper, tmp_path, first_page_only=True) == [plan_file.fingerprint.hex.upper()]
    assert words_outside(paper, tmp_path) == []
    assert all(plan_file.fingerprint.hex in page for page in pages(paper, tmp_path))
    assert facts_of(kind).title in document.subtitle


@pytest.mark.parametrize("kind", KINDS)
def test_parts_bear_the_numbers_and_names_of_the_screen(kind: Kind) -> None:
    blocks = _script(kind).blocks
    names = {f"{step.number}  {step.value}" for step in Step}
    found = [b.text for b in blocks if isinstance(b, model.Heading) and b.text in names]
    assert found == sorted(found)
    for part in (block for block in blocks if isinstance(block, model.Steps)):
        number = part.rows[0].number.split(".")[0]
        assert [row.number for row in part.rows] == [
            f"{number}.{at}" for at in range(1, len(part.rows) + 1)
        ]
    numbers = {int(text[0]) for text in found}
    assert {1, 2, 9} <= numbers
    assert (5 in numbers) is (facts_of(kind).makes_local_cas or kind is Kind.SIGN_CSR)
    leaves = kind not in EXPORTS_NOTHING or kind is Kind.EXPORT_ROOT_KEY
    assert (8 in numbers) is leaves


def test_every_kind_of_the_program_has_a_script() -> None:
    assert set(PARTS) <= set(KINDS)


@pytest.mark.parametrize("kind", [each for each in KINDS if facts_of(each).reason is not None])
def test_a_script_with_a_crl_says_what_follows_for_devices(kind: Kind) -> None:
    told = _flat(_script(kind))
    reason = facts_of(kind).reason
    assert reason is not None
    assert "serial of each chosen device CA" in told
    assert f"reason {reason.value} ({reason.code})" in told
    assert "123456789" in told
    assert "Review tls.pem" not in told


def test_csrs_from_elsewhere_are_typed_back_and_reviewed_under_the_plans_profile() -> None:
    told = _flat(_script(Kind.SIGN_CSR))
    assert "CSR 'plant', to be signed as device-ca" in told
    assert "the sheet of words of the CSR 'plant'" in told
    assert "Review signed-plant.pem (profile device-ca)" in told
    assert "1 certificate(s) signed and checked" in told


def test_only_a_first_ceremony_makes_a_root() -> None:
    for kind in KINDS:
        told = _flat(_script(kind))
        assert ("the root can be set once" in told) is facts_of(kind).makes_root
        assert ("Review the root certificate" in told) is facts_of(kind).makes_root


@pytest.mark.parametrize("kind", KINDS)
def test_the_sheet_that_travels_is_for_kinds_that_export(kind: Kind) -> None:
    document = _script(kind)
    blanks = [b for b in document.blocks if isinstance(b, model.Print) and b.fingerprint is None]
    sheets = [b for b in blanks if b.caption.startswith("Upload bundle")]
    assert len(sheets) == (0 if kind in EXPORTS_NOTHING else 2)


# --- the same bytes --------------------------------------------------------------------

PRINTING = """
import sys
from ceremony.config import parse
from ceremony.documents.pdf import render_pdf
from ceremony.documents.script import script
raw = open(sys.argv[1], "rb").read()
sys.stdout.buffer.write(render_pdf(script(parse(raw), tool_version="0.1.0")))
"""


def test_two_runs_on_different_days_and_machines_print_the_same_bytes() -> None:
    plan = TOP / "ceremony.toml"
    runs = [
        subprocess.run(
            [sys.executable, "-c", PRINTING, str(plan)],
            capture_output=True,
            check=True,
            cwd=TOP,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Kolkata"))
    ]
    assert runs[0] == runs[1]
    assert runs[0] == render_pdf(script(parse(plan.read_bytes()), tool_version="0.1.0"))


@pytest.mark.parametrize("render", [render_pdf, render_html, render_text])
def test_a_report_is_a_function_of_its_record(held: Held, render: object) -> None:
    assert callable(render)
    made = [
        render(report(held.lines, plan=held.plan, certificates=held.certificates)) for _ in "ab"
    ]
    assert made[0] == made[1]


def test_the_evidence_holds_the_report_that_its_record_tells(held: Held) -> None:
    """Byte for byte: an auditor can make it again."""
    again = report(held.lines, plan=held.plan, certificates=held.certificates)
    on_stick = (held.evidence / "report.html").read_bytes()
    assert on_stick == render_html(again)


# --- black and white --------------------------------------------------------------------


def test_paper_needs_no_colour(held: Held, tmp_path: Path) -> None:
    documents = (
        report(held.lines, plan=held.plan, certificates=held.certificates),
        _script(Kind.CREATE),
        _sheet(),
    )
    for document in documents:
        assert colours(render_pdf(document), tmp_path) == 0


def _sheet() -> model.Document:
    return words_sheet(
        title="Words of the upload bundle",
        what="acme-upload-create-20260102-5a5a",
        fingerprint=Fingerprint.of(b"x"),
        rehearsal=True,
    )


def test_the_code_of_a_sheet_reads_through_its_rehearsal_mark(tmp_path: Path) -> None:
    assert codes(render_pdf(_sheet()), tmp_path) == [Fingerprint.of(b"x").hex.upper()]


# --- the annex of stock commands ---------------------------------------------------------


def test_stock_commands_hold_no_secret_and_stand_in_script_and_report(held: Held) -> None:
    for document in (
        _script(Kind.CREATE),
        report(held.lines, plan=held.plan, certificates=held.certificates),
    ):
        told = _flat(document)
        assert "Annex: the same with stock tools" in told
        assert "--pin" not in told
        assert "pass:" not in told


def test_openssl_takes_every_command_of_the_annex(held: Held, tmp_path: Path) -> None:
    """All that look at what was issued; the folder of certificates is what they are run in."""
    ran = 0
    for step, _, command in stock_commands(held.plan):
        words = shlex.split(command)
        if words[0] != "openssl" or step not in {"4", "6", "7"} or "genpkey" in words:
            continue
        if ".key" in command:
            continue
        done = subprocess.run(
            words, cwd=held.directory / "certificates", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        ran += 1
    assert ran >= 2 * len(held.certificates) - 1


def test_the_commands_for_the_evidence_run_there_as_printed(held: Held, tmp_path: Path) -> None:
    rows = stock_commands(held.plan, file=EVIDENCE_PLAN)
    commands = [command for step, _, command in rows if step in {"1", "9"}]
    plan, sums, head, chain = (_shell(command, held.evidence) for command in commands)
    assert plan.split()[0] == held.lines[0].data["plan_sha256"]
    assert "FAILED" not in sums
    assert head.split()[0] == held.lines[-1].fingerprint.hex
    assert chain.strip() == "True"
    lines = (held.evidence / "record.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "record.jsonl").write_bytes(b"".join([*lines[:3], *lines[4:]]))
    assert _shell(commands[-1], tmp_path).strip() == "False"


def _shell(command: str, folder: Path) -> str:
    ran = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, (command, ran.stderr)
    return ran.stdout


def test_commands_for_a_token_give_its_module_the_variables_of_the_plan() -> None:
    raw = _plan(Kind.CREATE).raw.decode()
    serial = 'serial = "DENK0104068"'
    raw = raw.replace(serial, f'{serial}\nmodule_environment = {{ A_CONF = "/a b/$(id)" }}')
    commands = [c for _, _, c in stock_commands(parse(raw.encode()).plan) if "pkcs11-tool" in c]
    assert len(commands) == 3
    assert {tuple(shlex.split(command)[:2]) for command in commands} == {
        ("A_CONF=/a b/$(id)", "pkcs11-tool")
    }


def test_commands_quote_what_a_plan_could_smuggle_in() -> None:
    raw = _plan(Kind.CREATE).raw.decode()
    raw = raw.replace('serial = "DENK0104068"', 'serial = "1"\nlabel = "a; rm -rf $(x)"')
    raw = raw.replace("/usr/lib/opensc-pkcs11.so", "/usr/lib/a b`id`.so")
    for _, _, command in stock_commands(parse(raw.encode()).plan):
        words = shlex.split(command)
        if "--module" in words:
            assert words[words.index("--module") + 1] == "/usr/lib/a b`id`.so"
        if "--token-label" in words:
            assert words[words.index("--token-label") + 1] == "a; rm -rf $(x)"


@pytest.mark.parametrize("kind", list(Kind))
def test_no_part_of_a_script_begins_where_its_rows_do_not_follow(
    kind: Kind, tmp_path: Path
) -> None:
    names = {f"{step.number} {step.value}" for step in Step}
    for page in pages(render_pdf(_script(kind)), tmp_path):
        lines = [" ".join(line.split()) for line in page.splitlines()]
        for at, line in enumerate(lines):
            if line in names:
                rows = [one for one in lines[at:] if re.match(rf"{line[0]}\.1 ", one)]
                assert rows, f"{kind}: '{line}' stands alone at the end of a page"
