"""Practice devices at the gateway: one that is known, one that is new, after each ceremony."""

from collections.abc import Callable
from pathlib import Path

from ceremony.core.ports import KeyStore
from ceremony.errors import NetworkError, PlanError, VerificationError
from ceremony.flow.keystores import find_key
from ceremony.kinds import Kind, Reason, facts_of
from ceremony.practice.device import make_device, request_root
from ceremony.practice.factory import PracticeFactory
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.pem import CERTIFICATE, read_pem_list

OpenStore = Callable[[str, Certificate], KeyStore]


class Fleet:
    """The devices of a rehearsal folder; ``device/`` holds the one that is known.

    Args:
        open_store: the opened key store of the local CA with that name and certificate.
        tell: shows a line.
    """

    def __init__(
        self,
        directory: Path,
        factory: PracticeFactory,
        open_store: OpenStore,
        tell: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._factory = factory
        self._open_store = open_store
        self._tell = tell

    def target(self, kind: Kind) -> Certificate:
        """The device CA that a rehearsal of this kind acts on.

        The one whose device is known, where it is in the right state.

        Raises:
            PlanError: `practice.no_device_ca`.
        """
        disabled = set((self._factory.store.certs or {}).get("disabled-ca-serials", []))
        wanted = {Reason.DISABLE: False, Reason.ENABLE: True}
        reason = facts_of(kind).reason
        able = [
            ca
            for ca in self._cas()
            if (reason not in wanted or (str(ca.serial) in disabled) is wanted[reason])
            and self.name_of(ca) is not None
        ]
        known = self._issuer_of_known()
        found = next((ca for ca in able if known is not None and ca.der == known.der), None)
        if found is not None or able:
            return found or able[-1]
        raise PlanError(
            "practice.no_device_ca",
            f"the practice Factory has no local device CA to rehearse {kind.value} with",
            hint="Rehearse another kind before: --kind add-device-ca, or --kind disable-device-ca.",
        )

    def name_of(self, ca: Certificate) -> str | None:
        """Under which name a local CA was made in this folder."""
        for path in sorted((self._directory / "usb-out").glob("*/local_ca-*.pem")):
            if read_certificate(path.read_bytes(), path.name).der == ca.der:
                return path.stem.removeprefix("local_ca-")
        return None

    def _cas(self) -> tuple[Certificate, ...]:
        pem = (self._factory.store.certs or {}).get("ca-crt")
        ders = read_pem_list(pem.encode(), CERTIFICATE, "ca-crt") if pem else ()
        return tuple(read_certificate(der, "ca-crt") for der in ders)

    def _issuer_of_known(self) -> Certificate | None:
        path = self._directory / "device" / "client.pem"
        if not path.exists():
            return None
        device = read_certificate(path.read_bytes(), path.name)
        return next((ca for ca in self._cas() if ca.ski == device.aki), None)

    # --- at the gateway ---------------------------------------------------------------

    def join(self, ca: Certificate, folder: Path) -> str:
        """A new device under that CA; its key and certificate go to ``folder/device/``."""
        name = self.name_of(ca)
        if name is None:
            raise LookupError("no local CA of this folder")
        with self._open_store(name, ca) as store:
            key = find_key(store.keys(), ca.spki, name)
            return make_device(
                folder,
                ca_certificate=ca,
                sign=lambda tbs: store.sign(key, tbs),
                factory=self._factory.factory,
            )

    def ask(self, folder: Path, root_pem: Path, what: str, *, admitted: bool) -> None:
        """The device in ``folder/device/`` asks the gateway.

        Raises:
            VerificationError: `practice.gateway`: it was let in or refused against what the
                ceremony was for.
        """
        host, port = self._factory.gateway_address
        try:
            document = request_root(folder, root_pem, host, port, self._factory.gateway_name)
        except NetworkError as exc:
            refusals = {"gateway.refused", "gateway.tls"}
            if admitted or (exc.code not in refusals and self._cas()):
                raise
            self._tell(f"{what}: refused, as it should be ({exc.code})")
            return
        if not admitted:
            raise VerificationError(
                "practice.gateway",
                f"{what} was let in, and should have been refused",
                hint="Report this: the ceremony did not do what it was for.",
            )
        self._tell(f"{what}: GET /repo/1.root.json over mutual TLS: 200, {len(document)} members")

    def after(self, kind: Kind, ca: Certificate | None, root_pem: Path, number: int) -> None:
        """What the gateway must do after a ceremony of this kind.

        Args:
            ca: that was made or acted on; None where there is none.
            number: of the run.
        """
        reason = facts_of(kind).reason
        if ca is not None and reason is None:
            uuid = self.join(ca, self._directory)
            told = f"device {uuid} (CA {self.name_of(ca)})"
            self.ask(self._directory, root_pem, told, admitted=True)
        elif (self._directory / "device" / "client.pem").exists():
            known = self._issuer_of_known() is not None
            self.ask(self._directory, root_pem, "known device", admitted=known)
        if ca is not None and reason is not None:
            folder = self._directory / "devices" / str(number)
            uuid = self.join(ca, folder)
            admitted = reason is Reason.ENABLE
            told = f"new device {uuid} (CA {self.name_of(ca)})"
            self.ask(folder, root_pem, told, admitted=admitted)
