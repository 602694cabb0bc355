"""The template makes the builder's bytes, over every length that varies."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.config import Curve
from ceremony.devices.template import Template
from ceremony.x509 import names
from ceremony.x509.issuing import Issuer
from tests.devices.conftest import spki_of

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CURVES = {Curve.P256: ec.SECP256R1(), Curve.P384: ec.SECP384R1()}
KEYS = [
    spki_of(ec.generate_private_key(ec.SECP256R1())),
    spki_of(ec.generate_private_key(ec.SECP384R1())),
    spki_of(rsa.generate_private_key(65537, 3072)),
    spki_of(rsa.generate_private_key(65537, 4096)),
]
UUID = "9b2f3c1e-0000-4000-8000-000000000001"


def template(curve: Curve = Curve.P256, **other: object) -> Template:
    ca = spki_of(ec.generate_private_key(CURVES[curve]))
    issuer = Issuer(
        subject_der=names.encode_name((names.CN, "fio-1"), (names.OU, "acme-fleet")),
        spki=ca,
        ski=other.pop("ski", None),
    )
    said = {
        "factory": "acme-fleet",
        "not_before": BEGIN,
        "not_after": BEGIN + timedelta(days=3650),
        "production": False,
        **other,
    }
    return Template(issuer=issuer, curve=curve, **said)


@pytest.mark.parametrize("curve", list(Curve))
@pytest.mark.parametrize("production", [False, True])
@pytest.mark.parametrize("spki", KEYS, ids=["P-256", "P-384", "RSA 3072", "RSA 4096"])
@pytest.mark.parametrize("days", [365, 3650, 9131])
def test_every_kind_of_key_issuer_and_date_gives_the_builders_bytes(
    curve: Curve, production: bool, spki: bytes, days: int
) -> None:
    made = template(curve, production=production, not_after=BEGIN + timedelta(days=days))
    serial = int.from_bytes(os.urandom(20), "big") >> 1
    assert made.tbs(UUID, serial, spki) == made.by_the_builder(UUID, serial, spki)


def test_every_length_of_a_serial_number_gives_the_builders_bytes() -> None:
    made = template()
    for bits in range(1, 160):
        for serial in {1 << (bits - 1), (1 << bits) - 1}:
            assert made.tbs(UUID, serial, KEYS[0]) == made.by_the_builder(UUID, serial, KEYS[0])


@pytest.mark.parametrize("length", [1, 20, 54, 63, 64])
def test_every_length_of_a_factory_gives_the_builders_bytes(length: int) -> None:
    made = template(factory="f" * length, production=True)
    for spki in KEYS:
        assert made.tbs(UUID, 5, spki) == made.by_the_builder(UUID, 5, spki)


def test_an_issuer_with_an_identifier_of_its_own_is_followed() -> None:
    made = template(ski=b"\x01\x02\x03")
    assert made.tbs(UUID, 5, KEYS[0]) == made.by_the_builder(UUID, 5, KEYS[0])


MADE = template()


@settings(max_examples=40, deadline=None)
@given(
    st.uuids(),
    st.integers(1, (1 << 159) - 1),
    st.integers(1, 2**128),
)
def test_any_uuid_serial_and_key_give_the_builders_bytes(
    uuid: object, serial: int, secret: int
) -> None:
    spki = spki_of(ec.derive_private_key(secret, ec.SECP256R1()))
    assert MADE.tbs(str(uuid), serial, spki) == MADE.by_the_builder(str(uuid), serial, spki)


def test_a_template_that_disagrees_with_the_builder_refuses_to_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ceremony.devices import template as module

    monkeypatch.setattr(module, "subject", lambda uuid, factory, production: names.EMPTY_NAME)
    with pytest.raises(ValueError, match="do not agree"):
        template()
