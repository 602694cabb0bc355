import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ceremony.bundle.checking import Outcome, check_request_files, require
from ceremony.bundle.request import assign, parse_request, read_request, request_files, request_name
from ceremony.bundle.sums import format_sums
from ceremony.bundle.writing import write_directory
from ceremony.config import Slot
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import CeremonyError, MediaError, VerificationError


def changed(files: Mapping[str, bytes], **tree: Any) -> dict[str, bytes]:
    """The bundle with other fields in request.json, and sums that fit again."""
    document = json.loads(files["request.json"]) | tree
    return resummed({**files, "request.json": json.dumps(document).encode()})


def resummed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {**files, "SHA256SUMS": format_sums(files)}


def refused(files: Mapping[str, bytes]) -> str:
    with pytest.raises(VerificationError) as caught:
        parse_request(files)
    assert caught.value.message.isascii()
    return caught.value.code


def test_a_bundle_comes_back_from_the_stick_as_it_was_made(world, tmp_path: Path) -> None:
    name = request_name(world.document)
    assert name == "acme-fleet-request-20260101-1234"
    bundle = read_request(write_directory(tmp_path, name, world.request))
    assert bundle.form == "bundle"
    assert bundle.document == world.document
    assert bundle.files == world.request
    assert bundle.fingerprint == Fingerprint.of(world.request["SHA256SUMS"])
    assert set(bundle.csrs) == set(Slot)
    assert (bundle.noted, bundle.unnamed, bundle.current_root) == ((), (), None)


def test_the_same_input_gives_the_same_bytes(world) -> None:
    csrs = dict(reversed(world.csrs.items()))
    assert request_files(world.document, csrs, None, None) == world.request


def test_what_the_factory_has_comes_back(world, make) -> None:
    root, ca = world.certificate("root"), world.certificate("line-1")
    document = msgspec.structs.replace(world.document, current=make.current(root, (ca,)))
    files = request_files(document, world.csrs, make.pem(root), make.pem(ca))
    bundle = parse_request(files)
    assert bundle.current_root == root
    assert bundle.current_device_cas == (ca,)
    require(check_request_files(files))
    swapped = {**files, "current-device-cas.pem": make.pem(world.certificate("line-2"))}
    assert refused(resummed(swapped)) == "json.value"
    swapped = {**files, "current-root.pem": make.pem(ca)}
    assert refused(resummed(swapped)) == "json.value"


def test_a_factory_with_a_root_alone_has_no_list(world, make) -> None:
    root = world.certificate("root")
    document = msgspec.structs.replace(world.document, current=make.current(root, ()))
    files = request_files(document, world.csrs, make.pem(root), None)
    assert parse_request(files).current_device_cas == ()
    with pytest.raises(VerificationError):
        request_files(document, world.csrs, make.pem(root), make.pem(root))


@pytest.mark.parametrize(
    ("file", "slot"),
    [
        ("tls.csr", Slot.TLS),
        ("online_ca.csr", Slot.ONLINE_CA),
        ("online-ca.csr", Slot.ONLINE_CA),
        ("ca.csr", Slot.ONLINE_CA),
        ("est_tls.csr", Slot.EST_TLS),
        ("est-tls.csr", Slot.EST_TLS),
    ],
)
def test_a_bare_csr_file_has_its_slot_from_its_name(
    world, tmp_path: Path, file: str, slot: Slot
) -> None:
    (tmp_path / file).write_bytes(world.csrs[slot])
    bundle = read_request(tmp_path)
    assert (bundle.form, list(bundle.csrs), bundle.document) == ("csr-files", [slot], None)
    assert bundle.fingerprint == Fingerprint.of(format_sums(bundle.files))
    assert any("plan" in sentence for sentence in bundle.noted)


def test_another_name_is_asked_and_never_guessed(world) -> None:
    files = {"gateway-tls.csr": world.csrs[Slot.TLS], "ca.csr": world.csrs[Slot.ONLINE_CA]}
    bundle = parse_request(files)
    assert bundle.unnamed == ("gateway-tls.csr",)
    assert list(bundle.csrs) == [Slot.ONLINE_CA]
    told = assign(bundle, {"gateway-tls.csr": Slot.TLS})
    assert set(told.csrs) == {Slot.TLS, Slot.ONLINE_CA}
    assert (told.unnamed, told.fingerprint) == ((), bundle.fingerprint)
    with pytest.raises(VerificationError) as caught:
        assign(bundle, {"gateway-tls.csr": Slot.ONLINE_CA})
    assert caught.value.code == "request.slot_twice"


def test_two_files_for_one_slot_are_refused(world) -> None:
    pem = world.csrs[Slot.ONLINE_CA]
    assert refused({"ca.csr": pem, "online_ca.csr": pem}) == "request.slot_twice"


def test_a_file_that_is_no_csr_is_refused_beside_csrs(world) -> None:
    files = {"tls.csr": world.csrs[Slot.TLS], "notes.txt": b"remember the milk"}
    assert refused(files).startswith("pem.")


def answer_of(world, **more: object) -> bytes:
    keys = {"tls-csr": Slot.TLS, "ca-csr": Slot.ONLINE_CA, "est-tls-csr": Slot.EST_TLS}
    answer = {key: world.csrs[slot].decode() for key, slot in keys.items()}
    return json.dumps(answer | more).encode()


@pytest.mark.parametrize("name", ["csrs.json", "answer", "My Answer.JSON"])
def test_the_raw_answer_is_taken_as_a_file_or_alone_in_a_directory(
    world, tmp_path: Path, name: str
) -> None:
    raw = answer_of(world)
    (tmp_path / name).write_bytes(raw)
    bundle = read_request(tmp_path / name)
    assert (bundle.form, set(bundle.csrs)) == ("api-json", set(Slot))
    assert bundle.fingerprint == Fingerprint.of(raw)
    assert parse_request(bundle.files) == bundle
    if " " not in name:
        assert read_request(tmp_path) == bundle


def test_an_answer_without_est_is_taken_and_a_new_field_is_noted(world) -> None:
    bundle = parse_request({"a.json": answer_of(world, **{"est-tls-csr": None, "new": [1]})})
    assert set(bundle.csrs) == {Slot.TLS, Slot.ONLINE_CA}
    assert any("new" in sentence for sentence in bundle.noted)


@pytest.mark.parametrize("raw", [b"{}", b'{"msg":"no"}', b'{"tls-csr":null}'])
def test_an_answer_without_any_csr_is_refused(raw: bytes) -> None:
    assert refused({"a.json": raw}) == "request.empty"


def test_an_answer_with_a_wrong_type_or_a_duplicate_is_refused(world) -> None:
    assert refused({"a.json": answer_of(world, **{"tls-csr": 1})}) == "json.value"
    double = answer_of(world)[:-1] + b', "tls-csr": ""}'
    assert refused({"a.json": double}) == "json.duplicate_key"


def test_a_key_in_an_answer_is_a_loud_stop(world, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(answer_of(world, key="-----BEGIN EC PRIVATE KEY-----"))
    with pytest.raises(MediaError) as caught:
        read_request(path)
    assert caught.value.code == "media.private_key"


@pytest.mark.parametrize("name", ["a.zip", "README.txt", "tls.csr"])
def test_a_file_that_is_no_answer_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"hello")
    with pytest.raises(CeremonyError) as caught:
        read_request(tmp_path / name)
    assert caught.value.code in {"media.archive", "request.unknown"}


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VerificationError) as caught:
        read_request(tmp_path)
    assert caught.value.code == "request.empty"


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({"factory": "rehearsal-acme"}, "bundle.rehearsal"),
        ({"rehearsal": True}, "bundle.rehearsal"),
        ({"factory": "ac\u043ce"}, "bundle.not_ascii"),
        ({"user_id": "5e8a\u200b"}, "bundle.not_ascii"),
        ({"api": "https://\u0430pi.foundries.io"}, "bundle.not_ascii"),
        ({"factory": "Acme"}, "json.value"),
        ({"factory": "acme\x1b"}, "bundle.not_ascii"),
        ({"user_id": "../x"}, "json.value"),
        ({"api": "file:///etc/passwd"}, "json.value"),
        ({"api": "https://["}, "json.value"),
        ({"fetched_at": "2026-02-30T00:00:00Z"}, "json.value"),
        ({"requests": []}, "json.value"),
    ],
)
def test_threat_10_a_document_that_does_not_hold_together_is_refused(
    world, tree: dict[str, Any], code: str
) -> None:
    assert refused(changed(world.request, **tree)) == code


def test_threat_10_the_code_points_are_told(world) -> None:
    with pytest.raises(VerificationError, match=r"U\+043C"):
        parse_request(changed(world.request, factory="ac\u043ce"))


def test_slots_files_and_flags_must_agree(world) -> None:
    requests = json.loads(world.request["request.json"])["requests"]
    twice = [requests[0], {**requests[1], "slot": "tls", "file": "tls.csr"}, requests[2]]
    assert refused(changed(world.request, requests=twice)) == "json.value"
    crossed = [{**requests[0], "file": "est-tls.csr"}, *requests[1:]]
    assert refused(changed(world.request, requests=crossed)) == "json.value"
    other_key = [{**requests[0], "spki_sha256": "00" * 32}, *requests[1:]]
    assert refused(changed(world.request, requests=other_key)) == "json.value"
    posted = {"first-time-init": True, "tls-csr": True, "ca-csr": True, "est-tls-csr": False}
    assert refused(changed(world.request, posted=posted)) == "json.value"


@pytest.mark.parametrize("name", ["tls.csr", "README.txt", "request.json"])
def test_a_missing_file_is_refused_even_with_fitting_sums(world, name: str) -> None:
    files = {k: v for k, v in world.request.items() if k != name}
    assert refused(files) == "sums.file_missing"
    assert refused(resummed(files)) in {"request.file_missing", "request.no_document"}


def test_an_extra_file_is_refused_even_with_fitting_sums(world) -> None:
    extra = {**world.request, "extra.csr": world.csrs[Slot.TLS]}
    assert refused(extra) == "sums.not_listed"
    assert refused(resummed(extra)) == "request.file_extra"


def test_a_csr_swapped_for_another_is_refused_even_with_fitting_sums(world, make) -> None:
    files = {**world.request, "tls.csr": make.csr(make.key(), Slot.TLS)}
    assert refused(files) == "sums.digest"
    assert refused(resummed(files)) == "json.value"


def test_the_checks_say_what_they_did_not_check(world) -> None:
    checks = check_request_files(world.request)
    require(checks)
    left = {check.code for check in checks if check.outcome is Outcome.NOT_CHECKED}
    assert left == {"request.policy", "fingerprint"}
    assert [check.number for check in checks] == list(range(1, len(checks) + 1))
    good = check_request_files(world.request, parse_request(world.request).fingerprint)
    assert good[-1].outcome is Outcome.OK
    bad = check_request_files(world.request, Fingerprint.of(b""))
    assert (bad[-1].outcome, bad[-1].code) == (Outcome.FAILED, "fingerprint.differs")


def test_threat_17_one_key_in_two_slots_fails_the_checks(world, make) -> None:
    key = make.key()
    csrs = {slot: make.csr(key, slot) for slot in (Slot.TLS, Slot.EST_TLS)}
    document = make.document(csrs, world.plan_file)
    checks = check_request_files(request_files(document, csrs, None, None))
    assert "csr.key_reused" in {c.code for c in checks if c.outcome is Outcome.FAILED}
