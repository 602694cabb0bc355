"""fingerprints.txt and the QR codes of an upload bundle: drawn, and checked."""

from collections.abc import Mapping
from io import BytesIO
from typing import Final

from ceremony.bundle.qr import qr_png, qr_svg
from ceremony.bundle.readme import fingerprints_text
from ceremony.errors import VerificationError
from ceremony.x509.certificate import Certificate

FINGERPRINTS: Final = "fingerprints.txt"


def draw(certificates: Mapping[str, Certificate]) -> dict[str, bytes]:
    """The files that show the fingerprints of certificates.

    Args:
        certificates: by file name, in the manifest's order.
    """
    found = {FINGERPRINTS: fingerprints_text(tuple(certificates.items()))}
    for file, certificate in certificates.items():
        text = certificate.fingerprint.hex.upper()
        found[f"qr-{file}.svg"] = qr_svg(text)
        found[f"qr-{file}.png"] = qr_png(text)
    return found


def check(files: Mapping[str, bytes], certificates: Mapping[str, Certificate]) -> str:
    """Compares what people and phones read with the certificates themselves.

    A PNG may be compressed otherwise; its dots count.

    Raises:
        VerificationError: `upload.picture_wrong`.
    """
    for name, wanted in draw(certificates).items():
        if not same_picture(name, files.get(name, b""), wanted):
            raise VerificationError(
                "upload.picture_wrong",
                f"{name} does not show the fingerprint of the certificate",
                hint="Do not use this bundle; somebody wants you to compare the wrong value.",
            )
    return "fingerprints.txt and every QR code show the fingerprints of the certificates"


def shows(name: str, found: bytes, text: str) -> bool:
    """Whether a QR code (``.svg`` or ``.png``, by its name) shows exactly `text`."""
    return same_picture(name, found, qr_png(text) if name.endswith(".png") else qr_svg(text))


def same_picture(name: str, found: bytes, wanted: bytes) -> bool:
    """Whether two files are the same: byte by byte, but for a PNG, whose dots count."""
    return found == wanted or (name.endswith(".png") and _dots(found) == _dots(wanted) is not None)


def _dots(png: bytes) -> tuple[tuple[int, int], bytes] | None:
    from PIL import Image

    try:
        with Image.open(BytesIO(png), formats=("PNG",)) as image:
            if max(image.size) > 4096 or image.mode != "1":
                return None
            return image.size, image.tobytes()
    except (OSError, SyntaxError, ValueError):
        return None
