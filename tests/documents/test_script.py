from dataclasses import replace
from pathlib import Path

import pytest

from ceremony.config import PlanFile, parse
from ceremony.documents import model
from ceremony.documents.html import render_html
from ceremony.documents.pdf import render_pdf
from ceremony.documents.script import script
from ceremony.documents.text import render_text
from tests.documents.paper import codes, pages, words_outside

TOP = Path(__file__).parents[2]
EXAMPLE = (TOP / "ceremony.toml").read_bytes()
FILE_PLAN = b"""
schema = "ceremony-plan/1"
factory = "rehearsal-acme"
kind = "create"
user_id = "5e8a2f04"
rehearsal = true
requests = ["tls", "online-ca"]
[root]
key_store = "file"
[root.backup]
method = "none"
[[local_ca]]
name = "plant"
key_store = "csr"
user_id = "77aa"
[rules]
type_back = "sample"
witness = true
"""


def _flat(document: model.Document) -> str:
    return " ".join(render_text(document).decode().split())


def _script(raw: bytes) -> tuple[PlanFile, model.Document]:
    plan_file = parse(raw)
    return plan_file, script(plan_file, tool_version="0.1.0")


@pytest.mark.parametrize("raw", [EXAMPLE, FILE_PLAN], ids=["token", "file"])
def test_the_plans_words_and_code_are_on_paper(raw: bytes, tmp_path: Path) -> None:
    plan_file, document = _script(raw)
    first, *_ = found = pages(render_pdf(replace(document, marks=())), tmp_path)
    for _, digits, spoken in plan_file.fingerprint.lines:
        line = next(text for text in first.splitlines() if digits in text)
        assert line.split()[2:6] == list(spoken)
    assert all(plan_file.fingerprint.hex in page for page in found)
    assert codes(render_pdf(document), tmp_path) == [plan_file.fingerprint.hex.upper()]
    assert words_outside(render_pdf(replace(document, marks=())), tmp_path) == []


def test_steps_are_numbered_without_a_gap() -> None:
    _, document = _script(EXAMPLE)
    parts = [block for block in document.blocks if isinstance(block, model.Steps)]
    assert len(parts) == 9
    for number, part in enumerate(parts, 1):
        wanted = [f"{number}.{at}" for at in range(1, len(part.rows) + 1)]
        assert [row.number for row in part.rows] == wanted


def test_every_certificate_of_the_plan_is_reviewed_before_it_is_signed() -> None:
    told = _flat(_script(EXAMPLE)[1])
    for file in ("tls.pem", "online_ca.pem", "est-tls.pem", "local_ca-line-1.pem"):
        assert f"Review {file}" in told
    other = _flat(_script(FILE_PLAN)[1])
    assert "Review local_ca-plant.pem" in other
    assert "Review est-tls.pem" not in other


def test_the_number_of_words_follows_the_plan() -> None:
    assert "Type the 16 words" in _flat(_script(EXAMPLE)[1])
    told = _flat(_script(FILE_PLAN)[1])
    assert "Type the 8 words" in told
    assert "Type the 16 words" not in told


def test_no_backup_stands_on_page_1_and_is_confirmed_by_each_officer(tmp_path: Path) -> None:
    _, document = _script(FILE_PLAN)
    first = pages(render_pdf(document), tmp_path)[0]
    assert "Root key backup: none." in first
    assert _flat(document).count("'I confirm: no backup' on record") == 2
    assert "Root key backup: none." not in pages(render_pdf(_script(EXAMPLE)[1]), tmp_path)[0]


def test_a_vendors_backup_has_its_steps() -> None:
    assert "backup token by the vendor's own procedure" in _flat(_script(EXAMPLE)[1])


def test_a_rehearsal_is_marked_on_each_page(tmp_path: Path) -> None:
    assert all("REHEARSAL" in page for page in pages(render_pdf(_script(FILE_PLAN)[1]), tmp_path))
    assert b"REHEARSAL" not in render_text(_script(EXAMPLE)[1])


def test_the_whole_plan_is_annexed_and_harmless() -> None:
    hidden = "# \u202e<b>comment".encode()
    _, document = _script(EXAMPLE + hidden)
    listing = next(block for block in document.blocks if isinstance(block, model.Listing))
    assert len(listing.lines) == len((EXAMPLE + hidden).splitlines())
    assert listing.lines[-1] == "# \\u202e<b>comment"
    assert b"\\u202e&lt;b&gt;comment" in render_html(document)


def test_the_script_has_room_for_what_goes_wrong_and_who_signs() -> None:
    told = _flat(_script(EXAMPLE)[1])
    assert "Exception sheets" in told
    assert "Statement of the witness" in told
    assert told.count("Signature ____") == 8
    blanks = [b for b in _script(EXAMPLE)[1].blocks if isinstance(b, model.Print)]
    assert sum(blank.fingerprint is None for blank in blanks) == 5
