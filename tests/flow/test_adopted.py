"""A PKI that fioctl made: adopted, and one of its CAs with a 160-bit serial revoked."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.bundle.checking import check_upload_files, require
from ceremony.bundle.media import read_directory
from ceremony.bundle.request import read_request, request_files
from ceremony.bundle.schema import REQUEST_SCHEMA, Current, DeviceCa, Posted, RequestDocument
from ceremony.bundle.upload import parse_upload
from ceremony.bundle.writing import write_directory
from ceremony.config import parse
from ceremony.core.secret import Secret
from ceremony.errors import VerificationError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Command, Entered, Frame
from ceremony.offline import store
from ceremony.offline.pki import command
from ceremony.practice.officers import Papers, ScriptedOfficers
from ceremony.x509 import der
from ceremony.x509.certificate import read_certificate, tbs_of
from ceremony.x509.issuing import assemble
from ceremony.x509.pem import write_pem
from tests.flow.table import PHRASES, TableServices
from tests.higher import Higher, usage

FACTORY = "acme"
SERIAL = (1 << 159) + 0xC0FFEE
BEGIN = datetime(2026, 1, 2, tzinfo=UTC)
PLAN = """
schema = "ceremony-plan/1"
factory = "acme"
kind = "{kind}"
user_id = "5e8a2f04"
{chosen}
[root]
key_store = "file"
profile = "{profile}"
[root.backup]
method = "none"
[media]
csr_in = "{media}/usb-in"
signed_out = "{media}/usb-out"
evidence = "{media}/evidence"
custody = "{media}/custody"
"""


def name(common: str, factory: str = FACTORY) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, factory),
        ]
    )


class Old:
    """A PKI directory as fioctl leaves it; or with the recipe's criticality and names."""

    def __init__(
        self, directory: Path, *, recipe: bool, factory: str = FACTORY, user: str = "5e8a2f04"
    ) -> None:
        directory.mkdir()
        self.recipe, self.factory = recipe, factory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        root = (
            self._builder(name("Factory-CA", factory), self.key.public_key(), 7300)
            .add_extension(x509.BasicConstraints(True, None), critical=not recipe)
            .add_extension(usage("key_cert_sign"), critical=not recipe)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=recipe)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )
        self.root = read_certificate(root.public_bytes(Encoding.DER), "root")
        ca = (
            self._builder(name(f"fio-{user}", factory), self.ca_key.public_key(), 3650)
            .add_extension(x509.BasicConstraints(True, 0), critical=True)
            .add_extension(usage("key_cert_sign"), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        fields = [f.raw for f in der.parse(tbs_of(ca.public_bytes(Encoding.DER))).children]
        fields[1] = der.encode(der.INTEGER, SERIAL.to_bytes(21, "big"))
        tbs = der.sequence(fields)
        signed = assemble(tbs, self.key.sign(tbs, ec.ECDSA(hashes.SHA256())))
        self.ca = read_certificate(signed, "ca")
        ca_name = "local_ca" if recipe else "local-ca"
        encryption = BestAvailableEncryption(b"old secret") if recipe else NoEncryption()
        form = PrivateFormat.PKCS8 if recipe else PrivateFormat.TraditionalOpenSSL
        for file, data in (
            ("factory_ca.key", self.key.private_bytes(Encoding.PEM, form, encryption)),
            ("factory_ca.pem", write_pem(self.root.der, "CERTIFICATE")),
            (f"{ca_name}.key", self.ca_key.private_bytes(Encoding.PEM, form, encryption)),
            (f"{ca_name}.pem", write_pem(self.ca.der, "CERTIFICATE")),
        ):
            (directory / file).write_bytes(data)
            (directory / file).chmod(0o400)

    def server(self, csr_pem: str) -> str:
        """The gateway's certificate, as that tool signs it."""
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        signed = (
            self._builder(csr.subject, csr.public_key(), 3650)
            .add_extension(usage("digital_signature"), critical=True)
            .add_extension(purposes, critical=self.recipe)
            .add_extension(names, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return signed.public_bytes(Encoding.PEM).decode()

    def _builder(self, subject: x509.Name, key: object, days: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name("Factory-CA", self.factory))
            .public_key(key)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(BEGIN)
            .not_valid_after(BEGIN + timedelta(days=days))
        )


class Desk:
    """The room after an import: a plan of a later kind, its request, its papers."""

    def __init__(self, media: Path, *, recipe: bool, kind: str = "revoke-device-ca") -> None:
        for folder in ("usb-in", "usb-out", "evidence", "custody", "state"):
            (media / folder).mkdir(mode=0o700)
        self.media = media
        self.old = Old(media / "pki", recipe=recipe)
        chosen = f'[[device_ca]]\nserial = "{SERIAL:#x}"'
        profile = "openssl-recipe" if recipe else "strict"
        text = PLAN.format(kind=kind, chosen=chosen, media=media, profile=profile)
        self.plan_file = parse(text.encode())
        self.services = TableServices(media)
        self.request = self._request()
        (media / "new").write_text("a new passphrase\n")
        (media / "old").write_text("old secret\n")
        for file in ("new", "old"):
            (media / file).chmod(0o600)
        self.papers = Papers(
            words={
                "plan.words": self.plan_file.fingerprint,
                "request.words": read_request(self.request).fingerprint,
            },
            pin=Secret("none"),
            phrases=PHRASES,
            passphrases={"root": Secret("a-new-passphrase")},
            texts={"sign.serial": {"serial": str(SERIAL)}},
        )

    def import_pki(self) -> str:
        arguments = ["import", str(self.media / "pki"), "--dir", str(self.media / "state")]
        arguments += ["--passphrase-file", str(self.media / "new")]
        arguments += ["--old-passphrase-file", str(self.media / "old")]
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        return done.output

    def _request(self) -> Path:
        plan, old = self.plan_file.plan, self.old
        ca = DeviceCa(subject=old.ca.subject, serial=str(SERIAL), sha256=old.ca.fingerprint.hex)
        document = RequestDocument(
            schema=REQUEST_SCHEMA,
            factory=plan.factory,
            user_id=plan.user_id,
            api=plan.online.api,
            kind=plan.kind,
            fetched_at="2026-01-02T01:00:00Z",
            plan_sha256=self.plan_file.fingerprint.hex,
            posted=Posted(first_time_init=False, tls_csr=False, ca_csr=False, est_tls_csr=False),
            requests=(),
            current=Current(
                root_sha256=old.root.fingerprint.hex,
                device_cas=(ca,),
                disabled_serials=(),
                change_meta=None,
            ),
            rehearsal=False,
        )
        root, cas = (write_pem(one.der, "CERTIFICATE") for one in (old.root, old.ca))
        files = request_files(document, {}, root, cas)
        return write_directory(self.media / "usb-in", "acme-request-20260102-0100", files)

    def hold(self) -> Outcome:
        room = store.begin(self.media / "state", self.plan_file, self.services)
        with room.record:
            outcome = run(room, ScriptedOfficers(self.papers, quiet=True))
            self.lines = room.record.lines
        return outcome


@pytest.mark.parametrize("recipe", [False, True])
def test_an_imported_pki_revokes_its_ca_with_a_160_bit_serial(tmp_path: Path, recipe: bool) -> None:
    desk = Desk(tmp_path, recipe=recipe)
    told = desk.import_pki()
    assert "passphrase in lower case, one hyphen between its words" in told
    (kept,) = (tmp_path / "state").glob("imported-*/keys/root-ca.key")
    stock = ["openssl", "pkey", "-in", str(kept), "-noout", "-passin", "pass:a-new-passphrase"]
    assert subprocess.run(stock, check=False).returncode == 0
    assert "certificate.crl_sign_missing" in told
    assert "certificate.serial_long" in told
    assert ("certificate.eku_critical" in told) == recipe
    assert desk.hold() is Outcome.CLOSED
    bundle = next(path for path in (tmp_path / "usb-out").iterdir() if path.is_dir())
    files = read_directory(bundle)
    require(check_upload_files(files, read_request(desk.request)))
    crl = parse_upload(files).crl
    assert crl is not None
    assert [(entry.serial, entry.reason) for entry in crl.entries] == [(SERIAL, 9)]
    fences = [line.key for line in desk.lines if line.type == "fence"]
    assert fences == ["last-ca", "sign", "export"]
    findings = next(line for line in desk.lines if line.type == "findings" and line.key == "root")
    assert "certificate.crl_sign_missing" in {f["code"] for f in findings.data["findings"]}
    assert not list((tmp_path / "state").glob("revoke-*/keys/*.key"))


def test_a_wrong_old_passphrase_keeps_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, recipe=True)
    (tmp_path / "old").write_text("another secret\n")
    with pytest.raises(VerificationError, match="its passphrase is another"):
        desk.import_pki()
    assert not list((tmp_path / "state").iterdir())


def test_a_serial_typed_wrong_three_times_stops(tmp_path: Path) -> None:
    desk = Desk(tmp_path, recipe=False)
    desk.import_pki()
    desk.papers.texts["sign.serial"] = {"serial": "4711"}

    class Stubborn(ScriptedOfficers):
        def ask(self, prompt, frame):  # type: ignore[no-untyped-def]
            if prompt.key == "sign.serial":
                return Entered(values={"serial": "4711"})
            return super().ask(prompt, frame)

    room = store.begin(tmp_path / "state", desk.plan_file, desk.services)
    with room.record, pytest.raises(VerificationError, match=r"device_ca\.serial_mismatch"):
        run(room, Stubborn(desk.papers, quiet=True))
    assert not [line for line in room.record.lines if line.type == "intent"]


def test_what_was_imported_goes_out_again_in_fioctls_exact_form(tmp_path: Path) -> None:
    desk = Desk(tmp_path, recipe=False)
    desk.import_pki()
    kept = next((tmp_path / "state").glob("imported-*"))
    out = tmp_path / "out"
    arguments = ["export", str(kept / "certificates"), "--to", str(out)]
    arguments += ["--local-ca-key", str(kept / "keys" / "local_ca-imported.key")]
    arguments += ["--passphrase-file", str(tmp_path / "new")]
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    original = (tmp_path / "pki" / "local-ca.key").read_bytes()
    assert (out / "local-ca.key").read_bytes() == original
    assert original.startswith(b"-----BEGIN EC PRIVATE KEY-----")
    assert original.endswith(b"-----END EC PRIVATE KEY-----\n")
    assert not (out / "factory_ca.key").exists()
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o400}


class PowerCut(BaseException):
    """The process is gone."""


class Cut(ScriptedOfficers):
    """Officers whose laptop loses power at one question."""

    def __init__(self, papers: Papers, key: str) -> None:
        super().__init__(papers, quiet=True)
        self._key = key

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key == self._key:
            raise PowerCut
        return super().ask(prompt, frame)


@pytest.mark.parametrize("key", ["root.found", "review.crl", "export.words"])
def test_28_a_later_ceremony_that_was_cut_off_signs_one_crl(tmp_path: Path, key: str) -> None:
    desk = Desk(tmp_path, recipe=False)
    desk.import_pki()
    room = store.begin(tmp_path / "state", desk.plan_file, desk.services)
    with room.record, pytest.raises(PowerCut):
        run(room, Cut(desk.papers, key))
    again = store.resume(room.directory, desk.plan_file, desk.services)
    with again.record:
        assert run(again, ScriptedOfficers(desk.papers, quiet=True)) is Outcome.CLOSED
    keys = [(line.type, line.key) for line in again.record.lines]
    assert keys.count(("intent", "crl/crl")) == keys.count(("done", "crl/crl")) == 1
    assert keys.count(("root", "root")) == 1
    assert not list((tmp_path / "state").glob("revoke-*/keys/*.key"))


def test_a_ca_that_the_factory_does_not_have_is_not_revoked(tmp_path: Path) -> None:
    desk = Desk(tmp_path, recipe=False)
    text = desk.plan_file.raw.replace(f"{SERIAL:#x}".encode(), b"0xabcdef")
    desk.plan_file = parse(text)
    desk.request = desk.request.rename(tmp_path / "elsewhere") and desk._request()
    desk.papers.words["plan.words"] = desk.plan_file.fingerprint
    desk.papers.words["request.words"] = read_request(desk.request).fingerprint
    with pytest.raises(VerificationError, match=r"device_ca\.unknown"):
        desk.hold()


@pytest.mark.parametrize("planned", ["self", "external"])
def test_a_root_that_another_than_the_planned_one_signed_stops_the_import(
    tmp_path: Path, planned: str
) -> None:
    desk = Desk(tmp_path, recipe=False)
    if planned == "self":
        csr = x509.CertificateSigningRequestBuilder().subject_name(name("Factory-CA"))
        asked = csr.sign(desk.old.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        constraint = (x509.BasicConstraints(True, None), True)
        signed = Higher(BEGIN).sign(asked, more=[constraint])
        desk.old.root = read_certificate(signed, "root")
    text = desk.plan_file.raw.replace(b"[root]", f'[root]\nissuer = "{planned}"'.encode())
    desk.plan_file = parse(text)
    shutil.rmtree(desk.request)
    desk.request = desk._request()
    desk.papers.words["plan.words"] = desk.plan_file.fingerprint
    with pytest.raises(AssertionError, match=r"import\.path was refused: .*request\.root_issuer"):
        desk.hold()
