"""The kinds of ceremonies as one table: what each may ask for, make, and set at the Factory.

A new kind is a row here, a row of steps in `ceremony.flow.program`, and what is new in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """What a ceremony is for."""

    CREATE = "create"
    ADD_DEVICE_CA = "add-device-ca"
    ROTATE_TLS = "rotate-tls"
    AUTHORIZE_EST = "authorize-est"
    DISABLE_DEVICE_CA = "disable-device-ca"
    ENABLE_DEVICE_CA = "enable-device-ca"
    REVOKE_DEVICE_CA = "revoke-device-ca"
    SIGN_CSR = "sign-csr"
    DESTROY_KEY = "destroy-key"
    CHECK_BACKUP = "check-backup"
    EXPORT_ROOT_KEY = "export-root-key"


class Slot(StrEnum):
    """Which of the API's CSRs a certificate answers; it alone decides the profile."""

    TLS = "tls"
    ONLINE_CA = "online-ca"
    EST_TLS = "est-tls"


class Reason(StrEnum):
    """Reason of a CRL entry, by its name (RFC 5280 §5.3.1); what it asks of the platform."""

    DISABLE = "certificateHold"
    ENABLE = "removeFromCRL"
    REVOKE = "privilegeWithdrawn"

    @property
    def code(self) -> int:
        """Its CRLReason number."""
        return {Reason.DISABLE: 6, Reason.ENABLE: 8, Reason.REVOKE: 9}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFacts:
    """One kind.

    Attributes:
        title: of the first screen and of the script.
        purpose: one sentence for the first screen.
        usual: the plan's `requests` when it does not say.
        allowed: slots that `requests` may hold.
        needed: slots that it must hold.
        makes_root: it begins a PKI; all others work under the root that the Factory has.
        makes_local_cas: the plan may name local CAs to be made.
        reason: of the CRL that it signs; None: none.
        fields: of the API that its upload may set.
        exports: an upload bundle leaves the room.
    """

    title: str
    purpose: str
    usual: tuple[Slot, ...] = ()
    allowed: tuple[Slot, ...] = ()
    needed: tuple[Slot, ...] = ()
    makes_root: bool = False
    makes_local_cas: bool = False
    reason: Reason | None = None
    fields: tuple[str, ...] = ()
    exports: bool = True


_ALL: Final = (Slot.TLS, Slot.ONLINE_CA, Slot.EST_TLS)
_CRL: Final = ("ca-revoke-crl",)

KINDS: Final[Mapping[Kind, KindFacts]] = MappingProxyType(
    {
        Kind.CREATE: KindFacts(
            title="A new root of trust",
            purpose="This ceremony makes the root CA of one Factory, its device CAs, and the "
            "certificates of its gateway.",
            usual=_ALL,
            allowed=_ALL,
            needed=(Slot.TLS,),
            makes_root=True,
            makes_local_cas=True,
            fields=("root-crt", "tls-crt", "ca-crt", "est-tls-crt"),
        ),
        Kind.ADD_DEVICE_CA: KindFacts(
            title="More device CAs",
            purpose="This ceremony adds device CAs to those that the Factory has.",
            allowed=(Slot.ONLINE_CA,),
            makes_local_cas=True,
            fields=("ca-crt",),
        ),
        Kind.ROTATE_TLS: KindFacts(
            title="A new gateway certificate",
            purpose="This ceremony signs a new TLS certificate for the Factory's gateway.",
            usual=(Slot.TLS,),
            allowed=(Slot.TLS,),
            needed=(Slot.TLS,),
            fields=("tls-crt",),
        ),
        Kind.AUTHORIZE_EST: KindFacts(
            title="A certificate for the EST server",
            purpose="This ceremony signs a TLS certificate for the Factory's EST server.",
            usual=(Slot.EST_TLS,),
            allowed=(Slot.EST_TLS,),
            needed=(Slot.EST_TLS,),
            fields=("est-tls-crt",),
        ),
        Kind.DISABLE_DEVICE_CA: KindFacts(
            title="Device CAs are disabled",
            purpose="This ceremony signs a CRL that disables device CAs: their devices go on, "
            "new ones are refused.",
            reason=Reason.DISABLE,
            fields=_CRL,
        ),
        Kind.ENABLE_DEVICE_CA: KindFacts(
            title="Device CAs are enabled again",
            purpose="This ceremony signs a CRL that enables disabled device CAs again.",
            reason=Reason.ENABLE,
            fields=_CRL,
        ),
        Kind.REVOKE_DEVICE_CA: KindFacts(
            title="Device CAs are revoked for good",
            purpose="This ceremony signs a CRL that revokes device CAs: every device with a "
            "certificate of theirs is cut off.",
            reason=Reason.REVOKE,
            fields=_CRL,
        ),
        Kind.SIGN_CSR: KindFacts(
            title="Certificates for CSRs",
            purpose="This ceremony signs CSRs under profiles that the plan names. Nothing of it "
            "is set at the Factory.",
        ),
        Kind.DESTROY_KEY: KindFacts(
            title="Keys of an abandoned ceremony are destroyed",
            purpose="This ceremony destroys keys that an abandoned ceremony made. Nothing that "
            "was exported is certified by them.",
            exports=False,
        ),
        Kind.CHECK_BACKUP: KindFacts(
            title="A drill: the backup of the root key",
            purpose="This ceremony proves that the backup of the root key works. Nothing is "
            "made, and nothing leaves the room.",
            exports=False,
        ),
        Kind.EXPORT_ROOT_KEY: KindFacts(
            title="The root key leaves in plain form",
            purpose="This ceremony writes a root key that lives in a file, NOT encrypted, to a "
            "stick for other tools. Nothing takes that back.",
            exports=False,
        ),
    }
)

EXPORTS_NOTHING: Final = frozenset(kind for kind, facts in KINDS.items() if not facts.exports)


def facts_of(kind: Kind) -> KindFacts:
    """The row of a kind."""
    return KINDS[kind]
