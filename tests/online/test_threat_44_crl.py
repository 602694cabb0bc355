"""Threat 44: a first ceremony revokes nothing, so a CRL on its way is an alteration."""

import json
from typing import Any

import pytest

from ceremony.bundle.sums import format_sums
from ceremony.errors import CeremonyError


def test_44_a_crl_that_slips_into_the_payload_is_refused_before_anything_is_sent(
    machine: Any,
) -> None:
    bundle = machine.answer()
    payload = json.loads((bundle / "payload.json").read_bytes())
    payload["ca-revoke-crl"] = "-----BEGIN X509 CRL-----\n"
    (bundle / "payload.json").write_text(json.dumps(payload))
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    (bundle / "SHA256SUMS").write_bytes(format_sums(files))
    machine.factory.faults.add("reset", times=-1)
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert caught.value.code == "upload.payload"
    assert machine.factory.store.certs is None
