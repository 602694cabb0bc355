"""The HTTP/1.1 server under the practice API and gateway: threads, loopback, clean end."""

import contextlib
import json
import re
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from ceremony.practice.refusal import Refusal

MARKER: Final = ("X-Practice-Factory", "1")
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
_DRAIN_BYTES: Final = 64 * 1024 * 1024
_IDLE_S: Final = 30.0
_HANDSHAKE_S: Final = 10.0


class Server(socketserver.ThreadingTCPServer):
    """Accepts on loopback; every connection has a thread, TLS included.

    A handshake that stalls or fails therefore holds up nobody else.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, handler: type["Handler"], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Serves from a thread of its own."""
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stops accepting and ends every connection."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def tls(self) -> ssl.SSLContext | None:
        """The context for the next connection; None for plain TCP.

        Raises:
            ConnectionRefusedError: nothing can be served yet.
        """
        return None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Wraps the connection in TLS where that is wanted, then serves it."""
        with self._open_lock:
            self._open.add(request)
        connection = request
        try:
            request.settimeout(_HANDSHAKE_S)
            context = self.tls()
            if context is not None:
                connection = context.wrap_socket(request, server_side=True)
            with self._open_lock:
                self._open.add(connection)
            super().finish_request(connection, client_address)
        except (OSError, ssl.SSLError):
            # The peer's doing: a refused certificate, a vanished client.
            return
        finally:
            with self._open_lock:
                self._open -= {request, connection}
            if connection is not request:
                _linger(connection)
                connection.close()


def _linger(connection: socket.socket) -> None:
    """Lets an alert or a last answer out before the socket goes."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


class Handler(BaseHTTPRequestHandler):
    """JSON in and out. Subclasses answer in `route`."""

    protocol_version = "HTTP/1.1"
    server_version = "practice"
    sys_version = ""
    timeout = _IDLE_S
    disable_nagle_algorithm = True
    wbufsize = -1
    marked = True

    def route(self, body: bytes) -> None:
        """Answers one request.

        Raises:
            Refusal: it is answered with that.
        """
        raise NotImplementedError

    def handle_request(self) -> None:
        """Reads the body and routes."""
        self.marked = True
        try:
            self.route(self._body())
        except Refusal as exc:
            self.answer(exc.status, exc.body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_request  # noqa: N815

    def answer(
        self, status: int, value: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Sends JSON; nothing but a status when `value` is None."""
        raw = b"" if value is None else json.dumps(value).encode() + b"\n"
        self.answer_raw(status, raw, "application/json", headers)

    def answer_raw(
        self,
        status: int,
        raw: bytes,
        content_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Sends these bytes, in one go."""
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def end_headers(self) -> None:
        """Adds the practice marker to every answer."""
        if self.marked:
            self.send_header(*MARKER)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keeps quiet: paths and peers are nobody's business."""

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()
        self.connection.close()

    def hang_up(self) -> None:
        """Ends the connection after what was sent."""
        self.close_connection = True

    def _drain(self, length: int) -> None:
        # Closing with unread data would reset the connection under the answer.
        self.hang_up()
        left = min(length, _DRAIN_BYTES)
        while left > 0 and (chunk := self.rfile.read(min(left, 65536))):
            left -= len(chunk)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,18}", length):
            self.hang_up()
            raise Refusal(411, "Content-Length is needed")
        if int(length) > MAX_BODY_BYTES:
            self._drain(int(length))
            raise Refusal(413, "Request is too large")
        return self.rfile.read(int(length))


def decode_object(raw: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        Refusal: 400, not one.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise Refusal(400, "Invalid JSON") from exc
    if not isinstance(value, dict):
        raise Refusal(400, "Expected a JSON object")
    return value
