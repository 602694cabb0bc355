"""Threats 43 and 44 for later kinds: what moved at the Factory since fetch stops the upload."""

from dataclasses import replace

import pytest

from ceremony.bundle.schema import (
    REQUEST_SCHEMA,
    ChangeMeta,
    Current,
    DeviceCa,
    Posted,
    RequestDocument,
)
from ceremony.config import Kind, Slot
from ceremony.errors import VerificationError
from ceremony.kinds import Reason
from ceremony.online.api import Pki
from ceremony.online.comparing import Wanted, compare, pending, require_untouched
from tests.flow.test_adopted import Old

META = ChangeMeta(updated_by="somebody", updated_at="2026-01-01")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Old:
    return Old(tmp_path_factory.mktemp("old") / "pki", recipe=False)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Old:
    return Old(tmp_path_factory.mktemp("other") / "pki", recipe=False)


def fetched(old: Old) -> RequestDocument:
    ca = DeviceCa(subject=old.ca.subject, serial=str(old.ca.serial), sha256=old.ca.fingerprint.hex)
    return RequestDocument(
        schema=REQUEST_SCHEMA,
        factory="acme",
        user_id="u1",
        api="https://api.foundries.io",
        kind=Kind.REVOKE_DEVICE_CA,
        fetched_at="2026-01-02T01:00:00Z",
        plan_sha256="0" * 64,
        posted=Posted(first_time_init=False, tls_csr=False, ca_csr=False, est_tls_csr=False),
        requests=(),
        current=Current(
            root_sha256=old.root.fingerprint.hex,
            device_cas=(ca,),
            disabled_serials=(),
            change_meta=META,
        ),
        rehearsal=False,
    )


def pki(old: Old) -> Pki:
    return Pki(root=old.root, device_cas=(old.ca,), change_meta=META)


def wanted(old: Old, reason: Reason = Reason.REVOKE) -> Wanted:
    return Wanted(single={}, device_cas=None, acted_on=((old.ca, reason),))


def stop(old: Old, now: Pki, code: str, difference: str, what: Wanted | None = None) -> None:
    rows = compare(what or wanted(old), now)
    with pytest.raises(VerificationError, match=difference) as stopped:
        require_untouched(rows, now, fetched(old), {})
    assert stopped.value.code == code
    assert stopped.value.status == 3


def test_44_what_a_crl_asks_for_is_seen_in_the_list_and_in_the_disabled_serials(old: Old) -> None:
    now = pki(old)
    disabled = replace(now, disabled_serials=(str(old.ca.serial),))
    gone = replace(now, device_cas=())
    for reason, before, after in (
        (Reason.DISABLE, now, disabled),
        (Reason.ENABLE, disabled, now),
        (Reason.REVOKE, now, gone),
    ):
        assert pending(compare(wanted(old, reason), before)) == ("ca-revoke-crl",)
        assert pending(compare(wanted(old, reason), after)) == ()


def test_43_an_untouched_factory_lets_the_upload_go_on(old: Old) -> None:
    require_untouched(compare(wanted(old), pki(old)), pki(old), fetched(old), {})


def test_43_a_list_that_grew_stops_with_the_difference(old: Old, other: Old) -> None:
    grown = replace(pki(old), device_cas=(old.ca, other.ca))
    stop(old, grown, "upload.moved", "is new")
    whole = Wanted(single={}, device_cas=(old.ca,))
    stop(old, grown, "upload.moved", "which the bundle lacks", whole)


def test_43_a_change_that_only_the_meta_tells_stops_even_beside_kept_cas(
    old: Old, other: Old
) -> None:
    now = replace(pki(old), change_meta=ChangeMeta(updated_by="mallory", updated_at="2026-01-03"))
    stop(old, now, "upload.moved", "mallory")
    added = Wanted(single={}, device_cas=(old.ca, other.ca))
    stop(old, now, "upload.moved", "mallory", added)


def test_43_a_server_certificate_that_was_replaced_meanwhile_stops(old: Old) -> None:
    now = replace(pki(old), tls=old.ca)
    stop(old, now, "upload.moved", "tls-crt is another certificate now")
    rows = compare(wanted(old), now)
    require_untouched(rows, now, fetched(old), {Slot.TLS: old.ca})


def test_43_another_root_stops(old: Old, other: Old) -> None:
    stop(old, replace(pki(old), root=other.root), "upload.root_differs", "not the one")
