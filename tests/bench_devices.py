"""Measures `ceremony devices issue` beside OpenSSL, in `make bench`.

Machines differ and are busy, so a figure stands beside `openssl speed` of the same moment:
each measurement has it before and after, on two cores, by the clock. The processor's time of
all processes together, which no other work on the machine changes, stands beside it: the
ratio is then what two idle cores would reach if neither ever waited. `ceremony` runs as the
user runs it, checks, ledger and sync included; the start of the program is left out.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP))

CORES = 2
FACTORY = "acme-fleet"
PIN = "12345678"


@dataclass(frozen=True, slots=True)
class Speed:
    """Of `openssl speed ecdsap256`: operations a second on all cores, µs of one core each."""

    sign: float
    verify: float
    sign_us: float
    verify_us: float


@dataclass(frozen=True, slots=True)
class Run:
    """Devices a second; µs of processor time for each, all processes; the largest of them."""

    rate: float
    cpu_us: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: medians.

    Attributes:
        ratio: to the peer, by the clock; None where there is no peer.
        cpu_ratio: the same by the processor's time.
    """

    name: str
    rate: float
    cpu_us: float | None = None
    ratio: float | None = None
    cpu_ratio: float | None = None
    aim: float | None = None

    def __str__(self) -> str:
        def shown(value: float | None, form: str) -> str:
            return format(value, form) if value is not None else " " * len(format(0.0, form))

        aim = "" if self.aim is None else f"  {self.aim}"
        if self.aim is not None and self.ratio is not None and self.ratio < self.aim:
            aim += "  missed"
        return (
            f"{self.name:44}{self.rate:>10,.0f}{shown(self.cpu_us, '>9.1f')}"
            f"{shown(self.ratio, '>8.2f')}{shown(self.cpu_ratio, '>8.2f')}{aim}"
        )


def speed() -> Speed:
    """A second of signing and one of verifying, with and without the clock."""

    def ask(*options: str) -> tuple[float, float]:
        done = subprocess.run(
            ["openssl", "speed", "-seconds", "1", *options, "ecdsap256"],
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.findall(r"nistp256\)\s+\S+\s+\S+\s+([\d.]+)\s+([\d.]+)", done.stdout)
        sign, verify = found[-1]
        return float(sign), float(verify)

    sign, verify = ask("-multi", str(CORES), "-elapsed")
    alone = ask()
    return Speed(sign, verify, 1e6 / alone[0], 1e6 / alone[1])


def timed(folder: Path, command: Sequence[str]) -> tuple[float, float, float]:
    """Seconds, processor's seconds, and MiB of the largest process; all children included."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(command)}: {process.returncode}")
    spent = used.ru_utime + used.ru_stime
    return time.monotonic() - began, spent, used.ru_maxrss / 1024


def issue(folder: Path, number: int, *source: str, key: Sequence[str] = ()) -> Run:
    """A batch, less a run of one device."""
    command = [sys.executable, "-m", "ceremony", "devices", "issue", "--ca", "local_ca.pem"]
    command += ["--secret-file", "secret", *key]
    start = timed(folder, [*command, "--count", "1", "--out", "one.jsonl"])
    whole = timed(folder, [*command, *source, "--out", "batch.jsonl"])
    for path in [*folder.glob("*.jsonl"), *folder.glob("*.ledger*")]:
        path.unlink()
    wall, cpu = (max(whole[i] - start[i], 1e-3) for i in range(2))
    return Run(number / wall, cpu / number * 1e6, whole[2])


def beside(
    repeat: int, measure: Callable[[], Run], ideal: Callable[[Speed], tuple[float, float]]
) -> tuple[Run, float, float]:
    """Medians of a measurement, and of its ratios to what `ideal` says of OpenSSL's speed.

    Args:
        ideal: devices a second on all cores, and µs of one core for each.
    """
    runs, ratios, cpu_ratios = [], [], []
    before = speed()
    for _ in range(repeat):
        run = measure()
        after = speed()
        pairs = zip(ideal(before), ideal(after), strict=True)
        rate, cpu_us = (statistics.mean(pair) for pair in pairs)
        runs.append(run)
        ratios.append(run.rate / rate)
        cpu_ratios.append(cpu_us / run.cpu_us)
        before = after
    middle = Run(
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu_us for run in runs),
        max(run.peak_mib for run in runs),
    )
    return middle, statistics.median(ratios), statistics.median(cpu_ratios)


def both(one: Speed) -> tuple[float, float]:
    """To verify a CSR and to sign a certificate."""
    return 1 / (1 / one.verify + 1 / one.sign), one.verify_us + one.sign_us


def twice(one: Speed) -> tuple[float, float]:
    """To make a key, which is about a signature's work, and to sign a certificate."""
    return one.sign / 2, 2 * one.sign_us


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


# --- a CA on a token ------------------------------------------------------------------------

RAW = """
import os, sys, time, pkcs11
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.util.ec import encode_named_curve_parameters
token = pkcs11.lib(sys.argv[1]).get_token(token_label="bench")
with token.open(rw=True, user_pin=sys.argv[2]) as session:
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    made = session.create_domain_parameters(KeyType.EC, curve, local=True)
    _, key = made.generate_keypair(store=False)
    digest, number = os.urandom(32), int(sys.argv[3])
    wall, cpu = time.monotonic(), time.process_time()
    for _ in range(number):
        key.sign(digest, mechanism=Mechanism.ECDSA)
    print(number / (time.monotonic() - wall), (time.process_time() - cpu) / number * 1e6)
"""
PLAN = """
schema = "ceremony-plan/1"
factory = "acme-fleet"
kind = "create"
user_id = "5e8a2f04c1d7"
[root]
key_store = "file"
backup = {{ method = "none" }}
[[local_ca]]
name = "{name}"
key_store = "token"
[local_ca.token]
module = "{module}"
serial = "{serial}"
software = true
module_environment = {{ {environment} }}
"""


def raw_c_sign(token: Any, number: int) -> tuple[float, float]:
    """The module's C_Sign through python-pkcs11, in a process of its own: a second, and µs."""
    done = subprocess.run(
        [sys.executable, "-c", RAW, token.module, PIN, str(number)],
        env={**os.environ, **token.module_environment},
        capture_output=True,
        text=True,
        check=True,
    )
    rate, cpu_us = done.stdout.split()
    return float(rate), float(cpu_us)


def token_ca(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A CA on a SoftHSM token; the token itself, and behind a module that takes its time."""
    from ceremony.config import Curve, Token
    from ceremony.core.secret import Secret
    from ceremony.keys.token import open_token
    from ceremony.practice.softhsm import create_token
    from tests.devices.conftest import make_ca

    soft = create_token(folder / "token", "bench", Secret("87654321"), Secret(PIN))
    module = folder / "libfake.so"
    source = TOP / "tests" / "keys" / "fake_module.c"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(module), str(source), "-ldl"], check=True
    )
    module.chmod(0o755)
    fake = {"FAKE_REAL": soft.module, "FAKE_MODE": "own-processor"}
    slow = Token(
        module=str(module),
        serial=soft.serial,
        module_environment={**soft.module_environment, **fake},
    )
    with open_token(soft, timeout_s=60, generate_timeout_s=60) as store:
        store.login(Secret(PIN))
        key = store.generate("bench", "02", Curve.P256)
    place = folder / "token-ca"
    make_ca(place, ca_spki=key.spki)
    (place / "secret").write_text(f"{PIN}\n")
    tokens = {"soft": soft, "slow": slow}
    for name, token in tokens.items():
        pairs = token.module_environment.items()
        environment = ", ".join(f'{key} = "{value}"' for key, value in pairs)
        (place / f"{name}.toml").write_text(
            PLAN.format(
                name=name, module=token.module, serial=token.serial, environment=environment
            )
        )
    return place, tokens


def from_token(folder: Path, repeat: int, number: int, cores: Speed) -> list[Row]:
    """A software token works on the cores that verify its signatures and make the keys.

    What two cores then can do at most, were there nothing else to do, stands beside it.
    """
    place, tokens = token_ca(folder)
    rows = []
    for name, count, words in (
        ("soft", number, "SoftHSM, which works on these cores"),
        ("slow", min(number, 8000), "a token that has a processor of its own"),
    ):
        key = ("--plan", f"{name}.toml", "--name", name)
        raws, runs, ratios = [], [], []
        for _ in range(repeat):
            before = raw_c_sign(tokens[name], count // 2)
            run = issue(place, count, "--count", str(count), key=key)
            after = raw_c_sign(tokens[name], count // 2)
            rate, cpu_us = (statistics.mean(pair) for pair in zip(before, after, strict=True))
            raws.append((rate, cpu_us))
            runs.append(run)
            ratios.append(run.rate / rate)
        raw = statistics.median(one[0] for one in raws)
        raw_us = statistics.median(one[1] for one in raws)
        cpu_us = statistics.median(run.cpu_us for run in runs)
        rate = statistics.median(run.rate for run in runs)
        rows.append(Row(f"C_Sign: {words}", raw, raw_us))
        bound = CORES * raw_us / cpu_us if name == "soft" else None
        rows.append(Row("  devices", rate, cpu_us, statistics.median(ratios), bound, 0.8))
        if name == "soft":
            least_us = raw_us + cores.verify_us + cores.sign_us
            limit = CORES * raw_us / least_us
            rows.append(
                Row("  C_Sign, a check and a key, no more", CORES * 1e6 / least_us, least_us,
                    None, limit)
            )  # fmt: skip
    return rows


# --- the table ------------------------------------------------------------------------------


def measure(folder: Path, number: int, repeat: int) -> tuple[list[Row], float]:
    from tests.devices.conftest import make_ca

    place, source, csrs = folder / "ca", folder / "all.pem", number // 2
    make_ca(place)
    write_csrs(source, csrs)
    peaks = []
    one = speed()
    rows = [
        Row("openssl speed ecdsap256: sign, two cores", one.sign, one.sign_us),
        Row("  verify", one.verify, one.verify_us),
    ]
    for name, devices, arguments, ideal, aim in (
        ("devices with keys made here", number, ("--count", str(number)), twice, 0.45),
        ("devices from CSRs", csrs, ("--csr-file", str(source)), both, 0.5),
    ):

        def run(devices: int = devices, arguments: tuple[str, ...] = arguments) -> Run:
            return issue(place, devices, *arguments)

        middle, ratio, cpu_ratio = beside(repeat, run, ideal)
        rows.append(Row(name, middle.rate, middle.cpu_us, ratio, cpu_ratio, aim))
        peaks.append(middle.peak_mib)
    peer = openssl_ca(folder, source, min(csrs, 2000))
    rows.append(Row("openssl ca -batch, from CSRs", peer, None, rows[-1].rate / peer, None, 1.0))
    rows += from_token(folder, repeat, number // 2, one)
    return rows, max(peaks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, default=TOP / "build" / "bench-devices.json")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(prefix="bench-devices-"))
    try:
        rows, peak = measure(folder, given.count, given.repeat)
    finally:
        shutil.rmtree(folder)
    print(f"\ndevices{'':37}{'a second':>10}{'CPU us':>9}{'ratio':>8}{'by CPU':>8}  aim")
    print("\n".join(str(row) for row in rows))
    print(f"the largest process had {peak:.0f} MiB; load average before {load:.1f}")
    if load > 0.5:
        print("other work runs on this machine: trust the column of the processor's time")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"load_before": load, "peak_mib": peak, "rows": [asdict(row) for row in rows]}
    given.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
