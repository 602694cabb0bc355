"""The documentation's own curl and openssl commands, against the practice Factory."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

FACTORY_CA = """[req]
prompt = no
distinguished_name = dn
x509_extensions = ext

[dn]
CN = Factory-CA
OU = {factory}

[ext]
basicConstraints=CA:TRUE
keyUsage = keyCertSign, cRLSign
extendedKeyUsage = critical, clientAuth, serverAuth
"""
SUBJECT = """[req]
prompt = no
distinguished_name = dn

[dn]
CN = {cn}
OU = {factory}
"""
CA_EXT = "keyUsage=critical, keyCertSign\nbasicConstraints=critical, CA:TRUE, pathlen:0\n"
SERVER_EXT = "keyUsage=critical, digitalSignature\nextendedKeyUsage=critical, serverAuth\n"
# The documentation's client.ext is an OpenSSL error; this is what it means.
CLIENT_EXT = "keyUsage=critical, digitalSignature\nextendedKeyUsage=critical, clientAuth\n"

POST = """
curl "$API/ota/factories/${FACTORY}/certs/" \\
    -s -X POST -H "Content-Type: application/json" -H "OSF-Token: $TOKEN" \\
    -d '{"first-time-init": true, "tls-csr": true, "ca-csr": true, "est-tls-csr": false}'
"""
SIGN = """
openssl ecparam -genkey -name prime256v1 | openssl ec -out factory_ca.key
openssl req -new -x509 -days 7300 -sha256 -config factory_ca.cnf -key factory_ca.key \\
    -out factory_ca.pem
openssl ecparam -genkey -name prime256v1 | openssl ec -out local_ca.key
openssl req -new -config local_ca.cnf -key local_ca.key -out local_ca.csr
openssl x509 -req -days 3650 -sha256 -CAcreateserial -in local_ca.csr \\
    -extfile ca.ext -CAkey factory_ca.key -CA factory_ca.pem -out local_ca.pem
echo "subjectAltName=$(openssl req -text -noout -verify -in tls.csr | grep DNS:)" >> server.ext
openssl x509 -req -days 3650 -sha256 -CAcreateserial -in tls.csr \\
    -extfile server.ext -CAkey factory_ca.key -CA factory_ca.pem -out tls.pem
openssl x509 -req -days 3650 -sha256 -CAcreateserial -in online_ca.csr \\
    -extfile ca.ext -CAkey factory_ca.key -CA factory_ca.pem -out online_ca.pem
cat online_ca.pem local_ca.pem >> device_ca_list.pem
"""
# The documentation writes the assignments in front of curl, where the shell expands the
# variables before it sets them; here they are a command of their own.
PATCH = """
ROOT_CA_CRT=$(cat factory_ca.pem | awk -v ORS='\\\\n' '1') \\
DEVICE_CA_CRT=$(cat device_ca_list.pem | awk -v ORS='\\\\n' '1') \\
TLS_CRT=$(cat tls.pem | awk -v ORS='\\\\n' '1')
curl "$API/ota/factories/${FACTORY}/certs/" \\
    -s -w '%{http_code}' -X PATCH -H "Content-Type: application/json" -H "OSF-Token: $TOKEN" \\
    -d '{"root-crt": "'"${ROOT_CA_CRT}"'", "tls-crt": "'"${TLS_CRT}"'", '\\
'"ca-crt": "'"${DEVICE_CA_CRT}"'"}'
"""
DEVICE = """
openssl ecparam -genkey -name prime256v1 | openssl ec -out client.key
openssl req -new -config client.cnf -key client.key -out client.csr
openssl x509 -req -days 3650 -sha256 -CAcreateserial -in client.csr \\
    -extfile client.ext -CAkey local_ca.key -CA local_ca.pem -out client.pem
"""
PUT = """
DEVICE_CRT=$(cat client.pem | awk -v ORS='\\\\n' '1')
curl "$API/ota/devices/" \\
    -s -w '%{http_code}' -X PUT -H "Content-Type: application/json" -H "OSF-Token: $TOKEN" \\
    -d '{"client.pem": "'"${DEVICE_CRT}"'", "name": "kiosk"}'
"""
GATEWAY = """
curl -s --cacert factory_ca.pem --cert client.pem --key client.key --noproxy '*' \\
    --resolve "$NAME:$PORT:127.0.0.1" "https://$NAME:$PORT/repo/1.root.json"
"""


@pytest.fixture
def shell(practice: Any, tmp_path: Path) -> Any:
    _, port = practice.gateway_address
    environment = {
        "PATH": os.environ["PATH"],
        "API": practice.url,
        "FACTORY": practice.factory,
        "TOKEN": practice.token,
        "NAME": practice.gateway_name,
        "PORT": str(port),
    }
    folder = tmp_path / "recipe"
    folder.mkdir()

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.folder = folder  # type: ignore[attr-defined]
    return run


def test_the_recipe_sets_up_a_factory_and_a_device(shell: Any, practice: Any, tools: Any) -> None:
    folder, factory = shell.folder, practice.factory
    csrs = json.loads(shell(POST))
    assert set(csrs) == {"tls-csr", "ca-csr"}
    (folder / "tls.csr").write_text(csrs["tls-csr"])
    (folder / "online_ca.csr").write_text(csrs["ca-csr"])
    (folder / "factory_ca.cnf").write_text(FACTORY_CA.format(factory=factory))
    local = SUBJECT.format(cn=f"fio-{tools.owner}", factory=factory)
    (folder / "local_ca.cnf").write_text(local)
    (folder / "client.cnf").write_text(SUBJECT.format(cn="device-1", factory=factory))
    (folder / "ca.ext").write_text(CA_EXT)
    (folder / "server.ext").write_text(SERVER_EXT)
    (folder / "client.ext").write_text(CLIENT_EXT)
    shell(SIGN)
    assert shell(PATCH).endswith("200")
    stored = json.loads((practice.folder / "certs.json").read_bytes())
    assert stored["root-crt"] == (folder / "factory_ca.pem").read_text()
    assert stored["ca-crt"] == (folder / "device_ca_list.pem").read_text()
    shell(DEVICE)
    assert json.loads(shell(GATEWAY))["signed"]["_type"] == "Root"
    (device,) = json.loads((practice.folder / "devices.json").read_bytes())
    assert (device["uuid"], device["owner"]) == ("device-1", tools.owner)
    assert shell(PUT).endswith("409"), "the gateway registered it already"
