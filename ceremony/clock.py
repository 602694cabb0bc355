"""The machine's clock."""

from datetime import UTC, datetime


class SystemClock:
    """`ceremony.core.ports.Clock` over the system's time."""

    def now(self) -> datetime:
        """The present, aware, UTC, whole seconds."""
        return datetime.now(UTC).replace(microsecond=0)
