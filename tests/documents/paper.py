"""What a printed page says: text by pdftotext, pictures by pdftoppm, codes by zbarimg."""

import re
import subprocess
from pathlib import Path

from PIL import Image, ImageChops


def pages(pdf: bytes, folder: Path) -> list[str]:
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    told = subprocess.run(
        ["pdftotext", "-layout", str(file), "-"], capture_output=True, check=True, text=True
    )
    return told.stdout.split("\f")[:-1]


def codes(pdf: bytes, folder: Path, *, first_page_only: bool = False) -> list[str]:
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    which = ["-l", "1"] if first_page_only else []
    command = ["pdftoppm", *which, "-r", "120", "-gray", str(file), str(folder / "page")]
    subprocess.run(command, check=True)
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


def colours(pdf: bytes, folder: Path) -> int:
    """How many dots of the printed pages are neither black, white nor grey."""
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "30", str(file), str(folder / "colour")], check=True)
    total = 0
    for picture in folder.glob("colour-*.ppm"):
        red, green, blue = Image.open(picture).convert("RGB").split()
        total += sum(ImageChops.difference(red, green).histogram()[1:])
        total += sum(ImageChops.difference(green, blue).histogram()[1:])
    return total
