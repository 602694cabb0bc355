"""The documentation's mistakes in a device's certificate, named by `ceremony verify`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.devices.conftest import FACTORY

UUID = "9b2f3c1e-0000-4000-8000-000000000001"
# The documentation's files: a device signed with `ca.ext` becomes a CA.
CA_EXT = "keyUsage=critical, keyCertSign\nbasicConstraints=critical, CA:TRUE, pathlen:0\n"
CLIENT_EXT = "keyUsage=critical, digitalSignature\nextendedKeyUsage=critical, clientAuth\n"
NO_CLIENT = "keyUsage=critical, digitalSignature\n"
SERVER = "keyUsage=critical, digitalSignature\nextendedKeyUsage=serverAuth\n"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def by_the_recipe(folder: Path, extensions: str, cn: str) -> Path:
    """A CA and a device as the documentation's commands make them."""
    (folder / "device.ext").write_text(extensions)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    subject = f"/CN=fio-5e8a2f04c1d7/OU={FACTORY}"
    openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", subject)
    subject = f"/CN={cn}/OU={FACTORY}"
    openssl(folder, "req", "-new", *curve, "-keyout", "k", "-out", "device.csr", "-subj", subject)
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650")
    extfile = ("-extfile", "device.ext", "-out", "client.pem")
    openssl(folder, "x509", "-req", "-in", "device.csr", *signing, *extfile)
    return folder / "client.pem"


@pytest.mark.parametrize("cn", [UUID, "device-of-mine"])
@pytest.mark.parametrize(
    ("extensions", "words"),
    [
        (CA_EXT, ("a CA certificate in a device's hands", "ca.ext")),
        (NO_CLIENT, ("lacks clientAuth", "no gateway lets such a device in")),
        (SERVER, ("lacks clientAuth",)),
        (CLIENT_EXT, ()),
    ],
    ids=["ca.ext", "no clientAuth", "serverAuth", "right"],
)
def test_the_mistake_is_named(
    tmp_path: Path, cn: str, extensions: str, words: tuple[str, ...]
) -> None:
    client = by_the_recipe(tmp_path, extensions, cn)
    command = [sys.executable, "-m", "ceremony", "verify", str(client)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (3 if words else 0), done.stdout + done.stderr
    assert "device" in done.stdout
    for word in words:
        assert word in done.stdout + done.stderr


def test_what_we_issue_has_no_finding(floor: Any) -> None:
    from ceremony.devices.sources import Single

    floor.issue(Single("", UUID.encode(), csrs=False), "devices")
    client = floor.folder / "devices" / UUID / "client.pem"
    command = [sys.executable, "-m", "ceremony", "verify", str(client)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "looks like device, and has its profile" in done.stdout
    assert "warnings" not in done.stdout
