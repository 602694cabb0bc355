"""Registering devices with the API: many at a time, each with its result."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

import msgspec

from ceremony.bundle.documents import read_tree
from ceremony.core.findings import errors
from ceremony.core.text import show
from ceremony.errors import CeremonyError, NetworkError, PlanError, VerificationError
from ceremony.online.api import Api, words_of
from ceremony.online.issued import IssuedDevice
from ceremony.online.outcomes import FINAL, Outcome, Outcomes, Result
from ceremony.online.transport import Answer, Bounds
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.checks import check_certificate
from ceremony.x509.pem import CERTIFICATE, read_pem, write_pem
from ceremony.x509.profiles import Role

BOUNDS: Final = Bounds(attempts=8, backoff_s=0.25)
WORKERS: Final = 8
_CONFLICT: Final = 409
_FATAL: Final = frozenset({401, 403})
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_GROUP: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What every device of a run is registered with.

    Attributes:
        factory: OU that each certificate must have.
        name: of the device, with ``{uuid}`` in it where there are many; empty for none.
        group: empty for none.
    """

    factory: str
    name: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name.replace("{uuid}", "x" * 36)):
            raise _usage("--name", "up to 64 letters, digits, '-' and '_', with {uuid} in it")
        if self.group and not _GROUP.fullmatch(self.group):
            raise _usage("--group", "up to 64 letters, digits, '.', '-' and '_'")


@dataclass(frozen=True, slots=True)
class Totals:
    """How a run ended: devices by result, and how many an earlier run had done."""

    good: int
    bad: int
    skipped: int


def register(
    api: Api,
    registration: Registration,
    devices: Iterator[IssuedDevice],
    outcomes: Outcomes,
    *,
    workers: int = WORKERS,
    tell: Tell = lambda _good, _bad: None,
) -> Totals:
    """Registers each device that an earlier run has not.

    Raises:
        NetworkError: `api.unauthorized`, `api.forbidden`: no device would fare better.
        VerificationError: `practice.*`.
    """
    run = _Run(api, registration, outcomes, tell)
    return run.all(devices, workers)


def check_name(text: str, what: str) -> str:
    """A name that may stand in an address and be a folder's, as every uuid may.

    Args:
        what: whose it is, for the message.

    Raises:
        VerificationError: `device.uuid`.
    """
    if not _NAME.fullmatch(text):
        raise VerificationError(
            "device.uuid",
            f"{what}: '{show(text, 80)}' is no name of up to 64 letters, digits, '-' and '_'",
            hint="Give the device a uuid; `ceremony devices issue` makes one.",
        )
    return text


class _Run:
    """One run. A few devices are under way at a time, and no more are read than that."""

    def __init__(
        self, api: Api, registration: Registration, outcomes: Outcomes, tell: Tell
    ) -> None:
        self._api, self._registration = api, registration
        self._outcomes, self._tell = outcomes, tell
        self._stop = threading.Event()
        self._good = self._bad = self._skipped = 0

    def all(self, devices: Iterator[IssuedDevice], workers: int) -> Totals:
        under_way: set[Future[Outcome | None]] = set()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for device in devices:
                    under_way.add(pool.submit(self._one, device))
                    if len(under_way) >= 2 * workers:
                        under_way = self._collect(under_way)
                while under_way:
                    under_way = self._collect(under_way)
            except BaseException:
                self._stop.set()
                self._api.end()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return Totals(self._good, self._bad, self._skipped)

    def _collect(self, under_way: set[Future[Outcome | None]]) -> set[Future[Outcome | None]]:
        finished, rest = wait(under_way, return_when=FIRST_COMPLETED)
        for one in finished:
            outcome = one.result()
            if outcome is None:
                self._skipped += 1
            elif outcome.result in FINAL:
                self._good += 1
            else:
                self._bad += 1
        self._tell(self._good + self._skipped, self._bad)
        return rest

    def _one(self, device: IssuedDevice) -> Outcome | None:
        if self._stop.is_set():
            return None
        try:
            certificate = self._read(device)
        except VerificationError as exc:
            return self._note(
                Outcome(
                    uuid="",
                    key="",
                    where=device.where,
                    result=Result.REFUSED,
                    code=exc.code,
                    message=exc.message,
                )
            )
        key = certificate.fingerprint.hex
        if self._outcomes.done(key):
            return None
        return self._note(self._register(device, certificate))

    def _note(self, outcome: Outcome) -> Outcome:
        self._outcomes.add(outcome)
        return outcome

    def _read(self, device: IssuedDevice) -> Certificate:
        der = read_pem(device.pem, CERTIFICATE, device.where)
        certificate = read_certificate(der, device.where)
        check_name(certificate.common_name or "", f"{device.where}: CN")
        if device.name:
            check_name(device.name, f"{device.where}: name")
        wrong = errors(
            check_certificate(certificate, Role.DEVICE, factory=self._registration.factory)
        )
        if wrong:
            raise VerificationError(
                wrong[0].code,
                f"{device.where}: {wrong[0].message}",
                hint="Issue it anew with `ceremony devices issue`.",
            )
        return certificate

    def _register(self, device: IssuedDevice, certificate: Certificate) -> Outcome:
        uuid = certificate.common_name or ""
        name = device.name or self._registration.name.replace("{uuid}", uuid)
        body = {"client.pem": write_pem(certificate.der, CERTIFICATE).decode()}
        body |= {k: v for k, v in (("name", name), ("group", self._registration.group)) if v}

        def outcome(result: Result, status: int, code: str = "", message: str = "") -> Outcome:
            return Outcome(
                uuid=uuid,
                key=certificate.fingerprint.hex,
                where=device.where,
                result=result,
                status=status,
                code=code,
                message=message,
            )

        try:
            answer = self._api.put_device(msgspec.json.encode(body))
            if answer.status in _FATAL:
                raise _fatal(answer)
            if answer.success:
                return outcome(Result.REGISTERED, answer.status)
            if answer.status == _CONFLICT:
                result, why = self._compare(certificate, name or uuid)
                code = "" if result is Result.ALREADY else "device.conflict"
                return outcome(result, answer.status, code, why)
        except CeremonyError as exc:
            fatal = exc.code in {"api.unauthorized", "api.forbidden"}
            if not isinstance(exc, NetworkError) or fatal or self._stop.is_set():
                raise
            return outcome(Result.FAILED, 0, exc.code, exc.message)
        refused = 400 <= answer.status < 500 and answer.status != 429
        code = "device.refused" if refused else "device.failed"
        return outcome(
            Result.REFUSED if refused else Result.FAILED,
            answer.status,
            code,
            words_of(answer.body),
        )

    def _compare(self, certificate: Certificate, name: str) -> tuple[Result, str]:
        """After a 409: what has the Factory under this name?"""
        there = self._api.device(name)
        if not there.success:
            return Result.CONFLICT, "its uuid or name is taken, by a device of another name"
        try:
            tree = read_tree(there.body, "the device")
        except VerificationError:
            tree = None
        if not isinstance(tree, dict):
            return Result.CONFLICT, "its uuid or name is taken; the API does not say by whom"
        if tree.get("uuid") != certificate.common_name:
            return Result.CONFLICT, f"the name is taken by device {show(str(tree.get('uuid')), 80)}"
        if _spki(tree.get("public-key")) != certificate.spki:
            return Result.CONFLICT, "this uuid is registered with another key"
        return Result.ALREADY, "the same uuid and key were registered before"


def _spki(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return read_pem(value.encode(), "PUBLIC KEY", "public-key")
    except VerificationError:
        return None


def _fatal(answer: Answer) -> NetworkError:
    code = "api.unauthorized" if answer.status == 401 else "api.forbidden"
    return NetworkError(
        code,
        f"PUT /ota/devices/: the API answers {answer.status}: {words_of(answer.body)}",
        hint="Use a token with the scope devices:create; the same command then goes on.",
    )


def _usage(option: str, expected: str) -> PlanError:
    return PlanError("devices.option", f"{option}: expected {expected}", hint="Correct the option.")
