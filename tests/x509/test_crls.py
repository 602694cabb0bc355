"""CRLs: written, read by others, by us, and compared with what was intended."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ceremony.config import Curve
from ceremony.errors import VerificationError
from ceremony.kinds import Reason
from ceremony.x509 import issuing
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.crls import (
    X509_CRL,
    CrlContent,
    assemble_crl,
    check_crl,
    crl_tbs,
    crl_twin,
    read_crl,
    verify_crl,
)
from ceremony.x509.issuing import issuer_of
from ceremony.x509.pem import write_pem
from tests.x509.conftest import FACTORY, Key

LONG = (1 << 159) + 12345  # 21 DER octets, as fioctl makes them
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


class World:
    """A root, and one device CA under it."""

    def __init__(self, curve: Curve = Curve.P256) -> None:
        self.key = Key.make(curve)
        content = issuing.root_content(
            factory=FACTORY,
            spki=self.key.spki,
            serial=77,
            not_before=NOW,
            days=7300,
            profile="strict",
        )
        self.root = self._sign(content)
        self.ca = self._sign(
            issuing.local_ca_content(
                factory=FACTORY,
                user_id="u1",
                spki=Key.make().spki,
                issuer=issuer_of(self.root),
                serial=4711,
                not_before=NOW,
                days=100,
                not_past=self.root.not_after,
            )
        )

    def _sign(self, content: issuing.Content) -> Certificate:
        tbs = issuing.tbs_of(issuing.twin(content, self.key.curve))
        return read_certificate(issuing.assemble(tbs, self.key.sign(tbs)), "test")

    def content(self, *entries: tuple[int, Reason], days: int = 30) -> CrlContent:
        return CrlContent(
            issuer=issuer_of(self.root),
            entries=entries,
            number=int(NOW.timestamp()),
            this_update=NOW,
            next_update=NOW + timedelta(days=days),
        )

    def crl(self, content: CrlContent) -> bytes:
        tbs = crl_tbs(content, self.key.curve)
        return assemble_crl(tbs, self.key.sign(tbs))


@pytest.fixture(scope="module", params=list(Curve))
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture(scope="module")
def p256() -> World:
    return World()


@pytest.mark.parametrize("reason", list(Reason))
def test_another_parser_reads_what_was_intended(world: World, reason: Reason) -> None:
    content = world.content((world.ca.serial, reason), (LONG, reason))
    theirs = x509.load_der_x509_crl(world.crl(content))
    assert theirs.is_signature_valid(
        x509.load_der_x509_certificate(world.root.der).public_key()  # type: ignore[arg-type]
    )
    assert [entry.serial_number for entry in theirs] == [4711, LONG]
    assert {
        entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
        for entry in theirs
    } == {reason.value}
    number = theirs.extensions.get_extension_for_class(x509.CRLNumber)
    assert number.value.crl_number == content.number
    assert not number.critical
    aki = theirs.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert aki.value.key_identifier == world.root.ski
    assert theirs.last_update_utc == content.this_update
    assert theirs.next_update_utc == content.next_update


def test_what_was_written_is_read_back_and_verified(world: World) -> None:
    content = world.content((LONG, Reason.REVOKE))
    crl = read_crl(write_pem(world.crl(content), X509_CRL), "crl.pem")
    verify_crl(crl, world.root)
    assert check_crl(crl, content) == ()
    assert check_crl(read_crl(crl_twin(content, world.key.curve), "twin"), content) == ()


@pytest.mark.parametrize(
    ("reason", "status"), [(Reason.DISABLE, 2), (Reason.REVOKE, 2), (Reason.ENABLE, 0)]
)
def test_openssl_refuses_a_ca_that_is_held_or_revoked_and_takes_it_back(
    p256: World, tmp_path: Path, reason: Reason, status: int
) -> None:
    crl = p256.crl(p256.content((p256.ca.serial, reason)))
    (tmp_path / "crl.pem").write_bytes(write_pem(crl, X509_CRL))
    (tmp_path / "root.pem").write_bytes(write_pem(p256.root.der, "CERTIFICATE"))
    (tmp_path / "ca.pem").write_bytes(write_pem(p256.ca.der, "CERTIFICATE"))
    shown = subprocess.run(
        ["openssl", "crl", "-in", "crl.pem", "-CAfile", "root.pem", "-noout", "-text"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "verify OK" in shown.stderr
    verified = subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-crl_check", "-CRLfile", "crl.pem"),
            *("-CAfile", "root.pem", "ca.pem"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == status
    assert ("error 23" in verified.stdout + verified.stderr) == (status == 2)


def test_a_crl_of_another_root_is_refused(p256: World) -> None:
    other = World()
    crl = read_crl(other.crl(other.content((1, Reason.REVOKE))), "crl")
    with pytest.raises(VerificationError, match=r"crl\.issuer_wrong"):
        verify_crl(crl, p256.root)
    same_name = replace(p256.content((1, Reason.REVOKE)))
    tbs = crl_tbs(same_name, Curve.P256)
    forged = read_crl(assemble_crl(tbs, other.key.sign(tbs)), "crl")
    with pytest.raises(VerificationError, match=r"crl\.signature_wrong"):
        verify_crl(forged, p256.root)


def test_every_departure_from_the_intention_is_found(p256: World) -> None:
    content = p256.content((5, Reason.DISABLE))
    crl = read_crl(p256.crl(content), "crl")
    for other, code in (
        (replace(content, entries=((6, Reason.DISABLE),)), "crl.entries_differ"),
        (replace(content, entries=((5, Reason.REVOKE),)), "crl.entries_differ"),
        (replace(content, number=1), "crl.number_differs"),
        (replace(content, next_update=NOW + timedelta(days=31)), "crl.dates_differ"),
        (replace(content, issuer=issuer_of(p256.ca)), "crl.issuer_differs"),
        (
            replace(content, issuer=replace(content.issuer, ski=b"another key identif.")),
            "crl.tbs_differs",
        ),
    ):
        assert code in {finding.code for finding in check_crl(crl, other)}


def test_dates_after_2049_are_generalized(p256: World) -> None:
    late = datetime(2051, 1, 1, tzinfo=UTC)
    content = replace(
        p256.content((5, Reason.REVOKE)), this_update=late, next_update=late + timedelta(days=1)
    )
    raw = p256.crl(content)
    assert b"20510101000000Z" in raw
    assert check_crl(read_crl(raw, "crl"), content) == ()


def test_nothing_but_a_whole_crl_is_read(p256: World) -> None:
    raw = p256.crl(p256.content((5, Reason.REVOKE)))
    for broken in (raw + b"\0", raw[:-1], p256.root.der, b"\x30\x00", b"-----BEGIN"):
        with pytest.raises(VerificationError):
            read_crl(broken, "crl")


@given(
    entries=st.dictionaries(
        st.integers(1, (1 << 160) - 1), st.sampled_from(list(Reason)), min_size=1, max_size=4
    ),
    number=st.integers(0, (1 << 64) - 1),
)
def test_any_crl_reads_back_as_it_was_meant(entries: dict[int, Reason], number: int) -> None:
    world = _SHARED
    content = replace(world.content(*entries.items()), number=number)
    assert check_crl(read_crl(crl_twin(content, Curve.P256), "twin"), content) == ()


_SHARED = World()
