"""What both documents say of the Factory, its API, the time and the rehearsal mark."""

import re
from typing import Final
from urllib.parse import urlsplit

from ceremony.bundle.documents import refuse_field
from ceremony.config import REHEARSAL_PREFIX
from ceremony.core.times import parse_time
from ceremony.errors import VerificationError

_FACTORY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")
_USER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,60}\Z")


def check_marks(
    where: str,
    *,
    factory: str,
    api: str | None = None,
    rehearsal: bool,
    time: tuple[str, str],
    user_id: str | None = None,
) -> None:
    """Checks the fields that the documents of bundles have in common.

    Args:
        where: the document's name.
        factory: of either document, like the next ones.
        api: base URL; None where a document has none.
        rehearsal: the prefix ``rehearsal-`` belongs to rehearsals, and to each of them.
        time: name and value of a time stamp.
        user_id: of the request alone.

    Raises:
        VerificationError: `bundle.not_ascii` with the code points, `bundle.rehearsal`, or
            `json.value` with the field's path.
    """
    _check_ascii(where, "$.factory", factory)
    if not _FACTORY.match(factory):
        refuse_field(where, "$.factory", "expected lower-case letters, digits and hyphens")
    if factory.startswith(REHEARSAL_PREFIX) != rehearsal:
        raise VerificationError(
            "bundle.rehearsal",
            f"{where}: the prefix '{REHEARSAL_PREFIX}' of the factory and the rehearsal mark "
            "do not agree",
            hint="Keep rehearsal and ceremony apart; make the bundle again.",
        )
    if user_id is not None:
        _check_ascii(where, "$.user_id", user_id)
        if not _USER_ID.match(user_id):
            refuse_field(where, "$.user_id", "expected letters, digits, '-' and '_'")
    if api is not None:
        _check_api(where, api)
    check_time(where, *time)


def check_time(where: str, name: str, text: str) -> None:
    """A time stamp that the schema let through is one of the calendar's.

    Raises:
        VerificationError: `json.value` with the field's path.
    """
    try:
        parse_time(text)
    except ValueError:
        refuse_field(where, f"$.{name}", "is a date that no calendar has")


def _check_api(where: str, api: str) -> None:
    _check_ascii(where, "$.api", api)
    try:
        host = urlsplit(api).hostname
        if urlsplit(api).scheme not in {"https", "http"} or not host:
            refuse_field(where, "$.api", "expected an https URL")
    except ValueError:
        refuse_field(where, "$.api", "expected an https URL")


def _check_ascii(where: str, path: str, value: str) -> None:
    odd = sorted({char for char in value if not 0x20 < ord(char) < 0x7F})
    if odd:
        points = ", ".join(f"U+{ord(char):04X}" for char in odd[:8])
        raise VerificationError(
            "bundle.not_ascii",
            f"{where}: {path} has characters outside printable ASCII: {points}",
            hint="Find out who wrote this; a look-alike name is an attack until shown otherwise.",
        )
