"""Our own rules over one certificate: its role's profile, and the known mistakes by name.

Import `check_certificate` through `ceremony.x509.checks`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ceremony.core.findings import Finding, Severity
from ceremony.core.text import show
from ceremony.x509 import extensions as ext
from ceremony.x509 import names
from ceremony.x509.certificate import Certificate
from ceremony.x509.hosts import is_host
from ceremony.x509.profiles import (
    LOCAL_CA_PREFIX,
    PRODUCTION,
    PROFILES,
    ROOT_CN,
    ROOT_OPENSSL_RECIPE,
    Profile,
    Role,
)
from ceremony.x509.public_keys import MIN_RSA_BITS, key_identifier

_Row = tuple[Severity, str, str]
_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE
# What a higher CA usually adds, and no verifier stumbles over.
_OF_HIGHER_CAS: Final = frozenset(
    {
        "2.5.29.18",  # issuerAltName
        "2.5.29.31",  # cRLDistributionPoints
        "2.5.29.32",  # certificatePolicies
        "1.3.6.1.5.5.7.1.1",  # authorityInfoAccess
    }
)
_NAME_CONSTRAINTS: Final = "2.5.29.30"
_PROFILED: Final = frozenset(
    {
        ext.BASIC_CONSTRAINTS,
        ext.KEY_USAGE,
        ext.EXTENDED_KEY_USAGE,
        ext.SUBJECT_ALT_NAME,
        ext.SUBJECT_KEY_IDENTIFIER,
        ext.AUTHORITY_KEY_IDENTIFIER,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    certificate: Certificate
    profile: Profile
    factory: str | None
    external: bool

    @property
    def role(self) -> Role:
        return self.profile.role

    def critical(self, oid: str) -> bool | None:
        """The criticality of an extension; None when it is absent."""
        found = self.certificate.extensions.find(oid)
        return None if found is None else found.critical


def check_certificate(
    certificate: Certificate,
    role: Role,
    *,
    factory: str | None,
    recipe: bool = False,
    external: bool = False,
) -> tuple[Finding, ...]:
    """Findings against the role's profile; the documentation's mistakes by their names.

    A certificate that this program issues has none. ERROR: it will not do its work, or does
    more than it should. WARNING: some verifiers refuse it, or it is not what we issue.

    Args:
        certificate: as read.
        role: whose profile.
        factory: expected OU; None when it is not known.
        recipe: a root is weighed against the OpenSSL recipe's criticality.
        external: a root is one that a higher CA signs, as the plan or the manifest says.
    """
    profile = ROOT_OPENSSL_RECIPE if recipe and role is Role.ROOT else PROFILES[role]
    case = _Case(
        certificate=certificate,
        profile=profile,
        factory=factory,
        external=external and role is Role.ROOT,
    )
    return tuple(
        Finding(severity=severity, code=code, where=role.value, message=message)
        for check in _CHECKS
        for severity, code, message in check(case)
    )


def _check_basics(case: _Case) -> Iterator[_Row]:
    one = case.certificate
    if one.version != 3:
        yield _E, "certificate.version", f"version {one.version}, so it has no extensions"
    if one.digest is None:
        yield _E, "certificate.digest_weak", "signed with a weak or unknown algorithm"
    if one.key.startswith("refused") or (
        one.key.startswith("RSA") and int(one.key.split()[1]) < MIN_RSA_BITS
    ):
        yield _E, "certificate.key_weak", f"key: {one.key}"
    if one.serial == 0:
        yield _E, "certificate.serial_zero", "the serial number is zero"
    elif one.serial.bit_length() > 159:
        yield (
            _W,
            "certificate.serial_long",
            "the serial number takes 21 octets, RFC 5280 allows 20 (fioctl makes such ones)",
        )


def _check_validity(case: _Case) -> Iterator[_Row]:
    one, limit = case.certificate, case.profile.days_limit
    if one.not_after <= one.not_before:
        yield _E, "certificate.validity_empty", "notAfter is not after notBefore"
    days = (one.not_after - one.not_before).days
    if days > limit:
        yield _W, "certificate.validity_long", f"valid for {days} days, over {limit}"


def _check_subject(case: _Case) -> Iterator[_Row]:
    one, role, factory = case.certificate, case.role, case.factory
    service = role in {Role.TLS, Role.EST_TLS}
    ou = one.organizational_unit
    if not service and factory is not None and ou != factory:
        yield _E, "certificate.subject_ou", f"OU is {ou or 'absent'}, expected {factory}"
    cn = one.common_name or ""
    if role is Role.ROOT and cn != ROOT_CN:
        yield _W, "certificate.subject_cn", f"CN is {cn or 'absent'}, expected {ROOT_CN}"
    if role is Role.LOCAL_CA and not cn.startswith(LOCAL_CA_PREFIX):
        yield (
            _E,
            "certificate.subject_cn",
            f"CN is {cn or 'absent'}, expected '{LOCAL_CA_PREFIX}' and a user id",
        )
    if role in {Role.ONLINE_CA, Role.DEVICE} and not cn:
        yield _E, "certificate.subject_cn", "CN is absent, empty or repeated"
    category = names.only(one.rdns, names.BUSINESS_CATEGORY)
    if role is Role.DEVICE and category not in {None, PRODUCTION}:
        yield _W, "certificate.subject_category", f"businessCategory is {show(category or '')}"


def _check_constraints(case: _Case) -> Iterator[_Row]:
    one, profile = case.certificate, case.profile
    if not profile.ca:
        yield from _check_leaf(case)
        return
    constraints = one.extensions.basic_constraints
    if constraints is None or not constraints.ca:
        yield _E, "certificate.not_ca", "basicConstraints does not say CA:TRUE"
        return
    if profile.path_length is not None and constraints.path_length != profile.path_length:
        found = "absent" if constraints.path_length is None else str(constraints.path_length)
        yield _E, "certificate.path_length", f"pathlen is {found}, expected {profile.path_length}"
    if profile.path_length is None and constraints.path_length not in _lengths(case):
        yield (
            _E if constraints.path_length == 0 else _W,
            "certificate.path_length",
            f"pathlen is {constraints.path_length}; a root has none"
            + (", and with 0 no device CA works" if constraints.path_length == 0 else ""),
        )
    if profile.basic_constraints_critical and not case.critical(ext.BASIC_CONSTRAINTS):
        yield (
            _W,
            "certificate.basic_constraints_not_critical",
            (
                "basicConstraints is not critical, as in the documentation's recipe:"
                " 'openssl verify -x509_strict' and Python 3.13 refuse it"
            ),
        )


def _lengths(case: _Case) -> tuple[int | None, ...]:
    """What a root's pathlen may be: a higher CA's may leave room for the device CAs alone."""
    return (None, *(range(1, 256) if case.external else ()))


def _check_leaf(case: _Case) -> Iterator[_Row]:
    if case.certificate.is_ca and case.role is Role.DEVICE:
        yield (
            _E,
            "certificate.device_is_ca",
            (
                "a CA certificate in a device's hands: the documentation's device command"
                " uses 'ca.ext' by mistake"
            ),
        )
    elif case.certificate.is_ca:
        yield _E, "certificate.leaf_is_ca", "says CA:TRUE and is no CA"
    elif case.critical(ext.BASIC_CONSTRAINTS) is not None:
        yield _N, "certificate.basic_constraints_on_leaf", "has basicConstraints CA:FALSE"


def _check_key_usage(case: _Case) -> Iterator[_Row]:
    found, profile = case.certificate.extensions.key_usage, case.profile
    if found is None:
        yield _E if profile.ca else _W, "certificate.key_usage_missing", "has no keyUsage"
        return
    needed = profile.key_usage[0]
    if needed not in found:
        yield _E, "certificate.key_usage", f"keyUsage lacks {needed}"
    if not profile.ca and "keyCertSign" in found:
        yield _E, "certificate.key_usage", "keyUsage has keyCertSign and it is no CA"
    surplus = sorted(set(found) - {*profile.key_usage, "keyCertSign"})
    if surplus:
        yield _W, "certificate.key_usage_surplus", f"keyUsage has {', '.join(surplus)}"
    if "cRLSign" in profile.key_usage and "cRLSign" not in found:
        yield (
            _W,
            "certificate.crl_sign_missing",
            "keyUsage lacks cRLSign: strict verifiers refuse its CRLs; the platform takes them",
        )
    if profile.key_usage_critical and not case.critical(ext.KEY_USAGE):
        yield _W, "certificate.key_usage_not_critical", "keyUsage is not critical"


def _check_purposes(case: _Case) -> Iterator[_Row]:
    found, profile = case.certificate.extensions.extended_key_usage, case.profile
    wanted = profile.extended_key_usage
    why = ": no gateway lets such a device in" if profile.role is Role.DEVICE else ""
    if found is None:
        if wanted and not case.external:  # absent: no restriction; and it was not asked for
            severity = _W if profile.ca else _E
            yield (
                severity,
                "certificate.eku_missing",
                f"extKeyUsage lacks {', '.join(wanted)}{why}",
            )
        return
    if missing := [purpose for purpose in wanted if purpose not in found]:
        yield _E, "certificate.eku_missing", f"extKeyUsage lacks {', '.join(missing)}{why}"
    if surplus := [purpose for purpose in found if purpose not in wanted]:
        yield _W, "certificate.eku_surplus", f"extKeyUsage has {', '.join(surplus)}"
    critical = case.critical(ext.EXTENDED_KEY_USAGE)
    if critical and wanted and not profile.extended_key_usage_critical:
        yield (
            _W,
            "certificate.eku_critical",
            (
                "extKeyUsage is critical, as in the documentation's recipe:"
                " some verifiers refuse that (pyca/cryptography does)"
            ),
        )
    if not critical and profile.extended_key_usage_critical:
        yield _W, "certificate.eku_not_critical", "extKeyUsage is not critical"


def _check_names(case: _Case) -> Iterator[_Row]:
    one, wanted = case.certificate.extensions, case.profile.dns_names
    present = one.find(ext.SUBJECT_ALT_NAME) is not None
    if wanted == "none":
        if present:
            yield _W, "certificate.san_surplus", "has subjectAltName"
        return
    if one.other_names:
        yield _E, "certificate.san_type", f"subjectAltName has {', '.join(one.other_names)}"
    if not one.dns_names:
        yield (
            _E,
            "certificate.san_missing",
            "subjectAltName has no DNS name, so no device could verify it",
        )
    elif wanted == "one" and len(one.dns_names) > 1:
        yield _E, "certificate.san_count", f"{len(one.dns_names)} DNS names, expected one"
    if odd := [name for name in one.dns_names if not is_host(name)]:
        yield _E, "certificate.san_syntax", f"no host names: {', '.join(odd)}"


def _check_identifiers(case: _Case) -> Iterator[_Row]:
    one, profile = case.certificate, case.profile
    if one.ski is None and profile.ca:
        yield _W, "certificate.ski_missing", "has no subjectKeyIdentifier"
    elif one.ski is not None and one.ski != key_identifier(one.spki):
        yield (
            _W,
            "certificate.ski_method",
            (
                "subjectKeyIdentifier is not the SHA-1 of the key: certificates of the"
                " registration service would not find this issuer"
            ),
        )
    if one.aki is None and (profile.authority_key_identifier or case.external):
        yield _W, "certificate.aki_missing", "has no authorityKeyIdentifier"
    if case.external:
        if one.self_signed:
            yield (
                _E,
                "certificate.root_self_signed",
                "the root is signed with its own key, and a higher CA's signature is expected",
            )
    elif case.role is Role.ROOT and not one.self_signed:
        yield (
            _W,
            "certificate.root_not_self_signed",
            "the root is signed by a higher CA: 'openssl verify' needs -partial_chain",
        )
    elif case.role is Role.ROOT and one.aki is not None:
        yield _N, "certificate.aki_on_root", "a self-signed root has authorityKeyIdentifier"


def _check_unknown(case: _Case) -> Iterator[_Row]:
    for one in case.certificate.extensions.all:
        if case.external and one.oid == _NAME_CONSTRAINTS:
            yield (
                _W,
                "certificate.name_constraints",
                "has nameConstraints: names below that they do not permit are refused",
            )
        elif case.external and one.oid in _OF_HIGHER_CAS and not one.critical:
            yield _N, "certificate.extension_of_higher_ca", f"has {one.name}"
        elif one.oid not in _PROFILED:
            yield (
                _E if one.critical else _W,
                "certificate.extension_unknown",
                f"has {'a critical ' if one.critical else ''}{one.name}, which no profile names",
            )


_CHECKS: Final[tuple[Callable[[_Case], Iterator[_Row]], ...]] = (
    _check_basics,
    _check_validity,
    _check_subject,
    _check_constraints,
    _check_key_usage,
    _check_purposes,
    _check_names,
    _check_identifiers,
    _check_unknown,
)
