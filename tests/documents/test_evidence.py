"""What lies in the safe: papers that are compared with what record and plan make of them."""

from ceremony.bundle.checking import Outcome
from ceremony.bundle.evidence import check_evidence
from ceremony.bundle.media import read_directory
from ceremony.bundle.paperwork import Maker
from ceremony.bundle.sums import format_sums
from ceremony.documents.evidence import remake
from tests.documents.conftest import Held

THIS = Maker(version="0", sha256="00" * 32, remake=remake)  # as the table's own
OTHER = Maker(version="9", sha256="99" * 32, remake=remake)
PAPERS = {
    *(f"{paper}.{form}" for paper in ("report", "script") for form in ("html", "pdf", "txt")),
    "key-inventory.json",
    "upload-fingerprint.txt",
    "upload-fingerprint.svg",
    "upload-fingerprint.png",
}


def outcome(files: dict[str, bytes], maker: Maker = THIS) -> tuple[Outcome, str, str]:
    """Of the papers' check; an attacker has mended SHA256SUMS, so that no other check fails."""
    mended = {name: data for name, data in files.items() if name != "SHA256SUMS"}
    checks = check_evidence(mended | {"SHA256SUMS": format_sums(mended)}, None, maker)
    (last,) = (check for check in checks if check.code in {"evidence.documents", "evidence.extra"})
    return last.outcome, last.code, last.sentence


def test_papers_as_written_are_made_again_byte_by_byte(held: Held) -> None:
    files = dict(read_directory(held.evidence))
    assert set(files) > PAPERS
    found, _, told = outcome(files)
    assert found is Outcome.OK
    assert all(name in told for name in PAPERS)
    assert outcome(files, OTHER)[0] is Outcome.OK, "equal bytes are proof, whoever made them"


def test_a_flipped_byte_in_any_paper_is_found_though_the_sums_are_mended(held: Held) -> None:
    files = dict(read_directory(held.evidence))
    for name in sorted(PAPERS):
        data = bytearray(files[name])
        data[len(data) // 2] ^= 1
        checks = check_evidence(files | {name: bytes(data)}, None, THIS)
        assert any(check.outcome is Outcome.FAILED for check in checks)
        found, code, told = outcome(files | {name: bytes(data)})
        assert (found, code) == (Outcome.FAILED, "evidence.documents")
        assert name in told


def test_a_paper_that_is_missing_and_a_file_that_was_added_are_found(held: Held) -> None:
    files = dict(read_directory(held.evidence))
    without = {name: data for name, data in files.items() if name != "report.html"}
    assert outcome(without)[:2] == (Outcome.FAILED, "evidence.documents")
    added = outcome(files | {"addendum.txt": b"The officers agreed to more.\n"})
    assert added[:2] == (Outcome.FAILED, "evidence.extra")
    assert "addendum.txt" in added[2]


def test_papers_of_another_version_that_differ_are_told_as_not_checked(held: Held) -> None:
    files = dict(read_directory(held.evidence))
    found, _, told = outcome(files | {"report.html": files["report.html"] + b" "}, OTHER)
    assert found is Outcome.NOT_CHECKED
    assert "report.html" in told
    assert "made by ceremony 0" in told
