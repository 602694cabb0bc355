"""The login in fioctl's own configuration file.

The file is YAML as fioctl's library writes it: two levels of ``key: value``. Only the keys
of the login are read, and only plain or simply quoted values; what goes beyond is refused
where a needed key stands, and skipped elsewhere. Values never enter a message.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ceremony.core.text import show
from ceremony.errors import PlanError

_OAUTH: Final = (
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "created",
    "expires_in",
    "url",
)
_NEEDED: Final = {"token", "server.url", *(f"clientcredentials.{name}" for name in _OAUTH)}
_SECTIONS: Final = {"server", "clientcredentials"}
_LINE: Final = re.compile(r"( *)([A-Za-z0-9_.-]+):(?: +(.*?))? *\Z")
# YAML 1.2 §7.3.3: a plain scalar that needs no knowledge of flow, tags or comments.
_PLAIN: Final = re.compile(r"[A-Za-z0-9+/=._~:@%-][A-Za-z0-9+/=._~:@%,-]*\Z")
_QUOTED: Final = re.compile(r"\"([^\"\\]*)\"\Z|'([^']*)'\Z")
_NULL: Final = {"", "~", "null", "Null", "NULL", '""', "''"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What fioctl keeps: a token, an access token, or what one can be had with.

    Attributes:
        created: when the access token was made, RFC 3339.
        expires_in: seconds from then, as text.
        oauth_url: the token endpoint is ``<this>/token/``.
    """

    token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    server: str | None = None
    client_id: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    created: str | None = None
    expires_in: str | None = None
    oauth_url: str | None = None

    @property
    def renewable(self) -> bool:
        """Whether an access token can be asked for."""
        return bool(self.client_id and self.client_secret and self.oauth_url)


def read_fioctl(raw: bytes, where: str) -> Kept:
    """Reads the file.

    Raises:
        PlanError: `fioctl.syntax`, or `fioctl.no_login`: it holds no token.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _syntax(where, 1) from exc
    found: dict[str, str] = {}
    for number, key, value in _entries(text, where):
        if key in found:
            raise _syntax(where, number)
        found[key] = value
    kept = Kept(
        token=found.get("token"),
        access_token=found.get("clientcredentials.access_token"),
        server=found.get("server.url"),
        client_id=found.get("clientcredentials.client_id"),
        client_secret=found.get("clientcredentials.client_secret"),
        refresh_token=found.get("clientcredentials.refresh_token"),
        created=found.get("clientcredentials.created"),
        expires_in=found.get("clientcredentials.expires_in"),
        oauth_url=found.get("clientcredentials.url"),
    )
    if kept.token is None and kept.access_token is None and not kept.renewable:
        raise PlanError(
            "fioctl.no_login",
            f"{show(where)} holds neither a token nor an access token",
            hint="Log in with fioctl, or give --token-file.",
        )
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One line: where it stands, and its key and value where it has them."""

    number: int
    depth: int
    item: bool
    key: str | None
    value: str


def _lines(text: str) -> Iterator[_Line]:
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#") or stripped == "---":
            continue
        match = _LINE.match(line)
        yield _Line(
            number=number,
            depth=len(line) - len(line.lstrip(" ")),
            item=stripped == "-" or stripped.startswith("- "),
            key=match[2].lower() if match else None,
            value=(match[3] or "") if match else "",
        )


def with_tokens(raw: bytes, access_token: str, refresh_token: str, created: str) -> bytes:
    """The file with another access and refresh token; every other line as it was.

    Raises:
        ValueError: it has no line for one of them.
    """
    lines = raw.decode("utf-8").splitlines(keepends=True)
    left = {"access_token": access_token, "refresh_token": refresh_token, "created": created}
    section = ""
    for index, line in enumerate(lines):
        match = _LINE.match(line.rstrip("\r\n"))
        if match is None:
            continue
        if not match[1]:
            section = match[2].lower()
        name = match[2].lower()
        if match[1] and section == "clientcredentials" and name in left:
            lines[index] = f'{match[1]}{match[2]}: "{left.pop(name)}"\n'
    if left:
        raise ValueError("a line is missing")
    return "".join(lines).encode()


def _entries(text: str, where: str) -> Iterator[tuple[int, str, str]]:
    """Line number, dotted key and value of each needed key."""
    section, indent = "", 0
    read_at = None  # depth of a needed value: a deeper line would go on with it
    for line in _lines(text):
        if read_at is not None and line.depth > read_at:
            raise _syntax(where, line.number)
        read_at = None
        if line.depth == 0:
            section, indent = line.key or "", 0
        elif section in _SECTIONS:
            indent = indent or line.depth
            if line.depth < indent or (line.depth == indent and not (line.key or line.item)):
                raise _syntax(where, line.number)
        if line.key is None or line.depth != indent:
            continue
        key = line.key if line.depth == 0 else f"{section}.{line.key}"
        if key in _SECTIONS and line.value not in _NULL | {"{}"}:
            raise _syntax(where, line.number)
        if key in _NEEDED and line.value not in _NULL:
            read_at = line.depth
            yield line.number, key, _scalar(line.value, where, line.number)


def _scalar(text: str, where: str, number: int) -> str:
    if _PLAIN.match(text) and ": " not in text:
        return text
    quoted = _QUOTED.match(text)
    if quoted is None:
        raise _syntax(where, number)
    return quoted[1] if quoted[1] is not None else quoted[2]


def _syntax(where: str, number: int) -> PlanError:
    return PlanError(
        "fioctl.syntax",
        f"line {number} of {show(where)} is YAML that this program does not read",
        hint="Put the token alone into a file (mode 0600) and give --token-file.",
    )
