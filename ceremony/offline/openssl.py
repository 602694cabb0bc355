"""A second opinion by the `openssl` command, where it is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.core.text import show
from ceremony.flow.prompts import CheckRow, CheckStatus

_PATH: Final = "/usr/bin:/bin:/usr/local/bin"
_TIMEOUT_S: Final = 20
# A CA fits no TLS purpose of OpenSSL's: its keyUsage is keyCertSign alone.
_PURPOSES: Final[Mapping[str, str]] = {
    "tls": "sslserver",
    "est-tls": "sslserver",
    "device": "sslclient",
}
_SIGNS_DEVICES: Final = frozenset({"local-ca", "online-ca"})


def find_openssl(path: str = _PATH) -> Path | None:
    """The `openssl` of the system's folders; the environment's PATH is not asked."""
    found = shutil.which("openssl", path=path)
    return None if found is None else Path(found)


def openssl_version(program: Path | None) -> str | None:
    """What `openssl version` says; None where it is not installed or does not run."""
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="openssl-") as folder:
        status, said = _run(program, ["version"], Path(folder))
    return said if status == 0 else None


def verify_chain(
    root: bytes,
    certificates: Mapping[str, tuple[str, bytes]],
    directory: Path,
    *,
    strict: bool = True,
    program: Path | str | None = "",
) -> tuple[CheckRow, ...]:
    """`openssl verify` of the root and of each certificate, with its purpose.

    Args:
        root: DER, the only trust anchor.
        certificates: name to role (as in the manifest, or `device`) and DER.
        directory: a private folder is made in it, and removed.
        strict: with `-x509_strict`; a root in the OpenSSL recipe's form fails it.
        program: the openssl to run; None: there is none. Searched for by default.

    Returns:
        PASS or FAIL for each; one WARN where OpenSSL is not installed.
    """
    openssl = find_openssl() if program == "" else program
    version = None if openssl is None else openssl_version(Path(openssl))
    if openssl is None or version is None:
        return (_not_installed(),)
    rows = [
        CheckRow(
            status=CheckStatus.PASS, code="openssl.version", sentence=f"checked with {version}"
        )
    ]
    with tempfile.TemporaryDirectory(prefix=".openssl-", dir=directory) as made:
        folder = Path(made)
        (folder / "root.pem").write_bytes(_pem(root))
        cas = [der for role, der in certificates.values() if role in _SIGNS_DEVICES]
        (folder / "cas.pem").write_bytes(b"".join(_pem(der) for der in cas))
        every = {"root": ("root", root), **certificates}
        for name, (role, der) in every.items():
            (folder / "leaf.pem").write_bytes(_pem(der))
            arguments = _arguments(role, strict, bool(cas))
            rows.append(_row(name, arguments, *_run(Path(openssl), arguments, folder)))
    return tuple(rows)


def _arguments(role: str, strict: bool, with_cas: bool) -> list[str]:
    arguments = ["verify"]
    if strict:
        arguments.append("-x509_strict")
    arguments += ["-CAfile", "root.pem"]
    if role in _PURPOSES:
        arguments += ["-purpose", _PURPOSES[role]]
    if role == "device" and with_cas:
        arguments += ["-untrusted", "cas.pem"]
    return [*arguments, "leaf.pem"]


def _row(name: str, arguments: list[str], status: int, said: str) -> CheckRow:
    shown = f"openssl {' '.join(arguments[:-1])}"
    if status == 0 and said == "leaf.pem: OK":
        return CheckRow(
            status=CheckStatus.PASS, code="openssl.verify", sentence=f"{show(name)}: {shown}: OK"
        )
    return CheckRow(
        status=CheckStatus.FAIL,
        code="openssl.verify",
        sentence=f"{show(name)}: {shown} refuses it: {said}",
        hint="Do not export. Look at the certificate with `ceremony verify` and find the reason.",
    )


def _not_installed() -> CheckRow:
    return CheckRow(
        status=CheckStatus.WARN,
        code="openssl.not_checked",
        sentence="the openssl command is not installed: not checked by OpenSSL",
        hint="Run the commands of the bundle's README.txt on another machine.",
    )


def _run(program: Path, arguments: list[str], folder: Path) -> tuple[int, str]:
    """Runs it with empty configuration and without the system's trust store."""
    empty = folder / "empty"
    empty.mkdir(mode=0o700, exist_ok=True)
    (folder / "empty.cnf").write_bytes(b"")
    environment = {
        "LC_ALL": "C",
        "PATH": _PATH,
        "HOME": str(empty),
        "OPENSSL_CONF": str(folder / "empty.cnf"),
        "SSL_CERT_DIR": str(empty),
        "SSL_CERT_FILE": str(folder / "empty.cnf"),
    }
    try:
        done = subprocess.run(
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return 1, f"it did not run ({type(exc).__name__})"
    lines = done.stdout.decode("utf-8", "backslashreplace").strip().splitlines()
    return done.returncode, "; ".join(show(line) for line in lines)[:600]


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
