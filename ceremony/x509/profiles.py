"""Certificate profiles as tables: which role has which extensions, each row with its source.

Two public sources exist and differ: the documentation's OpenSSL recipe and fioctl's Go
code. These profiles are the strict superset that verifiers accept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from ceremony.config import Slot

ROOT_CN: Final = "Factory-CA"
LOCAL_CA_PREFIX: Final = "fio-"
PRODUCTION: Final = "production"


class Role(StrEnum):
    """What a certificate is for."""

    ROOT = "root"
    TLS = "tls"
    EST_TLS = "est-tls"
    ONLINE_CA = "online-ca"
    LOCAL_CA = "local-ca"
    DEVICE = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One column of the table. An extension that is not named here is never issued.

    Attributes:
        days: usual validity.
        days_limit: the longest that is not absurd; leap days of fioctl's whole years included.
        ca: basicConstraints CA:TRUE; without it the extension is absent.
        path_length: pathLenConstraint; None for none.
        key_usage: names of RFC 5280 §4.2.1.3, in bit order.
        extended_key_usage: names of RFC 5280 §4.2.1.12, in order; empty: absent.
        dns_names: how many dNSName entries: none, one or more, or exactly one.
        authority_key_identifier: keyIdentifier of the issuer; not when self-signed.
    """

    role: Role
    days: int
    days_limit: int
    ca: bool
    path_length: int | None
    basic_constraints_critical: bool
    key_usage: tuple[str, ...]
    key_usage_critical: bool
    extended_key_usage: tuple[str, ...]
    extended_key_usage_critical: bool
    dns_names: Literal["none", "some", "one"]
    authority_key_identifier: bool


_ROOT: Final = Profile(
    role=Role.ROOT,
    # Recipe: `-days 7300`; fioctl: AddDate(20, 0, 0). 25 years is the plan's limit.
    days=7300,
    days_limit=9132,
    # RFC 5280 §4.2.1.9: a CA's basicConstraints must be critical. No pathLenConstraint:
    # neither source has one, and a customer's root may have to carry another tier.
    ca=True,
    path_length=None,
    basic_constraints_critical=True,
    # RFC 5280 §4.2.1.3: keyCertSign, and cRLSign as this key signs the CRL of device CAs
    # (both sources omit it; RFC 5280 §6.3.3 (f) wants it). Critical: SHOULD.
    key_usage=("keyCertSign", "cRLSign"),
    key_usage_critical=True,
    # fioctl: serverAuth, clientAuth. Not critical: pyca's verifier refuses a critical one.
    extended_key_usage=("serverAuth", "clientAuth"),
    extended_key_usage_critical=False,
    dns_names="none",
    # RFC 5280 §4.2.1.1: may be omitted when self-signed.
    authority_key_identifier=False,
)

# The documentation's `ca.cnf`: basicConstraints=CA:TRUE, keyUsage = keyCertSign,
# extendedKeyUsage = critical, clientAuth, serverAuth. Its criticality and order; cRLSign
# stays, as a root without it signs CRLs that strict verifiers refuse.
ROOT_OPENSSL_RECIPE: Final = replace(
    _ROOT,
    basic_constraints_critical=False,
    key_usage_critical=False,
    extended_key_usage=("clientAuth", "serverAuth"),
    extended_key_usage_critical=True,
)

_ONLINE_CA: Final = Profile(
    role=Role.ONLINE_CA,
    # Recipe: `-days 3650`; fioctl: AddDate(10, 0, 0). The plan allows 7300.
    days=3650,
    days_limit=7305,
    # Both sources: critical, CA:TRUE, pathlen:0.
    ca=True,
    path_length=0,
    basic_constraints_critical=True,
    # Both sources: critical keyCertSign.
    key_usage=("keyCertSign",),
    key_usage_critical=True,
    # Both sources: absent.
    extended_key_usage=(),
    extended_key_usage_critical=False,
    dns_names="none",
    # RFC 5280 §4.2.1.1.
    authority_key_identifier=True,
)

_LOCAL_CA: Final = replace(_ONLINE_CA, role=Role.LOCAL_CA)

_TLS: Final = Profile(
    role=Role.TLS,
    # Recipe: `-days 3650`; fioctl: AddDate(10, 0, 0).
    days=3650,
    days_limit=3653,
    # RFC 5280 §4.2.1.9: may be omitted in an end entity's certificate.
    ca=False,
    path_length=None,
    basic_constraints_critical=False,
    # RFC 8446 §4.4.2.2: digitalSignature. The sources add keyEncipherment and keyAgreement,
    # which an ECDSA key cannot use in TLS 1.2 with ECDHE or in TLS 1.3.
    key_usage=("digitalSignature",),
    key_usage_critical=True,
    # Recipe: critical, which pyca's verifier refuses; fioctl: not critical.
    extended_key_usage=("serverAuth",),
    extended_key_usage_critical=False,
    # RFC 9525 §6.3: names of a service are looked up here only.
    dns_names="some",
    authority_key_identifier=True,
)

# house: an EST service has one name.
_EST_TLS: Final = replace(_TLS, role=Role.EST_TLS, dns_names="one")

_DEVICE: Final = Profile(
    role=Role.DEVICE,
    # Factory registration service: 20 years; recipe: 10.
    days=3650,
    days_limit=7305,
    # Never a CA: the recipe's device command, which uses `ca.ext`, is a mistake.
    ca=False,
    path_length=None,
    basic_constraints_critical=False,
    # Recipe's `device.cnf` and the registration service: critical digitalSignature.
    key_usage=("digitalSignature",),
    key_usage_critical=True,
    # Recipe's `device.cnf` and the registration service: critical clientAuth.
    extended_key_usage=("clientAuth",),
    extended_key_usage_critical=True,
    dns_names="none",
    authority_key_identifier=True,
)

PROFILES: Final[Mapping[Role, Profile]] = MappingProxyType(
    {p.role: p for p in (_ROOT, _TLS, _EST_TLS, _ONLINE_CA, _LOCAL_CA, _DEVICE)}
)


def role_of(slot: Slot) -> Role:
    """The role of the certificate that answers a slot's CSR."""
    return {Slot.TLS: Role.TLS, Slot.EST_TLS: Role.EST_TLS, Slot.ONLINE_CA: Role.ONLINE_CA}[slot]
