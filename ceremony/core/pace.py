"""How fast long work goes, and when it will end: text for a progress line."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Pace:
    """Progress of work that is counted.

    Attributes:
        began_s: on a monotonic clock.
        at_first: how many were done before this run, by one that was ended.
        total: None when nobody knows.
    """

    began_s: float
    at_first: int = 0
    total: int | None = None

    def line(self, done: int, now_s: float) -> str:
        """E.g. ``12 000 of 100 000, 10 512/s, 8 s left``."""
        spent_s = max(now_s - self.began_s, 1e-9)
        rate = (done - self.at_first) / spent_s
        parts = [f"{_grouped(done)} of {_grouped(self.total)}" if self.total else _grouped(done)]
        parts.append(f"{_grouped(round(rate))}/s" if rate >= 10 else f"{rate:.1f}/s")
        if self.total is not None and rate > 0:
            parts.append(f"{_duration((self.total - done) / rate)} left")
        return ", ".join(parts)


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
