"""GET, POST and PATCH of /certs/, by the documented rules."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ceremony.practice.factory import PracticeFactory

SEALED = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def refused(answer: Any, field: str, words: str) -> None:
    assert answer.status == 400, answer.data
    body = answer.json()
    assert set(body) == {"message", "errors"}
    assert list(body["errors"]) == [field]
    assert re.search(words, body["errors"][field])


def test_a_factory_without_a_pki_answers_206(call: Any) -> None:
    answer = call("GET", call.certs_path)
    assert answer.status == 206
    assert answer.headers["X-Practice-Factory"] == "1"


def test_the_csrs_carry_the_names_that_the_platform_gives_them(call: Any, practice: Any) -> None:
    csrs = {slot: x509.load_pem_x509_csr(text.encode()) for slot, text in call.post().items()}
    assert set(csrs) == {"tls-csr", "ca-csr", "est-tls-csr"}
    assert all(csr.is_signature_valid for csr in csrs.values())

    def names(slot: str) -> list[str]:
        san = csrs[slot].extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found: list[str] = san.value.get_values_for_type(x509.DNSName)
        return found

    identity = practice.gateway_name.split(".")[0]
    assert names("tls-csr") == [practice.gateway_name, f"{identity}.ostree.foundries.io"]
    assert names("est-tls-csr") == [f"{identity}.est.foundries.io"]
    assert csrs["tls-csr"].subject.rfc4514_string() == f"CN={practice.gateway_name}"
    unit = csrs["ca-csr"].subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert [one.value for one in unit] == ["rehearsal-acme"]
    assert not list(csrs["ca-csr"].extensions)


def test_only_the_csrs_that_were_asked_for_are_answered(call: Any) -> None:
    assert set(call.post(ca_csr=False, est_tls_csr=False)) == {"tls-csr"}


def test_each_post_makes_new_keys_and_an_earlier_csr_is_stale(
    call: Any, pki: Any, tools: Any
) -> None:
    earlier, later = call.post(), call.post()
    assert earlier["tls-csr"] != later["tls-csr"]
    root = tools.pem(pki.root)
    stale = call.patch(root_crt=root, tls_crt=pki.server(earlier["tls-csr"]))
    refused(stale, "tls-crt", "last CSR")
    assert call("GET", call.certs_path).status == 206, "nothing may be half-applied"
    assert call.patch(root_crt=root, tls_crt=pki.server(later["tls-csr"])).status == 200


def test_first_time_init_of_an_initialised_pki_fails(call: Any, configure: Any) -> None:
    configure()
    before = call.certs()
    body = {"first-time-init": True, "tls-csr": True, "ca-csr": False, "est-tls-csr": False}
    answer = call("POST", call.certs_path, body)
    assert answer.status == 409
    assert set(answer.json()) == {"msg", "errors"}
    assert call.certs() == before
    assert set(call.post(first=False, ca_csr=False, est_tls_csr=False)) == {"tls-csr"}


def test_what_was_uploaded_is_what_get_answers_and_what_the_file_holds(
    call: Any, configure: Any, pki: Any, practice: Any, tools: Any
) -> None:
    ready = configure()
    certs = call.certs()
    assert certs["root-crt"] == tools.pem(pki.root)
    assert certs["ca-crt"] == ready.online_ca + ready.local_ca
    assert certs["disabled-ca-serials"] == []
    assert certs["change-meta"]["created-by"] == tools.owner
    assert certs["change-meta"]["created-at"] == certs["change-meta"]["updated-at"]
    assert json.loads((practice.folder / "certs.json").read_bytes()) == certs


def test_a_restart_loses_nothing(call: Any, configure: Any, practice: Any, tools: Any) -> None:
    configure()
    before, name = call.certs(), practice.gateway_name
    csr = call.post(first=False, ca_csr=False, est_tls_csr=False)["tls-csr"]
    practice.stop()
    again = PracticeFactory(practice.folder, factory=tools.factory, users=tools.users)
    with again:
        call.practice = again
        assert call.certs() == before
        assert again.gateway_name == name
        assert again.token == practice.token
        assert again.store.state["posted"]["tls"] == (
            tools.spki(x509.load_pem_x509_csr(csr.encode()).public_key()).hex()
        )


def test_no_file_of_the_practice_factory_is_readable_by_others(
    configure: Any, practice: Any
) -> None:
    configure()
    files = [path for path in practice.folder.rglob("*") if path.is_file()]
    keys = [path for path in files if path.suffix == ".key"]
    assert len(keys) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not [path for path in files if path.name.endswith(".partial")]


def test_a_root_is_set_only_once_even_when_it_is_the_same(
    call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    configure()
    refused(call.patch(root_crt=tools.pem(pki.root)), "root-crt", "only once")
    refused(call.patch(root_crt=tools.pem(tools.pki().root)), "root-crt", "only once")


def test_a_root_of_another_factory_is_refused(call: Any, tools: Any) -> None:
    call.post()
    other = tools.pki(factory="acme")
    refused(call.patch(root_crt=tools.pem(other.root)), "root-crt", "OU must be .*rehearsal-acme")


def test_a_root_whose_self_signature_is_wrong_is_refused(call: Any, tools: Any, pki: Any) -> None:
    der = bytearray(pki.root.public_bytes(Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_certificate(bytes(der))
    refused(call.patch(root_crt=tools.pem(forged)), "root-crt", "not signed")


@pytest.mark.parametrize("field", ["tls_crt", "est_tls_crt", "ca_crt"])
def test_nothing_is_accepted_before_a_root_is_set(
    field: str, call: Any, pki: Any, tools: Any
) -> None:
    csrs = call.post()
    good = {
        "tls_crt": pki.server(csrs["tls-csr"]),
        "est_tls_crt": pki.server(csrs["est-tls-csr"]),
        "ca_crt": pki.online_ca(csrs["ca-csr"]),
    }
    refused(call.patch(**{field: good[field]}), "root-crt", "not set")
    assert call.patch(root_crt=tools.pem(pki.root), **{field: good[field]}).status == 200


def test_certificates_that_another_root_signed_are_refused(
    call: Any, configure: Any, tools: Any
) -> None:
    ready, stranger = configure(), tools.pki()
    for field, certificate in (
        ("tls-crt", stranger.server(ready.csrs["tls-csr"])),
        ("est-tls-crt", stranger.server(ready.csrs["est-tls-csr"])),
        ("ca-crt", ready.online_ca + ready.local_ca + stranger.local_ca(tools.new_key())),
    ):
        refused(call("PATCH", call.certs_path, {field: certificate}), field, "not signed")


def test_a_gateway_certificate_over_a_key_of_ones_own_is_refused(
    call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    ready = configure()
    own = pki.server(ready.csrs["tls-csr"], tools.new_key().public_key())
    refused(call.patch(tls_crt=own), "tls-crt", "last CSR")


def test_a_device_ca_list_that_lacks_one_is_refused(call: Any, configure: Any, tools: Any) -> None:
    ready = configure()
    refused(call.patch(ca_crt=ready.online_ca), "ca-crt", f"{tools.serial_of(ready.local_ca)}")
    assert call.certs()["ca-crt"] == ready.online_ca + ready.local_ca


def test_a_device_ca_is_added_beside_those_that_are_there(
    call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    ready = configure()
    second = pki.local_ca(tools.new_key(), tools.other)
    assert call.patch(ca_crt=second + ready.local_ca + ready.online_ca).status == 200
    assert call.certs()["ca-crt"].count("BEGIN") == 3


@pytest.mark.parametrize(
    ("cn", "ou", "words"),
    [
        ("fio-ffffffffffffffffffffffff", "rehearsal-acme", "fio-<user id>"),
        ("0123456789abcdef01234567", "rehearsal-acme", "fio-<user id>"),
        (None, "rehearsal-acme", "fio-<user id>"),
        ("fio-0123456789abcdef01234567", "acme", "OU must be"),
        ("fio-0123456789abcdef01234567", None, "OU must be"),
    ],
)
def test_a_local_ca_of_nobody_or_of_another_factory_is_refused(
    cn: str | None, ou: str | None, words: str, call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    ready = configure()
    bad = pki.device_ca(tools.dn(cn, ou), tools.new_key().public_key())
    refused(call.patch(ca_crt=ready.online_ca + ready.local_ca + bad), "ca-crt", words)


def test_a_leaf_in_the_list_of_device_cas_is_refused(call: Any, configure: Any, pki: Any) -> None:
    ready = configure()
    leaf = pki.server(ready.csrs["tls-csr"])
    refused(call.patch(ca_crt=ready.online_ca + ready.local_ca + leaf), "ca-crt", "not a CA")


def test_two_device_cas_with_one_serial_are_refused(
    call: Any, configure: Any, pki: Any, tools: Any
) -> None:
    ready = configure()
    name = tools.dn(f"fio-{tools.owner}", tools.factory)
    serial = tools.serial_of(ready.local_ca)
    twin = pki.device_ca(name, tools.new_key().public_key(), serial)
    refused(call.patch(ca_crt=ready.online_ca + ready.local_ca + twin), "ca-crt", "same serial")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", "nothing to change"),
        (b'{"tls-crt": null}', "expected PEM text"),
        (b'{"tls-crt": "' + SEALED.encode().replace(b"\n", b"\\n") + b'"}', "root of trust"),
        (b'{"tls-key": "x"}', "not a known field"),
        (b"[]", "Expected a JSON object"),
        (b'{"tls-crt":', "Invalid JSON"),
    ],
)
def test_a_malformed_patch_is_refused(body: bytes, words: str, call: Any) -> None:
    answer = call("PATCH", call.certs_path, body=body)
    assert answer.status == 400
    assert words in answer.data.decode()


def test_fioctl_may_send_change_meta_along(call: Any, pki: Any, tools: Any) -> None:
    body = {"root-crt": tools.pem(pki.root), "change-meta": {"created-by": "somebody"}}
    assert call("PATCH", call.certs_path, body).status == 200
    assert call.certs()["change-meta"]["created-by"] == tools.owner


def test_a_patch_may_end_half_way_only_when_a_fault_says_so(
    call: Any, practice: Any, pki: Any, tools: Any, tmp_path: Path
) -> None:
    csrs = call.post()
    fields = {"root_crt": tools.pem(pki.root), "tls_crt": pki.server(csrs["tls-csr"])}
    practice.faults.add("partial", method="PATCH")
    assert call.patch(**fields).status == 500
    assert call.certs()["root-crt"] == fields["root_crt"]
    assert call.certs()["tls-crt"] is None
    assert call.patch(tls_crt=fields["tls_crt"]).status == 200
