"""PKCS#11 tokens as key stores; the module itself runs in a process of its own."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from ceremony.config import Curve, Token
from ceremony.core.ports import KeyInfo, KeyObject, KeyStore, StoreInfo
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError
from ceremony.keys import ecdsa, refusals
from ceremony.keys import protocol as p
from ceremony.keys.description import is_silent, not_one, store_info
from ceremony.keys.module import ModuleFile, check_module, environment
from ceremony.keys.process import ModuleProcess
from ceremony.keys.readback import check_generated, key_info, not_destroyed

# Signed once after generation: the public half that was read back belongs to the key.
_PROOF = b"ceremony: the public half read back belongs to this key"

# How long a request for many signatures should take, and how many the first ones ask for.
_MOMENT_S = 0.2
_FIRST = 8

Spawn = Callable[[ModuleFile, Mapping[str, str]], ModuleProcess]


def spawn_child(
    module: ModuleFile, variables: Mapping[str, str], *, lock: int | None = None
) -> ModuleProcess:
    """The module in `ceremony.keys.child`; `lock` as in `ModuleProcess`."""
    return ModuleProcess(module.path, variables, lock=lock)


def list_tokens(
    token: Token, *, timeout_s: float, spawn: Spawn = spawn_child
) -> tuple[StoreInfo, ...]:
    """All tokens that the plan's module sees, whether or not they are the plan's.

    Raises:
        KeyStoreError: the module is refused, silent or broken.
    """
    module = check_module(token)
    process = spawn(module, environment(token))
    try:
        return tuple(store_info(e, module) for e in _entries(process, timeout_s))
    finally:
        process.finish()


def open_token(
    token: Token,
    *,
    timeout_s: float,
    generate_timeout_s: float,
    spawn: Spawn = spawn_child,
) -> "TokenStore":
    """The one token that the plan names by serial, label, or both.

    Raises:
        KeyStoreError: `token.missing` or `token.ambiguous`, with the list of what is
            there; or the module is refused, silent or broken.
    """
    store = TokenStore(
        token, timeout_s=timeout_s, generate_timeout_s=generate_timeout_s, spawn=spawn
    )
    try:
        store.info()
    except BaseException:
        store.close()
        raise
    return store


class TokenStore(KeyStore):
    """One token, chosen by the plan.

    The module's process starts with the first call and ends with `close`, with a
    refused PIN, and with any time-out or crash; the next call then starts a new one,
    which is not logged in.
    """

    def __init__(
        self,
        token: Token,
        *,
        timeout_s: float,
        generate_timeout_s: float,
        spawn: Spawn = spawn_child,
    ) -> None:
        self._token = token
        self._timeout_s = timeout_s
        self._generate_timeout_s = generate_timeout_s
        self._spawn = spawn
        self._module = check_module(token)
        self._process: ModuleProcess | None = None
        self._identity: tuple[str, str] | None = None
        self._logged_in = False
        self._at_once = _FIRST

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Logs out and ends the module's process; safe to call twice."""
        process, self._process = self._process, None
        self._logged_in = False
        if process is not None:
            process.finish()

    def info(self) -> StoreInfo:
        """The token as it is now: its PIN flags are read anew.

        Raises:
            KeyStoreError: `token.missing`, `token.ambiguous`, or the module failed.
        """
        entry = self._choose(self._running())
        return store_info(entry, self._module)

    def login(self, secret: Secret | None) -> None:
        """Logs in as the user. A refused PIN ends the module's process.

        Raises:
            KeyStoreError: `token.pin_wrong`, `token.pin_locked`, `token.pin_needed`, ...
                with what the token's flags say afterwards.
        """
        if self._logged_in:
            self.close()
        process = self._running()
        serial, label = _identity(self._choose(process))
        pin = None if secret is None else secret.reveal()
        if pin == "":
            raise refusals.refusal(p.Refused(reason="PinLenRange"))
        request = p.Login(serial=serial, label=label, pin=pin)
        try:
            self._ask(process, request, "logging in")
        except KeyStoreError:
            self.close()
            raise
        self._logged_in = True

    def keys(self) -> tuple[KeyInfo, ...]:
        """Private EC keys on P-256 and P-384 whose public half can be read.

        Others (RSA, other curves) are none of the ceremony's; their labels and ids are
        taken all the same when a key is generated.

        Raises:
            KeyStoreError: `token.public_key_ambiguous`: two different public keys claim
                one private key.
        """
        answer = self._ask(self._session(), p.ListKeys(), "reading the inventory")
        if not isinstance(answer, p.KeyList):
            raise refusals.refusal(p.Refused(reason=p.MODULE_ANSWER))
        found = (key_info(entry) for entry in answer.keys)
        return tuple(sorted((k for k in found if k), key=lambda k: (k.label, k.key_id)))

    def objects(self, label: str, key_id: str) -> tuple[KeyObject, ...]:
        """Key objects of this label or id, or without both: halves and torn ones too."""
        request = p.ListObjects(label=label, key_id=bytes.fromhex(key_id))
        answer = self._ask(self._session(), request, "looking for halves of keys")
        if not isinstance(answer, p.ObjectList):
            raise refusals.refusal(p.Refused(reason=p.MODULE_ANSWER))
        return tuple(
            KeyObject(
                kind="private" if each.private else "public",
                label=each.label,
                key_id=each.key_id.hex(),
                key_type=each.key_type,
            )
            for each in answer.objects
        )

    def discard(self, objects: Sequence[KeyObject]) -> None:
        """Destroys these objects, and looks that they are gone.

        Raises:
            KeyStoreError: `token.key_ambiguous`, `token.not_destroyed` and others.
        """
        asked = tuple(
            p.KeyObject(
                private=each.kind == "private",
                label=each.label,
                key_id=bytes.fromhex(each.key_id),
                key_type=each.key_type,
            )
            for each in objects
        )
        self._ask(self._session(), p.Discard(objects=asked), "destroying halves of a key")
        for each in objects:
            if each in self.objects(each.label, each.key_id):
                raise not_destroyed(each.label)

    def generate(self, label: str, key_id: str, curve: Curve) -> KeyInfo:
        """Makes a key pair after a search, reads it back and proves the public half.

        Raises:
            KeyStoreError: `token.label_taken`, `token.id_taken`: nothing was made.
                `token.attributes`, `token.key_duplicate`, `token.public_key_missing`,
                `token.signature_wrong`: a key was made and is on the token.
        """
        request = p.Generate(
            label=label, key_id=bytes.fromhex(key_id), ec_params=ecdsa.CURVES[curve].ec_params
        )
        answer = self._ask(
            self._session(), request, "generating a key", timeout_s=self._generate_timeout_s
        )
        if not isinstance(answer, p.Generated):
            raise refusals.refusal(p.Refused(reason=p.MODULE_ANSWER, made=True))
        key = check_generated(answer, label, key_id, curve)
        self.sign(key, _PROOF)
        return key

    def sign(self, key: KeyInfo, data: bytes) -> bytes:
        """DER ECDSA-Sig-Value, verified with `key.spki` here, outside the module's process.

        Raises:
            KeyStoreError: `token.signature_wrong`, `token.changed`, `token.key_missing`,
                `token.key_ambiguous` and others.
        """
        digest = ecdsa.digest_of(key.curve, data)
        request = p.Sign(label=key.label, key_id=bytes.fromhex(key.key_id), digest=digest)
        answer = self._ask(self._session(), request, "signing")
        if not isinstance(answer, p.Signature):
            raise refusals.refusal(p.Refused(reason=p.MODULE_ANSWER))
        der = ecdsa.der_of_raw(key.curve, answer.raw)
        public_key = load_der_public_key(key.spki)
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise ecdsa.signature_wrong()
        ecdsa.verify(public_key, key.curve, digest, der)
        return der

    def sign_digests(self, key: KeyInfo, digests: Sequence[bytes]) -> tuple[bytes, ...]:
        """As the port says, many in one request: as many as the token does in a moment.

        The time-out is that of a request, so a slow token gets few at a time.

        Raises:
            KeyStoreError: as `sign`, but nothing is verified here.
        """
        process, done, began_s = self._session(), list[bytes](), time.monotonic()
        silent = is_silent(self._module)
        try:
            for answer in process.ask_each(
                self._parts(key, digests), self._timeout_s, doing="signing", silent=silent
            ):
                if not isinstance(answer, p.Signatures):
                    raise refusals.refusal(p.Refused(reason=p.MODULE_ANSWER))
                done += (ecdsa.der_of_raw(key.curve, one) for one in answer.raw)
        finally:
            if process.ended:
                self._process, self._logged_in = None, False
        if len(done) != len(digests):
            raise refusals.refusal(p.Refused(reason=p.MODULE_ANSWER))
        if done:
            rate = len(done) / max(time.monotonic() - began_s, 1e-6)
            self._at_once = min(max(int(rate * _MOMENT_S), 1), p.MAX_DIGESTS)
        return tuple(done)

    def _parts(self, key: KeyInfo, digests: Sequence[bytes]) -> Iterator[p.SignAll]:
        key_id = bytes.fromhex(key.key_id)
        for first in range(0, len(digests), self._at_once):
            part = tuple(digests[first : first + self._at_once])
            yield p.SignAll(label=key.label, key_id=key_id, digests=part)

    def destroy(self, key: KeyInfo) -> None:
        """Destroys the key pair, and reads the inventory back.

        Raises:
            KeyStoreError: `token.key_missing`, `token.key_ambiguous`; `token.not_destroyed`:
                the token says it is done, and still has the key.
        """
        public_key = load_der_public_key(key.spki)
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise refusals.refusal(p.Refused(reason=p.KEY_UNUSABLE))
        point = public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        request = p.Destroy(label=key.label, key_id=bytes.fromhex(key.key_id), point=point)
        self._ask(self._session(), request, "destroying a key")
        if any(other.spki == key.spki for other in self.keys()):
            raise not_destroyed(key.label)

    def set_pin(self, old: Secret, new: Secret) -> None:
        """Changes the PIN of the user who is logged in; the session ends with it.

        Raises:
            KeyStoreError: `token.pin_wrong`, `token.pin_form` and others.
        """
        request = p.SetPin(old=old.reveal(), new=new.reveal())
        try:
            self._ask(self._session(), request, "setting the PIN")
        finally:
            self.close()

    def _running(self) -> ModuleProcess:
        if self._process is None:
            self._process = self._spawn(self._module, environment(self._token))
        return self._process

    def _session(self) -> ModuleProcess:
        if self._process is None or not self._logged_in:
            raise refusals.refusal(p.Refused(reason=p.NOT_LOGGED_IN))
        return self._process

    def _ask(
        self,
        process: ModuleProcess,
        request: p.Request,
        doing: str,
        timeout_s: float | None = None,
    ) -> p.Answer:
        try:
            return process.ask(
                request, timeout_s or self._timeout_s, doing=doing, silent=is_silent(self._module)
            )
        finally:
            if process.ended:
                self._process, self._logged_in = None, False

    def _choose(self, process: ModuleProcess) -> p.TokenEntry:
        try:
            entries = _entries(process, self._timeout_s)
        finally:
            if process.ended:
                self._process, self._logged_in = None, False
        found = [entry for entry in entries if self._is_planned(entry)]
        if len(found) != 1:
            raise not_one(found, entries)
        self._identity = _identity(found[0])
        return found[0]

    def _is_planned(self, entry: p.TokenEntry) -> bool:
        if self._identity is not None:
            return _identity(entry) == self._identity
        return (
            bool(entry.flags & refusals.CKF_TOKEN_INITIALIZED)
            and self._token.serial in {None, entry.serial}
            and self._token.label in {None, entry.label}
        )


def _entries(process: ModuleProcess, timeout_s: float) -> tuple[p.TokenEntry, ...]:
    answer = process.ask(p.ListTokens(), timeout_s, doing="looking for tokens")
    if not isinstance(answer, p.TokenList):
        raise refusals.refusal(p.Refused(reason=p.MODULE_ANSWER))
    return answer.tokens


def _identity(entry: p.TokenEntry) -> tuple[str, str]:
    return entry.serial, entry.label
