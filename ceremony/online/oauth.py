"""OAuth access tokens with what fioctl keeps: client credentials, and its refresh token.

Client credentials come first (RFC 6749 §4.4): they take nothing from fioctl. A refresh
token (§6) is used up by its use; where only that works, the new pair is written back into
fioctl's file, so that fioctl stays logged in.
"""

import os
import re
import secrets
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec

from ceremony.bundle.documents import read_tree
from ceremony.config import Online
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import NetworkError, VerificationError
from ceremony.online.fioctl import Kept, with_tokens
from ceremony.online.transport import Answer, Bounds, Transport

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
# RFC 6749 §A.12, A.17: visible characters; without those that end a quoted line of YAML.
_TOKEN: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+\Z")
_EARLY: Final = timedelta(seconds=60)
_MAX_LIFE_S: Final = 10 * 365 * 24 * 3600


class _Granted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the token endpoint (RFC 6749 §5.1); other fields may come."""

    access_token: str
    refresh_token: str | None = None
    expires_in: float = 3600.0


class AccessTokens:
    """The access tokens of one login; may be used by several threads.

    Args:
        kept: what fioctl keeps.
        path: fioctl's file.
        bounds: other than the usual ones.
    """

    def __init__(self, kept: Kept, path: Path, bounds: Bounds | None = None) -> None:
        self._kept = kept
        self._path = path
        self._bounds = bounds
        self.reach(Online())
        self._lock = threading.Lock()
        self._refresh = kept.refresh_token
        self._token = Secret(kept.access_token) if kept.access_token else None
        self._until = _until(kept)

    def __repr__(self) -> str:
        return "AccessTokens(***)"

    def reach(self, online: Online) -> None:
        """As `ceremony.online.login.TokenSource`: through the API's CA file and proxy.

        Raises:
            PlanError: `api.*`.
        """
        address = Online(api=self._kept.oauth_url or "", ca_file=online.ca_file, proxy=online.proxy)
        self._transport = Transport(address, self._bounds)

    def end(self) -> None:
        """As `ceremony.online.login.TokenSource`."""
        self._transport.end()

    def current(self) -> Secret:
        """One that is good for a minute at least, by its own account.

        Raises:
            NetworkError: `oauth.*`, `api.*`.
        """
        with self._lock:
            if self._token is None or datetime.now(UTC) > self._until - _EARLY:
                return self._grant()
            return self._token

    def secrets(self) -> tuple[Secret, ...]:
        """As `ceremony.online.login.TokenSource`."""
        held = (self._kept.client_secret, self._kept.access_token, self._refresh)
        now = () if self._token is None else (self._token,)
        return (*now, *(Secret(one) for one in held if one))

    def renew(self, refused: Secret) -> None:
        """The next one is another one than that: others may have renewed it already.

        Raises:
            NetworkError: `oauth.*`, `api.*`.
        """
        with self._lock:
            if self._token == refused:
                self._grant()

    def _grant(self) -> Secret:
        answer = self._ask({"grant_type": "client_credentials"})
        again = {"grant_type": "refresh_token", "refresh_token": self._refresh or ""}
        refreshed = not answer.success and self._refresh is not None
        if refreshed:
            answer = self._ask(again)
        granted = _read(answer)
        self._token = Secret(granted.access_token)
        self._until = datetime.now(UTC) + timedelta(seconds=granted.expires_in)
        if refreshed:
            self._refresh = granted.refresh_token or self._refresh
            self._write_back(granted.access_token, self._refresh or "")
        return self._token

    def _ask(self, fields: dict[str, str]) -> Answer:
        form = {
            **fields,
            "client_id": self._kept.client_id or "",
            "client_secret": self._kept.client_secret or "",
        }
        return self._transport.exchange("POST", "/token/", _FORM, urlencode(form).encode("ascii"))

    def _write_back(self, access_token: str, refresh_token: str) -> None:
        """Into fioctl's file, whole or not at all."""
        path = self._path.resolve()
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            data = with_tokens(path.read_bytes(), access_token, refresh_token, created)
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            partial.replace(path)
        except (OSError, ValueError) as exc:
            with suppress(OSError):
                partial.unlink()
            raise NetworkError(
                "oauth.not_written",
                f"the new login could not be written to {show(str(self._path))}",
                hint="Log in with fioctl again: its refresh token was used up.",
            ) from exc


def _until(kept: Kept) -> datetime:
    """When the kept access token ends; never, where nobody knows: a 401 will tell."""
    try:
        begin = datetime.fromisoformat((kept.created or "").replace("Z", "+00:00"))
        life = timedelta(seconds=min(float(kept.expires_in or ""), _MAX_LIFE_S))
        return begin.astimezone(UTC) + life
    except (ValueError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


def _read(answer: Answer) -> _Granted:
    if not answer.success:
        raise NetworkError(
            "oauth.refused",
            f"the OAuth endpoint refuses the login that fioctl keeps (status {answer.status})",
            hint="Log in with fioctl again, or give --token-file.",
        )
    try:
        granted = msgspec.convert(read_tree(answer.body, "the OAuth answer"), _Granted)
    except (VerificationError, msgspec.ValidationError) as exc:
        raise _odd() from exc
    tokens = [granted.access_token, *filter(None, [granted.refresh_token])]
    if not all(map(_TOKEN.match, tokens)) or not 0 < granted.expires_in < _MAX_LIFE_S:
        raise _odd()
    return granted


def _odd() -> NetworkError:
    return NetworkError(
        "oauth.answer",
        "the OAuth endpoint's answer holds no access token",
        hint="Check clientcredentials.url in fioctl's configuration.",
    )
