"""Threat 43: a root is set once, and what others changed since fetch stops the upload."""

import json
from datetime import timedelta
from typing import Any

import pytest

from ceremony.bundle.schema import ChangeMeta, Current, DeviceCa, RequestDocument
from ceremony.config import Kind
from ceremony.errors import CeremonyError, ExitStatus, VerificationError
from ceremony.online.api import Pki
from ceremony.online.comparing import Verdict, Wanted, compare, pending, require_untouched


def test_43_another_root_stops_and_changes_nothing(machine: Any) -> None:
    from ceremony.bundle.request import read_request

    request = machine.fetch()
    ours = machine.answer(request)
    rival = type(machine.room)().answer(
        machine.plan_file, read_request(request), machine.folder, ceremony_id="create-2"
    )
    machine.upload(rival)
    before = (machine.folder / "factory" / "certs.json").read_bytes()
    with pytest.raises(CeremonyError) as caught:
        machine.upload(ours)
    assert (caught.value.code, caught.value.status) == (
        "upload.root_differs",
        ExitStatus.VERIFICATION,
    )
    assert (machine.folder / "factory" / "certs.json").read_bytes() == before


def test_43_a_factory_that_has_a_root_gets_no_first_ceremony(machine: Any) -> None:
    machine.upload(machine.answer())
    posted = dict(machine.factory.store.state["posted"])
    machine.clock.at = machine.clock.at.replace(year=machine.clock.at.year + 1)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    assert caught.value.code == "fetch.root_set"
    assert machine.factory.store.state["posted"] == posted


def test_43_nulls_count_as_not_configured(machine: Any) -> None:
    machine.factory.faults.add("nulls", method="GET", path="/certs/")
    assert machine.fetch().is_dir()


def test_43_certificates_over_stale_csrs_are_not_sent(machine: Any) -> None:
    bundle = machine.answer()
    machine.clock.at = machine.clock.at.replace(year=machine.clock.at.year + 1)
    machine.fetch()
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert caught.value.code == "upload.stale"
    assert machine.factory.store.certs is None


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("reset", {"applied": True}),
        ("status", {"status": 502, "applied": True}),
        ("body", {"status": 201, "body": "<html>"}),
    ],
)
def test_18_csrs_whose_answer_was_lost_make_those_before_stale_too(
    machine: Any, fault: str, options: dict[str, Any]
) -> None:
    bundle = machine.answer()
    machine.clock.at += timedelta(hours=1)
    machine.factory.faults.add(fault, method="POST", **options)
    with pytest.raises(CeremonyError):
        machine.fetch()
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert caught.value.code == "upload.stale"
    assert machine.factory.store.certs is None
    machine.clock.at += timedelta(hours=1)
    last = machine.answer(ceremony_id="create-2")
    assert machine.upload(last).document.result == "uploaded"


def test_18_csrs_that_the_api_refused_to_make_leave_those_before_good(machine: Any) -> None:
    bundle = machine.answer()
    machine.clock.at += timedelta(hours=1)
    machine.factory.faults.add("status", method="POST", status=403)
    with pytest.raises(CeremonyError):
        machine.fetch()
    assert machine.upload(bundle).document.result == "uploaded"


def test_30_a_clock_that_went_back_gets_no_csrs_that_look_older(machine: Any) -> None:
    """Else `upload` takes the stale ones for the last: it knows them by their time."""
    bundle = machine.answer()
    machine.clock.at -= timedelta(hours=1)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    assert caught.value.code == "fetch.clock"
    machine.clock.at += timedelta(hours=2)
    assert machine.upload(bundle).document.result == "uploaded"


@pytest.fixture
def pieces(machine: Any) -> tuple[Wanted, Pki, Any]:
    """What a bundle wants, the Factory after it, and the document that asked for it."""
    from ceremony.bundle.media import read_directory
    from ceremony.bundle.upload import parse_upload
    from ceremony.online.comparing import wanted_of

    bundle = machine.answer()
    wanted = wanted_of(parse_upload(read_directory(bundle)))
    single = wanted.single
    pki = Pki(
        root=single["root-crt"],
        tls=single["tls-crt"],
        est_tls=single["est-tls-crt"],
        device_cas=wanted.device_cas or (),
    )
    return wanted, pki, bundle


def document(pki: Pki | None, *, meta: ChangeMeta | None = None) -> RequestDocument:
    current = None
    if pki is not None and pki.root is not None:
        current = Current(
            root_sha256=pki.root.fingerprint.hex,
            device_cas=tuple(
                DeviceCa(subject=ca.subject, serial=str(ca.serial), sha256=ca.fingerprint.hex)
                for ca in pki.device_cas
            ),
            disabled_serials=pki.disabled_serials,
            change_meta=meta,
        )
    said = {"schema": "ceremony-request/1", "factory": "f", "user_id": "u", "api": "a"}
    said |= {"kind": Kind.CREATE, "fetched_at": "2026-01-01T00:00:00Z", "plan_sha256": "0" * 64}
    said |= {"posted": None, "requests": (), "current": current, "rehearsal": False}
    return RequestDocument(**said)


def test_43_the_same_certificates_in_another_order_are_there(pieces: Any) -> None:
    wanted, pki, _ = pieces
    turned = Pki(root=pki.root, tls=pki.tls, est_tls=pki.est_tls, device_cas=pki.device_cas[::-1])
    assert pending(compare(wanted, turned)) == ()


def test_43_a_device_ca_that_the_new_list_lacks_stops(pieces: Any) -> None:
    wanted, pki, _ = pieces
    fewer = Wanted(single=wanted.single, device_cas=(wanted.device_cas or ())[:1])
    rows = compare(fewer, pki)
    assert [row.verdict for row in rows if row.verdict is not Verdict.THERE] == [Verdict.EXTRA]
    with pytest.raises(VerificationError) as caught:
        require_untouched(rows, pki, document(pki))
    assert caught.value.code == "upload.moved"
    assert pki.device_cas[1].fingerprint.hex in caught.value.message


def test_43_a_device_ca_that_was_revoked_since_fetch_is_not_brought_back(pieces: Any) -> None:
    wanted, pki, _ = pieces
    now = Pki(root=pki.root, device_cas=pki.device_cas[:1])
    with pytest.raises(VerificationError) as caught:
        require_untouched(compare(wanted, now), now, document(pki))
    assert f"serial {pki.device_cas[1].serial}, is gone" in caught.value.message


def test_43_a_device_ca_that_was_disabled_since_fetch_stops(pieces: Any) -> None:
    wanted, pki, _ = pieces
    serial = str(pki.device_cas[0].serial)
    now = Pki(root=pki.root, device_cas=pki.device_cas, disabled_serials=(serial,))
    with pytest.raises(VerificationError) as caught:
        require_untouched(compare(wanted, now), now, document(pki))
    assert f"serial {serial} was disabled or enabled" in caught.value.message


def test_43_change_meta_that_moved_stops_and_says_who(pieces: Any) -> None:
    wanted, pki, _ = pieces
    old = ChangeMeta(updated_by="us", updated_at="2026-01-01")
    now = Pki(root=pki.root, change_meta=ChangeMeta(updated_by="mallory", updated_at="2026-02-02"))
    only = Wanted(single={"tls-crt": wanted.single["tls-crt"]}, device_cas=None)
    require_untouched(compare(only, now), now, document(Pki(root=pki.root), meta=now.change_meta))
    with pytest.raises(VerificationError) as caught:
        require_untouched(compare(only, now), now, document(Pki(root=pki.root), meta=old))
    assert "changed by mallory at 2026-02-02" in caught.value.message


def test_43_a_server_certificate_that_nobody_knew_of_stops(pieces: Any) -> None:
    wanted, pki, _ = pieces
    now = Pki(tls=pki.est_tls)
    with pytest.raises(VerificationError) as caught:
        require_untouched(compare(wanted, now), now, document(None))
    assert "tls-crt holds" in caught.value.message


def test_43_what_is_there_is_told_in_the_receipt(machine: Any) -> None:
    bundle = machine.answer()
    receipt = machine.upload(bundle)
    told = json.loads(receipt.path.read_bytes())["certificates"]
    payload = json.loads((bundle / "payload.json").read_bytes())
    assert {row["field"] for row in told} == set(payload)
    assert all(row["sha256"] == row["found_sha256"] for row in told)
