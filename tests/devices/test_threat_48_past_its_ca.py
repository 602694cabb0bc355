"""A device's certificate never outlives its CA: clamped and said, or refused."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from ceremony.devices.authority import read_authority
from ceremony.devices.batch import issue
from ceremony.devices.sources import Count
from ceremony.errors import VerificationError
from tests.devices.conftest import now


def test_48_a_validity_past_the_cas_own_end_is_clamped_and_said(new_floor: Any) -> None:
    floor = new_floor(ca_days=100)
    summary = floor.issue(Count(1), "out.jsonl", days=3650)
    assert summary.clamped
    row = json.loads((floor.folder / "out.jsonl").read_text())
    made = x509.load_pem_x509_certificate(row["client.pem"].encode())
    assert made.not_valid_after_utc == floor.authority.ca.not_after
    assert not floor.issue(Count(1), "other.jsonl", days=10).clamped


def test_48_a_ca_that_has_ended_issues_nothing(floor: Any) -> None:
    late = floor.authority.ca.not_after + timedelta(seconds=1)
    folder = floor.folder
    with pytest.raises(VerificationError) as caught:
        read_authority(
            (folder / "local_ca.pem").read_bytes(), (folder / "factory_ca.pem").read_bytes(), late
        )
    assert caught.value.code == "devices.ca_dates"
    with floor.ledger() as ledger, pytest.raises(VerificationError) as caught:
        issue(
            floor.order(Count(1), "out.jsonl"),
            ledger=ledger,
            store=floor.store,
            key=floor.key,
            at=late,
        )
    assert caught.value.code == "issuing.issuer_expired"
    assert not (folder / "out.jsonl.partial").exists()


def test_48_only_a_local_ca_of_this_root_issues(floor: Any, new_floor: Any) -> None:
    ca = (floor.folder / "local_ca.pem").read_bytes()
    root = (floor.folder / "factory_ca.pem").read_bytes()
    other_root = (new_floor().folder / "factory_ca.pem").read_bytes()
    for first, second, prefix in (
        (root, root, "devices.ca_profile"),
        (ca, other_root, "certificate."),
        (ca, ca, "devices.ca_profile"),
    ):
        with pytest.raises(VerificationError) as caught:
            read_authority(first, second, now())
        assert caught.value.code.startswith(prefix) or caught.value.code.startswith("certificate.")
