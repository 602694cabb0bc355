"""A whole rehearsal on one machine, crossing by crossing."""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ceremony import __version__, config
from ceremony.bundle.request import RequestBundle, read_request
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.documents.script import script
from ceremony.documents.sheet import words_sheet
from ceremony.documents.text import render_text
from ceremony.errors import ExitStatus, StoppedError
from ceremony.flow.prompts import Frontend
from ceremony.kinds import facts_of
from ceremony.offline.running import hold
from ceremony.offline.store import ceremonies
from ceremony.online.fetch import fetch
from ceremony.online.login import read_login
from ceremony.online.upload import upload
from ceremony.practice.backup_token import clone, planned_backup, procedure
from ceremony.practice.custodian import open_ca
from ceremony.practice.factory import PracticeFactory
from ceremony.practice.fleet import Fleet
from ceremony.practice.foreign import foreign_csrs
from ceremony.practice.higher_ca import play_higher_ca
from ceremony.practice.officers import Papers, ScriptedOfficers, texts_for
from ceremony.practice.plans import substitute
from ceremony.practice.runs import (
    FetchClock,
    Run,
    first_run,
    keep_port,
    kept_factory,
    read_head,
    read_passphrases,
    run_for,
    this_run,
    write_head,
    write_passphrases,
)
from ceremony.practice.softhsm import create_token, find_module
from ceremony.practice.store import write_private
from ceremony.record.chain import sha256_hex
from ceremony.x509.certificate import Certificate, read_certificate

_PAPERS = (
    ("script.txt", "the approved script, with the plan's words"),
    ("request-words.txt", "sheet of words of the request bundle"),
    ("higher-ca-words.txt", "sheet of words of the higher CA's certificate"),
    ("root-words.txt", "words of the root certificate, from the report of its ceremony"),
    ("token-pin.txt", "PIN of the practice token"),
    ("backup-procedure.txt", "how to clone the practice token"),
    ("phrases.txt", "phrases you may enrol with (any others will do)"),
)
_OF_A_TOKEN = frozenset({"token-pin.txt", "backup-procedure.txt"})
_FOLDERS = (
    *("usb-in", "usb-ca", "usb-out", "evidence", "custody"),
    *("state", "online", "paper"),
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


class Rehearsal:
    """One rehearsal in one folder, which stands for the machines, the sticks and the safe.

    Args:
        officers: who sits there when nobody does (`Options.auto`).
    """

    def __init__(
        self,
        directory: Path,
        options: Options,
        officers: Callable[[Papers], Frontend] = ScriptedOfficers,
    ) -> None:
        self._officers = officers
        self._directory = directory
        self._options = options
        self._began = time.monotonic()

    def run(self) -> int:
        """Fetch, ceremony, upload, and what devices get at the gateway.

        A later kind on an empty practice Factory is rehearsed after a first ceremony.
        """
        for name in _FOLDERS:
            (self._directory / name).mkdir(mode=0o700, exist_ok=True)
        own = config.load(self._options.plan).plan
        kind = config.Kind(self._options.kind or own.kind.value)
        with kept_factory(self._directory, own) as factory:
            keep_port(self._directory, factory)
            self._tell(f"practice Factory of {factory.factory} at {factory.url}")
            return self._rehearse(own, kind, factory)

    def _rehearse(self, own: config.Plan, kind: config.Kind, factory: PracticeFactory) -> int:
        rooted = factory.store.certs is not None
        if not rooted and not facts_of(kind).makes_root:
            say(f"  note      there is no root yet: a first ceremony before {kind.value}")
            status = self._hold_run(own, config.Kind.CREATE, factory)
            if status not in {ExitStatus.DONE, ExitStatus.EXCEPTIONS}:
                return status
        elif rooted and facts_of(kind).makes_root and this_run(self._directory).number > 1:
            return self._again(factory)
        return self._hold_run(own, kind, factory)

    def _hold_run(self, own: config.Plan, kind: config.Kind, factory: PracticeFactory) -> int:
        run = run_for(self._directory, self._asked(own, kind), say)
        plan_file, pin = self._plan(run, own, kind, factory)
        if not facts_of(kind).exports:
            return self._without_crossing(run, plan_file, pin)
        request = self._fetch(run, plan_file, factory)
        papers = self._papers(plan_file, "request", request.fingerprint, pin)
        status = self._hold(run, plan_file, papers)
        if status not in {ExitStatus.DONE, ExitStatus.EXCEPTIONS}:
            return status
        bundle = run.upload(plan_file.fingerprint.hex)
        kind = plan_file.plan.kind
        acted_on = self._acted_on(plan_file.plan, bundle, request)
        if facts_of(kind).fields:
            self._upload(bundle, factory)
        fleet = self._fleet(factory, papers)
        fleet.after(kind, acted_on, bundle / "factory_ca.pem", run.number)
        run.finish()
        self._summary(bundle)
        return status

    def _asked(self, own: config.Plan, kind: config.Kind) -> str:
        return f"{kind.value} {sha256_hex(msgspec.json.encode(own))}\n"

    def _without_crossing(self, run: Run, plan_file: config.PlanFile, pin: Secret) -> int:
        """A kind over the root's certificate alone: nothing is fetched, nothing uploaded."""
        first = first_run(self._directory)
        made = first.upload(config.load(first.plan).fingerprint.hex) / "factory_ca.pem"
        root = read_certificate(made.read_bytes(), made.name)
        papers = self._papers(plan_file, "root", root.fingerprint, pin)
        status = self._hold(run, plan_file, papers)
        if status in {ExitStatus.DONE, ExitStatus.EXCEPTIONS}:
            run.finish()
            self._tell("done")
        return status

    def _again(self, factory: PracticeFactory) -> int:
        """A first ceremony can be held once; its device can ask again."""
        say("  note      this practice Factory has its root: a root is set once. Rehearse what")
        say("            comes later: --kind add-device-ca, rotate-tls, disable-device-ca ...")
        first = first_run(self._directory)
        bundle = first.upload(config.load(first.plan).fingerprint.hex)
        papers = Papers(words={}, pin=Secret("0"), phrases=_PHRASES)
        fleet = self._fleet(factory, papers)
        fleet.after(config.Kind.ROTATE_TLS, None, bundle / "factory_ca.pem", 0)
        self._summary(bundle)
        return ExitStatus.DONE

    def _fleet(self, factory: PracticeFactory, papers: Papers) -> Fleet:
        return Fleet(
            self._directory,
            factory,
            lambda name, ca: open_ca(self._directory, name, ca, papers),
            self._tell,
        )

    def _acted_on(
        self, plan: config.Plan, bundle: Path, request: RequestBundle
    ) -> Certificate | None:
        """The device CA that was made, or that the CRL is about."""
        for ca in plan.local_ca[:1]:
            path = bundle / f"local_ca-{ca.name}.pem"
            return read_certificate(path.read_bytes(), path.name)
        serials = {ca.serial for ca in plan.device_ca}
        found = (ca for ca in request.current_device_cas if str(ca.serial) in serials)
        return next(found, None)

    def _plan(
        self, run: Run, own: config.Plan, kind: config.Kind, factory: PracticeFactory
    ) -> tuple[config.PlanFile, Secret]:
        pin_file = self._directory / "paper" / "token-pin.txt"
        if run.plan.exists():
            return config.load(run.plan), Secret(pin_file.read_text().strip())
        issuer = own.root.issuer
        if run.number == 1:
            pin = Secret("".join(str(secrets.randbelow(10)) for _ in range(8)))
            write_private(pin_file, f"{pin.reveal()}\n".encode())
            token = self._token(pin)
            backup = planned_backup(token) if token is not None else None
        else:
            pin = Secret(pin_file.read_text().strip())
            root = config.load(Run(directory=self._directory, number=1).plan).plan.root
            token, backup, issuer = root.token, root.backup.token, root.issuer
        papers = Papers(words={}, pin=pin, phrases=_PHRASES)
        acts_on = self._acts_on(kind, factory, papers)
        substituted = substitute(
            own, self._directory, factory.url, kind, token, backup, run.number, acts_on, issuer
        )
        for line in substituted.told:
            say(f"  replaced  {line}")
        write_private(run.plan, substituted.plan_file.raw)
        return substituted.plan_file, pin

    def _acts_on(
        self, kind: config.Kind, factory: PracticeFactory, papers: Papers
    ) -> dict[str, object]:
        """The table of the plan that names what a later kind acts on."""
        if facts_of(kind).reason is None:
            return {}
        return {"device_ca": [{"serial": str(self._fleet(factory, papers).target(kind).serial)}]}

    def _token(self, pin: Secret) -> config.Token | None:
        if self._options.key_store == "file":
            return None
        if self._options.key_store is None and find_module() is None:
            say("  note      no PKCS#11 module found: the root key lives in an encrypted file")
            return None
        so_pin = Secret("".join(str(secrets.randbelow(10)) for _ in range(8)))
        return create_token(self._directory / "token", "practice root", so_pin, pin)

    def _fetch(
        self, run: Run, plan_file: config.PlanFile, factory: PracticeFactory
    ) -> RequestBundle:
        there = run.request(plan_file.fingerprint.hex)
        if there is not None:
            self._tell(f"going on with {there.name}")
            return read_request(there)
        usb_in = self._directory / "usb-in"
        path = fetch(
            plan_file,
            usb_in,
            login=read_login(factory.token_file),
            state=self._directory / "online",
            confirm=lambda _: plan_file.plan.factory,
            clock=FetchClock(usb_in),
        )
        self._tell(f"fetched {path.name}")
        return read_request(path)

    def _papers(
        self, plan_file: config.PlanFile, what: str, value: Fingerprint | None, pin: Secret
    ) -> Papers:
        folder = self._directory / "paper"
        if value is not None:
            sheet = words_sheet(
                title="Sheet of words",
                what="request bundle" if what == "request" else "root certificate",
                fingerprint=value,
                rehearsal=True,
            )
            write_private(folder / f"{what}-words.txt", render_text(sheet))
        phrases = "".join(f"officer {seat}: {p.reveal()}\n" for seat, p in _PHRASES.items())
        for name, data in (
            ("script.txt", render_text(script(plan_file, tool_version=__version__))),
            ("phrases.txt", phrases.encode()),
            ("backup-procedure.txt", procedure(self._directory, plan_file.plan.root)),
        ):
            write_private(folder / name, data)
        return Papers(
            words={
                "plan.words": plan_file.fingerprint,
                **foreign_csrs(self._directory / "usb-in", plan_file.plan),
                **read_head(self._directory),
                **({} if value is None else {f"{what}.words": value}),
            },
            pin=pin,
            phrases=_PHRASES,
            clone=lambda: self._clone(plan_file.plan.root),
            passphrases=read_passphrases(self._directory),
            texts=texts_for(plan_file.plan),
        )

    def _clone(self, root: config.Root) -> None:
        if root.token is not None and root.backup.token is not None:
            clone(self._directory / "token", root.token, root.backup.token)

    def _hold(self, run: Run, plan_file: config.PlanFile, papers: Papers) -> int:
        if self._held(plan_file):
            self._tell("going on after the ceremony, which is closed")
            return ExitStatus.DONE
        status = self._sit(run, plan_file, papers)
        if status == ExitStatus.STOPPED and self._answered(plan_file, papers):
            status = self._sit(run, plan_file, papers)
        return status

    def _answered(self, plan_file: config.PlanFile, papers: Papers) -> bool:
        """Whether the ceremony waited for the higher CA, which has signed now."""
        answer = play_higher_ca(self._directory, plan_file)
        if answer is None:
            return False
        papers.words["root-answer.words"] = answer
        self._tell("higher CA: signed the root CSR; its answer is on the stick, its words on paper")
        return True

    def _sit(self, run: Run, plan_file: config.PlanFile, papers: Papers) -> int:
        """One sitting: to the end, to where the officers leave, or to where the plan waits."""
        state = self._directory / "state"
        if self._options.auto:
            papers.choices["choose.ceremony"] = self._unfinished(plan_file) or "new"
            try:
                return hold(plan_file, state, self._officers(papers))
            except StoppedError as exc:
                if exc.code != "stopped.waiting":
                    raise
                return exc.status
            finally:  # what is on paper stays there, however a sitting ends
                write_passphrases(self._directory, papers.passphrases)
                write_head(self._directory, papers.words)
        folder = self._directory / "paper"
        say("")
        say("  The papers on the table are in this folder; open them in another window:")
        say(f"    {folder}")
        for name, what in _PAPERS:
            with_token = plan_file.plan.root.key_store == "token"
            if (folder / name).exists() and (with_token or name not in _OF_A_TOKEN):
                say(f"      {name:<21} {what}")
        say("  The sticks are folders; their paths are offered where they are asked for.")
        if not self._options.plain:
            say("  Press Enter to open the wizard.")
            sys.stdin.readline()
        command = [sys.executable, "-I", "-m", "ceremony", "run"]
        command += [str(run.plan), "--dir", str(state)]
        return subprocess.run(
            [*command, "--plain"] if self._options.plain else command, check=False
        ).returncode

    def _unfinished(self, plan_file: config.PlanFile) -> str | None:
        """Name of this run's ceremony, where it was begun and not finished."""
        wanted = plan_file.fingerprint.hex
        held = ceremonies(self._directory / "state")
        names = [one.directory.name for one in held if one.plan_sha256 == wanted]
        return names[0] if names else None

    def _held(self, plan_file: config.PlanFile) -> bool:
        """Whether this run's ceremony reached its end before something after it was cut off."""
        wanted = plan_file.fingerprint.hex
        held = ceremonies(self._directory / "state")
        return any(one.finished and one.plan_sha256 == wanted for one in held)

    def _upload(self, bundle: Path, factory: PracticeFactory) -> None:
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

    def _summary(self, bundle: Path) -> None:
        self._tell("done")
        if self._options.keep is None and self._options.auto:
            say("  All of it was in a temporary folder. Keep it with: ceremony rehearse --keep DIR")
            return
        sys.stdout.write(f"{bundle}\n")
        say(f"  Check it: cd {bundle} && sha256sum -c --strict SHA256SUMS")
        say(f"            ceremony verify {bundle}")

    def _tell(self, what: str) -> None:
        say(f"      {time.monotonic() - self._began:6.2f} s  {what}")
