"""From fetch to upload, against a real HTTP server."""

import json
from pathlib import Path
from typing import Any

import pytest

from ceremony.bundle.request import read_request
from ceremony.config import parse
from ceremony.errors import CeremonyError


def held(machine: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((machine.folder / "factory" / "certs.json").read_bytes())
    return found


def test_a_first_ceremony_goes_from_fetch_to_upload(machine: Any) -> None:
    bundle = machine.answer()
    receipt = machine.upload(bundle)
    payload = json.loads((bundle / "payload.json").read_bytes())
    assert receipt.document.result == "uploaded"
    assert {row.verdict.value for row in receipt.document.certificates} == {"there"}
    assert len(receipt.document.certificates) == 5
    assert {name: held(machine)[name] for name in payload} == payload


def test_the_request_bundle_says_what_was_posted_and_passes_its_own_reader(machine: Any) -> None:
    path = machine.fetch()
    found = read_request(path)
    assert found.document is not None
    assert found.document.posted.first_time_init
    assert found.document.plan_sha256 == machine.plan_file.fingerprint.hex
    assert found.document.current is None
    assert {slot.value for slot in found.csrs} == {"tls", "online-ca", "est-tls"}


def test_only_the_csrs_that_the_plan_asks_for_are_posted(machine: Any, make_plan: Any) -> None:
    raw = machine.plan_file.raw.replace(b'"tls", "online-ca", "est-tls"', b'"tls"')
    from ceremony.config import parse

    path = machine.fetch(plan_file=parse(raw))
    document = read_request(path).document
    assert document is not None
    assert (document.posted.tls_csr, document.posted.ca_csr, document.posted.est_tls_csr) == (
        True,
        False,
        False,
    )


def test_the_raw_answer_is_kept_byte_for_byte_and_read_by_the_room(machine: Any) -> None:
    path = machine.fetch()
    raw = machine.state / f"{path.name}.raw.json"
    assert set(json.loads(raw.read_bytes())) == {"tls-csr", "ca-csr", "est-tls-csr"}
    assert read_request(raw).csrs.keys() == read_request(path).csrs.keys()


def test_the_words_are_not_on_the_stick(machine: Any) -> None:
    path = machine.fetch()
    words = read_request(path).fingerprint.words
    sheet = (machine.state / f"{path.name}.words.txt").read_text()
    assert all(word in sheet for word in words)
    assert all(word in machine.words for word in words)
    assert sorted(machine.stick.iterdir()) == [path]
    assert not any("words" in name.name for name in path.iterdir())


def test_the_owner_is_shown_with_name_and_role(machine: Any) -> None:
    machine.fetch()
    assert "you are Fetching Admin, admin" in machine.words
    assert "Line Account, accessor, user id 5e8a2f04c1d7" in machine.words


def test_an_unknown_user_id_stops_before_the_post(machine: Any, make_plan: Any) -> None:
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(plan_file=make_plan(machine.factory.url, owner="nobody"))
    assert caught.value.code == "fetch.user_unknown"
    assert machine.factory.store.state["posted"] == {}


def test_a_plan_that_means_another_root_stops_before_the_post(machine: Any) -> None:
    machine.upload(machine.answer())
    before = machine.writes()
    text = machine.plan_file.raw.decode().split("[[local_ca]]")[0]
    for old, new in (
        ('kind = "create"', 'kind = "rotate-tls"'),
        ('"tls", "online-ca", "est-tls"', '"tls"'),
        ("[root]", '[root]\nissuer = "external"'),
    ):
        text = text.replace(old, new, 1)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(plan_file=parse(text.encode()))
    assert caught.value.code == "request.root_issuer"
    assert machine.writes() == before


def test_a_second_upload_says_already_there_and_sends_nothing(machine: Any) -> None:
    bundle = machine.answer()
    machine.upload(bundle)
    before = held(machine)
    machine.factory.faults.add("status", method="PATCH", status=500, times=-1)
    receipt = machine.upload(bundle)
    assert receipt.document.result == "already there"
    assert receipt.document.sent == ()
    assert held(machine) == before


def test_each_upload_leaves_a_receipt_of_its_own(machine: Any) -> None:
    bundle = machine.answer()
    first, second = machine.upload(bundle), machine.upload(bundle)
    assert first.path != second.path
    document = json.loads(first.path.read_bytes())
    assert document["schema"] == "ceremony-receipt/1"
    assert document["patch_status"] == 200
    assert first.path.stat().st_mode & 0o077 == 0


def test_a_dry_run_changes_nothing_and_leaves_no_receipt(machine: Any) -> None:
    bundle = machine.answer()
    before = machine.writes()
    receipt = machine.upload(bundle, dry_run=True)
    assert receipt.document.result == "dry run"
    assert machine.writes() == before
    assert machine.factory.store.certs is None
    machine.upload(bundle)
    before = machine.writes()
    assert machine.upload(bundle, dry_run=True).document.result == "already there"
    assert machine.writes() == before


def test_a_bundle_that_was_proven_on_paper_is_not_called_uncompared(machine: Any) -> None:
    machine.upload(machine.answer())
    assert "ok: the fingerprint of the bundle is as expected" in machine.words
    assert "compare it with the paper" not in machine.words


def test_the_request_of_another_machine_is_given_by_path(machine: Any, tmp_path: Path) -> None:
    request = machine.fetch()
    bundle = machine.answer(request)
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle, state=elsewhere)
    assert caught.value.code == "upload.request_unknown"
    assert machine.upload(bundle, state=elsewhere, request=request).document.result == "uploaded"


def test_a_raw_json_request_is_answered_too(machine: Any) -> None:
    request = machine.fetch()
    raw = machine.state / f"{request.name}.raw.json"
    bundle = machine.answer(raw)
    assert machine.upload(bundle, request=raw).document.result == "uploaded"


def test_an_existing_bundle_is_never_overwritten(machine: Any) -> None:
    path = machine.fetch()
    posted = dict(machine.factory.store.state["posted"])
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    assert caught.value.code == "media.exists"
    assert machine.factory.store.state["posted"] == posted
    assert path.is_dir()


def test_a_folder_that_is_not_there_stops_before_the_post(machine: Any, tmp_path: Path) -> None:
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(to=tmp_path / "no-stick")
    assert caught.value.code == "fetch.folder"
    assert machine.factory.store.state["posted"] == {}
