"""The data of a line as it must be: each member's name has one type, in every line.

A record may be foreign: its chain shows that it hangs together, not who wrote it. What the
ceremony reads from one is of the type that it expects, or the line is refused by code.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ceremony.core.text import show
from ceremony.errors import VerificationError

Hex = Annotated[str, Meta(pattern=r"^([0-9a-f]{2}){0,64}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Base64 = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}([A-Za-z0-9+/]|=)=)?\Z")
]
Place = Annotated[int, Meta(ge=0, lt=32)]
Time = Annotated[str, Meta(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z\Z")]
_Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
_TEXTS = (
    "about approval ceremony code curve decision form head kind label mark medium message "
    "method model name officer outcome parent path pin_state place policy profile purpose "
    "python read_back receiver role schema sentence source statement stays step store subject "
    "text token_label token_serial tool_version verdict what where why"
)


class _Held(msgspec.Struct, frozen=True):
    spki_sha256: Sha256


class _Sealed(msgspec.Struct, frozen=True):
    item: str
    bag: str


class _Above(msgspec.Struct, frozen=True):
    subject: str
    sha256: Sha256


class _Opening(msgspec.Struct, frozen=True):
    """The first line: what a ceremony is known by."""

    schema: str
    ceremony_id: _Name
    factory: _Name
    kind: _Name
    plan_sha256: Sha256
    rehearsal: bool
    previous_head: Sha256 | None = None


_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(_TEXTS.split(), str),
    **dict.fromkeys(("A", "B", "positions"), list[Place]),
    **dict.fromkeys(("accepted_by", "by", "sentences", "serials", "subjects"), list[str]),
    **dict.fromkeys(("challenge", "csr", "der", "signature", "spki", "tbs"), Base64),
    **dict.fromkeys(("confirmed_at", "created_at"), Time),
    **dict.fromkeys(("fingerprint", "record_head", "sha256", "spki_sha256", "tbs_sha256"), Sha256),
    **dict.fromkeys(("bytes", "number", "unnamed", "wrong"), int),
    **dict.fromkeys(("files", "rows", "entries", "findings"), list[dict[str, Any]]),
    "above": list[Base64],
    "attributes": dict[str, bool | None],
    "bags_before": list[_Sealed],
    "chain": list[_Above],
    "inventory": list[_Held],
    "items": list[_Sealed],
    "key_id": Hex,
    "left_in": bool,
    "on": dict[str, str] | None,
    "objects": list[str],
    "phrase_kept": Sha256,
    "slots": dict[str, str],
}

_Members = msgspec.defstruct(
    "_Members",
    [(name, kind | msgspec.UnsetType, msgspec.UNSET) for name, kind in _TYPES.items()],
    frozen=True,
)


class Told(dict[str, Any]):
    """Data that was read: what it lacks is the record's fault, not the program's."""

    def __missing__(self, name: str) -> Any:
        """Refuses.

        Raises:
            VerificationError: `record.line`.
        """
        raise _refuse(f"a line of it lacks {show(name)}")


def told(number: int, data: dict[str, Any], *, first: bool) -> Told:
    """The data of a line that was read.

    Args:
        number: of the line, from 0.
        data: as it was parsed.
        first: it is the line that opens a record.

    Raises:
        VerificationError: `record.line`: a member of another type; the first line lacks one.
    """
    try:
        msgspec.convert(data, _Members)
        if first:
            msgspec.convert(data, _Opening)
    except (msgspec.ValidationError, UnicodeEncodeError) as exc:
        raise _refuse(f"line {number + 1} of it: {show(str(exc))}") from exc
    return Told(data)


def _refuse(what: str) -> VerificationError:
    return VerificationError(
        "record.line",
        f"this record was not written by this program: {what}",
        hint="Compare with another copy of the record; do not go on with this one.",
    )
