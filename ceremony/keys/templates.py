"""Templates of key objects: exactly what is asked for, and none of a library's defaults."""

from typing import Any

from pkcs11.attributes import AttributeMapper
from pkcs11.constants import Attribute, ObjectClass

# Explicit in every line, as the defaults of libraries and tokens add usages (PKCS#11
# v3.1 §4.8, §4.9); nothing but signing is asked for.
_PRIVATE = {
    Attribute.CLASS: ObjectClass.PRIVATE_KEY,
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
    Attribute.DERIVE: False,
}
_PUBLIC = {
    Attribute.CLASS: ObjectClass.PUBLIC_KEY,
    Attribute.TOKEN: True,
    Attribute.PRIVATE: False,
    Attribute.VERIFY: True,
    Attribute.ENCRYPT: False,
    Attribute.WRAP: False,
    Attribute.DERIVE: False,
}


class Templates(AttributeMapper):
    """Exactly our templates, none of the library's defaults.

    Attributes:
        without_false: leave False values out; the attributes are read back anyway.
    """

    def __init__(self) -> None:
        super().__init__()
        self.without_false = False
        self.register_handler(Attribute.LABEL, str.encode, readable)

    def public_key_template(
        self, *, id_: bytes | None, label: str | None, **_: Any
    ) -> dict[Attribute, Any]:
        """The public half."""
        return self._template(_PUBLIC, id_, label)

    def private_key_template(
        self, *, id_: bytes | None, label: str | None, **_: Any
    ) -> dict[Attribute, Any]:
        """The private half."""
        return self._template(_PRIVATE, id_, label)

    def _template(
        self, base: dict[Attribute, Any], key_id: bytes | None, label: str | None
    ) -> dict[Attribute, Any]:
        kept = {k: v for k, v in base.items() if not (self.without_false and v is False)}
        return {**kept, Attribute.ID: key_id, Attribute.LABEL: label}


def readable(raw: bytes) -> str:
    """Text that may not be UTF-8, readable all the same."""
    return raw[:1024].decode("utf-8", errors="backslashreplace")[:1024]
