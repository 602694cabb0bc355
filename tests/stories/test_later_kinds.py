"""Later ceremonies in all their variants, each from fetch to what the Factory has then."""

import dataclasses
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ceremony.bundle.evidence import check_evidence
from ceremony.bundle.media import read_directory
from ceremony.bundle.sums import format_sums
from ceremony.bundle.verdicts import Outcome
from ceremony.core.fingerprints import Fingerprint
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError
from ceremony.flow.prompts import Answer, AnyPrompt, Choose, Command, Frame, Picked
from ceremony.keys.token import open_token
from ceremony.kinds import Kind
from ceremony.offline.plain import PlainFrontend
from ceremony.practice.officers import ScriptedOfficers
from ceremony.practice.softhsm import create_token
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.csr import read_csr
from ceremony.x509.pem import CERTIFICATE, read_pem_list, write_pem
from tests.flow.conftest import cheap_passwords
from tests.flow.table import TableServices, csr
from tests.stories.site import FACTORY, Errand, Site, site

__all__ = ["cheap_passwords"]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Factory after its first ceremony: gateway TLS and a local CA."""
    with site(tmp_path_factory.mktemp("site")) as found:
        table = '[[local_ca]]\nname = "line-1"\n'
        found.whole(found.errand(Kind.CREATE, top='requests = ["tls"]', tables=table))
        yield found


def device_cas(at: Site) -> list[Certificate]:
    ders = read_pem_list(at.call("GET")["ca-crt"].encode(), CERTIFICATE, "ca-crt")
    return [read_certificate(der, "ca-crt") for der in ders]


def fresh_ca(at: Site, name: str) -> Certificate:
    """A device CA of a test's own."""
    at.whole(errand := at.errand(Kind.ADD_DEVICE_CA, tables=f'[[local_ca]]\nname = "{name}"\n'))
    return errand.issued(f"local_ca-{name}.pem")


def acting(at: Site, kind: Kind, ca: Certificate) -> tuple[Errand, dict[str, dict[str, str]]]:
    errand = at.errand(kind, tables=f'[[device_ca]]\nserial = "{ca.serial_hex}"\n')
    return errand, {"sign.serial": {"serial": str(ca.serial)}}


def refusal(at: Site, errand: Errand, **other: Any) -> str:
    """The code with which the room stops; nothing was intended."""
    with pytest.raises(CeremonyError) as caught:
        at.hold(at.fetch(errand), **other)
    assert not [line for line in errand.lines if line.type == "intent"]
    return caught.value.code


# --- add-device-ca -------------------------------------------------------------------


def test_local_cas_of_every_store_and_a_new_online_ca_are_added_in_one_ceremony(
    at: Site, tmp_path: Path
) -> None:
    token = create_token(tmp_path, "line token", Secret("87654321"), Secret("1234"))
    conf = token.module_environment["SOFTHSM2_CONF"]
    tables = f"""
[[local_ca]]
name = "in-file"
[[local_ca]]
name = "plant"
key_store = "csr"
[[local_ca]]
name = "on-token"
key_store = "token"
[local_ca.token]
module = "{token.module}"
serial = "{token.serial}"
module_environment = {{ SOFTHSM2_CONF = "{conf}" }}
"""
    errand = at.errand(Kind.ADD_DEVICE_CA, top='requests = ["online-ca"]', tables=tables)
    plant = csr("plant", (), FACTORY)
    (errand.media / "usb-in" / "plant.csr").write_bytes(plant)
    before = device_cas(at)

    def prepare(services: TableServices) -> None:
        services.token_store = (  # type: ignore[method-assign]
            lambda token: open_token(token, timeout_s=20, generate_timeout_s=20)
        )

    words = {"csr-plant.words": Fingerprint.of(plant)}
    at.whole(errand, words=words, prepare=prepare, pin="1234")
    after = device_cas(at)
    assert {ca.der for ca in before} < {ca.der for ca in after}
    assert len(after) == len(before) + 4
    assert errand.issued("local_ca-plant.pem").spki == read_csr(plant, "plant").spki
    custody = sorted(path.name for path in (errand.media / "custody").iterdir())
    assert len(custody) == 1, "only the key in a file leaves the room"
    assert "-key-in-file-" in custody[0]
    posted = json.loads((errand.request / "request.json").read_bytes())["posted"]
    assert posted == {
        "first-time-init": False,
        "tls-csr": False,
        "ca-csr": True,
        "est-tls-csr": False,
    }
    strict = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-CAfile", "factory_ca.pem", "online_ca.pem"),
            *(f"local_ca-{name}.pem" for name in ("in-file", "plant", "on-token")),
        ],
        cwd=errand.bundle,
        capture_output=True,
        text=True,
        check=True,
    )
    assert strict.stdout.count(": OK") == 4


def test_an_online_ca_alone_is_added_and_those_that_are_there_stay(at: Site) -> None:
    before = device_cas(at)
    errand = at.whole(at.errand(Kind.ADD_DEVICE_CA, top='requests = ["online-ca"]'))
    assert set(json.loads((errand.bundle / "payload.json").read_bytes())) == {"ca-crt"}
    assert {ca.der for ca in device_cas(at)} == {
        *(ca.der for ca in before),
        errand.issued("online_ca.pem").der,
    }
    assert list((errand.media / "custody").iterdir()) == []


# --- names of servers ----------------------------------------------------------------


def renamed(at: Site) -> list[str]:
    """The platform serves the Factory under other names from now on."""
    at.factory.stop()
    path = at.folder / "factory" / "state.json"
    state = json.loads(path.read_bytes())
    state["id"] = "0" * 8 + state["id"][8:]
    path.write_text(json.dumps(state))
    at.factory.start()
    return [f"{state['id']}.{kind}.foundries.io" for kind in ("ota-lite", "ostree", "est")]


def test_new_names_of_a_server_are_typed_back_by_both_officers(at: Site) -> None:
    first = at.whole(at.errand(Kind.AUTHORIZE_EST))
    assert not [line for line in first.lines if line.type == "typed"]
    gateway, ostree, est = renamed(at)
    texts = {"import.names.tls": {"name0": gateway.upper(), "name1": ostree}}
    rotated = at.whole(at.errand(Kind.ROTATE_TLS), texts=texts)
    typed = [line.key for line in rotated.lines if line.type == "typed"]
    assert typed == ["names/tls/A", "names/tls/B"]
    assert rotated.issued("tls.pem").dns_names == (gateway, ostree)
    assert "csr.san_changed" in str([x.data for x in rotated.lines if x.type == "findings"])
    wrong = {"import.names.est-tls": {"name0": gateway}}

    class Stubborn(ScriptedOfficers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            return super().ask(dataclasses.replace(prompt, problem=None), frame)

    errand = at.errand(Kind.AUTHORIZE_EST)
    assert refusal(at, errand, texts=wrong, officers=Stubborn) == "names.mismatch"
    again = at.whole(at.errand(Kind.AUTHORIZE_EST), texts={"import.names.est-tls": {"name0": est}})
    assert again.issued("est-tls.pem").dns_names == (est,)
    same = at.whole(at.errand(Kind.ROTATE_TLS))
    assert not [line for line in same.lines if line.type == "typed"]


# --- disable, enable, revoke ---------------------------------------------------------


def test_only_what_can_be_changed_is_changed(at: Site) -> None:
    ca = fresh_ca(at, "states")

    def tried(kind: Kind) -> str:
        errand, texts = acting(at, kind, ca)
        return refusal(at, errand, texts=texts)

    def done(kind: Kind) -> list[str]:
        errand, texts = acting(at, kind, ca)
        at.whole(errand, texts=texts)
        disabled: list[str] = at.call("GET")["disabled-ca-serials"]
        return disabled

    assert tried(Kind.ENABLE_DEVICE_CA) == "device_ca.not_disabled"
    assert str(ca.serial) in done(Kind.DISABLE_DEVICE_CA)
    assert tried(Kind.DISABLE_DEVICE_CA) == "device_ca.already_disabled"
    assert str(ca.serial) not in done(Kind.ENABLE_DEVICE_CA)
    assert str(ca.serial) not in done(Kind.REVOKE_DEVICE_CA)
    assert ca.der not in {one.der for one in device_cas(at)}
    for kind in (Kind.REVOKE_DEVICE_CA, Kind.DISABLE_DEVICE_CA, Kind.ENABLE_DEVICE_CA):
        assert tried(kind) == "device_ca.unknown"


def test_the_evidence_alone_shows_who_signed_what_years_later(at: Site) -> None:
    ca = fresh_ca(at, "proven")
    errand, texts = acting(at, Kind.REVOKE_DEVICE_CA, ca)
    at.whole(errand, texts=texts)
    (folder,) = (path for path in (errand.media / "evidence").iterdir() if path.is_dir())
    stock = ["openssl", "crl", "-in", "crl.pem", "-CAfile", "factory_ca.pem", "-noout"]
    told = subprocess.run(stock, cwd=folder, capture_output=True, text=True, check=True)
    assert "verify OK" in told.stdout + told.stderr
    files = read_directory(folder)
    checks = check_evidence(files)
    assert Outcome.FAILED not in {check.outcome for check in checks}
    (chain,) = (check for check in checks if check.code == "evidence.chain")
    assert (chain.outcome, "so is the CRL" in chain.sentence) == (Outcome.OK, True)
    swapped = {**files, "factory_ca.pem": write_pem(ca.der, CERTIFICATE)}
    swapped["SHA256SUMS"] = format_sums({k: v for k, v in swapped.items() if k != "SHA256SUMS"})
    failed = {check.code for check in check_evidence(swapped) if check.outcome is Outcome.FAILED}
    assert "evidence.certificate" in failed


def test_a_ca_is_chosen_by_its_certificate_file_and_another_file_is_refused(at: Site) -> None:
    ca = fresh_ca(at, "by-file")
    path = next(at.folder.glob("errand-*/usb-out/*/local_ca-by-file.pem"))
    tables = f'[[device_ca]]\ncertificate = "{path}"\n'
    errand = at.errand(Kind.REVOKE_DEVICE_CA, tables=tables)
    at.whole(errand, texts={"sign.serial": {"serial": ca.serial_hex}})
    assert ca.der not in {one.der for one in device_cas(at)}
    root = next(at.folder.glob("errand-1/usb-out/*/factory_ca.pem"))
    tables = f'[[device_ca]]\ncertificate = "{root}"\n'
    assert refusal(at, at.errand(Kind.REVOKE_DEVICE_CA, tables=tables)) == "device_ca.unknown"


class Picking(ScriptedOfficers):
    """Officers who pick in plain mode, and type serials there."""

    lines: ClassVar[list[str]] = []
    shown: ClassVar[list[str]] = []

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key not in {"import.device_ca", "sign.serial"}:
            return super().ask(prompt, frame)
        sink = io.StringIO()
        typed = self.lines.pop(0)
        if isinstance(prompt, Choose) and not typed.isdecimal():
            values = [option.value for option in prompt.options]
            typed = str(values.index(typed) + 1)
        answer = PlainFrontend(io.StringIO(f"{typed}\n"), sink).ask(prompt, frame)
        self.shown.append(sink.getvalue())
        return answer


def test_what_the_plan_leaves_open_is_picked_in_plain_mode_and_typed_back(at: Site) -> None:
    one, two = fresh_ca(at, "picked-1"), fresh_ca(at, "picked-2")
    errand = at.errand(Kind.DISABLE_DEVICE_CA)
    order = [two, one]
    usable = [str(ca.serial) for ca in device_cas(at)]
    Picking.lines = [str(1 + usable.index(str(two.serial)))]
    rest = [serial for serial in usable if serial != str(two.serial)]
    Picking.lines += [str(1 + rest.index(str(one.serial))), str(len(rest))]
    Picking.lines += [text for ca in order for text in (f"0x{ca.serial_hex}", str(ca.serial))]
    Picking.shown = []
    at.whole(errand, officers=Picking)
    assert "That is all" in Picking.shown[1]
    for ca in device_cas(at):
        flat = "".join(Picking.shown[0].split())
        assert str(ca.serial) in flat
        assert ca.serial_hex in flat
    typed = [line.key for line in errand.lines if line.type == "typed"]
    assert typed == [f"serial/{ca.serial}/{seat}" for ca in order for seat in "AB"]
    for shown in Picking.shown[3:]:
        assert str(one.serial) not in shown, "the screen never shows what is to be typed"
        assert str(two.serial) not in shown
    disabled = at.call("GET")["disabled-ca-serials"]
    assert {str(one.serial), str(two.serial)} <= set(disabled)
    enabling = at.errand(Kind.ENABLE_DEVICE_CA)
    Picking.lines, Picking.shown = [], []
    able = [serial for serial in usable if serial in disabled]
    Picking.lines = [str(1 + able.index(str(two.serial))), str(len(able))]
    Picking.lines += [str(two.serial)] * 2
    at.whole(enabling, officers=Picking)
    assert str(two.serial) not in at.call("GET")["disabled-ca-serials"]


def test_the_last_usable_ca_needs_a_fence_of_its_own(tmp_path: Path) -> None:
    with site(tmp_path) as alone:
        table = '[[local_ca]]\nname = "line-1"\n'
        alone.whole(alone.errand(Kind.CREATE, top='requests = ["tls"]', tables=table))
        (ca,) = device_cas(alone)
        errand = alone.errand(Kind.DISABLE_DEVICE_CA)
        Picking.lines, Picking.shown = ["1", str(ca.serial), ca.serial_hex], []
        alone.whole(errand, officers=Picking)
        fences = [line.key for line in errand.lines if line.type == "fence"]
        assert fences == ["last-ca", "sign", "export"]
        (effect,) = [line for line in errand.lines if line.type == "effect"]
        assert "No usable device CA is left" in effect.data["sentences"][1]
        assert refusal(alone, alone.errand(Kind.DISABLE_DEVICE_CA)) == "device_ca.none"
        errand, texts = acting(alone, Kind.REVOKE_DEVICE_CA, ca)
        alone.whole(errand, texts=texts)
        assert alone.call("GET")["ca-crt"] is None
        assert refusal(alone, alone.errand(Kind.REVOKE_DEVICE_CA)) == "device_ca.none"
        tables = '[[local_ca]]\nname = "line-2"\n'
        alone.whole(alone.errand(Kind.ADD_DEVICE_CA, tables=tables))
        assert len(device_cas(alone)) == 1


# --- sign-csr ------------------------------------------------------------------------


class Bringing(ScriptedOfficers):
    """Officers who have the CSRs on the stick, under the names of the plan."""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key == "sign_csr.path" and prompt.problem:
            raise KeyboardInterrupt
        answer = super().ask(prompt, frame)
        if prompt.key == "sign_csr.path":
            assert isinstance(answer, Picked)
            assert answer.path.endswith(".csr"), "its file is offered first"
        return answer


def signing(at: Site, **pems: bytes) -> tuple[Errand, dict[str, Fingerprint]]:
    tables, words = "", {}
    for name, pem in pems.items():
        profile = "tls" if name.startswith("server") else "device-ca"
        tables += f'[[sign_csr]]\nname = "{name}"\nprofile = "{profile}"\ndays = 90\n'
        words[f"csr-{name}.words"] = Fingerprint.of(pem)
    errand = at.errand(Kind.SIGN_CSR, tables=tables)
    for name, pem in pems.items():
        (errand.media / "usb-in" / f"{name}.csr").write_bytes(pem)
    return errand, words


def test_csrs_are_signed_under_the_profiles_that_the_plan_names(at: Site) -> None:
    server = csr("abc.est.foundries.io", ("abc.est.foundries.io",))
    ca = csr("plant-ca", (), FACTORY)
    errand, words = signing(at, server=server, maker=ca)
    at.hold(at.fetch(errand), words=words, officers=Bringing)
    leaf, issuer = errand.issued("signed-server.pem"), errand.issued("signed-maker.pem")
    assert (leaf.is_ca, issuer.is_ca) == (False, True)
    assert leaf.dns_names == ("abc.est.foundries.io",)
    assert leaf.extensions.extended_key_usage == ("serverAuth",)
    for one in (leaf, issuer):
        assert (one.not_after - one.not_before).days == 90
    files = ["signed-server.pem", "signed-maker.pem"]
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", "factory_ca.pem", *files],
        cwd=errand.bundle,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count(": OK") == 2
    before = at.patches
    refused = at.upload(errand)
    assert refused.status == 2
    assert "[upload.nothing]" in refused.err
    assert at.patches == before


def test_a_csr_never_becomes_what_it_looks_like(at: Site) -> None:
    names = ("abc.est.foundries.io",)
    errand, words = signing(at, maker=csr("abc.est.foundries.io", names, FACTORY))
    at.hold(at.fetch(errand), words=words, officers=Bringing)
    made = errand.issued("signed-maker.pem")
    assert (made.is_ca, made.dns_names) == (True, ())
    for name, looks in (("server", csr("ca", (), FACTORY)), ("maker", csr(names[0], names))):
        errand, words = signing(at, **{name: looks})
        with pytest.raises(KeyboardInterrupt):
            at.hold(at.fetch(errand), words=words, officers=Bringing)
        assert [line for line in errand.lines if line.type == "refused"]
        assert not [line for line in errand.lines if line.type in {"csr", "intent"}]
