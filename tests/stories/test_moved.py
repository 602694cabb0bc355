"""What somebody else changed at the Factory since fetch stops the upload; nothing is sent."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ceremony.bundle.request import read_request
from ceremony.kinds import Kind
from ceremony.online.fetch import fetch
from ceremony.online.login import read_login
from ceremony.x509.certificate import Certificate, read_certificate
from tests.flow.conftest import cheap_passwords
from tests.stories.site import Errand, Present, Site, site

__all__ = ["cheap_passwords"]

CREATE = '[[local_ca]]\nname = "line-1"\n'


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as found:
        yield found


@pytest.fixture
def found(empty: Site) -> Site:
    """After its first ceremony, with gateway TLS, the online CA and one local CA."""
    top = 'requests = ["tls", "online-ca"]'
    empty.whole(empty.errand(Kind.CREATE, top=top, tables=CREATE))
    return empty


def adding(at: Site, name: str) -> Errand:
    tables = f'[[local_ca]]\nname = "{name}"\n'
    return at.errand(Kind.ADD_DEVICE_CA, tables=tables)


def line_1(at: Site) -> Certificate:
    path = next(at.folder.glob("errand-1/usb-out/*/local_ca-line-1.pem"))
    return read_certificate(path.read_bytes(), path.name)


def acting(at: Site, kind: Kind, limits: str = "") -> tuple[Errand, dict[str, dict[str, str]]]:
    serial = str(line_1(at).serial)
    tables = f'[[device_ca]]\nserial = "{serial}"\n{limits}'
    return at.errand(kind, tables=tables), {"sign.serial": {"serial": serial}}


def stopped(at: Site, errand: Errand, code: str) -> str:
    """The upload ends with status 3 and that code; the Factory saw no PATCH of it."""
    before, certs = at.patches, at.call("GET")
    done = at.upload(errand)
    assert done.status == 3, done.err
    assert f"[{code}]" in done.err
    assert at.patches == before, "something was sent"
    assert at.call("GET") == certs
    assert not list(
        (at.folder / "online").glob(f"*{errand.bundle and errand.bundle.name}*receipt*")
    )
    return done.err


def test_43_a_list_that_grew_between_fetch_and_upload_stops_with_the_difference(
    found: Site,
) -> None:
    ours = found.hold(found.fetch(adding(found, "ours")))
    theirs = found.whole(adding(found, "theirs"))
    rival = read_certificate(
        next((theirs.media / "usb-out").glob("*/local_ca-theirs.pem")).read_bytes(), "theirs"
    )
    told = stopped(found, ours, "upload.moved")
    assert f"ca-crt holds {rival.subject}, SHA-256 {rival.fingerprint.hex}" in told
    assert "Nothing was sent" in told
    again = found.whole(adding(found, "ours"))
    listed = (again.bundle / "device_ca_list.pem").read_text() if again.bundle else ""
    assert listed.count("BEGIN") == 4
    assert found.call("GET")["ca-crt"].count("BEGIN") == 4


def test_43_a_ca_that_was_disabled_or_revoked_meanwhile_stops_each_kind(found: Site) -> None:
    added = found.hold(found.fetch(adding(found, "ours")))
    enabling, texts = acting(found, Kind.REVOKE_DEVICE_CA)
    revoking = found.hold(found.fetch(enabling), texts=texts)
    disabling, texts = acting(found, Kind.DISABLE_DEVICE_CA)
    found.whole(disabling, texts=texts)
    serial = line_1(found).serial
    assert f"device CA serial {serial} was disabled" in stopped(found, added, "upload.moved")
    assert f"serial {serial} was disabled" in stopped(found, revoking, "upload.moved")
    again, texts = acting(found, Kind.REVOKE_DEVICE_CA)
    found.whole(again, texts=texts)
    assert "is gone" in stopped(found, added, "upload.moved")


def test_43_a_change_that_only_the_meta_tells_stops(found: Site) -> None:
    errand, texts = acting(found, Kind.DISABLE_DEVICE_CA)
    ours = found.hold(found.fetch(errand), texts=texts)
    before = found.call("GET")["change-meta"]
    while found.call("GET")["change-meta"] == before:  # it tells whole seconds
        found.call("PATCH", {"tls-crt": found.call("GET")["tls-crt"]})
    assert "changed by" in stopped(found, ours, "upload.moved")


def test_43_a_root_that_was_set_meanwhile_stops_a_first_ceremony(empty: Site) -> None:
    top = 'requests = ["tls"]'
    ours = empty.hold(empty.fetch(empty.errand(Kind.CREATE, top=top, tables=CREATE)))
    empty.whole(empty.errand(Kind.CREATE, top=top, tables=CREATE))
    told = stopped(empty, ours, "upload.root_differs")
    root = next((ours.media / "usb-out").glob("*/factory_ca.pem"))
    assert read_certificate(root.read_bytes(), "root").fingerprint.hex in told


def test_44_a_crl_that_expired_on_its_way_is_said_before_anything_is_sent(
    empty: Site,
) -> None:
    ago = Present(behind=timedelta(days=2))
    first = empty.errand(Kind.CREATE, top='requests = ["tls"]', tables=CREATE)
    empty.whole(first)
    errand, texts = acting(empty, Kind.DISABLE_DEVICE_CA, "[limits]\ncrl_days = 1\n")
    errand.request = fetch(
        errand.plan_file,
        errand.media / "usb-in",
        login=read_login(str(empty.token_file)),
        state=errand.media / "online",
        confirm=lambda _: None,
        clock=ago,
    )
    assert read_request(errand.request).document is not None
    empty.hold(errand, texts=texts, clock=ago)
    told = stopped(empty, errand, "upload.crl_expired")
    assert "the CRL expired at" in told
    assert "hint: " in told


def test_44_a_dry_run_tells_what_would_be_sent_and_sends_nothing(found: Site) -> None:
    errand, texts = acting(found, Kind.DISABLE_DEVICE_CA)
    ours = found.hold(found.fetch(errand), texts=texts)
    before = found.patches
    done = found.online(ours, "upload", ours.bundle or "", "--expect", ours.words, "--dry-run")
    assert done.status == 0, done.err
    assert "would set ca-revoke-crl" in done.err
    assert found.patches == before
    done = found.upload(ours)
    assert done.status == 0, done.err
    assert found.patches == before + 1
    assert found.upload(ours).status == 0, "a second run says that it is there"
    assert found.patches == before + 1
    told = [json.loads(path.read_bytes()) for path in ours.media.glob("online/*.receipt.json")]
    assert sorted(one["result"] for one in told) == ["already there", "uploaded"]


def test_a_second_stick_within_the_minute_has_its_sheet_too(found: Site) -> None:
    errand, _ = acting(found, Kind.DISABLE_DEVICE_CA)
    found.fetch(errand)
    second = errand.media / "second"
    second.mkdir()
    done = found.online(errand, "fetch", errand.media / "plan.toml", "--to", second)
    assert done.status == 0, done.err
    assert len(list((errand.media / "online").glob("*.words.txt"))) == 2
