"""What a printed page says: text by pdftotext, pictures by pdftoppm, codes by zbarimg."""

import re
import subprocess
from pathlib import Path


def pages(pdf: bytes, folder: Path) -> list[str]:
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    told = subprocess.run(
        ["pdftotext", "-layout", str(file), "-"], capture_output=True, check=True, text=True
    )
    return told.stdout.split("\f")[:-1]


def codes(pdf: bytes, folder: Path) -> list[str]:
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "120", "-gray", str(file), str(folder / "page")], check=True)
    found: list[str] = []
    for picture in sorted(folder.glob("page-*.pgm")):
        read = subprocess.run(
            ["zbarimg", "--quiet", "--raw", str(picture)],
            capture_output=True,
            check=False,
            text=True,
        )
        found += read.stdout.split()
    return found


def words_outside(pdf: bytes, folder: Path) -> list[str]:
    """Words that are not wholly on the page."""
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    told = subprocess.run(
        ["pdftotext", "-bbox", str(file), "-"], capture_output=True, check=True, text=True
    ).stdout
    boxes = re.findall(
        r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">(.*)</word>',
        told,
    )
    assert boxes
    return [
        word
        for left, top, right, bottom, word in boxes
        if float(left) < 40 or float(top) < 20 or float(right) > 560 or float(bottom) > 825
    ]
