"""What is asked for in a batch, and how it ended."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ceremony.devices.authority import Authority
from ceremony.devices.policy import DeviceRules
from ceremony.devices.rendering import Form
from ceremony.devices.sources import Source

STEP: Final = 4000
WORKERS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for.

    Attributes:
        out: absolute; a directory for `Form.FOLDERS`.
        days: validity; clamped to the CA's own end.
        sota: sota.toml; empty for none.
        step: rows between two syncs.
        workers: processes.
    """

    authority: Authority
    source: Source
    out: Path
    form: Form
    rules: DeviceRules
    days: int
    sota: bytes = b""
    step: int = STEP
    workers: int = WORKERS

    @property
    def words(self) -> str:
        """The same for the same command, so that a batch goes on with its own rows only."""
        rules = self.rules
        keys = ",".join((*rules.curves, *(("RSA",) if rules.rsa else ())))
        sota = hashlib.sha256(self.sota).hexdigest()[:16] if self.sota else "none"
        return (
            f"{self.source.words}; {self.form}; days {self.days};"
            f" production {str(rules.production).lower()}; keys {keys}; sota {sota}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a batch ended.

    Attributes:
        not_after: of the certificates of this run.
        clamped: the CA ends before the validity that was asked for.
        before: the batch was complete before this run.
    """

    out: Path
    results: Path
    issued: int
    refused: int
    not_after: datetime
    clamped: bool
    before: bool
