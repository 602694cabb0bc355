"""Checks of certificates: against their profile, against what was intended, in a chain."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ceremony.config import Curve
from ceremony.core.findings import Finding, Severity
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.x509.certificate import Certificate, read_certificate, tbs_of, verify_signed_by
from ceremony.x509.extensions import BASIC_CONSTRAINTS
from ceremony.x509.issuing import Content, twin
from ceremony.x509.public_keys import key_bits
from ceremony.x509.rules import check_certificate

__all__ = ["check_against", "check_certificate", "check_chain", "is_strict"]


def is_strict(root: Certificate) -> bool:
    """Whether certificates under this root can pass `openssl verify -x509_strict`.

    A root in the OpenSSL recipe's form cannot: its basicConstraints is not critical.
    """
    constraints = root.extensions.find(BASIC_CONSTRAINTS)
    return constraints is not None and constraints.critical and root.ski is not None


def check_against(certificate: Certificate, content: Content) -> tuple[Finding, ...]:
    """Field by field against the intention, and last the whole TBSCertificate.

    What was intended is made anew from `content`, so an extension that is missing, added,
    reordered or otherwise critical shows too. The signature is `verify_signed_by`'s matter.
    """
    curve = {"SHA-256": Curve.P256, "SHA-384": Curve.P384}.get(certificate.digest or "")
    rows: list[tuple[str, str]] = []
    if curve is None:
        rows.append(("certificate.digest_differs", "the signature's digest is none of ours"))
    der = twin(content, curve or Curve.P256)
    wanted = read_certificate(der, "intended content")
    for code, read in _FIELDS:
        if read(certificate) != read(wanted):
            rows.append(
                (code, f"is {_shown(read(certificate))}, intended was {_shown(read(wanted))}")
            )
    if not rows and tbs_of(certificate.der) != tbs_of(der):
        rows.append(("certificate.tbs_differs", "differs in its bytes from what was intended"))
    return tuple(
        Finding(severity=Severity.ERROR, code=code, where=content.role.value, message=message)
        for code, message in rows
    )


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _extension_rows(certificate: Certificate) -> str:
    return "; ".join(
        f"{one.name}{' critical' if one.critical else ''}: {one.shown}"
        for one in certificate.extensions.all
    )


_FIELDS: Final[tuple[tuple[str, Callable[[Certificate], object]], ...]] = (
    ("certificate.version_differs", lambda one: one.version),
    ("certificate.serial_differs", lambda one: one.serial_hex),
    ("certificate.subject_differs", lambda one: one.subject_der),
    ("certificate.issuer_differs", lambda one: one.issuer_der),
    ("certificate.not_before_differs", lambda one: format_time(one.not_before)),
    ("certificate.not_after_differs", lambda one: format_time(one.not_after)),
    ("certificate.key_differs", lambda one: one.spki_sha256.hex),
    ("certificate.names_differ", lambda one: ", ".join(one.dns_names)),
    ("certificate.extensions_differ", _extension_rows),
)


# --- a chain -------------------------------------------------------------------------


def check_chain(root: Certificate, others: Mapping[str, Certificate]) -> tuple[Finding, ...]:
    """Findings over certificates that one root issued, and over the root itself.

    Args:
        root: self-signed, or signed by a CA that is not here.
        others: name to certificate: signatures, dates inside the root's, serials and keys
            that differ from each other and from the root's.
    """
    found: list[Finding] = []
    if root.subject_der == root.issuer_der and not root.self_signed:
        found.append(
            _chain_finding("root", "chain.root_signature", "its own signature does not verify")
        )
    for name, one in others.items():
        found.extend(_check_link(name, one, root))
    everyone = {"root": root, **{show(name): one for name, one in others.items()}}
    found.extend(
        _check_unique(
            {name: (one.issuer_der, one.serial) for name, one in everyone.items()},
            "chain.serial_repeated",
            "has the same issuer and serial number as",
        )
    )
    found.extend(
        _check_unique(
            {name: key_bits(one.spki) for name, one in everyone.items()},
            "chain.key_repeated",
            "has the same public key as",
        )
    )
    return tuple(found)


def _chain_finding(where: str, code: str, message: str) -> Finding:
    return Finding(severity=Severity.ERROR, code=code, where=show(where), message=message)


def _check_link(name: str, one: Certificate, root: Certificate) -> Iterator[Finding]:
    try:
        verify_signed_by(one, root)
    except VerificationError as exc:
        yield _chain_finding(name, f"chain.{exc.code.partition('.')[2]}", exc.message)
    if one.not_before < root.not_before or one.not_after > root.not_after:
        yield _chain_finding(
            name,
            "chain.dates_not_nested",
            f"is valid {format_time(one.not_before)} to {format_time(one.not_after)}, the root"
            f" {format_time(root.not_before)} to {format_time(root.not_after)}",
        )


def _check_unique(values: Mapping[str, object], code: str, message: str) -> Iterator[Finding]:
    first: dict[object, str] = {}
    for name, value in values.items():
        other = first.setdefault(value, name)
        if other != name:
            yield Finding(
                severity=Severity.ERROR, code=code, where=name, message=f"{message} {other}"
            )
