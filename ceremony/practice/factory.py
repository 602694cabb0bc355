"""The practice Factory: API and device gateway on loopback, with their state in a folder."""

import secrets
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self, TypeVar

from ceremony.errors import PlanError
from ceremony.practice.api import ApiServer
from ceremony.practice.api_tls import api_context
from ceremony.practice.authority import Authority, User
from ceremony.practice.devices import Devices
from ceremony.practice.faults import Faults
from ceremony.practice.gateway import Gateway
from ceremony.practice.login import Login
from ceremony.practice.server import Server
from ceremony.practice.store import Store, write_private

__all__ = ["DEFAULT_USERS", "PracticeFactory", "User"]

_S = TypeVar("_S", bound=Server)

DEFAULT_USERS: Final = (
    User(polis_id="5f1e0c7ab2d84c0f9a6d3b21", name="Practice Owner"),
    User(polis_id="5f1e0c7ab2d84c0f9a6d3b22", name="Practice Admin", role="admin"),
)


class PracticeFactory:
    """A stand-in for the Factory API and its gateway. Use as a context manager.

    Args:
        directory: its state goes here, and is found here again.
        factory: the Factory's name.
        users: with their user ids alone if that is enough; the first of them is who calls.
            Without any, two of its own.
        token: API token; None keeps the one of before, or makes one.
        tls: the API speaks https, under a CA of its own.
        port: of the API; 0 takes a free one.
        host_suffix: domain of the gateway's and the EST server's names.

    Attributes:
        faults: what goes wrong on request; also ``POST /practice/faults``.
        token_file: 0600, the API token and LF.
        ca_file: CA of the API's own certificate; None without TLS.
    """

    def __init__(
        self,
        directory: Path,
        *,
        factory: str,
        users: Sequence[User | str] = (),
        token: str | None = None,
        tls: bool = False,
        port: int = 0,
        host_suffix: str = "foundries.io",
    ) -> None:
        self.folder = directory
        self.factory = factory
        self.store = Store(self.folder)
        self.faults = Faults()
        self.token_file = self.folder / "token"
        self.token = self._token(token)
        known = tuple(map(_user, users)) or DEFAULT_USERS
        self.authority = Authority(self.store, factory, known, host_suffix)
        self.devices = Devices(self.store, self.authority)
        self._context: ssl.SSLContext | None = None
        self.ca_file: Path | None = None
        if tls:
            self._context, self.ca_file = api_context(self.folder)
        self._port = port
        self._api: ApiServer | None = None
        self._gateway: Gateway | None = None

    def start(self) -> None:
        """Listens; the ports are known afterwards.

        Raises:
            PlanError: `practice.port_taken`.
        """
        login = Login(self.store, self.token)
        try:
            self._api = ApiServer(
                self._port, self._context, self.authority, self.devices, login, self.faults
            )
        except OSError as exc:
            raise PlanError(
                "practice.port_taken",
                f"port {self._port}, where the practice Factory was before, is taken",
                hint="End what listens there: --serve, or a rehearsal in the same folder.",
            ) from exc
        self._gateway = Gateway(self.store, self.authority, self.devices)
        self._api.start()
        self._gateway.start()

    def stop(self) -> None:
        """Stops listening; safe to call twice. The state stays."""
        for server in (self._api, self._gateway):
            if server is not None:
                server.stop()
        self._api = self._gateway = None
        self.devices.save()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Base URL of the API, without a slash at the end."""
        host, port = _started(self._api).address
        return f"{'https' if self._context else 'http'}://{host}:{port}"

    @property
    def oauth_url(self) -> str:
        """Base URL of the OAuth endpoint: ``<this>/token/``."""
        return f"{self.url}/oauth"

    @property
    def client_id(self) -> str:
        """OAuth client id."""
        return str(self.store.state["client_id"])

    @property
    def client_secret(self) -> str:
        """OAuth client secret."""
        return str(self.store.state["client_secret"])

    @property
    def gateway_address(self) -> tuple[str, int]:
        """Host and port where the gateway listens."""
        return _started(self._gateway).address

    @property
    def gateway_name(self) -> str:
        """The gateway's host name, first of the TLS CSR's names; it resolves nowhere."""
        return self.authority.names.gateway

    def _token(self, token: str | None) -> str:
        if token is None and self.token_file.exists():
            return self.token_file.read_text(encoding="ascii").strip()
        token = token or secrets.token_hex(20)
        write_private(self.token_file, f"{token}\n".encode("ascii"))
        return token


def _started(server: _S | None) -> _S:
    if server is None:
        raise RuntimeError("the practice Factory is not started")
    return server


def _user(user: User | str) -> User:
    return user if isinstance(user, User) else User(polis_id=user, name="Practice Owner")
