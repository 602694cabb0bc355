"""One whole exchange ends in time, whatever its connection is waiting for."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection


class Deadline:
    """Ends a connection when its time is over, whatever it is waiting for."""

    def __init__(self, total_s: float) -> None:
        self.expired = False
        self._timer = threading.Timer(total_s, self.expire)
        self._timer.daemon = True
        self._socket: socket.socket | None = None

    def watch(self, connected: socket.socket | None) -> None:
        """Names the socket that is to be ended."""
        self._socket = connected
        if self.expired:
            self._end()

    def expire(self) -> None:
        """Its time is over now."""
        self.expired = True
        self._end()

    def _end(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *exc: object) -> None:
        self._timer.cancel()


class Watched(HTTPConnection):
    """A connection that tells its sockets to a `Deadline`: a proxy's first, then its own."""

    def __init__(
        self, *args: Any, watch: Callable[[socket.socket | None], None], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self._watch = watch

    def _new_conn(self) -> socket.socket:
        plain = super()._new_conn()
        self._watch(plain)
        return plain

    def connect(self) -> None:
        """As urllib3's; the socket may be another one afterwards."""
        super().connect()
        self._watch(self.sock)


class WatchedTls(Watched, HTTPSConnection):
    """The same over TLS; the handshake is bounded by the connect time-out."""
