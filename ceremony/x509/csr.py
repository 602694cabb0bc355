"""CSRs: reading them (RFC 2986) and the policy over what they ask for."""

from ceremony.x509.policy import (
    CsrRules,
    check_csr,
    check_keys,
    check_local_ca_csr,
    rules_of,
)
from ceremony.x509.request import Csr, read_csr

__all__ = [
    "Csr",
    "CsrRules",
    "check_csr",
    "check_keys",
    "check_local_ca_csr",
    "read_csr",
    "rules_of",
]
