"""Measures `ceremony devices issue` beside OpenSSL: ``python tests/bench_devices.py``.

Every figure is also a ratio to `openssl speed` of the same run, as machines differ; the
load average is told, as a busy machine spoils both. Prints one line a measurement, or one
JSON document with ``--json``. Exit status 1 when an aim is missed.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP))

CORES = 2
FACTORY = "acme-fleet"
SECRET = "practice-words"


@dataclass
class Row:
    """One measurement; `aim` is the least ratio, None where there is none."""

    name: str
    rate: float
    ratio: float | None = None
    aim: float | None = None

    @property
    def ok(self) -> bool:
        return self.aim is None or (self.ratio or 0) >= self.aim

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"  ratio {self.ratio:5.2f}"
        aim = "" if self.aim is None else f"  aim {self.aim}  {'ok' if self.ok else 'MISSED'}"
        return f"{self.name:48} {self.rate:10,.0f}/s{ratio}{aim}"


def speed() -> tuple[float, float]:
    """Signatures and verifications a second on two cores, by `openssl speed`."""
    done = subprocess.run(
        ["openssl", "speed", "-multi", str(CORES), "-seconds", "2", "ecdsap256"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"nistp256\)\s+\S+\s+\S+\s+([\d.]+)\s+([\d.]+)", done.stdout)
    sign, verify = found[-1]
    return float(sign), float(verify)


def mean_speed(measure: Callable[[], float]) -> tuple[float, float, float]:
    """A measurement with `openssl speed` before and after it: sign, verify, its rate."""
    first = speed()
    rate = measure()
    second = speed()
    return (first[0] + second[0]) / 2, (first[1] + second[1]) / 2, rate


def issue(folder: Path, number: int, *arguments: str) -> float:
    """Devices a second, start of the program and of its workers left out."""
    command = [sys.executable, "-m", "ceremony", "devices", "issue", "--ca", "local_ca.pem"]
    command += ["--secret-file", "secret", *arguments]
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    begin = time.monotonic()
    subprocess.run([*command[:-1], "small.jsonl", *_few(arguments)], **_quiet(folder, env))
    overhead = time.monotonic() - begin
    begin = time.monotonic()
    subprocess.run(command, **_quiet(folder, env))
    rate = number / max(time.monotonic() - begin - overhead, 1e-3)
    for path in [*folder.glob("*.jsonl"), *folder.glob("*.ledger*")]:
        path.unlink()
    return rate


def _few(arguments: tuple[str, ...]) -> list[str]:
    """The last of `--count` counts, so a run of one device measures the start."""
    return ["--count", "1"] if "--count" in arguments else []


def _quiet(folder: Path, env: dict[str, str]) -> dict[str, Any]:
    return {
        "cwd": folder,
        "env": env,
        "check": True,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }


def from_csrs(folder: Path, source: Path, number: int) -> float:
    begin = time.monotonic()
    one = folder / "one.csr"
    one.write_bytes(
        source.read_bytes().split(b"-----END")[0] + b"-----END CERTIFICATE REQUEST-----\n"
    )
    run(folder, "--csr-file", str(one), "--out", "small.jsonl")
    overhead = time.monotonic() - begin
    for path in [*folder.glob("*.jsonl"), *folder.glob("*.ledger*")]:
        path.unlink()
    begin = time.monotonic()
    run(folder, "--csr-file", str(source), "--out", "batch.jsonl")
    rate = number / max(time.monotonic() - begin - overhead, 1e-3)
    for path in [*folder.glob("*.jsonl"), *folder.glob("*.ledger*")]:
        path.unlink()
    return rate


def run(folder: Path, *arguments: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    command = [sys.executable, "-m", "ceremony", "devices", "issue", "--ca", "local_ca.pem"]
    subprocess.run([*command, "--secret-file", "secret", *arguments], **_quiet(folder, env))


def write_csrs(path: Path, number: int) -> None:
    """Many CSRs of as many keys, put together by hand: the builder would take minutes."""
    import uuid

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from ceremony.devices.template import subject
    from ceremony.x509 import der
    from ceremony.x509.pem import CERTIFICATE_REQUEST, write_pem

    algorithm = der.sequence((der.encode_oid("1.2.840.10045.4.3.2"),))
    with path.open("wb") as file:
        for _ in range(number):
            key = ec.generate_private_key(ec.SECP256R1())
            spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            name = subject(str(uuid.uuid4()), FACTORY, production=False)
            body = der.sequence((b"\x02\x01\x00", name, spki, b"\xa0\x00"))
            signature = key.sign(body, ec.ECDSA(hashes.SHA256()))
            bits = der.encode(der.BIT_STRING, b"\x00" + signature)
            file.write(write_pem(der.sequence((body, algorithm, bits)), CERTIFICATE_REQUEST))


def openssl_ca(folder: Path, source: Path, number: int) -> float:
    """`openssl ca -batch` over as many CSR files, with its text database."""
    work = folder / "openssl"
    (work / "new").mkdir(parents=True)
    (work / "index.txt").write_text("")
    (work / "serial").write_text("01\n")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=fio-1"),
        ],
        cwd=work,
        check=True,
        capture_output=True,
    )
    (work / "ca.cnf").write_text(
        "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=new\n"
        "certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\ndefault_days=10\npolicy=p\n"
        "x509_extensions=e\nunique_subject=yes\n[p]\ncommonName=supplied\n"
        "organizationalUnitName=supplied\n[e]\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=critical,clientAuth\nauthorityKeyIdentifier=keyid\n"
    )
    end = b"-----END CERTIFICATE REQUEST-----\n"
    blocks = source.read_bytes().split(end)[:number]
    files = []
    for index, block in enumerate(blocks):
        (work / f"{index}.csr").write_bytes(block + end)
        files.append(f"{index}.csr")
    begin = time.monotonic()
    command = ["openssl", "ca", "-batch", "-notext", "-config", "ca.cnf", "-infiles", *files]
    done = subprocess.run(command, cwd=work, capture_output=True, check=False)
    spent = time.monotonic() - begin
    assert done.returncode == 0, done.stderr[-500:]
    assert len(list((work / "new").iterdir())) == len(files)
    return len(files) / spent


def builder(number: int) -> float:
    """The library's builder on one core, with key generation; nothing is written."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from ceremony.config import Curve
    from ceremony.devices.worker import _new_key
    from ceremony.x509 import issuing, names

    ca = ec.generate_private_key(ec.SECP256R1())
    issuer_spki, _ = _new_key()
    subject = names.encode_name((names.CN, "fio-1"), (names.OU, FACTORY))
    issuer = issuing.Issuer(subject_der=subject, spki=issuer_spki)
    from datetime import UTC, datetime, timedelta

    at = datetime.now(UTC).replace(microsecond=0)
    begin = time.monotonic()
    for index in range(number):
        key = ec.generate_private_key(ec.SECP256R1())
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        content = issuing.device_content(
            factory=FACTORY,
            uuid=f"9b2f3c1e-0000-4000-8000-{index:012d}",
            spki=_new_key()[0],
            issuer=issuer,
            serial=issuing.new_serial(os.urandom),
            not_before=at,
            days=10,
            not_past=at + timedelta(days=10),
        )
        tbs = issuing.tbs_of(issuing.twin(content, Curve.P256))
        issuing.assemble(tbs, ca.sign(tbs, ec.ECDSA(hashes.SHA256())))
    return number / (time.monotonic() - begin)


def token_rates(folder: Path, number: int) -> tuple[float, float, float]:
    """Of a SoftHSM token: raw C_Sign, `sign_all`, and whole devices with key generation."""
    from ceremony.config import Curve
    from ceremony.core.secret import Secret
    from ceremony.devices import batch
    from ceremony.devices.authority import read_authority
    from ceremony.devices.ledger import Ledger
    from ceremony.devices.order import Order
    from ceremony.devices.policy import DeviceRules
    from ceremony.devices.rendering import Form
    from ceremony.devices.sources import Count
    from ceremony.keys.token import open_token
    from ceremony.practice.softhsm import create_token
    from tests.devices.conftest import make_ca, now

    pin = Secret("12345678")
    token = create_token(folder / "token", "bench", Secret("87654321"), pin)
    raw = raw_c_sign(token, pin, number)
    with open_token(token, timeout_s=60, generate_timeout_s=60) as store:
        store.login(pin)
        key = store.generate("bench", "02", Curve.P256)
        make_ca(folder / "token-ca", ca_spki=key.spki)
        place = folder / "token-ca"
        data = [os.urandom(300) for _ in range(number)]
        begin = time.monotonic()
        store.sign_all(key, data)
        many = number / (time.monotonic() - begin)
        authority = read_authority(
            (place / "local_ca.pem").read_bytes(), (place / "factory_ca.pem").read_bytes(), now()
        )
        order = Order(
            authority=authority,
            source=Count(number),
            out=place / "batch.jsonl",
            form=Form.JSONL,
            rules=DeviceRules(factory=authority.factory),
            days=100,
        )
        ledger = Ledger(place / "l", ca_sha256=authority.ca.fingerprint.hex)
        begin = time.monotonic()
        with ledger:
            batch.issue(order, ledger=ledger, store=store, key=key, at=now())
        whole = number / (time.monotonic() - begin)
    return raw, many, whole


def raw_c_sign(token: Any, pin: Any, number: int) -> float:
    """The module's C_Sign through python-pkcs11, in a process of its own."""
    program = (
        "import sys,time,os,pkcs11\n"
        "from pkcs11 import KeyType,Attribute,Mechanism\n"
        "from pkcs11.util.ec import encode_named_curve_parameters as e\n"
        "lib=pkcs11.lib(sys.argv[1]); t=lib.get_token(token_label='bench')\n"
        "with t.open(rw=True,user_pin=sys.argv[2]) as s:\n"
        "    a={Attribute.EC_PARAMS:e('secp256r1')}\n"
        "    p=s.create_domain_parameters(KeyType.EC,a,local=True)\n"
        "    _,k=p.generate_keypair(store=False)\n"
        "    d=os.urandom(32); n=int(sys.argv[3]); b=time.monotonic()\n"
        "    for _ in range(n): k.sign(d,mechanism=Mechanism.ECDSA)\n"
        "    print(n/(time.monotonic()-b))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, token.module, pin.reveal(), str(number)],
        env={**os.environ, **token.module_environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def measure(folder: Path, number: int) -> list[Row]:
    from tests.devices.conftest import make_ca

    place = folder / "ca"
    make_ca(place)
    source = folder / "all.pem"
    write_csrs(source, number // 2)
    rows = []
    sign, verify, rate = mean_speed(
        lambda: issue(place, number, "--count", str(number), "--out", "batch.jsonl")
    )
    rows += [Row("openssl speed, sign, 2 cores", sign), Row("openssl speed, verify", verify)]
    rows.append(Row("devices with keys made here", rate, rate / (sign / 2), 0.45))
    with_keys = rate
    sign, verify, rate = mean_speed(lambda: from_csrs(place, source, number // 2))
    rows.append(Row("devices from CSRs", rate, rate / (1 / (1 / sign + 1 / verify)), 0.5))
    ca = openssl_ca(folder, source, 2000)
    rows.append(Row("openssl ca -batch", ca))
    rows.append(Row("from CSRs, beside openssl ca", rate, rate / ca, 1.0))
    rows.append(Row("with keys, beside openssl ca", with_keys, with_keys / ca, 1.0))
    rows.append(Row("the builder alone, one core, no ledger", builder(2000)))
    raw, many, whole = token_rates(folder, min(number, 20_000))
    rows.append(Row("SoftHSM, raw C_Sign, one process", raw))
    rows.append(Row("token: signed and each verified", many, many / raw))
    rows.append(Row("devices from a token-held CA", whole, whole / raw, 0.8))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-devices-"))
    folder.chmod(0o700)
    try:
        rows = measure(folder, options.count)
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    load = os.getloadavg()[0]
    if options.json:
        told = [{"name": r.name, "rate": r.rate, "ratio": r.ratio, "aim": r.aim} for r in rows]
        print(json.dumps({"load": load, "peak_mib": peak, "rows": told}, indent=2))
    else:
        print("\n".join(str(row) for row in rows))
        print(f"largest process {peak} MiB; load average {load:.2f} on {os.cpu_count()} cores")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
