"""Subjects that are kept or refused: lengths, repeated parts, look-alikes, escapes."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final

from ceremony.core.findings import Finding, Severity
from ceremony.x509 import der
from ceremony.x509.names import Attribute, Rdn

MAX_CHARACTERS: Final = 64
MAX_PARTS: Final = 16
# X.680 §41.4.
_PRINTABLE: Final = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")
_OLD_TYPES: Final = {der.TELETEX: "TeletexString", der.BMP: "BMPString"}
# What Go, OpenSSL and cryptography all read.
_KNOWN_TYPES: Final = frozenset(
    {der.UTF8, der.PRINTABLE, der.IA5, der.NUMERIC, der.TELETEX, der.BMP}
)


def check_subject(rdns: tuple[Rdn, ...], where: str, *, strict: bool) -> tuple[Finding, ...]:
    """Findings over the form of a requested subject.

    Args:
        rdns: the subject's parts.
        where: slot or row.
        strict: any character outside printable ASCII stops; otherwise only those that
            no name needs (controls, bidi, zero-width) stop and the others are a WARNING.
    """
    rows = [*_check_shape(rdns), *_check_values(rdns, strict)]
    if sum(len(rdn) for rdn in rdns) > MAX_PARTS:
        rows = [(Severity.ERROR, "csr.subject_parts", f"the subject has over {MAX_PARTS} parts")]
    return tuple(
        Finding(severity=severity, code=code, where=where, message=message)
        for severity, code, message in rows
    )


_Row = tuple[Severity, str, str]


def _check_shape(rdns: tuple[Rdn, ...]) -> Iterator[_Row]:
    for rdn in rdns:
        if len(rdn) > 1:
            labels = "+".join(attribute.label for attribute in rdn)
            yield Severity.ERROR, "csr.subject_multivalued", f"a multi-valued part {labels}"
    counts = Counter(attribute.label for rdn in rdns for attribute in rdn)
    for label, count in counts.items():
        # A domain is one DC for each of its labels (RFC 2247 §4).
        if count > 1 and label != "DC":
            yield Severity.ERROR, "csr.subject_repeated", f"{label} stands {count} times"


def _check_values(rdns: tuple[Rdn, ...], strict: bool) -> Iterator[_Row]:
    for attribute in (one for rdn in rdns for one in rdn):
        yield from _check_type(attribute)
        text = attribute.text
        if text is None:
            continue
        if len(text) > MAX_CHARACTERS:
            yield (
                Severity.ERROR,
                "csr.subject_long",
                f"{attribute.label} has {len(text)} characters, over {MAX_CHARACTERS}",
            )
        if not text:
            yield Severity.ERROR, "csr.subject_empty_value", f"{attribute.label} is empty"
        yield from _check_characters(attribute.label, text, strict)


def _check_type(attribute: Attribute) -> Iterator[_Row]:
    label = attribute.label
    if attribute.text is None or attribute.tag not in _KNOWN_TYPES:
        yield Severity.ERROR, "csr.subject_type", f"{label} is no readable text"
    elif attribute.tag in _OLD_TYPES:
        yield (
            Severity.WARNING,
            "csr.subject_old_type",
            f"{label} is a {_OLD_TYPES[attribute.tag]}, which new certificates should not have",
        )
    elif attribute.tag == der.PRINTABLE and not _PRINTABLE.fullmatch(attribute.text):
        yield (
            Severity.ERROR,
            "csr.subject_type",
            f"{label} has characters that a PrintableString may not have",
        )


def code_points(text: str) -> str:
    """The characters outside printable ASCII, as ``U+202E, U+0430``; at most eight."""
    odd = sorted({char for char in text if not 0x20 <= ord(char) < 0x7F})
    shown = [f"U+{ord(char):04X}" for char in odd[:8]]
    return ", ".join(shown if len(odd) <= 8 else [*shown, "..."])


def _check_characters(label: str, text: str, strict: bool) -> Iterator[_Row]:
    # Other: controls, format (bidi, zero-width), surrogates, private use, unassigned;
    # line and paragraph separators.
    harmful = "".join(c for c in text if unicodedata.category(c) in _HARMFUL)
    if harmful:
        yield (
            Severity.ERROR,
            "csr.subject_control",
            f"{label} has control or invisible characters: {code_points(harmful)}",
        )
    elif points := code_points(text):
        yield (
            Severity.ERROR if strict else Severity.WARNING,
            "csr.subject_not_ascii",
            f"{label} has characters outside printable ASCII: {points}",
        )


_HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
