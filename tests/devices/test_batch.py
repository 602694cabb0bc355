"""Whole batches: outputs, results, ledger, and what other tools make of the certificates."""

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ceremony.devices.policy import DeviceRules
from ceremony.devices.sota import sota_toml
from ceremony.devices.sources import Count, CsrDirectory, CsrFile, Single, Uuids
from ceremony.errors import MediaError, PlanError, VerificationError
from ceremony.x509.certificate import read_certificate
from ceremony.x509.checks import check_certificate
from ceremony.x509.profiles import Role
from tests.devices.conftest import FACTORY, write_csr

UUIDS = [f"9b2f3c1e-0000-4000-8000-{i:012d}" for i in range(8)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def openssl(floor: Any, client: Path) -> str:
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient"]
    command += ["-CAfile", str(floor.folder / "factory_ca.pem")]
    command += ["-untrusted", str(floor.folder / "local_ca.pem"), str(client)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_one_device_gets_a_folder_that_openssl_and_our_own_rules_accept(floor: Any) -> None:
    summary = floor.issue(Single("", UUIDS[0].encode(), csrs=False), "devices")
    folder = floor.folder / "devices" / UUIDS[0]
    assert (summary.issued, summary.refused) == (1, 0)
    assert sorted(p.name for p in folder.iterdir()) == [
        "client.chained",
        "client.pem",
        "pkey.pem",
        "root.crt",
    ]
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert openssl(floor, folder / "client.pem").endswith(": OK\n")
    client = read_certificate((folder / "client.pem").read_bytes(), "client")
    assert check_certificate(client, Role.DEVICE, factory=FACTORY) == ()
    assert client.common_name == UUIDS[0]
    key = load_pem_private_key((folder / "pkey.pem").read_bytes(), None)
    loaded = x509.load_pem_x509_certificate((folder / "client.pem").read_bytes())
    assert loaded.public_key() == key.public_key()
    chained = (folder / "client.chained").read_bytes()
    assert chained == (folder / "client.pem").read_bytes() + floor.authority.ca_pem
    assert (folder / "root.crt").read_bytes() == floor.authority.root_pem


def test_a_second_device_goes_into_the_same_folder(floor: Any) -> None:
    for uuid in UUIDS[:2]:
        assert floor.issue(Single("", uuid.encode(), csrs=False), "devices").issued == 1
    assert {p.name for p in (floor.folder / "devices").iterdir() if p.is_dir()} == set(UUIDS[:2])


def test_a_device_with_its_own_key_gets_no_private_key(floor: Any) -> None:
    floor.issue(Single("a.csr", write_csr(UUIDS[0]), csrs=True), "devices")
    assert not (floor.folder / "devices" / UUIDS[0] / "pkey.pem").exists()


def test_a_file_of_many_holds_each_device_on_one_line(floor: Any) -> None:
    summary = floor.issue(Count(25), "batch.jsonl", step=10)
    rows = lines(floor.folder / "batch.jsonl")
    assert summary.issued == len(rows) == len({row["uuid"] for row in rows}) == 25
    assert (floor.folder / "batch.jsonl").stat().st_mode & 0o777 == 0o600
    assert not (floor.folder / "batch.jsonl.partial").exists()
    for row in rows:
        one = x509.load_pem_x509_certificate(row["client.pem"].encode())
        assert str(one.serial_number) == row["serial"]
        assert f"{one.serial_number:040x}" == row["serial_hex"]
        key = load_pem_private_key(row["pkey.pem"].encode(), None)
        assert one.public_key() == key.public_key()
        one.verify_directly_issued_by(x509.load_pem_x509_certificate(floor.authority.ca_pem))
        assert row["client.chained"] == row["client.pem"] + floor.authority.ca_pem.decode()
    results = lines(floor.folder / "batch.results.jsonl")
    assert [row["line"] for row in results] == list(range(1, 26))
    assert [row["uuid"] for row in results] == [row["uuid"] for row in rows]
    with floor.ledger() as ledger:
        assert {d.uuid: d.serial for d in ledger.devices()} == {
            row["uuid"]: row["serial_hex"] for row in rows
        }


def test_a_tar_holds_a_folder_a_device_and_is_one_that_tar_reads(
    floor: Any, tmp_path: Path
) -> None:
    source = tmp_path / "uuids"
    source.write_text("# two\n" + "\n".join(UUIDS[:2]) + "\n\n")
    floor.issue(Uuids(source), "batch.tar")
    with tarfile.open(floor.folder / "batch.tar") as tar:
        names = tar.getnames()
        assert {member.mode for member in tar.getmembers()} == {0o600}
    assert names == [
        f"{uuid}/{name}"
        for uuid in UUIDS[:2]
        for name in ("client.pem", "pkey.pem", "root.crt", "client.chained")
    ]
    listed = subprocess.run(
        ["tar", "-tf", str(floor.folder / "batch.tar")], capture_output=True, check=True, text=True
    )
    assert listed.stdout.split() == names
    assert listed.stderr == ""


def test_a_mixed_batch_issues_the_good_rows_and_names_each_bad_one(
    floor: Any, tmp_path: Path
) -> None:
    from tests.devices.test_threat_49_csr_policy import BAD

    source = tmp_path / "csrs"
    source.mkdir()
    (source / "a-good.csr").write_bytes(write_csr(UUIDS[1]))
    (source / "z-good.der").write_bytes(write_csr(UUIDS[2], pem=False))
    (source / "z-same-uuid.csr").write_bytes(write_csr(UUIDS[2]))
    for index, (_, csr) in enumerate(BAD.values()):
        (source / f"bad-{index:02d}.csr").write_bytes(csr)
    (source / "folder").mkdir()
    (source / "link").symlink_to(source / "a-good.csr")
    (source / ".hidden").write_bytes(b"")
    summary = floor.issue(CsrDirectory(source), "out.jsonl")
    assert {row["uuid"] for row in lines(floor.folder / "out.jsonl")} == set(UUIDS[1:3])
    results = {row["source"]: row for row in lines(floor.folder / "out.results.jsonl")}
    assert summary.issued == 2
    assert summary.refused == len(BAD) + 3
    assert len(results) == len(BAD) + 5
    for index, (code, _) in enumerate(BAD.values()):
        assert results[f"bad-{index:02d}.csr"]["code"] == code
    assert results["z-same-uuid.csr"]["code"] == "device.uuid_taken"
    assert results["link"]["code"] == results["folder"]["code"] == "pem.none"
    assert all(row["message"] for row in results.values() if row["result"] == "refused")


def test_concatenated_csrs_with_text_between_them(floor: Any, tmp_path: Path) -> None:
    source = tmp_path / "all.pem"
    blocks = [write_csr(uuid) for uuid in UUIDS[:3]]
    source.write_bytes(
        b"Certificate Request:\n  Data:\n" + b"\nfoo\n".join(blocks) + blocks[0][:200]
    )
    summary = floor.issue(CsrFile(source), "out.jsonl")
    assert (summary.issued, summary.refused) == (3, 1)


def test_the_same_command_again_issues_nothing(floor: Any) -> None:
    floor.issue(Count(5), "batch.jsonl")
    before = (floor.folder / "batch.jsonl").read_bytes()
    again = floor.issue(Count(5), "batch.jsonl")
    assert again.before
    assert again.issued == 5
    assert (floor.folder / "batch.jsonl").read_bytes() == before


def test_another_command_for_the_same_file_is_refused(floor: Any) -> None:
    floor.issue(Count(5), "batch.jsonl")
    for other in ({"source": Count(6)}, {"source": Count(5), "days": 366}):
        with pytest.raises(PlanError) as caught:
            floor.issue(other.pop("source"), "batch.jsonl", **other)
        assert caught.value.code == "devices.batch_differs"


def test_rows_that_were_added_since_are_no_part_of_the_batch_before(
    floor: Any, tmp_path: Path
) -> None:
    """The same command over a longer list must not say that all was done before."""
    ids, csrs = tmp_path / "ids", tmp_path / "csrs"
    csrs.mkdir()
    ids.write_text(UUIDS[0])
    (csrs / "1.csr").write_bytes(write_csr(UUIDS[2]))
    sources = (Uuids(ids), CsrDirectory(csrs))
    for source in sources:
        out = f"{type(source).__name__}.jsonl"
        assert floor.issue(source, out).issued == 1
        assert floor.issue(source, out).before
    ids.write_text(f"{UUIDS[0]}\n{UUIDS[1]}")
    (csrs / "0.csr").write_bytes(write_csr(UUIDS[3]))
    for source in sources:
        out = f"{type(source).__name__}.jsonl"
        with pytest.raises(PlanError) as caught:
            floor.issue(source, out)
        assert caught.value.code == "devices.batch_differs"
        again = floor.issue(source, "folders")
        assert (again.issued, again.refused) == (1, 1)
    with pytest.raises(MediaError) as missing:
        floor.issue(CsrDirectory(tmp_path / "none"), "none.jsonl")
    assert missing.value.code == "devices.source"


def test_a_file_that_is_there_is_never_overwritten(floor: Any) -> None:
    (floor.folder / "batch.jsonl").write_text("mine")
    with pytest.raises(MediaError) as caught:
        floor.issue(Count(5), "batch.jsonl")
    assert caught.value.code == "devices.out_exists"
    assert (floor.folder / "batch.jsonl").read_text() == "mine"


def test_an_output_that_is_gone_is_not_made_anew(floor: Any) -> None:
    floor.issue(Count(5), "batch.jsonl")
    (floor.folder / "batch.jsonl").unlink()
    with pytest.raises(MediaError) as caught:
        floor.issue(Count(5), "batch.jsonl")
    assert caught.value.code == "devices.output_missing"


def test_a_folder_that_is_there_is_never_touched(floor: Any) -> None:
    folder = floor.folder / "devices" / UUIDS[0]
    folder.mkdir(parents=True)
    summary = floor.issue(Single("", UUIDS[0].encode(), csrs=False), "devices")
    assert (summary.issued, summary.refused) == (0, 1)
    assert list(folder.iterdir()) == []
    with floor.ledger() as ledger:
        assert ledger.count() == 0


def test_production_devices_say_so(floor: Any) -> None:
    rules = DeviceRules(factory=FACTORY, production=True)
    floor.issue(Count(1), "batch.jsonl", rules=rules)
    (row,) = lines(floor.folder / "batch.jsonl")
    one = x509.load_pem_x509_certificate(row["client.pem"].encode())
    assert "2.5.4.15=production" in one.subject.rfc4514_string()


def test_sota_toml_is_toml_with_the_names_of_the_tls_certificate(floor: Any, hosts: Any) -> None:
    import tomllib

    made = sota_toml(hosts("gw.ota-lite.example", "ostree.example"), "imx8mmevk")
    read = tomllib.loads(made.decode())
    assert read["tls"]["server"] == "https://gw.ota-lite.example:8443"
    assert read["provision"]["primary_ecu_hardware_id"] == "imx8mmevk"
    assert read["pacman"]["ostree_server"] == "https://ostree.example:8443/treehub"
    assert read["import"]["tls_clientcert_path"] == "/var/sota/client.pem"
    only = tomllib.loads(sota_toml(hosts("gw.example"), "x").decode())
    assert only["pacman"]["ostree_server"] == "https://gw.example:8443/treehub"
    floor.issue(Count(1), "devices", sota=made)
    (folder,) = (p for p in (floor.folder / "devices").iterdir() if p.is_dir())
    assert (folder / "sota.toml").read_bytes() == made
    for wrong in ("", 'a"b', "x\ny", "a b"):
        with pytest.raises(VerificationError) as caught:
            sota_toml(hosts("gw.example"), wrong)
        assert caught.value.code == "devices.hardware_id"


@pytest.fixture
def hosts(floor: Any) -> Any:
    """A TLS certificate with these names."""
    from datetime import timedelta

    from cryptography.hazmat.primitives.asymmetric import ec

    from ceremony.config import Slot
    from ceremony.x509 import issuing
    from ceremony.x509.csr import read_csr
    from tests.devices.conftest import now, sign

    def make(*names: str) -> Any:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        csr = write_csr("gateway", extensions=((alternative, False),))
        content = issuing.csr_content(
            csr=read_csr(csr, "tls"),
            slot=Slot.TLS,
            issuer=issuing.issuer_of(floor.authority.ca),
            serial=7,
            not_before=now(),
            days=30,
            not_past=now() + timedelta(days=40),
        )
        return sign(content, floor.store, floor.key)

    assert ec
    return make


def test_the_ledger_finds_a_device_by_all_its_names(floor: Any) -> None:
    floor.issue(Count(3), "batch.jsonl")
    row = lines(floor.folder / "batch.jsonl")[1]
    with floor.ledger() as ledger:
        for text in (row["uuid"], row["serial"], row["serial_hex"], row["key_sha256"]):
            (found,) = ledger.find(text)
            assert found.uuid == row["uuid"]
            assert found.line == 2
            if text != row["serial"]:
                assert ledger.find(text[:12]) == (found,)
                assert ledger.find(text[:12].upper()) == (found,)
                assert ledger.find(text[:7]) == ()
        assert ledger.find(f"0x{row['serial_hex']}") == (found,)
        assert ledger.find(f"0x{row['serial_hex'].lstrip('0')}") == (found,)
        for text in ("nothing", "", "%", "_" * 8, "9b2f*", "0" * 8, "1' OR 1=1", "9" * 4000):
            assert ledger.find(text) == ()


def test_a_ledger_serves_one_ca_only(floor: Any, new_floor: Any) -> None:
    floor.issue(Count(1), "batch.jsonl")
    other = new_floor()
    from ceremony.devices.ledger import Ledger

    with pytest.raises(MediaError) as caught:
        Ledger(floor.ledger_path, ca_sha256=other.authority.ca.fingerprint.hex)
    assert caught.value.code == "ledger.other_ca"


def test_a_file_that_is_no_ledger_is_refused(floor: Any) -> None:
    floor.ledger_path.write_bytes(b"hello" * 100)
    floor.ledger_path.chmod(0o600)
    with pytest.raises(MediaError) as caught:
        floor.ledger()
    assert caught.value.code == "ledger.form"
    floor.ledger_path.chmod(0o666)
    with pytest.raises(MediaError) as caught:
        floor.ledger()
    assert caught.value.code == "ledger.permissions"


def test_a_p384_ca_signs_devices_too(new_floor: Any) -> None:
    from ceremony.config import Curve

    floor = new_floor(curve=Curve.P384)
    floor.issue(Single("", UUIDS[0].encode(), csrs=False), "devices")
    assert openssl(floor, floor.folder / "devices" / UUIDS[0] / "client.pem").endswith(": OK\n")


def test_a_path_of_any_bytes_is_one_that_the_ledger_keeps(floor: Any) -> None:
    """A stick with names of another alphabet: SQLite takes text only."""
    folder = floor.folder / os.fsdecode(b"csrs-\xff")
    folder.mkdir()
    out = os.fsdecode(b"out-\xff.jsonl")
    (folder / os.fsdecode(b"\xfe.csr")).write_bytes(b"no CSR")
    assert floor.issue(CsrDirectory(folder), out).refused == 1
    assert floor.issue(CsrDirectory(folder), out).before
