import subprocess
from pathlib import Path

import pytest

from ceremony.bundle.qr import QUIET_ZONE, dark_runs, qr_matrix, qr_png, qr_rows, qr_svg

TEXT = "78E1B1452D62B075D5658AC652AD6EECCF15A81D25D63F55B9FC983463BA91D4"


def test_a_fingerprint_is_version_4_with_its_quiet_zone() -> None:
    matrix = qr_matrix(TEXT)
    assert (len(matrix), len(matrix[0])) == (41, 41)
    border = [*matrix[:QUIET_ZONE], *matrix[-QUIET_ZONE:]]
    assert not any(any(row) for row in border)
    assert not any(any(row[:QUIET_ZONE]) or any(row[-QUIET_ZONE:]) for row in matrix)


def test_half_block_rows_are_the_matrix_two_modules_a_cell() -> None:
    rows = qr_rows(TEXT)
    assert (len(rows), {len(row) for row in rows}) == (21, {41})
    upper, lower = {"\u2580", "\u2588"}, {"\u2584", "\u2588"}
    unpacked = [tuple(cell in half for cell in row) for row in rows for half in (upper, lower)]
    assert tuple(unpacked[:41]) == qr_matrix(TEXT)


def test_dark_runs_cover_each_dark_module_once() -> None:
    painted = [(x + i, y) for x, y, length in dark_runs(TEXT) for i in range(length)]
    dark = {(x, y) for y, row in enumerate(qr_matrix(TEXT)) for x, on in enumerate(row) if on}
    assert len(painted) == len(dark)
    assert set(painted) == dark


@pytest.mark.parametrize("draw", [qr_svg, qr_png])
def test_the_same_text_gives_the_same_bytes(draw: object) -> None:
    assert callable(draw)
    first = draw(TEXT)
    qr_matrix.cache_clear()
    assert draw(TEXT) == first
    assert draw(TEXT[:-1] + "5") != first


def test_the_svg_loads_nothing_and_is_black_on_white() -> None:
    svg = qr_svg(TEXT).decode("ascii")
    assert svg.count("http") == 1  # the name space
    assert 'fill="#fff"' in svg
    assert 'fill="#000"' in svg


def test_a_reader_finds_the_text_in_the_png(tmp_path: Path) -> None:
    picture = tmp_path / "code.png"
    picture.write_bytes(qr_png(TEXT))
    found = subprocess.run(
        ["zbarimg", "--quiet", "--raw", str(picture)], capture_output=True, check=True, text=True
    )
    assert found.stdout.strip() == TEXT


def test_text_beyond_ascii_is_a_bug_of_the_caller() -> None:
    with pytest.raises(UnicodeEncodeError):
        qr_matrix("\u202e")
