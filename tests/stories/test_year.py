"""A Factory's year: every later kind over one practice Factory, in order."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ceremony.config import load
from ceremony.kinds import Kind, facts_of
from ceremony.record.chain import Line, format_line, verify_chain
from tests.documents.acts import unscripted
from tests.flow.conftest import cheap_passwords
from tests.stories.conftest import Run, rehearse, run

__all__ = ["cheap_passwords"]

YEAR = (
    "create",
    "add-device-ca",
    "rotate-tls",
    "authorize-est",
    "disable-device-ca",
    "enable-device-ca",
    "revoke-device-ca",
    "sign-csr",
)
FIELDS = {
    "add-device-ca": {"ca-crt"},
    "rotate-tls": {"tls-crt"},
    "authorize-est": {"est-tls-crt"},
    "disable-device-ca": {"ca-revoke-crl"},
    "enable-device-ca": {"ca-revoke-crl"},
    "revoke-device-ca": {"ca-revoke-crl"},
    "sign-csr": set(),
}
REASONS = {
    "disable-device-ca": "Certificate Hold",
    "enable-device-ca": "Remove From CRL",
    "revoke-device-ca": "Privilege Withdrawn",
}


@dataclass(frozen=True)
class Year:
    directory: Path
    runs: Mapping[str, Run]

    def upload(self, kind: str) -> Path:
        return next((self.directory / "usb-out").glob(f"*-upload-{kind}-*/"))

    def records(self) -> list[bytes]:
        every = [path.read_bytes() for path in (self.directory / "state").glob("*/record.jsonl")]
        return sorted(every, key=lambda raw: json.loads(raw.splitlines()[0])["at"])


@pytest.fixture(scope="module", params=["pkcs11", "file"])
def year(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Year:
    directory = tmp_path_factory.mktemp("year") / "kept"
    runs = {}
    for kind in YEAR:
        given = ("--key-store", request.param, "--keep", directory, "--kind", kind)
        runs[kind] = rehearse(*given)
        assert runs[kind].status == 0, runs[kind].err
    return Year(directory=directory, runs=runs)


def test_each_upload_sets_the_fields_of_its_kind_alone(year: Year) -> None:
    for kind, fields in FIELDS.items():
        bundle = year.upload(kind)
        assert set(json.loads((bundle / "payload.json").read_bytes())) == fields
        checked = run("ceremony", "verify", bundle)
        assert checked.status == 0, checked.out


def test_the_list_of_device_cas_keeps_those_that_were_there(year: Year) -> None:
    before = (year.upload("create") / "device_ca_list.pem").read_text()
    added = (year.upload("add-device-ca") / "device_ca_list.pem").read_text()
    assert added.startswith(before)
    assert added.count("BEGIN") == before.count("BEGIN") + 1


def test_a_stock_tool_shows_reason_and_effect_of_each_crl(year: Year) -> None:
    ca = next(year.upload("add-device-ca").glob("local_ca-*.pem"))
    numbers = []
    for kind, reason in REASONS.items():
        bundle = year.upload(kind)
        shown = subprocess.run(
            ["openssl", "crl", "-in", "crl.pem", "-CAfile", "factory_ca.pem", "-noout", "-text"],
            cwd=bundle,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "verify OK" in shown.stderr
        assert reason in shown.stdout
        crl = json.loads((bundle / "manifest.json").read_bytes())["crl"]
        assert str(crl["number"]) in shown.stdout
        numbers.append(crl["number"])
        verified = subprocess.run(
            [
                *("openssl", "verify", "-crl_check", "-CRLfile", "crl.pem"),
                *("-CAfile", "factory_ca.pem", str(ca)),
            ],
            cwd=bundle,
            capture_output=True,
            text=True,
            check=False,
        )
        said = verified.stdout + verified.stderr
        assert ("error 23 " in said) == (kind != "enable-device-ca"), said
    assert numbers == sorted(set(numbers))


def test_the_gateway_does_what_each_ceremony_was_for(year: Year) -> None:
    said = {kind: done.err for kind, done in year.runs.items()}
    assert "known device: GET" in said["disable-device-ca"]
    assert "refused, as it should be (gateway.refused)" in said["disable-device-ca"]
    assert "known device: GET" in said["enable-device-ca"]
    assert "new device" in said["enable-device-ca"]
    assert "refused" not in said["enable-device-ca"]
    assert said["revoke-device-ca"].count("refused, as it should be (gateway.tls)") == 2
    certs = json.loads((year.directory / "factory" / "certs.json").read_bytes())
    assert certs["disabled-ca-serials"] == []


def test_every_ceremony_names_the_head_of_the_one_before(year: Year) -> None:
    before = None
    for raw in year.records():
        lines = verify_chain(raw)
        assert lines[0].data["previous_head"] == before
        before = lines[-1].fingerprint.hex
    shown = json.loads(run("ceremony", "history", "--dir", year.directory / "state", "--json").out)
    assert [row["kind"] for row in shown["ceremonies"]] == list(year.runs)


def _rewritten(raw: bytes) -> bytes:
    """The same record with another place, by somebody who knows how heads are named in it."""
    lines: list[Line] = []
    heads: dict[str, str] = {}
    for line in verify_chain(raw):
        data = {key: heads.get(str(value), value) for key, value in line.data.items()}
        if line.type == "place":
            data["place"] = "somewhere else"
        prev = lines[-1].fingerprint.hex if lines else line.prev
        told = {"at": line.at, "step": line.step, "type_": line.type, "key": line.key}
        lines.append(format_line(n=line.n, prev=prev, data=data, **told))
        heads[line.fingerprint.hex] = lines[-1].fingerprint.hex
    return b"".join(line.raw for line in lines)


def test_an_earlier_record_that_was_replaced_is_found_years_later(
    year: Year, tmp_path: Path
) -> None:
    whole = run("ceremony", "verify", year.directory / "state")
    assert whole.status == 0, whole.out
    assert whole.out.count("history.link: ") == len(YEAR)
    state = tmp_path / "state"
    shutil.copytree(year.directory / "state", state)
    (record,) = state.glob("rotate-tls-*/record.jsonl")
    record.write_bytes(_rewritten(record.read_bytes()))
    assert run("ceremony", "verify", record).status == 0, "its own chain holds"
    found = run("ceremony", "verify", state, "--json")
    assert found.status == 3
    (broken,) = [c for c in json.loads(found.out)["checks"] if c["outcome"] == "failed"]
    assert broken["code"] == "history.broken"
    assert broken["sentence"].startswith("authorize-est-")
    shown = run("ceremony", "history", "--dir", state)
    assert shown.out.count("BROKEN: ") == 1
    doctor = run("ceremony", "doctor", year.directory / "plan.toml", "--dir", state)
    assert "[history.broken]" in doctor.out


def test_the_report_says_what_stops_working(year: Year) -> None:
    evidence = next((year.directory / "evidence").glob("*-evidence-revoke-device-ca-*/"))
    told = (evidence / "report.txt").read_text()
    assert "is cut off, for good" in " ".join(told.split())
    assert run("ceremony", "verify", evidence).status == 0


def test_no_key_file_of_the_root_stays_behind_a_later_ceremony(year: Year) -> None:
    for path in (year.directory / "state").glob("*/keys/root-ca.key"):
        assert path.parent.parent.name.startswith("create-")


def test_each_script_has_a_row_for_each_act_on_the_record(year: Year) -> None:
    for evidence in sorted((year.directory / "evidence").iterdir()):
        plan = load(evidence / "plan.toml").plan
        lines = verify_chain((evidence / "record.jsonl").read_bytes())
        assert unscripted(plan, lines) == [], plan.kind


def test_what_comes_next_is_of_the_kind(year: Year) -> None:
    for evidence in sorted((year.directory / "evidence").iterdir()):
        told = " ".join((evidence / "report.txt").read_text().split())
        kind = load(evidence / "plan.toml").plan.kind
        assert ("ceremony-online upload" in told) == (kind is not Kind.SIGN_CSR)
        assert ("then it has expired" in told) == (facts_of(kind).reason is not None)


def test_a_root_is_set_once_and_the_same_folder_goes_on(year: Year) -> None:
    root = (year.upload("create") / "factory_ca.pem").read_text()
    again = rehearse("--keep", year.directory)
    assert again.status == 0, again.err
    assert "a root is set once" in again.err
    assert json.loads((year.directory / "factory" / "certs.json").read_bytes())["root-crt"] == root
