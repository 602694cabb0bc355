"""The tables that officers review: *asked for* beside *will be issued*."""

from typing import Literal

from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.flow.prompts import Compare, CompareRow
from ceremony.x509.certificate import Certificate
from ceremony.x509.csr import Csr
from ceremony.x509.issuing import Content
from ceremony.x509.profiles import Profile

_DASH = "-"

Mark = Literal["same", "set", "theirs", "ignored", "warn"]


def compare(title: str, content: Content, twin: Certificate, csr: Csr | None) -> Compare:
    """One certificate: what its CSR asked for, and what the reviewed content will give.

    Args:
        twin: the same content signed by a throw-away key, read back.
        csr: None for the root and for local CAs whose keys are made here.
    """
    asked_key = _DASH if csr is None else f"{csr.key} {csr.spki_sha256.hex[:16]}"
    rows = [
        CompareRow(
            field="Subject",
            asked=_DASH if csr is None else csr.subject,
            issued=twin.subject,
            mark="set" if csr is None else _same(csr.subject, twin.subject),
        ),
        CompareRow(
            field="Key",
            asked=asked_key,
            issued=f"{_curve(twin)} {twin.spki_sha256.hex[:16]}",
            mark="set" if csr is None else "same",
        ),
        *_names(csr, twin),
        CompareRow(
            field="Not before", asked=_DASH, issued=format_time(twin.not_before), mark="set"
        ),
        CompareRow(field="Not after", asked=_DASH, issued=format_time(twin.not_after), mark="set"),
        CompareRow(field="Serial", asked=_DASH, issued=twin.serial_hex, mark="set"),
        *_extensions(content, csr),
    ]
    return Compare(title=title, rows=tuple(rows))


def compare_answer(title: str, csr: Csr, answer: Certificate) -> Compare:
    """A higher CA's answer: what the root's CSR asked for, and what the certificate says."""
    asked = dict(csr.requested)
    rows = [
        CompareRow(
            field="Subject",
            asked=csr.subject,
            issued=answer.subject,
            mark="same" if csr.subject_der == answer.subject_der else "warn",
        ),
        CompareRow(
            field="Key",
            asked=f"{csr.key} {csr.spki_sha256.hex[:16]}",
            issued=f"{answer.key} {answer.spki_sha256.hex[:16]}",
        ),
    ]
    for field, value in (
        ("Issuer", answer.issuer),
        ("Not before", format_time(answer.not_before)),
        ("Not after", format_time(answer.not_after)),
        ("Serial", answer.serial_hex),
    ):
        rows.append(CompareRow(field=field, asked=_DASH, issued=value, mark="theirs"))
    for one in answer.extensions.all:
        told = f"critical, {one.shown}" if one.critical else one.shown
        wanted = asked.pop(one.name, _DASH)
        mark: Mark = "theirs" if wanted == _DASH else _same(wanted, told)
        rows.append(CompareRow(field=one.name, asked=wanted, issued=told, mark=mark))
    rows += [
        CompareRow(field=name, asked=value, issued="not given", mark="warn")
        for name, value in asked.items()
    ]
    return Compare(title=title, rows=tuple(rows), given="was signed")


def _curve(certificate: Certificate) -> str:
    return "RSA" if certificate.curve is None else f"EC {certificate.curve.value}"


def _same(asked: str, issued: str) -> Mark:
    return "same" if asked == issued else "warn"


def _names(csr: Csr | None, twin: Certificate) -> list[CompareRow]:
    if csr is None or not (csr.dns_names or twin.dns_names):
        return []
    longest = max(len(csr.dns_names), len(twin.dns_names))
    rows = []
    for index in range(longest):
        asked = show(csr.dns_names[index]) if index < len(csr.dns_names) else _DASH
        issued = show(twin.dns_names[index]) if index < len(twin.dns_names) else _DASH
        mark = _same(asked, issued)
        rows.append(
            CompareRow(field=f"DNS name {index + 1}", asked=asked, issued=issued, mark=mark)
        )
    return rows


def _given(profile: Profile) -> list[tuple[str, str]]:
    critical = {True: "critical, ", False: ""}
    length = "" if profile.path_length is None else f", pathlen:{profile.path_length}"
    rows = []
    if profile.ca:
        mark = critical[profile.basic_constraints_critical]
        rows.append(("basicConstraints", f"{mark}CA:TRUE{length}"))
    mark = critical[profile.key_usage_critical]
    rows.append(("keyUsage", mark + ", ".join(profile.key_usage)))
    if profile.extended_key_usage:
        mark = critical[profile.extended_key_usage_critical]
        rows.append(("extendedKeyUsage", mark + ", ".join(profile.extended_key_usage)))
    return rows


def _extensions(content: Content, csr: Csr | None) -> list[CompareRow]:
    asked = dict(() if csr is None else csr.requested)
    rows = []
    for name, value in _given(content.profile):
        wanted = asked.pop(name, _DASH)
        rows.append(CompareRow(field=name, asked=wanted, issued=value, mark="set"))
    rows += [
        CompareRow(field=name, asked=value, issued="not given", mark="ignored")
        for name, value in asked.items()
        if name != "subjectAltName"
    ]
    return rows
