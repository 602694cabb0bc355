"""Times as text: UTC, whole seconds, ``YYYY-MM-DDTHH:MM:SSZ``."""

from datetime import UTC, datetime

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def format_time(at: datetime) -> str:
    """An aware time as text.

    Raises:
        ValueError: `at` is naive.
    """
    if at.tzinfo is None:
        raise ValueError("a time needs a zone")
    moment = at.astimezone(UTC)
    # strftime's %Y does not pad years below 1000 on every platform.
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> datetime:
    """Text as an aware time.

    Raises:
        ValueError: not of that form.
    """
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
