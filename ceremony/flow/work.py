"""What the steps of one ceremony hand on to each other."""

from dataclasses import dataclass, field

from ceremony.bundle.upload import Issued
from ceremony.core.fingerprints import Fingerprint
from ceremony.flow.intake import Intake
from ceremony.x509.certificate import Certificate
from ceremony.x509.crls import RevocationList


@dataclass(slots=True)
class Work:
    """Filled in step by step; a resumed ceremony fills it again from the record.

    Attributes:
        root: made here, or the one that the Factory has.
        above: CAs above a new root, its issuer first, where they were brought.
        chosen: device CAs that a CRL acts on.
        certificates: issued here, below the root.
        exports: there are a root and an upload bundle in the end.
        upload: fingerprint of the upload bundle.
    """

    intake: Intake = field(init=False)
    root: Certificate = field(init=False)
    above: tuple[Certificate, ...] = ()
    exports: bool = True
    chosen: tuple[Certificate, ...] = ()
    certificates: tuple[Issued, ...] = ()
    crl: RevocationList | None = None
    upload: Fingerprint = field(init=False)
