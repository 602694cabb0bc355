"""A whole rehearsal on one machine, crossing by crossing."""

import getpass
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ceremony import __version__, config
from ceremony.bundle.request import RequestBundle, read_request
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.ports import KeyStore
from ceremony.core.secret import Secret
from ceremony.documents.script import script
from ceremony.documents.sheet import words_sheet
from ceremony.documents.text import render_text
from ceremony.errors import ExitStatus, KeyStoreError
from ceremony.flow.keystores import find_key
from ceremony.flow.passphrases import normal
from ceremony.keys.file import FileKeyStore
from ceremony.keys.token import open_token
from ceremony.offline.running import hold
from ceremony.online.fetch import fetch
from ceremony.online.login import read_login
from ceremony.online.upload import upload
from ceremony.practice.backup_token import clone, planned_backup
from ceremony.practice.device import make_device, request_root
from ceremony.practice.factory import PracticeFactory
from ceremony.practice.officers import Papers, ScriptedOfficers
from ceremony.practice.plans import rehearsal_name, substitute
from ceremony.practice.softhsm import create_token, find_module
from ceremony.practice.store import write_private
from ceremony.x509.certificate import read_certificate

_PAPERS = (
    ("script.txt", "the approved script, with the plan's words"),
    ("request-words.txt", "sheet of words of the request bundle"),
    ("token-pin.txt", "PIN of the practice token"),
    ("backup-procedure.txt", "how the practice token is cloned, when the screen asks for it"),
    ("phrases.txt", "phrases you may enrol with (any others will do)"),
)
_PHRASES = {"A": Secret("practice phrase A"), "B": Secret("practice phrase B")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `ceremony rehearse` was asked for."""

    plan: Path
    auto: bool
    plain: bool
    kind: str | None
    key_store: str | None
    keep: Path | None


def say(text: str) -> None:
    """A line for the person who watches."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def rehearse(options: Options) -> int:
    """Runs it; in a temporary folder unless it is to be kept.

    Returns:
        The ceremony's exit status.
    """
    if options.keep is not None:
        options.keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Rehearsal(options.keep.absolute(), options).run()
    with tempfile.TemporaryDirectory(prefix="ceremony-rehearsal-") as directory:
        return Rehearsal(Path(directory), options).run()


class Rehearsal:
    """One rehearsal in one folder, which stands for the machines, the sticks and the safe."""

    def __init__(self, directory: Path, options: Options) -> None:
        self._directory = directory
        self._options = options
        self._port_file = directory / "online" / "port"
        self._began = time.monotonic()

    def run(self) -> int:
        """Fetch, ceremony, upload, a device's first request."""
        for name in ("usb-in", "usb-out", "evidence", "custody", "state", "online", "paper"):
            (self._directory / name).mkdir(mode=0o700, exist_ok=True)
        own = config.load(self._options.plan).plan
        with self._factory(own) as factory:
            # The plan names the port, and a resumed rehearsal has the same plan.
            self._port_file.write_text(f"{urlsplit(factory.url).port}\n")
            self._tell(f"practice Factory of {factory.factory} at {factory.url}")
            plan_file, pin = self._plan(own, factory)
            request = self._fetch(plan_file, factory)
            papers = self._papers(plan_file, request, pin)
            status = self._hold(plan_file, papers)
            if status not in {ExitStatus.DONE, ExitStatus.EXCEPTIONS}:
                return status
            upload = self._upload(factory)
            self._device(plan_file, factory, upload, papers)
        self._summary(upload)
        return status

    def _factory(self, plan: config.Plan) -> PracticeFactory:
        folder = self._directory / "factory"
        owners = [plan.user_id, *(plan.owner(ca) for ca in plan.local_ca)]
        return PracticeFactory(
            folder,
            factory=rehearsal_name(plan.factory),
            users=tuple(dict.fromkeys(owners)),
            host_suffix=plan.rules.host_suffixes[0],
            port=int(self._port_file.read_text()) if self._port_file.exists() else 0,
        )

    def _plan(self, own: config.Plan, factory: PracticeFactory) -> tuple[config.PlanFile, Secret]:
        path = self._directory / "plan.toml"
        pin_file = self._directory / "paper" / "token-pin.txt"
        if path.exists():
            return config.load(path), Secret(pin_file.read_text().strip())
        pin = Secret("".join(str(secrets.randbelow(10)) for _ in range(8)))
        write_private(pin_file, f"{pin.reveal()}\n".encode())
        kind = config.Kind(self._options.kind or own.kind.value)
        token = self._token(pin)
        backup = planned_backup(token) if token is not None else None
        substituted = substitute(own, self._directory, factory.url, kind, token, backup)
        for line in substituted.told:
            say(f"  replaced  {line}")
        write_private(path, substituted.plan_file.raw)
        return substituted.plan_file, pin

    def _token(self, pin: Secret) -> config.Token | None:
        if self._options.key_store == "file":
            return None
        if self._options.key_store is None and find_module() is None:
            say("  note      no PKCS#11 module found: the root key lives in an encrypted file")
            return None
        so_pin = Secret("".join(str(secrets.randbelow(10)) for _ in range(8)))
        return create_token(self._directory / "token", "practice root", so_pin, pin)

    def _fetch(self, plan_file: config.PlanFile, factory: PracticeFactory) -> RequestBundle:
        there = sorted((self._directory / "usb-in").glob("*-request-*/"))
        if there:
            self._tell(f"going on with {there[-1].name}")
            return read_request(there[-1])
        path = fetch(
            plan_file,
            self._directory / "usb-in",
            login=read_login(factory.token_file),
            state=self._directory / "online",
            confirm=lambda _: plan_file.plan.factory,
        )
        self._tell(f"online machine: fetched {path.name}")
        return read_request(path)

    def _papers(self, plan_file: config.PlanFile, request: RequestBundle, pin: Secret) -> Papers:
        folder = self._directory / "paper"
        sheet = words_sheet(
            title="Sheet of words",
            what="request bundle",
            fingerprint=request.fingerprint,
            rehearsal=True,
        )
        phrases = "".join(f"officer {seat}: {p.reveal()}\n" for seat, p in _PHRASES.items())
        for name, data in (
            ("script.txt", render_text(script(plan_file, tool_version=__version__))),
            ("request-words.txt", render_text(sheet)),
            ("phrases.txt", phrases.encode()),
            ("backup-procedure.txt", self._procedure(plan_file.plan.root)),
        ):
            write_private(folder / name, data)
        return Papers(
            words={
                "plan.words": plan_file.fingerprint,
                "request.words": request.fingerprint,
            },
            pin=pin,
            phrases=_PHRASES,
            clone=lambda: self._clone(plan_file.plan.root),
        )

    def _clone(self, root: config.Root) -> None:
        if root.token is not None and root.backup.token is not None:
            clone(self._directory / "token", root.token, root.backup.token)

    def _procedure(self, root: config.Root) -> bytes:
        if root.backup.token is None:
            return b"This rehearsal's plan has no backup token: nothing is cloned.\n"
        command = [sys.executable, "-I", "-m", "ceremony.practice.backup_token"]
        line = shlex.join([*command, str(self._directory)])
        return f"The practice vendor's clone procedure, in another window:\n\n{line}\n".encode()

    def _hold(self, plan_file: config.PlanFile, papers: Papers) -> int:
        state = self._directory / "state"
        if self._options.auto:
            return hold(plan_file, state, ScriptedOfficers(papers))
        folder = self._directory / "paper"
        say("")
        say("  The papers on the table (open them in another window, or print them):")
        for name, what in _PAPERS:
            say(f"    {folder / name}  {what}")
        say("  The sticks are folders; their paths are offered where they are asked for.")
        if not self._options.plain:
            say("  Press Enter to open the wizard.")
            sys.stdin.readline()
        command = [sys.executable, "-I", "-m", "ceremony", "run"]
        command += [str(self._directory / "plan.toml"), "--dir", str(state)]
        return subprocess.run(
            [*command, "--plain"] if self._options.plain else command, check=False
        ).returncode

    def _upload(self, factory: PracticeFactory) -> Path:
        bundle = max((self._directory / "usb-out").glob("*-upload-*/"))
        evidence = self._directory / "evidence" / bundle.name.replace("-upload-", "-evidence-")
        paper = (evidence / "upload-fingerprint.txt").read_text().splitlines()
        words = " ".join(word for line in paper[3:] for word in line.split()[2:])
        receipt = upload(
            bundle,
            login=read_login(factory.token_file),
            state=self._directory / "online",
            expect=Fingerprint.from_words(words),
        )
        self._tell(f"online machine: {receipt}")
        return bundle

    def _device(
        self,
        plan_file: config.PlanFile,
        factory: PracticeFactory,
        bundle: Path,
        papers: Papers,
    ) -> None:
        if not plan_file.plan.local_ca:
            return
        ca = plan_file.plan.local_ca[0]
        certificate = read_certificate((bundle / f"local_ca-{ca.name}.pem").read_bytes(), ca.name)
        with self._ca_store(plan_file, ca, papers) as store:
            key = find_key(store.keys(), certificate.spki, ca.name)
            uuid = make_device(
                self._directory,
                ca_certificate=certificate,
                sign=lambda tbs: store.sign(key, tbs),
                factory=plan_file.plan.factory,
            )
        host, port = factory.gateway_address
        document = request_root(
            self._directory, bundle / "factory_ca.pem", host, port, factory.gateway_name
        )
        self._tell(
            f"device {uuid} (CA {ca.name}): GET /repo/1.root.json over mutual TLS: 200, "
            f"{len(document)} members"
        )

    def _ca_store(self, plan_file: config.PlanFile, ca: config.LocalCa, papers: Papers) -> KeyStore:
        if ca.key_store == "token":
            token = ca.token or plan_file.plan.root.token
            if token is None:
                raise LookupError(ca.name)
            store: KeyStore = open_token(token, timeout_s=60, generate_timeout_s=60)
            store.login(papers.pin)
            return store
        folder = max((self._directory / "custody").glob(f"*-key-{ca.name}-*/"))
        file_store = FileKeyStore(folder / f"local_ca-{ca.name}.key")
        while True:
            secret = papers.passphrase(ca.name) or Secret(
                getpass.getpass(f"  Passphrase of the {ca.name} key, from your paper: ")
            )
            try:
                file_store.login(normal(secret))
            except KeyStoreError as exc:
                if papers.passphrase(ca.name) or exc.code != "file.passphrase_wrong":
                    raise
                say(f"  {exc.message}")
            else:
                return file_store

    def _summary(self, bundle: Path) -> None:
        self._tell("done")
        if self._options.keep is None:
            say("  All of it was in a temporary folder. Keep it with: ceremony rehearse --keep DIR")
            return
        sys.stdout.write(f"{bundle}\n")
        say(f"  Check it: cd {bundle} && sha256sum -c --strict SHA256SUMS")
        say(f"            ceremony verify {bundle}")

    def _tell(self, what: str) -> None:
        say(f"      {time.monotonic() - self._began:6.2f} s  {what}")
