"""Every later kind over a PKI that fioctl, or the documentation's recipe, made years ago."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.errors import NetworkError
from ceremony.kinds import Kind, facts_of
from ceremony.practice.device import make_device, request_root
from ceremony.x509.pem import CERTIFICATE, read_pem_list, write_pem
from tests.flow.conftest import cheap_passwords
from tests.flow.table import csr
from tests.flow.test_adopted import SERIAL, Old
from tests.stories.conftest import run
from tests.stories.site import FACTORY, Errand, Site, site

__all__ = ["cheap_passwords"]

# What the officers weigh: each way in which an old root departs from the profile.
DEPARTURES = {
    False: {"certificate.crl_sign_missing"},
    True: {
        "certificate.crl_sign_missing",
        "certificate.eku_critical",
        "certificate.basic_constraints_not_critical",
        "certificate.key_usage_not_critical",
    },
}


class Adopted:
    """A Factory with an old PKI, whose keys were imported into the room's laptop."""

    def __init__(self, at: Site, *, recipe: bool) -> None:
        self.at, self.recipe = at, recipe
        self.old = Old(at.folder / "pki", recipe=recipe, factory=FACTORY, user=at.user)
        csrs = at.call(
            "POST",
            {"first-time-init": True, "tls-csr": True, "ca-csr": False, "est-tls-csr": False},
        )
        at.call(
            "PATCH",
            {
                "root-crt": write_pem(self.old.root.der, CERTIFICATE).decode(),
                "tls-crt": self.old.server(csrs["tls-csr"]),
                "ca-crt": write_pem(self.old.ca.der, CERTIFICATE).decode(),
            },
        )
        self.root = at.folder / "pki" / "factory_ca.pem"
        for name, text in (("new", "a new passphrase"), ("old", "old secret")):
            (at.folder / name).write_text(f"{text}\n")
            (at.folder / name).chmod(0o600)
        (at.folder / "state").mkdir(mode=0o700)
        self.imported = run(
            *("ceremony", "pki", "import", at.folder / "pki", "--dir", at.folder / "state"),
            *("--passphrase-file", at.folder / "new", "--old-passphrase-file", at.folder / "old"),
        )
        at.passphrases["root"] = Secret("a-new-passphrase")

    def later(self, kind: Kind, *, top: str = "", tables: str = "") -> Errand:
        """One whole later ceremony over it; a device CA that it acts on is the old one."""
        if kind.value.endswith("able-device-ca") or kind is Kind.REVOKE_DEVICE_CA:
            tables = f'[[device_ca]]\nserial = "{SERIAL:#x}"\n'
        errand = self.at.errand(kind, top=top, tables=tables)
        texts = {"sign.serial": {"serial": f"{SERIAL:#x}"}}
        self.at.whole(errand, texts=texts)
        weighed = {
            finding["code"]
            for line in errand.lines
            if (line.type, line.key) == ("findings", "root")
            for finding in line.data["findings"]
        }
        assert weighed == DEPARTURES[self.recipe], kind
        self.read_with_stock_tools(errand)
        return errand

    def read_with_stock_tools(self, errand: Errand) -> None:
        """Every command of the bundle's README does what it says, whoever made the root."""
        assert errand.bundle is not None
        text = (errand.bundle / "README.txt").read_text().replace("REQUEST/", f"{errand.request}/")
        commands = [line for line in text.splitlines() if line.startswith("    ")]
        assert commands
        for command in commands:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                cwd=errand.bundle,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, command + done.stdout + done.stderr
        assert ("ceremony-online upload" in text) == bool(
            facts_of(errand.plan_file.plan.kind).fields
        )

    def device(self, name: str) -> Path:
        """A device of the old local CA, with its key."""
        folder = self.at.folder / "devices" / name
        key = self.old.ca_key
        make_device(
            folder,
            ca_certificate=self.old.ca,
            sign=lambda tbs: key.sign(tbs, ec.ECDSA(hashes.SHA256())),
            factory=FACTORY,
        )
        return folder

    def connects(self, folder: Path) -> bool:
        name, host, port = self.at.gateway
        try:
            request_root(folder, self.root, host, port, name)
        except NetworkError as exc:
            return exc.code not in {"gateway.refused", "gateway.tls", "gateway.unreachable"}
        return True


@pytest.fixture(params=[False, True], ids=["fioctl", "recipe"])
def adopted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Adopted]:
    with site(tmp_path) as at:
        yield Adopted(at, recipe=request.param)


def test_every_later_kind_goes_on_with_an_old_pki(adopted: Adopted) -> None:
    at = adopted.at
    assert adopted.imported.status == 0, adopted.imported.err
    for code in (*DEPARTURES[adopted.recipe], "certificate.serial_long"):
        assert code in adopted.imported.out
    known = adopted.device("known")
    assert adopted.connects(known)
    table = '[[local_ca]]\nname = "added"\n'
    added = adopted.later(Kind.ADD_DEVICE_CA, top='requests = ["online-ca"]', tables=table)
    listed = read_pem_list(at.call("GET")["ca-crt"].encode(), CERTIFICATE, "ca-crt")
    assert listed[0] == adopted.old.ca.der
    assert len(listed) == 3
    assert added.bundle is not None
    assert run("ceremony", "verify", added.bundle).status == 0
    adopted.later(Kind.ROTATE_TLS)
    assert adopted.connects(known), "the new gateway certificate serves"
    adopted.later(Kind.AUTHORIZE_EST)
    adopted.later(Kind.DISABLE_DEVICE_CA)
    assert at.call("GET")["disabled-ca-serials"] == [str(SERIAL)]
    assert adopted.connects(known)
    new = adopted.device("new")
    assert not adopted.connects(new)
    adopted.later(Kind.ENABLE_DEVICE_CA)
    assert adopted.connects(new)
    revoked = adopted.later(Kind.REVOKE_DEVICE_CA)
    assert not adopted.connects(known)
    assert not adopted.connects(new)
    payload = json.loads(((revoked.bundle or Path()) / "payload.json").read_bytes())
    assert set(payload) == {"ca-revoke-crl"}
    whole = run("ceremony", "verify", at.folder / "state")
    assert whole.status == 0, whole.out


def test_csrs_are_signed_under_an_old_root(adopted: Adopted) -> None:
    at = adopted.at
    pem = csr("plant-ca", (), FACTORY)
    tables = '[[sign_csr]]\nname = "maker"\nprofile = "device-ca"\n'
    errand = at.errand(Kind.SIGN_CSR, tables=tables)
    (errand.media / "usb-in" / "maker.csr").write_bytes(pem)
    at.hold(at.fetch(errand), words={"csr-maker.words": Fingerprint.of(pem)})
    adopted.read_with_stock_tools(errand)
    made = errand.issued("signed-maker.pem")
    assert made.issuer_der == adopted.old.root.subject_der
    assert made.aki == adopted.old.root.ski
    assert run("ceremony", "verify", errand.bundle or "").status == 0
