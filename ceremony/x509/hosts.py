"""DNS names that may stand in a server's certificate (RFC 1034 §3.5, RFC 5280 §4.2.1.6)."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ceremony.core.findings import Finding, Severity

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# What `show` makes of a character outside printable ASCII; its doubled backslash is none.
_ESCAPE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")
MAX_NAMES: Final = 32


def is_host(name: str) -> bool:
    """Letters, digits, hyphens and dots; up to 253 characters; the last label not numeric."""
    labels = name.lower().split(".")
    return (
        len(name) <= 253
        and name.isascii()  # the Kelvin sign is a `k` in lower case
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def check_hosts(
    names: Sequence[str], where: str, *, suffixes: tuple[str, ...], punycode: bool
) -> tuple[Finding, ...]:
    """Findings over requested DNS names.

    Args:
        names: escaped as `extensions` does.
        where: slot.
        suffixes: each name must be one of these or end in a dot and one.
        punycode: ``xn--`` labels are accepted.
    """
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    if len(names) > MAX_NAMES:
        rows.append(("csr.san_many", f"asks for {len(names)} DNS names, over {MAX_NAMES}"))
    for name in names[:MAX_NAMES]:
        rows.extend(_check_host(name, suffixes, punycode))
        if name.lower() in seen:
            rows.append(("csr.san_repeated", f"DNS name {name} stands twice"))
        seen.add(name.lower())
    return tuple(
        Finding(severity=Severity.ERROR, code=code, where=where, message=message)
        for code, message in rows
    )


def _check_host(name: str, suffixes: tuple[str, ...], punycode: bool) -> Iterator[tuple[str, str]]:
    lower = name.lower()
    if "*" in name:
        yield "csr.san_wildcard", f"DNS name {name} is a wildcard"
    elif points := _ESCAPE.findall(name):
        shown = ", ".join(f"U+{int(''.join(point), 16):04X}" for point in points[:8])
        yield (
            "csr.san_not_ascii",
            f"DNS name {name} has characters outside printable ASCII: {shown}",
        )
    elif not is_host(name):
        yield "csr.san_syntax", f"DNS name {name} is no host name"
    if not punycode and any(label.startswith("xn--") for label in lower.split(".")):
        yield "csr.san_punycode", f"DNS name {name} is punycode; the plan does not allow it"
    if not any(lower == suffix or lower.endswith(f".{suffix}") for suffix in suffixes):
        allowed = ", ".join(suffixes) or "none"
        yield "csr.san_suffix", f"DNS name {name} ends in none of the allowed: {allowed}"
