import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ceremony.bundle.checking import Outcome, check_upload_files, failed, require
from ceremony.bundle.media import MAX_ENTRIES, read_directory
from ceremony.bundle.pictures import same_picture
from ceremony.bundle.request import parse_request
from ceremony.bundle.sums import format_sums
from ceremony.bundle.upload import Issued, parse_upload, upload_name
from ceremony.bundle.writing import write_directory
from ceremony.config import MAX_LOCAL_CAS
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import VerificationError
from ceremony.x509.profiles import Role


def resummed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {**files, "SHA256SUMS": format_sums(files)}


def codes(files: Mapping[str, bytes], **more: Any) -> set[str]:
    return {check.code for check in failed(check_upload_files(files, **more))}


def edited(
    files: Mapping[str, bytes], edit: Callable[[Any], object], name: str
) -> dict[str, bytes]:
    tree = json.loads(files[name])
    edit(tree)
    return resummed({**files, name: json.dumps(tree).encode()})


def test_a_bundle_passes_every_check_and_comes_back(world, make, tmp_path: Path) -> None:
    path = write_directory(tmp_path, upload_name("acme-fleet", "1"), world.upload)
    bundle = parse_upload(read_directory(path))
    assert bundle.fingerprint == Fingerprint.of(world.upload["SHA256SUMS"])
    assert bundle.certificates == {one.name: one.certificate for one in world.issued}
    assert bundle.payload.root_crt == world.upload["factory_ca.pem"].decode()
    request = parse_request(world.request)
    checks = check_upload_files(bundle.files, request, bundle.fingerprint, make.begin)
    assert {c.code for c in checks if c.outcome is not Outcome.OK} == {"upload.record"}


def test_what_was_not_checked_is_said(world) -> None:
    checks = check_upload_files(world.upload)
    require(checks)
    left = {c.code for c in checks if c.outcome is Outcome.NOT_CHECKED}
    assert left == {"upload.request", "upload.dates", "upload.record", "fingerprint"}


def test_the_same_certificates_in_any_order_give_the_same_bytes(world) -> None:
    assert world.write(tuple(reversed(world.issued))) == world.upload


def test_the_files_are_those_of_the_contract(world) -> None:
    certificates = {
        "factory_ca.pem",
        "tls.pem",
        "est-tls.pem",
        "online_ca.pem",
        "local_ca-line-1.pem",
        "local_ca-line-2.pem",
    }
    pictures = {f"qr-{name}.{end}" for name in certificates for end in ("svg", "png")}
    others = {"manifest.json", "payload.json", "fingerprints.txt", "device_ca_list.pem"}
    assert set(world.upload) == certificates | pictures | others | {"README.txt", "SHA256SUMS"}
    manifest = json.loads(world.upload["manifest.json"])
    assert next(iter(manifest)) == "schema"
    root = manifest["certificates"][0]
    assert (root["role"], root["file"]) == ("root", "factory_ca.pem")
    assert int(root["serial_hex"], 16) == int(root["serial"])


def test_the_payload_is_the_patch_body_of_the_pem_files(world) -> None:
    payload = json.loads(world.upload["payload.json"])
    assert payload == {
        "root-crt": world.upload["factory_ca.pem"].decode(),
        "tls-crt": world.upload["tls.pem"].decode(),
        "ca-crt": world.upload["device_ca_list.pem"].decode(),
        "est-tls-crt": world.upload["est-tls.pem"].decode(),
    }
    cas = ("online_ca.pem", "local_ca-line-1.pem", "local_ca-line-2.pem")
    assert world.upload["device_ca_list.pem"] == b"".join(world.upload[name] for name in cas)


def test_every_command_of_the_readme_passes(world, tmp_path: Path) -> None:
    up = write_directory(tmp_path, "up", world.upload)
    write_directory(tmp_path, "REQUEST", world.request)
    pairs = {"up": 3, "REQUEST": 0}
    for place, files in (("up", world.upload), ("REQUEST", world.request)):
        text = files["README.txt"].decode().replace("REQUEST/", "../REQUEST/")
        lines = [line for line in text.splitlines() if line.startswith("    ")]
        lines = [line for line in lines if "jq " not in line]
        script = "\n".join(lines)
        done = subprocess.run(
            ["sh", "-e"], input=script.encode(), cwd=up.parent / place, capture_output=True
        )
        assert done.returncode == 0, done.stderr.decode()
        digests = [line.split()[0] for line in done.stdout.decode().splitlines() if "  -" in line]
        assert digests[::2] == digests[1::2]
        assert len(set(digests)) == pairs[place]
    shown = subprocess.run(
        ["openssl", "x509", "-in", "tls.pem", "-noout", "-fingerprint", "-sha256"],
        cwd=up,
        capture_output=True,
        check=True,
    ).stdout.decode()
    digest = shown.partition("=")[2].strip().replace(":", "").lower()
    assert f"sha256   {digest}" in world.upload["fingerprints.txt"].decode()


def test_a_rehearsal_is_marked_everywhere(make) -> None:
    rehearsal = make.world(rehearsal=True)
    require(check_upload_files(rehearsal.upload, parse_request(rehearsal.request)))
    for files in (rehearsal.upload, rehearsal.request):
        assert b"REHEARSAL" in files["README.txt"]
    edits = edited(rehearsal.upload, lambda m: m.update(rehearsal=False), "manifest.json")
    assert "bundle.rehearsal" in codes(edits)


# --- threat 39: an altered bundle, whose sums were made to fit again -------------------


def test_threat_39_any_flipped_byte_fails_the_sums(world) -> None:
    for name, data in world.upload.items():
        if name != "SHA256SUMS":
            assert "sums.digest" in codes({**world.upload, name: data[:-2] + b"~" + data[-1:]})


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_threat_39_any_byte_changed_under_fitting_sums_is_found(world, data) -> None:
    """README.txt is for people, manifest.json may name another time or head: words bind these.

    Of a PNG the dots count: it may be compressed otherwise.
    """
    free = {"SHA256SUMS", "README.txt", "manifest.json"}
    name = data.draw(st.sampled_from(sorted(set(world.upload) - free)))
    raw = bytearray(world.upload[name])
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    found = codes(resummed({**world.upload, name: bytes(raw)}))
    assert found or same_picture(name, bytes(raw), world.upload[name]), (name, at, raw[at])


def test_threat_39_a_swapped_certificate_is_found(world) -> None:
    files = {**world.upload, "tls.pem": world.upload["est-tls.pem"]}
    assert {"json.value", "upload.payload"} <= codes(resummed(files))


def test_threat_39_an_added_or_missing_file_is_found(world) -> None:
    files = {**world.upload, "extra.pem": world.upload["tls.pem"]}
    assert codes(resummed(files)) == {"upload.file_extra"}
    for name in world.upload:
        fewer = {k: v for k, v in world.upload.items() if k != name}
        assert codes(fewer), name
        if name != "SHA256SUMS":
            assert "upload.file_missing" in codes(resummed(fewer)), name


def test_threat_39_a_private_key_is_found(world) -> None:
    pem = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    files = {**world.upload, "README.txt": world.upload["README.txt"] + pem}
    assert codes(resummed(files)) == {"media.private_key"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda tree: tree.pop("est-tls-crt"),
        lambda tree: tree.update({"tls-crt": tree["tls-crt"].replace("\n", "\r\n")}),
        lambda tree: tree.update({"tls-crt": tree["est-tls-crt"]}),
        lambda tree: tree.update({"ca-crt": tree["ca-crt"] + tree["root-crt"]}),
        lambda tree: tree.update({"ca-revoke-crl": "x"}),
        lambda tree: tree.update({"ca-revoke-crl": None}),
        lambda tree: tree.update({"force": True}),
    ],
)
def test_threat_39_a_payload_other_than_the_files_is_found(
    world, edit: Callable[[Any], object]
) -> None:
    assert codes(edited(world.upload, edit, "payload.json")) == {"upload.payload"}


@pytest.mark.parametrize("key", ["subject", "serial", "serial_hex", "sha256", "spki_sha256"])
def test_threat_39_a_manifest_that_describes_another_certificate_is_found(world, key: str) -> None:
    def edit(tree: Any) -> None:
        tree["certificates"][1][key] = tree["certificates"][2][key]

    found = edited(world.upload, edit, "manifest.json")
    assert codes(found) == {"json.value"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda tree: tree["certificates"].pop(0),
        lambda tree: tree["certificates"].append(tree["certificates"][1]),
        lambda tree: tree["certificates"][1].update(file="est-tls.pem"),
        lambda tree: tree["certificates"][4].update(name="tls"),
        lambda tree: tree["certificates"][4].update(name="../x"),
        lambda tree: tree["certificates"][1].update(name="line-9"),
        lambda tree: tree["certificates"][1].update(not_after="2099-01-01T00:00:00Z"),
        lambda tree: tree.update(
            crl={"file": "crl.pem", "sha256": "0" * 64, "number": 1, "entries": []}
        ),
    ],
)
def test_threat_39_a_manifest_that_does_not_hold_together_is_found(
    world, edit: Callable[[Any], object]
) -> None:
    assert "json.value" in codes(edited(world.upload, edit, "manifest.json"))


@pytest.mark.parametrize("date", ["2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z"])
def test_threat_41_a_date_that_no_calendar_has_is_refused_and_no_bug(world, date: str) -> None:
    files = edited(world.upload, lambda tree: tree.update(created_at=date), "manifest.json")
    checks = check_upload_files(files, at=datetime(2026, 1, 2, tzinfo=UTC))
    assert "json.value" in {check.code for check in failed(checks)}


def test_threat_39_a_device_ca_dropped_from_the_list_is_found(world) -> None:
    files = dict(world.upload)
    files["device_ca_list.pem"] = files["online_ca.pem"]
    files["payload.json"] = json.dumps(
        json.loads(files["payload.json"]) | {"ca-crt": files["online_ca.pem"].decode()}
    ).encode()
    assert codes(resummed(files)) == {"upload.device_ca_list"}


def test_threat_39_a_picture_of_another_fingerprint_is_found(world) -> None:
    for end in ("svg", "png"):
        files = {**world.upload, f"qr-tls.pem.{end}": world.upload[f"qr-factory_ca.pem.{end}"]}
        assert codes(resummed(files)) == {"upload.picture_wrong"}
    files = {**world.upload, "qr-tls.pem.png": b"\x89PNG\r\n\x1a\nbroken"}
    assert codes(resummed(files)) == {"upload.picture_wrong"}
    text = world.upload["fingerprints.txt"].replace(b"sha256   ", b"sha256   0", 1)
    assert codes(resummed({**world.upload, "fingerprints.txt": text})) == {"upload.picture_wrong"}


def test_a_picture_compressed_otherwise_is_the_same_picture(world) -> None:
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    name = "qr-tls.pem.png"
    Image.open(BytesIO(world.upload[name])).save(out, format="PNG", compress_level=1)
    assert out.getvalue() != world.upload[name]
    assert codes(resummed({**world.upload, name: out.getvalue()})) == set()


def refused(world, issued: tuple[Issued, ...]) -> str:
    with pytest.raises(VerificationError) as caught:
        world.write(issued)
    return caught.value.code


def test_a_certificate_of_another_root_is_not_written(world, make) -> None:
    other = make.world()
    issued = tuple(
        replace(one, certificate=other.certificate("tls")) if one.name == "tls" else one
        for one in world.issued
    )
    assert refused(world, issued).startswith("chain.")


def test_a_new_root_that_another_ca_signed_is_not_written(world, make) -> None:
    signed = make.signed_root(world)
    assert not signed.self_signed
    issued = tuple(
        replace(one, certificate=signed) if one.name == "root" else one for one in world.issued
    )
    assert refused(world, issued) == "chain.root_signature"


def test_a_certificate_in_the_wrong_role_is_not_written(world) -> None:
    issued = tuple(
        replace(one, certificate=world.certificate("line-1")) if one.name == "tls" else one
        for one in world.issued
        if one.name != "line-1"
    )
    assert refused(world, issued).startswith("certificate.")


def test_one_key_in_two_certificates_is_not_written(world) -> None:
    issued = tuple(
        replace(one, certificate=world.certificate("line-1")) if one.name == "line-2" else one
        for one in world.issued
    )
    assert refused(world, issued)


def test_a_local_ca_named_like_a_role_is_not_written(world) -> None:
    line = Issued(role=Role.LOCAL_CA, name="tls", certificate=world.certificate("line-1"))
    issued = tuple(one for one in world.issued if one.name not in {"tls", "line-1"})
    assert refused(world, (*issued, line)) == "json.value"


def test_as_many_local_cas_as_a_plan_may_have_fit_into_a_bundle(
    world, make, tmp_path: Path
) -> None:
    names = [f"{'x' * 29}-{number:02}" for number in range(MAX_LOCAL_CAS)]
    issued = [one for one in world.issued if one.role is not Role.LOCAL_CA]
    files = world.write((*issued, *(make.local_ca(world, name) for name in names)))
    assert len(files) <= MAX_ENTRIES
    parse_upload(read_directory(write_directory(tmp_path, "up", files)))


# --- against the request ---------------------------------------------------------------


def test_threat_39_certificates_of_another_request_are_found(world, make) -> None:
    other = make.world()
    assert "upload.other_request" in codes(world.upload, request=parse_request(other.request))


def test_threat_39_a_key_other_than_the_csrs_is_found(world, make) -> None:
    other = make.world()
    request = replace(
        parse_request(other.request),
        fingerprint=parse_request(world.request).fingerprint,
        document=world.document,
    )
    assert codes(world.upload, request=request) == {"upload.key_differs"}


def test_a_csr_without_a_certificate_is_found(world) -> None:
    files = world.write(tuple(one for one in world.issued if one.name != "est-tls"))
    assert codes(files, request=parse_request(world.request)) == {"upload.other_request"}


def test_a_wrong_fingerprint_and_a_wrong_date_are_found(world, make) -> None:
    assert codes(world.upload, expect=Fingerprint.of(b"")) == {"fingerprint.differs"}
    for days in (-1, 3651):
        at = make.begin + timedelta(days=days)
        assert codes(world.upload, at=at) == {"upload.dates"}


def test_checks_that_depend_on_a_failed_one_are_not_called_passed(world) -> None:
    checks = check_upload_files({"manifest.json": b"{", "SHA256SUMS": b""})
    assert {c.outcome for c in checks[3:11]} <= {Outcome.NOT_CHECKED, Outcome.FAILED}
    with pytest.raises(VerificationError):
        parse_upload({})
