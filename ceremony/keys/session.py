"""One PKCS#11 module, one session, one call at a time: what runs in the child process.

Nothing of the ceremony is imported here but the protocol, so that the process starts
fast and holds nothing worth stealing but the PIN.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Any

from pkcs11 import _pkcs11
from pkcs11.constants import Attribute, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.exceptions import (
    AttributeReadOnly,
    AttributeTypeInvalid,
    AttributeValueInvalid,
    PKCS11Error,
    TemplateInconsistent,
    TokenNotPresent,
    TokenNotRecognised,
)
from pkcs11.mechanisms import KeyType, Mechanism
from pkcs11.types import PROTECTED_AUTH, SignMixin

from ceremony.keys import protocol as p
from ceremony.keys import setup
from ceremony.keys.templates import Templates, readable

# Read back after generation and recorded (PKCS#11 v3.1 §4.9, §4.10).
_REPORTED = {
    "CKA_SENSITIVE": Attribute.SENSITIVE,
    "CKA_EXTRACTABLE": Attribute.EXTRACTABLE,
    "CKA_SIGN": Attribute.SIGN,
    "CKA_TOKEN": Attribute.TOKEN,
    "CKA_PRIVATE": Attribute.PRIVATE,
    "CKA_LOCAL": Attribute.LOCAL,
    "CKA_ALWAYS_SENSITIVE": Attribute.ALWAYS_SENSITIVE,
    "CKA_NEVER_EXTRACTABLE": Attribute.NEVER_EXTRACTABLE,
    "CKA_ALWAYS_AUTHENTICATE": Attribute.ALWAYS_AUTHENTICATE,
    "CKA_DECRYPT": Attribute.DECRYPT,
    "CKA_UNWRAP": Attribute.UNWRAP,
    "CKA_DERIVE": Attribute.DERIVE,
}

# Refusals of a template: then once more without its False values (tpm2-pkcs11).
_TEMPLATE_REFUSED = (
    AttributeReadOnly,
    AttributeTypeInvalid,
    AttributeValueInvalid,
    TemplateInconsistent,
)


# What python-pkcs11 raises over values that no module should return.
_UNREADABLE = (ValueError, LookupError, TypeError, OverflowError, struct.error, MemoryError)


class RefusedError(Exception):
    """Ends a request with `reason` of the protocol."""

    def __init__(self, reason: str, *, flags: int | None = None, made: bool = False) -> None:
        super().__init__(reason)
        self.answer = p.Refused(reason=reason, flags=flags, made=made)


class Session:
    """The module, and after a login one open session.

    Args:
        path: of the module.
        parameters: for C_Initialize; None for a module that takes none.
    """

    def __init__(self, path: str, parameters: str | None) -> None:
        self._path = path
        self._library = _load(path, parameters)
        self._session: Any = None
        self._slot: Any = None
        self._identity = ("", "")
        self._pin: str | None = None
        self._templates = Templates()
        self._handles: dict[tuple[str, bytes], Any] = {}

    def tokens(self) -> p.TokenList:
        """All tokens present."""
        return p.TokenList(
            tokens=tuple(_token_entry(token, self._path) for token in self._present())
        )

    def _present(self) -> Iterable[Any]:
        for slot in self._library.get_slots(True):
            try:
                yield slot.get_token()
            except (TokenNotPresent, TokenNotRecognised):
                continue

    def login(self, request: p.Login) -> None:
        """Opens a read-write session on the one token that matches, as its user.

        Raises:
            RefusedError: no such token, more than one, or the PIN was refused: then
                with the token's flags as they are afterwards.
        """
        wanted = (request.serial, request.label)
        found = [token for token in self._present() if _identity(token) == wanted]
        if len(found) != 1:
            raise RefusedError(p.TOKEN_AMBIGUOUS if found else p.TOKEN_MISSING)
        token = found[0]
        pin = PROTECTED_AUTH if request.pin is None else request.pin
        if pin is PROTECTED_AUTH and not token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            raise RefusedError(p.PIN_PAD)
        try:
            self._session = token.open(rw=True, user_pin=pin, attribute_mapper=self._templates)
        except PKCS11Error as exc:
            raise RefusedError(type(exc).__name__, flags=_flags(token)) from exc
        self._slot, self._identity, self._pin = token.slot, wanted, request.pin

    def _require(self) -> Any:
        """The session, after a fresh look at the token in its slot (threat 21)."""
        if self._session is None:
            raise RefusedError(p.NOT_LOGGED_IN)
        if _identity(self._slot.get_token()) != self._identity:
            raise RefusedError(p.TOKEN_CHANGED)
        return self._session

    def keys(self) -> p.KeyList:
        """Inventory of the private keys, each with what is told of its public half."""
        session = self._require()
        publics = _publics(session)
        privates = _objects(session, ObjectClass.PRIVATE_KEY)
        return p.KeyList(keys=tuple(_key_entry(key, publics) for key in privates))

    def generate(self, request: p.Generate) -> p.Generated:
        """Searches, makes a key pair, reads it back.

        Raises:
            RefusedError: label or id is taken, by a private or a public key.
        """
        session = self._require()
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            for label, key_id in _names(session, kind):
                if label == request.label:
                    raise RefusedError(p.LABEL_TAKEN)
                if key_id == request.key_id:
                    raise RefusedError(p.ID_TAKEN)
        try:
            made = self._make(session, request)
            entry = _key_entry(made, _publics(session))
            matches = sum(
                label == request.label or key_id == request.key_id
                for label, key_id in _names(session, ObjectClass.PRIVATE_KEY)
            )
        except PKCS11Error as exc:
            raise RefusedError(type(exc).__name__, made=True) from exc
        return p.Generated(key=entry, matches=matches)

    def _make(self, session: Any, request: p.Generate) -> Any:
        try:
            return _generate(session, request)
        except _TEMPLATE_REFUSED:
            self._templates.without_false = True
            return _generate(session, request)

    def sign(self, request: p.Sign) -> p.Signature:
        """CKM_ECDSA with the one key of this label and id.

        Raises:
            RefusedError: no such key, or two.
        """
        session = self._require()
        key = self._key(session, request.label, request.key_id)
        if not _read(key, Attribute.ALWAYS_AUTHENTICATE, False):
            return p.Signature(raw=key.sign(request.digest, mechanism=Mechanism.ECDSA))
        if self._pin is not None:
            raw = key.sign(request.digest, mechanism=Mechanism.ECDSA, pin=self._pin)
            return p.Signature(raw=raw)
        from ceremony.keys.cryptoki import Functions

        functions = Functions(self._path)
        raw = functions.sign_on_pin_pad(session.handle, int(key.handle or 0), request.digest)
        return p.Signature(raw=raw)

    def _key(self, session: Any, label: str, key_id: bytes) -> Any:
        name = (label, key_id)
        if name not in self._handles:
            found = [
                key for key in _objects(session, ObjectClass.PRIVATE_KEY) if _name(key) == name
            ]
            if len(found) != 1:
                raise RefusedError(p.KEY_AMBIGUOUS if found else p.KEY_MISSING)
            self._handles[name] = found[0]
        if not isinstance(self._handles[name], SignMixin):
            raise RefusedError(p.KEY_UNUSABLE)
        return self._handles[name]

    def sign_all(self, request: p.SignAll) -> p.Signatures:
        """CKM_ECDSA over each digest; the token is looked at once, before the first.

        Raises:
            RefusedError: no such key, or two.
        """
        session = self._require()
        key = self._key(session, request.label, request.key_id)
        if _read(key, Attribute.ALWAYS_AUTHENTICATE, False):
            single = (
                p.Sign(label=request.label, key_id=request.key_id, digest=digest)
                for digest in request.digests
            )
            return p.Signatures(raw=tuple(self.sign(one).raw for one in single))
        return p.Signatures(
            raw=tuple(key.sign(digest, mechanism=Mechanism.ECDSA) for digest in request.digests)
        )

    def initialise(self, request: p.InitToken) -> None:
        """C_InitToken on a token that is not initialised, then its user PIN.

        Raises:
            RefusedError: none, or more than one, such token; or the module refused.
        """
        blank = [
            token
            for token in self._present()
            if not token.flags & TokenFlag.TOKEN_INITIALIZED and _serial(token) == request.serial
        ]
        if len(blank) != 1:
            raise RefusedError(p.TOKEN_AMBIGUOUS if blank else p.TOKEN_MISSING)
        setup.initialise(blank[0], self._path, request)

    def set_pin(self, request: p.SetPin) -> None:
        """C_SetPIN by the user who is logged in.

        Raises:
            RefusedError: the module refused.
        """
        session = self._require()
        session.set_pin(request.old, request.new)
        self._pin = request.new

    def destroy(self, request: p.Destroy) -> None:
        """C_DestroyObject on the private key, then on its public halves (PKCS#11 v3.1 §5.7.4).

        Raises:
            RefusedError: no such key, two, or another public half.
        """
        session = self._require()
        name = (request.label, request.key_id)
        held = {k: _objects(session, k) for k in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)}
        private, public = ([key for key in keys if _name(key) == name] for keys in held.values())
        if len(private) != 1:
            raise RefusedError(p.KEY_AMBIGUOUS if private else p.KEY_MISSING)
        points = _key_entry(private[0], _publics(session)).ec_points
        if not points or not all(point.endswith(request.point) for point in points):
            raise RefusedError(p.KEY_MISSING)
        for key in (*private, *public):
            key.destroy()
        self._handles.clear()

    def close(self) -> None:
        """Logs out and finalizes; the process ends right after."""
        session, self._session = self._session, None
        if session is not None:
            session.close()
        self._library.finalize()


def _load(path: str, parameters: str | None) -> Any:
    try:
        if parameters is None:
            return _pkcs11.lib(path)
        from ceremony.keys.cryptoki import ParametrizedLibrary

        return ParametrizedLibrary(path, parameters)
    except (PKCS11Error, OSError) as exc:
        raise RefusedError(p.MODULE_UNLOADABLE) from exc


def _identity(token: Any) -> tuple[str, str]:
    return _serial(token), token.label[:1024]


def _serial(token: Any) -> str:
    return readable(token.serial.rstrip(b"\0 "))


def _flags(token: Any) -> int | None:
    try:
        return int(token.slot.get_token().flags)
    except PKCS11Error:
        return None


def _token_entry(token: Any, path: str) -> p.TokenEntry:
    mechanisms = sorted(
        f"CKM_{each.name.lstrip('_')}" if isinstance(each, Mechanism) else f"0x{each:08x}"
        for each in token.slot.get_mechanisms()
    )
    return p.TokenEntry(
        serial=_serial(token),
        label=token.label,
        model=token.model,
        manufacturer=token.manufacturer_id,
        firmware=".".join(str(part) for part in token.firmware_version),
        flags=int(token.flags),
        mechanisms=tuple(mechanisms[:2048]),
        free_bytes=_free_bytes(token, path),
    )


def _free_bytes(token: Any, path: str) -> int | None:
    from ceremony.keys.cryptoki import Functions

    try:
        return Functions(path).free_bytes(int(token.slot.slot_id))
    except (PKCS11Error, OSError):
        return None


def _read(key: Any, attribute: Attribute, default: Any) -> Any:
    """One attribute, or `default` where the token would not say."""
    try:
        return key[attribute]
    except PKCS11Error:
        return default


def _flag(key: Any, attribute: Attribute) -> bool | None:
    value = _read(key, attribute, None)
    return value if isinstance(value, bool) else None


def _objects(session: Any, kind: ObjectClass) -> list[Any]:
    """All objects of a class; the search is over before anything else is asked."""
    return list(session.get_objects({Attribute.CLASS: kind}))


def _name(key: Any) -> tuple[str, bytes]:
    return _read(key, Attribute.LABEL, ""), _read(key, Attribute.ID, b"")


def _names(session: Any, kind: ObjectClass) -> list[tuple[str, bytes]]:
    return [_name(key) for key in _objects(session, kind)]


def _publics(session: Any) -> dict[bytes, list[Any]]:
    """Public key objects by CKA_ID."""
    found: dict[bytes, list[Any]] = {}
    for key in _objects(session, ObjectClass.PUBLIC_KEY):
        found.setdefault(_read(key, Attribute.ID, b""), []).append(key)
    return found


def _key_entry(key: Any, publics: dict[bytes, list[Any]]) -> p.KeyEntry:
    key_id = _read(key, Attribute.ID, b"")
    is_ec = _read(key, Attribute.KEY_TYPE, None) is KeyType.EC
    own = _read(key, Attribute.EC_POINT, b"") if is_ec else b""
    others = (_read(each, Attribute.EC_POINT, b"") for each in publics.get(key_id, ()))
    points = {own, *others} if is_ec else set()
    return p.KeyEntry(
        label=_read(key, Attribute.LABEL, ""),
        key_id=key_id,
        ec_params=_read(key, Attribute.EC_PARAMS, b"") if is_ec else b"",
        ec_points=tuple(sorted(points - {b""})),
        attributes={name: _flag(key, attribute) for name, attribute in _REPORTED.items()},
    )


def _generate(session: Any, request: p.Generate) -> Any:
    """C_GenerateKeyPair with CKM_EC_KEY_PAIR_GEN (PKCS#11 v3.1 §6.3.3)."""
    parameters = session.create_domain_parameters(
        KeyType.EC, {Attribute.EC_PARAMS: request.ec_params}, local=True
    )
    _, made = parameters.generate_keypair(
        store=True,
        label=request.label,
        id=request.key_id,
        capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        mechanism=Mechanism.EC_KEY_PAIR_GEN,
    )
    return made


def guarded(answer: Callable[[], p.Answer]) -> p.Answer:
    """The answer, or the refusal that stands for the module's error."""
    try:
        return answer()
    except RefusedError as exc:
        return exc.answer
    except PKCS11Error as exc:
        return p.Refused(reason=type(exc).__name__)
    except _UNREADABLE:
        return p.Refused(reason=p.MODULE_ANSWER)
