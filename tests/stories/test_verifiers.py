"""Certificates of a ceremony in what people run: nginx and curl, Go's verifier, OpenSSL's."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stories.floor import Place

CONF = """
daemon off;
master_process off;
pid nginx.pid;
events {{ }}
http {{
  access_log off;
  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t;
  uwsgi_temp_path t; scgi_temp_path t;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate tls.pem;
    ssl_certificate_key tls.key;
    ssl_client_certificate {listed};
    {more}
    ssl_verify_client on;
    location / {{ return 200 "$ssl_client_verify $ssl_client_s_dn"; }}
  }}
}}
"""
# OpenSSL in nginx takes no device CA for an anchor, so that it needs the root as well.
TRUSTED = "ssl_trusted_certificate factory_ca.pem;"


def issued(place: Place, ca: str = "line-1") -> Path:
    done = place.issue("--count", "1", "--out", "devices", ca=ca)
    assert done.returncode == 0, done.stderr
    (folder,) = (one for one in (place.folder / "devices").iterdir() if one.is_dir())
    return folder


def gateway_name(place: Place) -> str:
    text = openssl("x509", "-in", str(place.upload / "tls.pem"), "-noout", "-ext", "subjectAltName")
    return text.partition("DNS:")[2].partition(",")[0].strip()


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def nginx(place: Place, more: str = TRUSTED, listed: str = "device_ca_list.pem") -> Iterator[int]:
    """A gateway of one's own: the ceremony's TLS certificate, the list of device CAs."""
    folder, port = place.folder / "nginx", free_port()
    folder.mkdir()
    for name in ("tls.pem", "factory_ca.pem", listed):
        shutil.copy(place.upload / name, folder)
    (key,) = (place.kept / "factory" / "keys").glob("tls-*.key")
    shutil.copy(key, folder / "tls.key")
    (folder / "nginx.conf").write_text(CONF.format(port=port, more=more, listed=listed))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None
    command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with socket.socket() as one:
                    if one.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def curl(place: Place, port: int, device: Path, client: str = "client.pem") -> tuple[int, str]:
    """Status and text of an answer."""
    name = gateway_name(place)
    done = subprocess.run(
        [
            *("curl", "-sS", "--cacert", "root.crt", "--cert", client, "--key", "pkey.pem"),
            *("--connect-to", f"{name}:443:127.0.0.1:{port}", "-w", "\n%{http_code}"),
            f"https://{name}/",
        ],
        cwd=device,
        capture_output=True,
        text=True,
        check=False,
    )
    text, _, status = done.stdout.rpartition("\n")
    assert done.returncode == 0, done.stderr
    return int(status), text


@pytest.fixture
def stranger(place: Place) -> Path:
    """A device with the same name in its subject, under another CA of the same subject."""
    device, folder = issued(place), place.folder / "stranger"
    folder.mkdir()
    subject = "/CN=fio-5e8a2f04c1d7/OU=rehearsal-acme-fleet"
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    ca = ("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem"), "-subj", subject)
    openssl("req", "-x509", *new, *ca)
    subject = f"/CN={device.name}/OU=rehearsal-acme-fleet"
    csr = ("-keyout", str(folder / "pkey.pem"), "-out", str(folder / "csr"), "-subj", subject)
    openssl("req", "-new", *new, *csr)
    signer = ("-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"), "-CAcreateserial")
    openssl("x509", "-req", "-in", str(folder / "csr"), *signer, "-out", str(folder / "client.pem"))
    shutil.copy(device / "root.crt", folder)
    assert (folder / "client.pem").stat().st_size > 0
    return folder


def test_nginx_lets_a_device_in_and_no_stranger(place: Place, stranger: Path) -> None:
    (device,) = (one for one in (place.folder / "devices").iterdir() if one.is_dir())
    with nginx(place) as port:
        status, text = curl(place, port, device)
        assert (status, text) == (200, f"SUCCESS OU=rehearsal-acme-fleet,CN={device.name}")
        assert curl(place, port, device, "client.chained")[0] == 200
        status, text = curl(place, port, stranger)
        assert status == 400
        assert "SSL certificate error" in text


def test_nginx_without_the_root_lets_nobody_in(place: Place) -> None:
    """Why the handbook names both files."""
    device = issued(place)
    with nginx(place, "") as port:
        assert curl(place, port, device)[0] == 400


def test_nginx_takes_a_ca_that_is_not_listed_from_the_device_itself(place: Place) -> None:
    """What the handbook warns of: the list decides only about those who send no chain."""
    device = issued(place, "line-2")
    with nginx(place, listed="local_ca-line-1.pem") as port:
        assert curl(place, port, device)[0] == 400
        assert curl(place, port, device, "client.chained")[0] == 200


def test_openssl_takes_a_device_for_a_client_and_the_gateway_for_a_server(place: Place) -> None:
    device, strict = issued(place), ("verify", "-x509_strict", "-CAfile")
    root = str(device / "root.crt")
    ca = ("-untrusted", str(place.upload / "device_ca_list.pem"))
    client = str(device / "client.pem")
    assert openssl(*strict, root, *ca, "-purpose", "sslclient", client).endswith(": OK\n")
    assert "error 26" in openssl(*strict, root, *ca, "-purpose", "sslserver", client)
    tls, name = str(place.upload / "tls.pem"), gateway_name(place)
    server = ("-purpose", "sslserver", "-verify_hostname", name, tls)
    assert openssl(*strict, root, *server).endswith(": OK\n")


def test_go_takes_a_device_for_a_client_and_the_gateway_for_a_server(place: Place) -> None:
    device, name = issued(place), gateway_name(place)
    source = Path(__file__).with_name("verify.go")
    program = place.folder / "verify"
    subprocess.run(
        ["go", "build", "-o", str(program), source.name],
        cwd=source.parent,
        env={**os.environ, "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""},
        check=True,
    )

    def verify(*arguments: Path | str) -> str:
        command = [str(program), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    root, tls, listed = device / "root.crt", place.upload / "tls.pem", place.upload
    assert verify(root, device / "client.chained") == "OK\n"
    assert verify(root, tls, name) == "OK\n"
    assert "not " in verify(root, tls, "elsewhere.example")
    assert "unknown authority" in verify(root, device / "client.pem")
    assert "usage" in verify(root, tls)
    assert "not valid for any names" in verify(root, device / "client.chained", name)
    # What the handbook says of servers whose anchors are the list alone.
    assert verify(listed / "local_ca-line-1.pem", device / "client.chained") == "OK\n"
    assert "unknown authority" in verify(listed / "local_ca-line-2.pem", device / "client.chained")
