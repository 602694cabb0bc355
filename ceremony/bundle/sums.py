"""SHA256SUMS in coreutils' text form, sorted by the bytes of the names."""

import re
from collections.abc import Mapping

from ceremony.bundle.media import SUMS, is_name
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.text import show
from ceremony.errors import VerificationError

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._-]{1,64})\Z")


def format_sums(files: Mapping[str, bytes]) -> bytes:
    """The SHA256SUMS of `files`; a file of that name among them is left out.

    ``sha256sum -c --strict SHA256SUMS`` accepts it.
    """
    names = sorted(name for name in files if name != SUMS)
    return b"".join(
        f"{Fingerprint.of(files[name]).hex}  {name}\n".encode("ascii") for name in names
    )


def verify_sums(files: Mapping[str, bytes]) -> Fingerprint:
    """Checks that SHA256SUMS lists every other file, once, with its digest.

    Returns:
        The SHA-256 of SHA256SUMS: the bundle's fingerprint.

    Raises:
        VerificationError: `sums.missing`, `sums.syntax`, `sums.duplicate`, `sums.order`,
            `sums.file_missing`, `sums.not_listed`, `sums.digest`.
    """
    if SUMS not in files:
        raise _refuse("sums.missing", f"there is no file {SUMS}")
    listed = _parse(files[SUMS])
    for name, digest in listed.items():
        if name not in files:
            raise _refuse("sums.file_missing", f"{name} is listed in {SUMS}, but missing")
        if Fingerprint.of(files[name]).hex != digest:
            raise _refuse("sums.digest", f"{name} has another SHA-256 than {SUMS} says")
    for name in sorted(files):
        if name != SUMS and name not in listed:
            raise _refuse("sums.not_listed", f"{show(name)} is not listed in {SUMS}")
    return Fingerprint.of(files[SUMS])


def _parse(raw: bytes) -> dict[str, str]:
    text = raw.decode("latin-1")
    if "\r" in text:
        raise _refuse("sums.syntax", f"{SUMS} has carriage returns; its lines end in LF alone")
    if not text.endswith("\n"):
        raise _refuse("sums.syntax", f"{SUMS} does not end with a line feed")
    listed: dict[str, str] = {}
    for number, line in enumerate(text[:-1].split("\n"), start=1):
        match = _LINE.match(line)
        if match is None or not is_name(match[2]) or match[2] == SUMS:
            raise _refuse("sums.syntax", f"line {number} of {SUMS} is not '<sha256>  <name>'")
        if match[2] in listed:
            raise _refuse("sums.duplicate", f"line {number} of {SUMS} lists {match[2]} again")
        listed[match[2]] = match[1]
    if list(listed) != sorted(listed):
        raise _refuse("sums.order", f"{SUMS} is not sorted by the bytes of the names")
    return listed


def _refuse(code: str, what: str) -> VerificationError:
    return VerificationError(
        code, what, hint="Do not use this bundle; fetch or export it again, on another medium."
    )
