"""One HTTP exchange: bounded in time and size, never redirected, verified by TLS.

Everything that a peer controls ends in `Answer` or in a `NetworkError` whose text holds
neither a header that was sent nor an unescaped byte that was received.
"""

import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool, connection_from_url
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Retry, Timeout

from ceremony.config import Online, is_loopback
from ceremony.core.text import show
from ceremony.errors import CeremonyError, NetworkError, PlanError
from ceremony.online.deadline import Deadline, Watched, WatchedTls

MAX_ANSWER_BYTES: Final = 1024 * 1024
PRACTICE_HEADER: Final = "X-Practice-Factory"
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long to wait, in seconds, and how often to ask again.

    Attributes:
        connect_s: one TCP connection, or one TLS handshake.
        read_s: silence between two pieces of an answer.
        total_s: one whole exchange, however steadily it drips.
        attempts: of a GET, the first one included.
        backoff_s: before the third attempt; doubled before each later one.
        longest_wait_s: a server's Retry-After counts up to this.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    total_s: float = 60.0
    attempts: int = 4
    backoff_s: float = 0.5
    longest_wait_s: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        body: unpacked; `MAX_ANSWER_BYTES` at most.
        practice: it carries the marker of a practice Factory.
        location: where a redirect points, as sent; empty otherwise.
    """

    status: int
    body: bytes = field(repr=False)
    practice: bool
    location: str = ""

    @property
    def success(self) -> bool:
        """Whether the API says that it is done (house: the Factory API)."""
        return self.status in {200, 201, 202, 204}


class Transport:
    """Requests to one base URL. Each has a connection of its own.

    A connection that was idle may be gone when a request is written to it, and then nobody
    knows whether the request arrived; so none is kept.
    """

    def __init__(self, online: Online, bounds: Bounds | None = None) -> None:
        parts = split_url(online.api)
        self._loopback = is_loopback(parts.hostname)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._loopback):
            raise _insecure(online.api)
        self._base = online.api.rstrip("/")
        self._bounds = bounds or Bounds()
        # A loopback address means this machine, not a proxy's idea of it.
        self._proxy = None if self._loopback else _check_proxy(online.proxy)
        self._tls = _context(online.ca_file) if parts.scheme == "https" else None
        self._over = threading.Event()
        self._under_way: set[Deadline] = set()

    @property
    def loopback(self) -> bool:
        """Whether the API is on this machine."""
        return self._loopback

    def end(self) -> None:
        """Ends what other threads have under way here, and lets nothing more begin."""
        self._over.set()
        for deadline in tuple(self._under_way):
            deadline.expire()

    def exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        repeat: bool = False,
    ) -> Answer:
        """Sends a request; a GET is sent again after a failure that may pass.

        Args:
            method: GET, POST, PATCH or PUT.
            path: begins with a slash.
            headers: may carry a secret.
            body: JSON, unless `headers` has another Content-Type.
            repeat: this request may be repeated as a GET is: done twice, it does no more
                than done once.

        Raises:
            NetworkError: `api.unreachable`, `api.timeout`, `api.tls`, `api.proxy`,
                `api.broken`, `api.encoding`, `api.too_large`.
        """
        bounds = self._bounds
        retries = Retry(
            total=bounds.attempts - 1,
            allowed_methods={"GET", method} if repeat else {"GET"},
            status_forcelist=_AGAIN,
            backoff_factor=bounds.backoff_s,
            retry_after_max=bounds.longest_wait_s,
        )
        while True:
            answer, response, refusal = self._attempt(method, path, headers, body)
            again = (method == "GET" or repeat) and bool(retries.total) and not self._over.is_set()
            if answer is not None:
                wait_told = "Retry-After" in (response.headers if response else {})
                if not (again and retries.is_retry(method, answer.status, wait_told)):
                    return answer
            elif refusal is not None and (not again or refusal.code not in _PASSING):
                raise refusal
            retries = retries.increment(method, path, response=response)
            self._over.wait(_pause_s(retries, response))

    def _attempt(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[Answer | None, urllib3.BaseHTTPResponse | None, CeremonyError | None]:
        deadline = Deadline(self._bounds.total_s)
        self._under_way.add(deadline)
        if self._over.is_set():
            deadline.expire()
        try:
            with deadline:
                response = self._send(deadline, method, path, headers, body)
                try:
                    answer = _read(response, deadline)
                finally:
                    response.close()
        except (HTTPError, ValueError) as exc:
            # urllib3 hands on what `http.client` says to a chunk of a negative length.
            refusal = _translate(exc, deadline.expired)
            refusal.__cause__ = exc
            return None, None, refusal
        except NetworkError as exc:
            return None, None, exc
        finally:
            self._under_way.discard(deadline)
        return answer, response, None

    def _send(
        self,
        deadline: Deadline,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> urllib3.BaseHTTPResponse:
        bounds = self._bounds
        url = f"{self._base}{path}"
        return self._pool(url, deadline).urlopen(
            method,
            urlsplit(url).path,
            body=body,
            headers=_headers(headers, body),
            retries=False,
            redirect=False,
            timeout=Timeout(connect=bounds.connect_s, read=bounds.read_s),
            preload_content=False,
        )

    def _pool(self, url: str, deadline: Deadline) -> HTTPConnectionPool:
        options: dict[str, Any] = {} if self._tls is None else {"ssl_context": self._tls}
        if self._proxy is None:
            pool = connection_from_url(url, **options)
        else:
            manager = urllib3.ProxyManager(self._proxy, proxy_ssl_context=_context(None), **options)
            pool = manager.connection_from_url(url)
        secure = isinstance(pool, HTTPSConnectionPool)
        pool.ConnectionCls = WatchedTls if secure else Watched
        pool.conn_kw["watch"] = deadline.watch
        return pool


def _pause_s(retries: Retry, response: urllib3.BaseHTTPResponse | None) -> float:
    try:
        told_s = retries.get_retry_after(response) if response is not None else None
    except (InvalidHeader, ValueError, OverflowError):
        # A Retry-After that is neither seconds nor a date, or one that no clock will show.
        told_s = None
    return told_s or retries.get_backoff_time()


def _headers(given: Mapping[str, str], body: bytes | None) -> dict[str, str]:
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "ceremony-online",
        **given,
    }
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    return headers


def _read(response: urllib3.BaseHTTPResponse, deadline: Deadline) -> Answer:
    body = response.read(MAX_ANSWER_BYTES + 1, decode_content=True)
    if len(body) > MAX_ANSWER_BYTES:
        raise NetworkError(
            "api.too_large",
            "the API's answer is larger than 1 MiB",
            hint="Check the API's address, and what stands between it and this machine.",
        )
    if deadline.expired:
        # An answer without a length ends where its connection does.
        raise _too_slow()
    return Answer(
        status=response.status,
        body=body,
        practice=response.headers.get(PRACTICE_HEADER) == "1",
        location=response.headers.get("Location", ""),
    )


# --- trust ---------------------------------------------------------------------------


def _context(ca_file: str | None) -> ssl.SSLContext:
    # Not create_default_context: that one writes session keys where SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise PlanError(
            "api.ca_file",
            f"plan key online.ca_file: cannot read certificates from {show(ca_file)}",
            hint="Name a PEM file with the certificate of the API's CA.",
        ) from exc
    return context


def _check_proxy(proxy: str | None) -> str | None:
    if proxy is not None and urlsplit(proxy).username is not None:
        raise PlanError(
            "api.proxy_secret",
            "plan key online.proxy holds a user name or password",
            hint="Use a proxy that knows this machine; the plan is no place for secrets.",
        )
    return proxy


def split_url(url: str) -> SplitResult:
    """The parts of an address.

    Raises:
        PlanError: `api.insecure`: it is none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # read here, as only reading it judges it
    except ValueError as exc:
        raise _insecure(url) from exc
    return parts


def _insecure(url: str) -> PlanError:
    return PlanError(
        "api.insecure",
        f"{show(url)} is not an https URL",
        hint="Use https; http is for loopback addresses only.",
    )


# --- refusals ------------------------------------------------------------------------

_PASSING: Final = frozenset({"api.unreachable", "api.timeout", "api.broken"})


def _too_slow() -> NetworkError:
    return NetworkError(
        "api.timeout",
        "the API did not answer in time",
        hint="Check the network, then run the command again.",
    )


def _translate(exc: Exception, expired: bool) -> NetworkError:
    match exc:
        case _ if expired:
            return _too_slow()
        case ProxyError():
            code, what, hint = "api.proxy", "the proxy refused", "Check online.proxy in the plan."
        case SSLError():
            code, what = "api.tls", "the API's TLS certificate or connection is not trusted"
            hint = "Check the host name, this machine's clock, and online.ca_file in the plan."
        case NewConnectionError() | ConnectTimeoutError():
            code, what = "api.unreachable", "the API cannot be reached"
            hint = "Check the network, online.api and online.proxy in the plan."
        case ReadTimeoutError():
            return _too_slow()
        case DecodeError():
            code, what = "api.encoding", "the API's answer cannot be unpacked"
            hint = "Check what stands between the API and this machine."
        case _:
            code, what = "api.broken", "the connection to the API broke"
            hint = "Run the command again."
    return NetworkError(code, f"{what} ({_reason(exc)})", hint=hint)


def _reason(exc: BaseException) -> str:
    """The innermost cause, in the words of the system or of OpenSSL."""
    inner: BaseException = exc
    seen = {id(inner)}
    while True:
        following = getattr(inner, "original_error", None) or inner.__cause__ or inner.__context__
        if following is None and inner.args and isinstance(inner.args[-1], BaseException):
            following = inner.args[-1]
        if not isinstance(following, BaseException) or id(following) in seen:
            break
        inner = following
        seen.add(id(inner))
    if isinstance(inner, ssl.SSLCertVerificationError):
        return show(inner.verify_message)
    if isinstance(inner, OSError) and inner.strerror:
        return show(inner.strerror)
    return type(inner).__name__
