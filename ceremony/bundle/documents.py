"""JSON documents, read strictly and written deterministically (RFC 8259, I-JSON RFC 7493).

Refused with the field's path: duplicate keys, NaN and Infinity, huge numbers, deep
nesting, wrong types, unknown fields, a newer schema; and as a whole: a byte order mark,
other encodings than UTF-8, trailing data.
"""

import json
import math
import re
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin

import msgspec

from ceremony.bundle.media import MAX_JSON_BYTES
from ceremony.core.text import show
from ceremony.errors import VerificationError

MAX_DEPTH = 16
_MAX_DIGITS = 19

T = TypeVar("T", bound=msgspec.Struct)

_FAMILY = re.compile(r"(ceremony-[a-z-]+)/([1-9][0-9]{0,5})\Z")


class _Members(list[tuple[str, Any]]):
    """An object's members as they stand in the text, duplicates included."""


class _Number(str):
    """A number as it stands in the text."""

    __slots__ = ()


class _Constant(str):
    """NaN, Infinity or -Infinity."""

    __slots__ = ()


def decode(raw: bytes, document: type[T], where: str) -> T:
    """Reads a document of ours.

    Args:
        raw: 1 MiB at most.
        document: a struct that forbids unknown fields; where its first field is `schema`,
            the document must begin with it.
        where: the file's name, for messages.

    Raises:
        VerificationError: `json.too_large`, `json.encoding`, `json.syntax`,
            `json.duplicate_key`, `json.number`, `json.nesting`, `json.schema`,
            `json.schema_newer`, `json.unknown_field`, `json.value`.
    """
    tree = read_tree(raw, where)
    _check_schema(tree, document, where)
    try:
        return msgspec.json.decode(raw, type=document)
    except msgspec.ValidationError as exc:
        raise _value_error(exc, where) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _refuse("json.syntax", where, show(str(exc))) from exc


def read_tree(raw: bytes, where: str) -> Any:
    """Any JSON text as dicts, lists, strings, numbers, booleans and None.

    Raises:
        VerificationError: as `decode`, but for those over schema, fields and values.
    """
    if len(raw) > MAX_JSON_BYTES:
        raise _refuse("json.too_large", where, "larger than 1 MiB")
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _refuse("json.encoding", where, "begins with a byte order mark")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _refuse("json.encoding", where, f"is not UTF-8 at byte {exc.start}") from exc
    try:
        tree = json.loads(
            text,
            object_pairs_hook=_Members,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Constant,
        )
    except RecursionError as exc:
        raise _too_deep(where, "$") from exc
    except json.JSONDecodeError as exc:
        raise _refuse("json.syntax", where, f"{exc.msg}, at character {exc.pos}") from exc
    return _plain(tree, "$", 0, where)


def encode(document: msgspec.Struct) -> bytes:
    """Writes a document: fields in the order of its class, two spaces, LF at the end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _plain(value: Any, path: str, depth: int, where: str) -> Any:
    if depth > MAX_DEPTH:
        raise _too_deep(where, path)
    if isinstance(value, _Members):
        found: dict[str, Any] = {}
        for key, member in value:
            inner = f"{path}.{show(key, 64)}"
            if key in found:
                raise _refuse("json.duplicate_key", where, f"{inner} stands there twice")
            found[key] = _plain(member, inner, depth + 1, where)
        return found
    if isinstance(value, list):
        return [_plain(one, f"{path}[{i}]", depth + 1, where) for i, one in enumerate(value)]
    if isinstance(value, _Constant):
        raise _refuse("json.number", where, f"{path} is {value}, which is no JSON number")
    if isinstance(value, _Number):
        return _number(value, path, where)
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise _refuse("json.encoding", where, f"{path} has half a surrogate pair")
    return value


def _number(text: str, path: str, where: str) -> int | float:
    if len(text) > _MAX_DIGITS:
        raise _refuse("json.number", where, f"{path} is a number of {len(text)} characters")
    if text.lstrip("-").isdigit():
        return int(text)
    if not math.isfinite(float(text)):
        raise _refuse("json.number", where, f"{path} is {text}, which is out of range")
    return float(text)


def _check_schema(tree: Any, document: type[msgspec.Struct], where: str) -> None:
    first = msgspec.structs.fields(document)[0]
    if (
        first.name != "schema"
        or get_origin(first.type) is not Literal
        or not isinstance(tree, dict)
    ):
        return
    (wanted,) = get_args(first.type)
    if next(iter(tree), None) != "schema":
        raise _refuse("json.schema", where, f"does not begin with schema: {wanted}")
    found = tree["schema"]
    if found == wanted:
        return
    ours, theirs = _FAMILY.match(wanted), _FAMILY.match(found) if isinstance(found, str) else None
    if ours and theirs and ours[1] == theirs[1] and int(theirs[2]) > int(ours[2]):
        raise VerificationError(
            "json.schema_newer",
            f"{show(where)}: $.schema is {found}; this program reads {wanted}",
            hint="Use the release that wrote it on both machines.",
        )
    raise _refuse("json.schema", where, f"$.schema is {show(str(found), 64)}, expected {wanted}")


def _value_error(exc: msgspec.ValidationError, where: str) -> VerificationError:
    what, _, path = str(exc).partition(" - at `")
    path = path.rstrip("`") or "$"
    code = "json.unknown_field" if "unknown field" in what else "json.value"
    return _refuse(code, where, f"{show(path)}: {show(what)}")


def _too_deep(where: str, path: str) -> VerificationError:
    return _refuse("json.nesting", where, f"{show(path)} is nested deeper than {MAX_DEPTH} levels")


def _refuse(code: str, where: str, what: str) -> VerificationError:
    return VerificationError(
        code, f"{show(where)}: {what}", hint="Do not edit this file; fetch or export it again."
    )


def refuse_field(where: str, path: str, what: str) -> NoReturn:
    """Refuses a field whose value no type can describe.

    Raises:
        VerificationError: `json.value`.
    """
    raise _refuse("json.value", where, f"{path}: {what}")
