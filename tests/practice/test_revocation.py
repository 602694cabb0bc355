"""CRLs over device CAs: 6 disables, 8 enables again, anything else revokes."""

from typing import Any

import pytest
from cryptography.x509 import ReasonFlags


def test_a_device_ca_is_disabled_and_enabled_again(
    call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    ready = configure()
    serial = tools.serial_of(ready.local_ca)
    answer = call.patch(ca_revoke_crl=pki.crl(serial, ReasonFlags.certificate_hold))
    assert answer.status == 200
    assert call.certs()["disabled-ca-serials"] == [str(serial)]
    assert ready.local_ca in call.certs()["ca-crt"]
    assert call.patch(ca_revoke_crl=pki.crl(serial, ReasonFlags.remove_from_crl)).status == 200
    assert call.certs()["disabled-ca-serials"] == []


@pytest.mark.parametrize("reason", [ReasonFlags.privilege_withdrawn, ReasonFlags.key_compromise])
def test_a_revoked_device_ca_is_gone_and_cannot_come_back(
    reason: ReasonFlags, call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    ready = configure()
    crl = pki.crl(tools.serial_of(ready.local_ca), reason)
    assert call.patch(ca_revoke_crl=crl).status == 200
    assert call.certs()["ca-crt"] == ready.online_ca
    again = call.patch(ca_crt=ready.online_ca + ready.local_ca)
    assert again.status == 400
    assert "revoked" in again.json()["errors"]["ca-crt"]


def test_a_crl_that_the_root_did_not_sign_changes_nothing(
    call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    ready = configure()
    before = call.certs()
    serial = tools.serial_of(ready.local_ca)
    forged = pki.crl(serial, ReasonFlags.privilege_withdrawn, key=tools.new_key())
    answer = call.patch(ca_revoke_crl=forged)
    assert "not signed" in answer.json()["errors"]["ca-revoke-crl"]
    assert call.certs() == before


def test_a_crl_over_an_unknown_serial_changes_nothing(call: Any, configure: Any, pki: Any) -> None:
    configure()
    before = call.certs()
    answer = call.patch(ca_revoke_crl=pki.crl(4711, ReasonFlags.certificate_hold))
    assert "4711" in answer.json()["errors"]["ca-revoke-crl"]
    assert call.certs() == before
