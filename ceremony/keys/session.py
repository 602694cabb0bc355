"""One PKCS#11 module, one session, one call at a time: what runs in the child process.

Nothing of the ceremony is imported here but the protocol, so that the process starts
fast and holds nothing worth stealing but the PIN.
"""

import struct
from collections import Counter
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
from ceremony.keys.objects import (
    flags_of,
    halves,
    identity,
    key_entry,
    name_of,
    names_of,
    objects_of,
    publics,
    read,
    serial,
    token_entry,
)
from ceremony.keys.templates import Templates

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
            tokens=tuple(token_entry(token, self._path) for token in self._present())
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
        found = [token for token in self._present() if identity(token) == wanted]
        if len(found) != 1:
            raise RefusedError(p.TOKEN_AMBIGUOUS if found else p.TOKEN_MISSING)
        token = found[0]
        pin = PROTECTED_AUTH if request.pin is None else request.pin
        if pin is PROTECTED_AUTH and not token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            raise RefusedError(p.PIN_PAD)
        try:
            self._session = token.open(rw=True, user_pin=pin, attribute_mapper=self._templates)
        except PKCS11Error as exc:
            raise RefusedError(type(exc).__name__, flags=flags_of(token)) from exc
        self._slot, self._identity, self._pin = token.slot, wanted, request.pin

    def _require(self) -> Any:
        """The session, after a fresh look at the token in its slot (threat 21)."""
        if self._session is None:
            raise RefusedError(p.NOT_LOGGED_IN)
        if identity(self._slot.get_token()) != self._identity:
            raise RefusedError(p.TOKEN_CHANGED)
        return self._session

    def keys(self) -> p.KeyList:
        """Inventory of the private keys, each with what is told of its public half."""
        session = self._require()
        public = publics(session)
        privates = objects_of(session, ObjectClass.PRIVATE_KEY)
        return p.KeyList(keys=tuple(key_entry(key, public) for key in privates))

    def objects(self, request: p.ListObjects) -> p.ObjectList:
        """Halves of key pairs, whole or torn: of this label or id, or without any name."""
        found = (described for described, _ in halves(self._require()))
        wanted = tuple(
            each
            for each in found
            if each.label == request.label
            or each.key_id == request.key_id
            or not (each.label or each.key_id)
        )
        return p.ObjectList(objects=wanted)

    def discard(self, request: p.Discard) -> None:
        """C_DestroyObject on exactly these.

        Raises:
            RefusedError: it holds more or fewer that look so.
        """
        found = [pair for pair in halves(self._require()) if pair[0] in request.objects]
        if Counter(described for described, _ in found) != Counter(request.objects):
            raise RefusedError(p.KEY_AMBIGUOUS)
        for _, key in found:
            key.destroy()
        self._handles.clear()

    def generate(self, request: p.Generate) -> p.Generated:
        """Searches, makes a key pair, reads it back.

        Raises:
            RefusedError: label or id is taken, by a private or a public key.
        """
        session = self._require()
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            for label, key_id in names_of(session, kind):
                if label == request.label:
                    raise RefusedError(p.LABEL_TAKEN)
                if key_id == request.key_id:
                    raise RefusedError(p.ID_TAKEN)
        try:
            made = self._make(session, request)
            entry = key_entry(made, publics(session))
            matches = sum(
                label == request.label or key_id == request.key_id
                for label, key_id in names_of(session, ObjectClass.PRIVATE_KEY)
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
        if not read(key, Attribute.ALWAYS_AUTHENTICATE, False):
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
                key for key in objects_of(session, ObjectClass.PRIVATE_KEY) if name_of(key) == name
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
        if read(key, Attribute.ALWAYS_AUTHENTICATE, False):
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
            if not token.flags & TokenFlag.TOKEN_INITIALIZED and serial(token) == request.serial
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
        held = {
            k: objects_of(session, k) for k in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        }
        private, public = ([key for key in keys if name_of(key) == name] for keys in held.values())
        if len(private) != 1:
            raise RefusedError(p.KEY_AMBIGUOUS if private else p.KEY_MISSING)
        points = key_entry(private[0], publics(session)).ec_points
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
