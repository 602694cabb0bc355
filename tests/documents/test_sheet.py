from pathlib import Path

from ceremony.core.fingerprints import Fingerprint
from ceremony.documents.pdf import render_pdf
from ceremony.documents.sheet import words_sheet
from tests.documents.paper import codes, pages


def test_a_sheet_is_one_page_with_words_hex_and_code(tmp_path: Path) -> None:
    value = Fingerprint.of(b"bundle")
    sheet = words_sheet(title="Words", what="acme-upload", fingerprint=value, rehearsal=False)
    (page,) = pages(render_pdf(sheet), tmp_path)
    for letter, digits, spoken in value.lines:
        line = next(text for text in page.splitlines() if text.split()[:2] == [letter, digits])
        assert line.split()[2:6] == list(spoken)
    assert "REHEARSAL" not in page


def test_a_sheet_of_a_rehearsal_says_so_and_its_code_still_reads(tmp_path: Path) -> None:
    value = Fingerprint.of(b"bundle")
    sheet = words_sheet(title="Words", what="acme-upload", fingerprint=value, rehearsal=True)
    (page,) = pages(render_pdf(sheet), tmp_path)
    assert "REHEARSAL" in page
    assert codes(render_pdf(sheet), tmp_path) == [value.hex.upper()]
