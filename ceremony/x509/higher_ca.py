"""A root that a higher CA signed: what its certificate must be, and the chain above it.

The CSR asked for little; the higher CA decides the rest. What cannot be mended later is an
ERROR here, as a root is set once and the higher CA can sign the same CSR again today.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from ceremony.core.findings import Finding, Severity
from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import VerificationError
from ceremony.x509.certificate import Certificate, verify_signed_by
from ceremony.x509.checks import check_certificate
from ceremony.x509.csr import Csr
from ceremony.x509.names import Rdn
from ceremony.x509.profiles import Role

MAX_ABOVE: Final = 8
# Officers confirm the clock "within minutes"; another CA's clock is as good.
_CLOCK: Final = timedelta(minutes=5)
_DAY: Final = timedelta(days=1)
_LEAST: Final = timedelta(days=365)  # the plan's own limit for a root

_Row = tuple[Severity, str, str]
_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE


def check_answer(
    answer: Certificate, csr: Csr, *, factory: str, at: datetime, days: int
) -> tuple[Finding, ...]:
    """Findings on the higher CA's answer to the root's CSR.

    Args:
        answer: as read; `check_above` weighs who signed it.
        csr: that was carried out.
        factory: expected OU.
        at: the present, aware.
        days: the validity that the plan asks for.
    """
    rows = list(_check_identity(answer, csr))
    if not rows:
        rows = [*_check_name(answer, csr), *_check_validity(answer, at, days), *_check_use(answer)]
        found = check_certificate(answer, Role.ROOT, factory=factory, external=True)
    else:  # it is about another key: what else it says is beside the point
        found = ()
    own = tuple(
        Finding(severity=severity, code=code, where=Role.ROOT.value, message=message)
        for severity, code, message in rows
    )
    return (*own, *found)


def require_issuer(root: Certificate, issuer: str) -> None:
    """The Factory's root is signed by whom the reviewed plan says.

    Args:
        root: that the Factory has.
        issuer: `root.issuer` of the plan: `self`, or `external`.

    Raises:
        VerificationError: `request.root_issuer`.
    """
    if root.self_signed is (issuer == "self"):
        return
    is_ = "signed itself" if root.self_signed else f"is signed by a higher CA, {root.issuer}"
    raise VerificationError(
        "request.root_issuer",
        f"root.issuer is {issuer!r} in the plan, and the Factory's root {is_}",
        hint="Correct root.issuer in the plan, and have it approved.",
    )


def _check_identity(answer: Certificate, csr: Csr) -> Iterator[_Row]:
    if answer.spki != csr.spki:
        yield (
            _E,
            "answer.key_differs",
            (
                f"{answer.subject} is for the key {answer.spki_sha256.hex[:16]}..., the root CSR "
                f"of this ceremony has {csr.spki_sha256.hex[:16]}..."
            ),
        )


def _check_name(answer: Certificate, csr: Csr) -> Iterator[_Row]:
    if answer.subject_der == csr.subject_der:
        return
    if _texts(answer.rdns) == _texts(csr.rdns):
        yield (
            _W,
            "answer.subject_encoding",
            (
                f"the subject is {answer.subject} as asked, in other string types: what is signed "
                "below names its issuer in the bytes of this certificate"
            ),
        )
        return
    yield (
        _E,
        "answer.subject_differs",
        f"the subject is {answer.subject}, the CSR asked for {csr.subject}",
    )


def _texts(rdns: tuple[Rdn, ...]) -> tuple[tuple[tuple[str, str | None], ...], ...]:
    return tuple(tuple((one.oid, one.text) for one in rdn) for rdn in rdns)


def _check_validity(answer: Certificate, at: datetime, days: int) -> Iterator[_Row]:
    if answer.not_before > at + _CLOCK:
        yield (
            _E,
            "answer.not_yet_valid",
            f"it begins at {format_time(answer.not_before)}, and it is {format_time(at)}",
        )
    if answer.not_after <= at:
        yield _E, "answer.expired", f"it ended at {format_time(answer.not_after)}"
    elif answer.not_after < at + timedelta(days=days) - _DAY:
        yield (
            _E if answer.not_after < at + _LEAST - _DAY else _W,
            "answer.validity_short",
            (
                f"it ends at {format_time(answer.not_after)}, before the {days} days that the plan "
                "asks for: everything that is signed below ends with it"
            ),
        )


def _check_use(answer: Certificate) -> Iterator[_Row]:
    usage = answer.extensions.key_usage
    if usage is not None and "cRLSign" not in usage:
        yield (
            _E,
            "answer.crl_sign_missing",
            "keyUsage lacks cRLSign, which the CSR asked for: strict verifiers refuse its CRLs",
        )
    if answer.ski is None:
        yield _E, "answer.ski_missing", "has no subjectKeyIdentifier, which the CSR asked for"


# --- the chain above -----------------------------------------------------------------


def check_above(root: Certificate, above: Sequence[Certificate]) -> tuple[Finding, ...]:
    """Findings on the chain above a root, which it need not be complete.

    Args:
        root: signed by the first of them.
        above: each signed by the next; from the root's issuer upwards.
    """
    rows: list[tuple[str, _Row]] = []
    if len(above) > MAX_ABOVE:
        told = f"{len(above)} certificates above the root; {MAX_ABOVE} are the most"
        rows.append(("root-chain", (_E, "higher.long", told)))
    child = root
    for level, one in enumerate(above[:MAX_ABOVE]):
        rows += [(f"root-chain {level + 1}", row) for row in _check_level(child, one, level)]
        child = one
    return tuple(
        Finding(severity=severity, code=code, where=where, message=message)
        for where, (severity, code, message) in rows
    )


def _check_level(child: Certificate, one: Certificate, level: int) -> Iterator[_Row]:
    try:
        verify_signed_by(child, one)
    except VerificationError as exc:
        code = {
            "certificate.issuer_wrong": "higher.issuer_wrong",
            "certificate.signature_wrong": "higher.signature_wrong",
        }[exc.code]
        yield _E, code, exc.message
    usage = one.extensions.key_usage
    if not one.is_ca or (usage is not None and "keyCertSign" not in usage):
        yield _E, "higher.not_ca", f"{one.subject} is no CA, or may not sign certificates"
    constraints = one.extensions.basic_constraints
    length = None if constraints is None else constraints.path_length
    # RFC 5280 §4.2.1.9: CAs that may follow it; the root and its device CAs are two more.
    if length is not None and length < level + 2:
        yield (
            _E if length < level + 1 else _W,
            "higher.path_length",
            f"{one.subject} has pathlen {length}: "
            + ("the root may not be under it" if length < level + 1 else "no device CA fits under"),
        )
    if one.not_after < child.not_after:
        yield (
            _W,
            "higher.dates",
            (
                f"{show(one.subject)} ends at {format_time(one.not_after)}, before what it signed: "
                "from then on only the root itself can be trusted"
            ),
        )


def is_complete(above: Sequence[Certificate]) -> bool:
    """Whether the chain reaches a self-signed certificate."""
    return bool(above) and above[-1].self_signed
