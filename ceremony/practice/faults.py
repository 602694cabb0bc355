"""Faults that the practice Factory shows on request, so that tests meet a bad day."""

import threading
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """Answers `status`, with Retry-After where `retry_after` is set."""
    DELAY = "delay"
    """Waits `delay_s`, then answers as usual."""
    DRIP = "drip"
    """Sends the usual answer one byte at a time, `delay_s` between them."""
    RESET = "reset"
    """Resets the connection instead of answering."""
    HTML = "html"
    """A page of HTML with status 200."""
    BODY = "body"
    """Answers `body` with `status`, as JSON that may be none."""
    TRUNCATED = "truncated"
    """Closes the connection in the middle of the usual answer."""
    OVERSIZED = "oversized"
    """A JSON answer of `size` bytes."""
    GZIP_BOMB = "gzip-bomb"
    """A small answer that unpacks to `size` bytes."""
    REDIRECT = "redirect"
    """Sends the client to `location`."""
    LIE = "lie"
    """Says that all is well, and does nothing."""
    PARTIAL = "partial"
    """A PATCH stores only its first field, and answers 500."""
    OTHER_CERTIFICATES = "other-certificates"
    """GET answers the certificates under each other's names."""
    NULLS = "nulls"
    """An unconfigured PKI is 200 with nulls, as an older API had it."""
    UNMARKED = "unmarked"
    """The usual answer without the practice marker."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault, and the requests that it befalls.

    Attributes:
        method: only requests of that method; any when empty.
        path: only paths that contain this text.
        times: how many requests; negative for all until it is cleared.
        applied: the request takes effect before `STATUS`, `RESET`, `HTML`, `BODY` or
            `REDIRECT` spoils its answer.
    """

    kind: FaultKind
    method: str = ""
    path: str = ""
    times: int = 1
    applied: bool = False
    status: int = 500
    retry_after: str = ""
    delay_s: float = 0.0
    size: int = 64 * 1024 * 1024
    location: str = ""
    body: str = ""


class Faults:
    """The faults that are switched on; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[Fault] = []

    def add(self, kind: FaultKind | str, **options: Any) -> None:
        """Switches a fault on: ``faults.add("status", method="PATCH", status=429)``.

        Raises:
            msgspec.ValidationError: not a fault.
        """
        self.add_raw({"kind": str(kind), **options})

    def add_raw(self, value: Mapping[str, Any]) -> None:
        """The same, from decoded JSON.

        Raises:
            msgspec.ValidationError: not a fault.
        """
        fault = msgspec.convert(value, Fault)
        with self._lock:
            self._active.append(fault)

    def clear(self) -> None:
        """Switches all off."""
        with self._lock:
            self._active.clear()

    def active(self) -> tuple[Fault, ...]:
        """Those that will befall some request."""
        with self._lock:
            return tuple(self._active)

    def take(self, method: str, path: str) -> Fault | None:
        """The first that befalls this request, counted down."""
        with self._lock:
            for index, fault in enumerate(self._active):
                if fault.path in path and fault.method in {"", method}:
                    self._count_down(index, fault)
                    return fault
        return None

    def _count_down(self, index: int, fault: Fault) -> None:
        if fault.times == 1:
            del self._active[index]
        elif fault.times > 1:
            self._active[index] = msgspec.structs.replace(fault, times=fault.times - 1)
