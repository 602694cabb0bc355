"""Who may call the practice API: one API token, or OAuth 2 client credentials (RFC 6749 §4.4)."""

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from ceremony.practice.refusal import Refusal
from ceremony.practice.store import Json, Store

LIFE_S: Final = 3600


class Login:
    """The API token, the OAuth client, and the access tokens that were handed out."""

    def __init__(self, store: Store, token: str) -> None:
        self._store = store
        self._token = token

    def check(self, headers: Mapping[str, str] | Any) -> None:
        """Accepts ``OSF-TOKEN: <token>`` or ``Authorization: Bearer <base64 of the token>``.

        Raises:
            Refusal: 401.
        """
        token = headers.get("OSF-TOKEN", "")
        if token:
            if hmac.compare_digest(token.encode("latin-1"), self._token.encode()):
                return
            raise Refusal(401, "Invalid API token")
        scheme, _, encoded = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise Refusal(401, "Authentication is required")
        try:
            access = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError) as exc:
            raise Refusal(401, "Invalid bearer token") from exc
        with self._store.lock:
            expires = self._store.state["access"].get(access, 0)
        if expires < time.time():
            raise Refusal(401, "Access token is unknown or expired")

    def grant(self, form: bytes) -> Json:
        """``POST <oauth>/token/``: client_credentials or refresh_token.

        Raises:
            Refusal: 400 or 401, in the words of RFC 6749 §5.2.
        """
        try:
            fields = {name: values[0] for name, values in parse_qs(form.decode()).items()}
        except UnicodeDecodeError as exc:
            raise Refusal(400, "invalid_request") from exc
        state = self._store.state
        with self._store.lock:
            if (
                fields.get("client_id") != state["client_id"]
                or fields.get("client_secret") != state["client_secret"]
            ):
                raise Refusal(401, "invalid_client")
            match fields.get("grant_type"):
                case "client_credentials":
                    pass
                case "refresh_token" if fields.get("refresh_token") in state["refresh"]:
                    state["refresh"].remove(fields["refresh_token"])
                case "refresh_token":
                    raise Refusal(400, "invalid_grant")
                case _:
                    raise Refusal(400, "unsupported_grant_type")
            return self._hand_out()

    def _hand_out(self) -> Json:
        state = self._store.state
        access, refresh = secrets.token_hex(20), secrets.token_hex(20)
        at = time.time()
        state["access"] = {old: until for old, until in state["access"].items() if until > at}
        state["access"][access] = at + LIFE_S
        state["refresh"].append(refresh)
        self._store.save_state()
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": LIFE_S,
            "scope": "",
        }
