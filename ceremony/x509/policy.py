"""CSR policy: what a slot's CSR may ask for. The profile comes from the slot, never from it.

Import it through `ceremony.x509.csr`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ceremony.config import Curve, Plan, Slot
from ceremony.core.findings import Finding, Severity
from ceremony.core.text import show
from ceremony.x509 import public_keys
from ceremony.x509.certificate import Certificate
from ceremony.x509.extensions import (
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_ALT_NAME,
)
from ceremony.x509.hosts import MAX_NAMES, check_hosts
from ceremony.x509.profiles import LOCAL_CA_PREFIX, PROFILES, ROOT_CN, Profile, role_of
from ceremony.x509.request import Csr
from ceremony.x509.subjects import check_subject

_CA_SLOTS: Final = frozenset({Slot.ONLINE_CA})


@dataclass(frozen=True, slots=True, kw_only=True)
class CsrRules:
    """What the plan says about CSRs.

    Attributes:
        host_suffixes: lower case, without a leading dot.
        rsa: RSA keys of 3072 bits and more are accepted.
    """

    factory: str
    host_suffixes: tuple[str, ...]
    punycode: bool
    curves: tuple[Curve, ...]
    rsa: bool


def rules_of(plan: Plan) -> CsrRules:
    """The plan's rules."""
    return CsrRules(
        factory=plan.factory,
        host_suffixes=plan.rules.host_suffixes,
        punycode=plan.rules.punycode,
        curves=plan.rules.csr_curves,
        rsa=plan.rules.rsa,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One CSR under check."""

    csr: Csr
    where: str
    profile: Profile
    rules: CsrRules
    current: Certificate | None

    def error(self, code: str, message: str) -> Finding:
        return Finding(severity=Severity.ERROR, code=code, where=self.where, message=message)

    def warning(self, code: str, message: str) -> Finding:
        return Finding(severity=Severity.WARNING, code=code, where=self.where, message=message)

    def note(self, code: str, message: str) -> Finding:
        return Finding(severity=Severity.NOTE, code=code, where=self.where, message=message)


def check_csr(
    csr: Csr, slot: Slot, rules: CsrRules, current: Certificate | None = None
) -> tuple[Finding, ...]:
    """Everything that people should weigh before this CSR is answered.

    Args:
        csr: as read.
        slot: the API's field it came in; decides the profile.
        rules: from the plan.
        current: the certificate that the Factory has in this slot today.
    """
    case = _Case(
        csr=csr, where=slot.value, profile=PROFILES[role_of(slot)], rules=rules, current=current
    )
    return (
        *_check_key(case),
        *check_subject(csr.rdns, slot.value, strict=slot in _CA_SLOTS),
        *(_check_ca_names(case) if slot in _CA_SLOTS else _check_service_names(case)),
        *_check_hosts(case),
        *_check_asked(case),
        *_check_current(case),
    )


def check_local_ca_csr(csr: Csr, where: str, rules: CsrRules, user_id: str) -> tuple[Finding, ...]:
    """Findings over the CSR of a local CA whose key was made elsewhere.

    Its subject is set by the profile; a difference is a WARNING.
    """
    case = _Case(
        csr=csr, where=where, profile=PROFILES[role_of(Slot.ONLINE_CA)], rules=rules, current=None
    )
    return (*_check_key(case), *_check_local_subject(case, user_id), *_check_asked(case))


def _check_local_subject(case: _Case, user_id: str) -> Iterator[Finding]:
    wanted = (f"{LOCAL_CA_PREFIX}{user_id}", case.rules.factory)
    if (case.csr.common_name, case.csr.organizational_unit) != wanted:
        yield case.warning(
            "csr.subject_replaced",
            f"asks for {case.csr.subject or 'an empty subject'};"
            f" CN={wanted[0]}, OU={wanted[1]} will be issued",
        )


def check_keys(keys: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """The same key in two places, whatever the places are.

    Args:
        keys: where (slot, local CA, root, a certificate of today) to DER SubjectPublicKeyInfo.
    """
    seen: dict[bytes, str] = {}
    found: list[Finding] = []
    for where, spki in keys.items():
        first = seen.setdefault(public_keys.key_bits(spki), where)
        if first != where:
            found.append(
                Finding(
                    severity=Severity.ERROR,
                    code="csr.key_reused",
                    where=show(where),
                    message=f"has the same public key as {show(first)}",
                )
            )
    return tuple(found)


def _check_key(case: _Case) -> Iterator[Finding]:
    csr, rules = case.csr, case.rules
    if csr.key.startswith("RSA"):
        if not rules.rsa:
            yield case.error("csr.key_type", f"the key is {csr.key}; the plan allows no RSA")
        if csr.key_size < public_keys.MIN_RSA_BITS:
            yield case.error("csr.key_size", f"the key is {csr.key}; at least 3072 bits are needed")
    elif csr.curve not in rules.curves:
        allowed = ", ".join(rules.curves)
        yield case.error("csr.key_curve", f"the key is {csr.key}; the plan allows {allowed}")


def _check_ca_names(case: _Case) -> Iterator[Finding]:
    cn, ou = case.csr.common_name, case.csr.organizational_unit
    if ou != case.rules.factory:
        yield case.error(
            "csr.subject_ou", f"OU is {ou or 'absent'}, expected the factory {case.rules.factory}"
        )
    if not (cn or "").strip():
        yield case.error("csr.subject_cn", "CN is absent, empty or repeated")
    elif cn == ROOT_CN:
        yield case.error("csr.subject_cn", f"CN is {ROOT_CN}, which is the root's name")
    elif cn is not None and cn.startswith(LOCAL_CA_PREFIX):
        yield case.error(
            "csr.subject_cn",
            f"CN is {cn}: '{LOCAL_CA_PREFIX}' and a user id would make that user"
            " the owner of every device of the online CA",
        )


def _check_service_names(case: _Case) -> Iterator[Finding]:
    csr, factory = case.csr, case.rules.factory
    if not csr.rdns:
        yield case.warning("csr.subject_empty", "the subject is empty; it will be kept so")
    elif csr.organizational_unit is None:
        yield case.note("csr.subject_no_ou", "the subject has no OU; it will be kept so")
    elif csr.organizational_unit != factory:
        yield case.warning(
            "csr.subject_ou",
            f"OU is {csr.organizational_unit}, the factory is {factory}; it will be kept",
        )
    if csr.common_name == ROOT_CN:
        yield case.error("csr.subject_cn", f"CN is {ROOT_CN}, which is the root's name")


def _check_hosts(case: _Case) -> Iterator[Finding]:
    asked = case.csr.extensions
    if case.profile.dns_names == "none":
        if asked.find(SUBJECT_ALT_NAME):
            yield case.warning("csr.san_ignored", "asks for names (SAN); a CA has none: ignored")
        return
    yield from check_hosts(
        asked.dns_names,
        case.where,
        suffixes=case.rules.host_suffixes,
        punycode=case.rules.punycode,
    )
    for name in asked.other_names[:MAX_NAMES]:
        yield case.error("csr.san_type", f"asks for {name}; only DNS names are issued")
    if not asked.dns_names:
        yield case.error("csr.san_missing", "asks for no DNS name, so no device could verify it")
    elif case.profile.dns_names == "one" and len(asked.dns_names) != 1:
        yield case.error(
            "csr.san_count", f"asks for {len(asked.dns_names)} DNS names, expected exactly one"
        )


def _check_asked(case: _Case) -> Iterator[Finding]:
    asked, profile = case.csr.extensions, case.profile
    if asked.is_ca and not profile.ca:
        yield case.error("csr.ca_requested", "asks to be a CA (CA:TRUE)")
    if profile.ca and asked.basic_constraints is not None and not asked.is_ca:
        yield case.warning("csr.ca_not_requested", "asks for CA:FALSE in a CA's slot: ignored")
    dangerous = {"keyCertSign", "cRLSign"} - set(profile.key_usage)
    if surplus := [usage for usage in asked.key_usage or () if usage in dangerous]:
        yield case.warning("csr.key_usage_ignored", f"asks for {', '.join(surplus)}: ignored")
    wanted = set(asked.extended_key_usage or ())
    if surplus := sorted(wanted - set(profile.extended_key_usage)):
        yield case.warning("csr.eku_ignored", f"asks for {', '.join(surplus)}: ignored")
    known = {BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, SUBJECT_ALT_NAME}
    names = {one.name for one in asked.all if one.oid in known}
    for name, value in case.csr.requested:
        if name not in names:
            yield case.note("csr.extension_ignored", f"asks for {name} ({value}): ignored")


def _check_current(case: _Case) -> Iterator[Finding]:
    csr, current = case.csr, case.current
    if current is None:
        return
    if public_keys.key_bits(csr.spki) == public_keys.key_bits(current.spki):
        yield case.error(
            "csr.key_certified",
            "has the key of the certificate in use today: a stale or replayed CSR",
        )
    if csr.subject_der != current.subject_der:
        yield case.warning(
            "csr.subject_changed",
            f"subject is {csr.subject or 'empty'}, today's is {current.subject or 'empty'}",
        )
    if case.profile.dns_names != "none" and csr.dns_names != current.dns_names:
        today = ", ".join(current.dns_names) or "none"
        yield case.warning(
            "csr.san_changed",
            f"names are {', '.join(csr.dns_names) or 'none'}, today's are {today}:"
            " confirm the names by typing them back",
        )
