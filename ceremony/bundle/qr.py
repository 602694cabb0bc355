"""QR codes of fingerprints, for paper and screen.

A SHA-256 as 64 upper-case hex digits is a version 4-M symbol (alphanumeric mode). The
quiet zone of four modules is part of every picture; light-on-dark codes are not read by
phones, so whoever paints `qr_rows` paints black on white.
"""

from functools import cache
from io import BytesIO

QUIET_ZONE = 4
PNG_PIXELS_A_MODULE = 8

_SVG_MILLIMETRES_A_MODULE = 1


@cache
def qr_matrix(text: str) -> tuple[tuple[bool, ...], ...]:
    """The modules of a symbol with error correction M, True where dark, quiet zone included.

    Args:
        text: what the code says; ASCII.
    """
    from qrcode.constants import ERROR_CORRECT_M
    from qrcode.main import QRCode

    code = QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(text.encode("ascii"))
    code.make(fit=True)
    return tuple(tuple(bool(dark) for dark in row) for row in code.get_matrix())


def dark_runs(text: str) -> tuple[tuple[int, int, int], ...]:
    """The dark modules as horizontal bars: column, row, length, in reading order."""
    bars: list[tuple[int, int, int]] = []
    for y, row in enumerate(qr_matrix(text)):
        start = None
        for x, dark in enumerate((*row, False)):
            if dark and start is None:
                start = x
            elif not dark and start is not None:
                bars.append((start, y, x - start))
                start = None
    return tuple(bars)


def qr_svg(text: str) -> bytes:
    """A self-contained SVG document, black on white, one unit a module."""
    side = len(qr_matrix(text))
    path = "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in dark_runs(text))
    millimetres = side * _SVG_MILLIMETRES_A_MODULE
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{millimetres}mm" '
        f'height="{millimetres}mm" viewBox="0 0 {side} {side}" '
        'shape-rendering="crispEdges">\n'
        f'<rect width="{side}" height="{side}" fill="#fff"/>\n'
        f'<path d="{path}" fill="#000"/>\n'
        "</svg>\n"
    ).encode("ascii")


def qr_png(text: str) -> bytes:
    """A PNG of one bit a pixel, black on white."""
    from PIL import Image

    matrix = qr_matrix(text)
    side = len(matrix)
    small = Image.new("1", (side, side), 1)
    small.putdata([0 if dark else 1 for row in matrix for dark in row])
    scale = side * PNG_PIXELS_A_MODULE
    out = BytesIO()
    small.resize((scale, scale), Image.Resampling.NEAREST).save(
        out, format="PNG", optimize=False, compress_level=9
    )
    return out.getvalue()


def qr_rows(text: str) -> tuple[str, ...]:
    """Half-block rows, two modules a cell: a block is dark, a space is light.

    The caller paints them black on white.
    """
    matrix = qr_matrix(text)
    light = (False,) * len(matrix[0])
    pairs = zip(matrix[::2], (*matrix[1::2], light), strict=False)
    return tuple(
        "".join(_HALF_BLOCKS[above, below] for above, below in zip(top, bottom, strict=True))
        for top, bottom in pairs
    )


_HALF_BLOCKS = {
    (False, False): " ",
    (True, False): "\N{UPPER HALF BLOCK}",
    (False, True): "\N{LOWER HALF BLOCK}",
    (True, True): "\N{FULL BLOCK}",
}
