"""The Factory API, as far as a ceremony needs it: `/certs/` and `/users/`.

Every URL is made here from the Factory's name, so a token of another Factory is refused by
the API before anything is compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from ceremony.bundle.documents import read_tree
from ceremony.bundle.schema import ChangeMeta, Decimal, Posted
from ceremony.config import Online, Slot
from ceremony.core.text import show
from ceremony.errors import NetworkError, VerificationError
from ceremony.online.login import Login
from ceremony.online.transport import Answer, Bounds, Transport
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.pem import CERTIFICATE, read_pem_list

NOT_CONFIGURED: Final = 206
_UNAUTHORIZED: Final = 401

T = TypeVar("T")


class _Open(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """An answer of the API; fields that we do not know may come."""


class User(_Open, frozen=True):
    """A user of the Factory. Texts are as sent: show them through `show`.

    Attributes:
        polis_id: the user id of ``CN=fio-<user id>``.
    """

    polis_id: str
    name: str | None = None
    role: str | None = None


class _Certs(_Open, frozen=True):
    root_crt: str | None = None
    tls_crt: str | None = None
    ca_crt: str | None = None
    est_tls_crt: str | None = None
    disabled_ca_serials: tuple[Decimal, ...] | None = None
    change_meta: ChangeMeta | None = None


class _Csrs(_Open, frozen=True):
    tls_csr: str | None = None
    ca_csr: str | None = None
    est_tls_csr: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """What the Factory has, from one GET.

    Attributes:
        device_cas: in the order of the API's list.
        disabled_serials: decimal.
    """

    root: Certificate | None = None
    tls: Certificate | None = None
    est_tls: Certificate | None = None
    device_cas: tuple[Certificate, ...] = ()
    disabled_serials: tuple[str, ...] = ()
    change_meta: ChangeMeta | None = None

    @property
    def configured(self) -> bool:
        """Whether there is anything at all."""
        return bool(self.root or self.tls or self.est_tls or self.device_cas)


class Api:
    """The API of one Factory.

    Args:
        online: how to reach it.
        factory: part of every URL.
        login: sent with every request.
        rehearsal: the answers must carry the practice marker; otherwise they must not.
        bounds: other than the usual ones.
    """

    def __init__(
        self,
        online: Online,
        factory: str,
        login: Login,
        *,
        rehearsal: bool,
        bounds: Bounds | None = None,
    ) -> None:
        self._transport = Transport(online, bounds)
        self._factory = factory
        self._login = login
        self._rehearsal = rehearsal
        if rehearsal and not self._transport.loopback:
            raise VerificationError(
                "practice.not_loopback",
                f"this is a rehearsal, and {show(online.api)} is not this machine",
                hint="Rehearse with `ceremony rehearse`; it starts a practice Factory here.",
            )
        login.reach(online)

    def __repr__(self) -> str:
        return f"Api({self._factory!r})"

    def end(self) -> None:
        """Ends what other threads have under way here, and lets nothing more begin."""
        self._transport.end()
        self._login.end()

    # --- reading --------------------------------------------------------------------

    def user(self) -> User:
        """Who we are.

        Raises:
            NetworkError: `api.*`.
            VerificationError: `practice.*`.
        """
        return _decode(self._get("users/self/"), User)

    def users(self) -> tuple[User, ...]:
        """Everybody in the Factory.

        Raises:
            NetworkError: `api.*`.
            VerificationError: `practice.*`.
        """
        return _decode(self._get("users/"), tuple[User, ...])

    def pki(self) -> Pki:
        """What the Factory has today; 206 means nothing at all.

        Raises:
            NetworkError: `api.*`.
            VerificationError: `practice.*`, or a certificate that cannot be read.
        """
        answer = self._get("certs/", NOT_CONFIGURED)
        if answer.status == NOT_CONFIGURED:
            return Pki()
        certs = _decode(answer, _Certs)
        return Pki(
            root=_one(certs.root_crt, "root-crt"),
            tls=_one(certs.tls_crt, "tls-crt"),
            est_tls=_one(certs.est_tls_crt, "est-tls-crt"),
            device_cas=_several(certs.ca_crt, "ca-crt"),
            disabled_serials=certs.disabled_ca_serials or (),
            change_meta=certs.change_meta,
        )

    def _get(self, path: str, *also: int) -> Answer:
        answer = self._send("GET", path)
        if answer.status not in also:
            require_success(answer, f"GET {path}")
        self._check_marker(answer)
        return answer

    def _check_marker(self, answer: Answer) -> None:
        if answer.practice == self._rehearsal:
            return
        if answer.practice:
            raise VerificationError(
                "practice.marked",
                "a practice Factory answers, and this is no rehearsal",
                hint="Check online.api; what is real goes to the real API only.",
            )
        raise VerificationError(
            "practice.unmarked",
            "this is a rehearsal, and what answers is no practice Factory",
            hint="Start a practice Factory with `ceremony rehearse`.",
        )

    # --- writing --------------------------------------------------------------------

    def post(self, posted: Posted) -> Answer:
        """Makes new server keys and answers their CSRs; sent once, never repeated.

        Raises:
            NetworkError: `api.*`; nobody knows then whether keys were made.
        """
        return self._send("POST", "certs/", msgspec.json.encode(posted))

    def patch(self, payload: bytes) -> Answer:
        """Sets certificates; sent once. The answer proves nothing: read `pki` again.

        Raises:
            NetworkError: `api.*`; nobody knows then what was set.
        """
        return self._send("PATCH", "certs/", payload)

    # --- devices --------------------------------------------------------------------

    def put_device(self, body: bytes) -> Answer:
        """Registers a device; sent again after a failure that may pass (threat 42).

        Args:
            body: JSON with ``client.pem``, perhaps ``name`` and ``group``.

        Raises:
            NetworkError: `api.*`.
            VerificationError: `practice.*`.
        """
        answer = self._request("PUT", "/ota/devices/", body, repeat=True)
        self._check_marker(answer)
        return answer

    def device(self, name: str) -> Answer:
        """What the Factory has of that name.

        Args:
            name: of letters, digits, hyphens and underscores.

        Raises:
            NetworkError: `api.*`.
            VerificationError: `practice.*`.
        """
        answer = self._request("GET", f"/ota/devices/{name}/")
        self._check_marker(answer)
        return answer

    def _send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        return self._request(method, f"/ota/factories/{self._factory}/{path}", body)

    def _request(
        self, method: str, path: str, body: bytes | None = None, *, repeat: bool = False
    ) -> Answer:
        send = partial(self._transport.exchange, method, path, repeat=repeat)
        secret = self._login.current()
        answer = send(self._login.headers(secret), body)
        # 401: nothing was done, so even a POST may be sent with a new access token.
        if answer.status == _UNAUTHORIZED and self._login.renew(secret):
            answer = send(self._login.headers(), body)
        location = self._login.redact(answer.location.encode("latin-1", "replace"))
        return replace(
            answer,
            body=self._login.redact(answer.body),
            location=location.decode("latin-1"),
        )


def read_csrs(raw: bytes) -> Mapping[Slot, bytes]:
    """The PEM of each CSR in the answer to a POST.

    Raises:
        NetworkError: `api.not_json`, `api.unexpected`.
    """
    answer = Answer(status=200, body=raw, practice=False)
    csrs = _decode(answer, _Csrs)
    found = {
        Slot.TLS: csrs.tls_csr,
        Slot.ONLINE_CA: csrs.ca_csr,
        Slot.EST_TLS: csrs.est_tls_csr,
    }
    return {slot: pem.encode() for slot, pem in found.items() if pem}


def _one(pem: str | None, where: str) -> Certificate | None:
    return read_certificate(pem.encode(), f"the API's {where}") if pem else None


def _several(pem: str | None, where: str) -> tuple[Certificate, ...]:
    if not pem:
        return ()
    ders = read_pem_list(pem.encode(), CERTIFICATE, f"the API's {where}")
    return tuple(read_certificate(der, f"the API's {where}[{i}]") for i, der in enumerate(ders))


# --- answers -------------------------------------------------------------------------


def _decode(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.convert(read_tree(answer.body, "the API's answer"), kind)
    except VerificationError as exc:
        raise NetworkError(
            "api.not_json",
            f"{exc.message}; it begins with: {show(answer.body, 60)}",
            hint="Check online.api, and what stands between the API and this machine.",
        ) from exc
    except msgspec.ValidationError as exc:
        raise NetworkError(
            "api.unexpected",
            f"the API's answer is not what it is documented to be: {show(str(exc))}",
            hint="Check online.api; if it is right, report this answer.",
        ) from exc


_REFUSED: Final = {
    401: ("api.unauthorized", "Check the token; it may have expired."),
    403: ("api.forbidden", "Use a token of an owner or admin of this Factory."),
    404: ("api.not_found", "Check the factory's name and online.api in the plan."),
    429: ("api.busy", "Wait a while, then run the command again."),
}


def require_success(answer: Answer, what: str) -> None:
    """Stops at an answer that is no success, in the API's own words.

    Args:
        answer: to any request.
        what: method and path, for the message.

    Raises:
        NetworkError: `api.unauthorized`, `api.forbidden`, `api.not_found`, `api.busy`,
            `api.redirect`, `api.refused` (other 4xx) or `api.failed`.
    """
    if answer.success:
        return
    status = answer.status
    if 300 <= status < 400:
        raise NetworkError(
            "api.redirect",
            f"{what}: the API redirects to {show(answer.location) or 'nowhere'}; not followed",
            hint="Put the API's final address into online.api, if it is the right one.",
        )
    code, hint = _REFUSED.get(
        status,
        ("api.refused", "Read the API's words; check the plan and the token's rights.")
        if 400 <= status < 500
        else ("api.failed", "Wait a while, then run the command again."),
    )
    _refuse(code, f"{what}: the API answers {status}: {words_of(answer.body)}", hint)


def words_of(body: bytes) -> str:
    """An error's own words, whatever form they have, made harmless."""
    try:
        tree = read_tree(body, "error")
    except VerificationError:
        tree = None
    if not isinstance(tree, dict):
        text = " ".join(body.decode("utf-8", "replace").split())
        return show(text, 160) or "nothing"
    message = tree.get("msg") or tree.get("message") or ""
    errors = tree.get("errors") or []
    parts = [str(message), *_details(errors)]
    return show("; ".join(part for part in parts if part), 400) or "nothing"


def _details(errors: Any) -> Sequence[str]:
    if isinstance(errors, dict):
        return [f"{key}: {value}" for key, value in errors.items()]
    return [str(error) for error in errors] if isinstance(errors, list) else [str(errors)]


def _refuse(code: str, what: str, hint: str) -> NoReturn:
    raise NetworkError(code, what, hint=hint)
