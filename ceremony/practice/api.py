"""The practice API: paths, status codes and JSON names of the Factory API."""

import contextlib
import gzip
import json
import ssl
import time
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from ceremony.core.text import show
from ceremony.practice.authority import FIELDS, Authority, User
from ceremony.practice.devices import Devices
from ceremony.practice.faults import Fault, FaultKind, Faults
from ceremony.practice.login import Login
from ceremony.practice.refusal import Refusal
from ceremony.practice.server import Handler, Server, decode_object
from ceremony.practice.store import Json

_ADMINS: Final = {"owner", "admin"}
_SCOPES: Final = ["devices:create", "devices:read", "source:read-update", "targets:read"]
_SPOILED: Final = {
    FaultKind.STATUS,
    FaultKind.RESET,
    FaultKind.HTML,
    FaultKind.BODY,
    FaultKind.REDIRECT,
    FaultKind.OVERSIZED,
    FaultKind.GZIP_BOMB,
}
_HTML: Final = b"<!doctype html><title>Sign in</title><h1>Please sign in</h1>\n"
_UNSET: Final = {"tls-crt": None, "ca-crt": None, "root-crt": None}
_CHUNK: Final = b" " * 65536


class ApiServer(Server):
    """The API's server, and what its handlers need."""

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext | None,
        authority: Authority,
        devices: Devices,
        login: Login,
        faults: Faults,
    ) -> None:
        super().__init__(ApiHandler, port)
        self.context = context
        self.authority = authority
        self.devices = devices
        self.login = login
        self.faults = faults

    def tls(self) -> ssl.SSLContext | None:
        """The API's own certificate, where it speaks TLS."""
        return self.context


class ApiHandler(Handler):
    """One client's requests."""

    server: ApiServer
    fault: Fault | None = None

    def route(self, body: bytes) -> None:
        """Answers, or shows the fault that befalls this request.

        Raises:
            Refusal: the API's own answers that are no success.
        """
        path = urlsplit(self.path).path
        self.server.authority.store.note(f"{self.command} {show(path)}")
        if path == "/practice/faults":
            self.fault = None
            self._faults(body)
            return
        self.fault = fault = self.server.faults.take(self.command, path)
        if fault is None:
            self.answer(*self._reply(path, body))
        elif fault.kind in _SPOILED:
            if fault.applied:
                with contextlib.suppress(Refusal):
                    self._reply(path, body)
            self._spoil(fault)
        elif fault.kind is FaultKind.LIE:
            self.server.login.check(self.headers)
            self.answer(200, {})
        else:
            self._bend(fault, path, body)

    # --- the API ------------------------------------------------------------------

    def _reply(self, path: str, body: bytes) -> tuple[int, Any]:
        if path == "/oauth/token/" and self.command == "POST":
            return 200, self.server.login.grant(body)
        self.server.login.check(self.headers)
        user = self.server.authority.users[0]
        parts = path.split("/")
        if path == "/ota/devices/":
            return self._devices(user, body)
        match parts:
            case ["", "ota", "devices", name, ""]:
                return self._device(name)
            case ["", "ota", "factories", factory, *rest] if factory == (
                self.server.authority.factory
            ):
                return self._factory(user, rest, body)
        raise Refusal(404, "Not found")

    def _factory(self, user: User, rest: list[str], body: bytes) -> tuple[int, Any]:
        authority = self.server.authority
        match rest:
            case ["certs", ""]:
                if user.role not in _ADMINS:
                    raise Refusal(403, "Owner or admin role is needed")
                return self._certs(user, body)
            case ["users", ""] if self.command == "GET":
                return 200, [_shown(one) for one in authority.users]
            case ["users", who, ""] if self.command == "GET":
                found = [one for one in authority.users if who in {"self", one.polis_id}]
                if found:
                    return 200, _shown(found[0]) | {"teams-ext": [], "effective-scopes": _SCOPES}
        raise Refusal(404, "Not found")

    def _certs(self, user: User, body: bytes) -> tuple[int, Any]:
        authority = self.server.authority
        match self.command:
            case "GET":
                certs = authority.store.certs
                return (206, {}) if certs is None else (200, certs)
            case "POST":
                return 201, authority.post(decode_object(body))
            case "PATCH":
                authority.patch(decode_object(body), user.polis_id)
                return 200, {}
        raise Refusal(405, "Method not allowed")

    def _devices(self, user: User, body: bytes) -> tuple[int, Any]:
        devices = self.server.devices
        match self.command:
            case "GET":
                return 200, devices.page()
            case "PUT":
                return 201, devices.put(decode_object(body), user.polis_id)
            case "POST":
                return 201, devices.create(decode_object(body), user.polis_id)
        raise Refusal(405, "Method not allowed")

    def _device(self, name: str) -> tuple[int, Any]:
        found = self.server.devices.find(name) if self.command == "GET" else None
        if found is None:
            raise Refusal(404, "Not found")
        return 200, found

    # --- faults -------------------------------------------------------------------

    def _faults(self, body: bytes) -> None:
        faults = self.server.faults
        if self.command == "DELETE":
            faults.clear()
        elif self.command == "POST":
            try:
                faults.add_raw(decode_object(body))
            except msgspec.ValidationError as exc:
                raise Refusal(400, "Not a fault", [str(exc)]) from exc
        self.answer(200, msgspec.to_builtins(faults.active()))

    def _spoil(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.STATUS:
                headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                self.answer(fault.status, {"msg": "practice fault"}, headers)
            case FaultKind.RESET:
                self.reset()
            case FaultKind.HTML:
                self.answer_raw(200, _HTML, "text/html")
            case FaultKind.BODY:
                self.answer_raw(fault.status, fault.body.encode(), "application/json")
            case FaultKind.REDIRECT:
                self.answer(fault.status, None, {"Location": fault.location})
            case FaultKind.OVERSIZED:
                self._oversized(fault.size)
            case _:
                bomb = gzip.compress(b" " * fault.size)
                self.answer_raw(200, bomb, "application/json", {"Content-Encoding": "gzip"})

    def _oversized(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(size))
        self.send_header("Connection", "close")
        self.end_headers()
        while size > 0:
            size -= self.wfile.write(_CHUNK[: min(size, len(_CHUNK))])

    def _bend(self, fault: Fault, path: str, body: bytes) -> None:
        if fault.kind is FaultKind.DELAY:
            time.sleep(fault.delay_s)
        if fault.kind is FaultKind.PARTIAL:
            fields = decode_object(body)
            first = next(name for name in FIELDS if name in fields)
            self._reply(path, json.dumps({first: fields[first]}).encode())
            raise Refusal(500, "practice fault: only the first field was stored")
        status, value = self._reply(path, body)
        if fault.kind is FaultKind.OTHER_CERTIFICATES and isinstance(value, dict):
            value = _swapped(value)
        if fault.kind is FaultKind.NULLS and status == 206:
            status, value = 200, _UNSET
        self.marked = fault.kind is not FaultKind.UNMARKED
        if fault.kind in {FaultKind.TRUNCATED, FaultKind.DRIP}:
            self._send_badly(fault, status, json.dumps(value).encode())
        else:
            self.answer(status, value)

    def _send_badly(self, fault: Fault, status: int, raw: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Connection", "close")
        self.end_headers()
        if fault.kind is FaultKind.TRUNCATED:
            self.wfile.write(raw[: len(raw) // 2])
            return
        for value in raw:
            self.wfile.write(bytes([value]))
            self.wfile.flush()
            time.sleep(fault.delay_s)


def _shown(user: User) -> Json:
    return {name.replace("_", "-"): value for name, value in asdict(user).items()}


def _swapped(certs: Json) -> Json:
    return {
        **certs,
        "tls-crt": certs.get("est-tls-crt") or certs.get("root-crt"),
        "est-tls-crt": certs.get("tls-crt"),
    }
