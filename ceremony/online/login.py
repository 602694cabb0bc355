"""How the API knows us: an API token, or the access token that fioctl keeps.

A token comes from a file that nobody else can read, from standard input, from the system's
keyring, or from fioctl's configuration file. It is never an argument, an environment
variable, or part of a message.
"""

import base64
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol
from urllib.parse import urlsplit

from ceremony.config import Online
from ceremony.core.secret import Secret
from ceremony.core.text import show
from ceremony.errors import NetworkError, PlanError
from ceremony.online.fioctl import read_fioctl

KEYRING: Final = "keyring:"
KEYRING_SERVICE: Final = "ceremony-online"
MAX_TOKEN_BYTES: Final = 8 * 1024
MAX_CONFIG_BYTES: Final = 64 * 1024
_SHORTEST: Final = 8
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}\Z")


class TokenSource(Protocol):
    """Where access tokens come from."""

    def current(self) -> Secret:
        """One that is good by its own account."""
        ...

    def renew(self, refused: Secret) -> None:
        """The next `current` is another one than that."""
        ...

    def secrets(self) -> tuple[Secret, ...]:
        """Everything that must not be shown."""
        ...

    def reach(self, online: Online) -> None:
        """Through what the world is reached: CA file and proxy."""
        ...

    def end(self) -> None:
        """Nothing more is asked for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What is sent with every request.

    Attributes:
        kind: `token` (an API token) or `bearer` (an OAuth access token).
        secret: not used where there is a `source`.
        server: base URL that it was made for; None when not known.
        source: of access tokens that are renewed when their time is over.
    """

    kind: Literal["token", "bearer"]
    secret: Secret
    server: str | None = None
    source: TokenSource | None = None

    def current(self) -> Secret:
        """What to send now.

        Raises:
            NetworkError: `oauth.*`: a new access token was needed, and not to be had.
        """
        return self.secret if self.source is None else self.source.current()

    def headers(self, secret: Secret | None = None) -> Mapping[str, str]:
        """The header that carries it (house: the Factory API).

        Args:
            secret: what `current` gave.

        Raises:
            NetworkError: as `current`.
        """
        secret = secret or self.current()
        if self.kind == "token":
            return {"OSF-TOKEN": secret.reveal()}
        encoded = base64.b64encode(secret.reveal().encode("ascii")).decode("ascii")
        return {"Authorization": f"Bearer {encoded}"}

    def renew(self, refused: Secret) -> bool:
        """Gets another access token than a refused one; whether there was a way to.

        Raises:
            NetworkError: `oauth.*`.
        """
        if self.source is None:
            return False
        self.source.renew(refused)
        return True

    def redact(self, text: bytes) -> bytes:
        """What a server said, without our own secret in it.

        Secrets under eight characters stay: taking those out would only spoil the text.
        """
        held = (self.secret,) if self.source is None else self.source.secrets()
        plain = [secret.reveal() for secret in held]
        encoded = [base64.b64encode(one.encode("ascii")).decode("ascii") for one in plain]
        for value in (*encoded, *plain):
            if len(value) >= _SHORTEST:
                text = _in_any_form(value).sub(b"***", text)
        return text

    def reach(self, online: Online) -> None:
        """Refuses another server than the one that it was made for.

        Raises:
            NetworkError: `login.other_server`.
            PlanError: `api.*`: CA file or proxy.
        """
        if self.server is not None and _place(self.server) != _place(online.api):
            raise NetworkError(
                "login.other_server",
                f"fioctl's login is for {show(self.server)}, the API is {show(online.api)}",
                hint="Give a token for this API with --token-file.",
            )
        if self.source is not None:
            self.source.reach(online)

    def end(self) -> None:
        """Lets no other access token be asked for."""
        if self.source is not None:
            self.source.end()


def _in_any_form(value: str) -> re.Pattern[bytes]:
    """The value as it is, as JSON may write it (RFC 8259 §7), or a URL (RFC 3986 §2.1)."""
    forms = (rf"(?:\\?{re.escape(char)}|(?:\\u00|%)(?i:{ord(char):02x}))" for char in value)
    return re.compile("".join(forms).encode("ascii"))


def _place(url: str) -> tuple[str | None, int | None] | None:
    """Host and port of an address; None where it has none."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None


def read_login(
    token_file: Path | str | None,
    *,
    environment: Mapping[str, str] = os.environ,
    stdin: BinaryIO | None = None,
) -> Login:
    """The login that was asked for.

    Args:
        token_file: a path, ``-`` for standard input, ``keyring:NAME`` for the system's
            keyring, or None for fioctl's configuration.
        environment: for `FIOCTL_CONFIG` and `HOME`.
        stdin: standard input, when it is not the process's own.

    Raises:
        PlanError: `login.none`, `login.unreadable`, `login.permissions`, `login.malformed`,
            `login.keyring`, or `fioctl.*`.
    """
    if isinstance(token_file, str) and token_file.startswith(KEYRING):
        return Login(kind="token", secret=_from_keyring(token_file.removeprefix(KEYRING)))
    if token_file == "-":  # noqa: S105 - the name of standard input
        raw = (stdin or sys.stdin.buffer).read(MAX_TOKEN_BYTES + 1)
        return Login(kind="token", secret=_token(raw, "standard input"))
    if token_file is not None:
        raw = read_private(Path(token_file), MAX_TOKEN_BYTES)
        return Login(kind="token", secret=_token(raw, str(token_file)))
    path = _fioctl_path(environment)
    if not os.path.lexists(path):
        raise PlanError(
            "login.none",
            f"there is no token: no --token-file, and no {show(str(path))}",
            hint="Give --token-file FILE (mode 0600), or log in with fioctl.",
        )
    raw = read_private(path, MAX_CONFIG_BYTES)
    kept = read_fioctl(raw, str(path))
    if kept.token is None and kept.renewable:
        from ceremony.online.oauth import AccessTokens

        return Login(
            kind="bearer",
            secret=Secret(""),
            server=kept.server,
            source=AccessTokens(kept, path),
        )
    kind: Literal["token", "bearer"] = "token" if kept.token else "bearer"
    value = kept.token or kept.access_token or ""
    return Login(kind=kind, secret=_token(value.encode(), str(path)), server=kept.server)


def _open_plainly(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_private(path: Path, cap: int) -> bytes:
    """A file that only its owner, who is us, can read.

    Args:
        path: links are followed; what counts is the file that is opened.
        cap: the most bytes it may have.

    Raises:
        PlanError: `login.unreadable`, `login.permissions`, `login.malformed`.
    """
    shown = show(str(path))
    try:
        file = open(path, "rb", opener=_open_plainly)  # noqa: SIM115 - `with` comes below
    except OSError as exc:
        raise _unreadable(shown, exc.strerror or "") from exc
    with file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _unreadable(shown, "not a regular file")
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PlanError(
                "login.permissions",
                f"{shown} holds a secret and can be read or changed by others "
                f"(owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o})",
                hint=f"Run: chmod 600 {shown} - and make a new token if others may have seen it.",
            )
        raw = file.read(cap + 1)
    if len(raw) > cap:
        raise _malformed(shown)
    return raw


def _token(raw: bytes, where: str) -> Secret:
    text = raw.decode("latin-1").removesuffix("\n").removesuffix("\r")
    if not _TOKEN.match(text):
        raise _malformed(show(where))
    return Secret(text)


def _from_keyring(name: str) -> Secret:
    """A token that `keyring set ceremony-online NAME` put there."""
    try:
        import keyring
        import keyring.errors
    except ImportError as exc:
        raise PlanError(
            "login.keyring",
            "the system's keyring cannot be used: the package 'keyring' is not installed",
            hint="Install it: pip install 'ceremony[keyring]'; or give a token file.",
        ) from exc
    try:
        value = keyring.get_password(KEYRING_SERVICE, name)
    except keyring.errors.KeyringError as exc:
        raise PlanError(
            "login.keyring",
            f"the system's keyring refuses: {show(str(exc))}",
            hint="Unlock it, or give a token file.",
        ) from exc
    if value is None:
        raise PlanError(
            "login.keyring",
            f"the system's keyring has no '{show(name)}' of {KEYRING_SERVICE}",
            hint=f"Put it there: keyring set {KEYRING_SERVICE} NAME.",
        )
    return _token(value.encode(), "the keyring")


def _fioctl_path(environment: Mapping[str, str]) -> Path:
    if environment.get("FIOCTL_CONFIG"):
        return Path(environment["FIOCTL_CONFIG"])
    return Path(environment.get("HOME") or "/") / ".config" / "fioctl.yaml"


def _unreadable(shown: str, why: str) -> PlanError:
    return PlanError(
        "login.unreadable",
        f"cannot read the token in {shown}: {why}",
        hint="Name the file that holds the token.",
    )


def _malformed(shown: str) -> PlanError:
    return PlanError(
        "login.malformed",
        f"{shown} does not hold a token: one line of printable characters, without spaces",
        hint="Put the token alone into the file, and nothing else.",
    )
