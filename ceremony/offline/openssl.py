"""A second opinion by the `openssl` command, where it is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.core.text import show
from ceremony.flow.prompts import CheckRow, CheckStatus
from ceremony.x509.crls import X509_CRL
from ceremony.x509.pem import write_pem

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
    partial: bool = False,
    above: Sequence[bytes] = (),
    program: Path | str | None = "",
) -> tuple[CheckRow, ...]:
    """`openssl verify` of the root and of each certificate, with its purpose.

    Args:
        root: DER, the only trust anchor.
        certificates: name to role (as in the manifest, or `device`) and DER.
        directory: a private folder is made in it, and removed.
        partial: the root is signed by a higher CA; it is where the chain ends.
        above: DER of the CAs above the root; it is verified under them too.
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
            arguments = _arguments(role, strict, bool(cas), partial)
            rows.append(_row(name, arguments, *_run(Path(openssl), arguments, folder)))
        if above:
            (folder / "leaf.pem").write_bytes(_pem(root))
            (folder / "root-chain.pem").write_bytes(b"".join(_pem(der) for der in above))
            # Whether the last one signed itself or not, it is what people compare and trust.
            arguments = ["verify", "-partial_chain", "-CAfile", "root-chain.pem", "leaf.pem"]
            rows.append(_row("root", arguments, *_run(Path(openssl), arguments, folder)))
    return tuple(rows)


def verify_crl(
    root: bytes,
    crl: bytes,
    cas: Sequence[bytes],
    directory: Path,
    *,
    refused: bool,
    signs_crls: bool = True,
    flags: Sequence[str] = (),
    program: Path | str | None = "",
) -> tuple[CheckRow, ...]:
    """`openssl crl` over a CRL, and `openssl verify -crl_check` over the device CAs.

    Args:
        root: DER, like `crl` and `cas`.
        directory: a private folder is made in it, and removed.
        refused: each CA is to fail with error 23; otherwise to pass.
        signs_crls: the root's keyUsage has cRLSign; OpenSSL refuses its CRLs without.
        flags: more options of `openssl verify`.
        program: as for `verify_chain`.
    """
    openssl = find_openssl() if program == "" else program
    if openssl is None or openssl_version(Path(openssl)) is None:
        return (_not_installed(),)
    rows = []
    with tempfile.TemporaryDirectory(prefix=".openssl-", dir=directory) as made:
        folder = Path(made)
        (folder / "root.pem").write_bytes(_pem(root))
        (folder / "crl.pem").write_bytes(write_pem(crl, X509_CRL))
        shown = ["crl", "-in", "crl.pem", "-CAfile", "root.pem", "-noout"]
        status, said = _run(Path(openssl), shown, folder)
        rows.append(_crl_row(status == 0 and "verify OK" in said, shown, said))
        for der in cas:
            (folder / "leaf.pem").write_bytes(_pem(der))
            arguments = ["verify", *flags, "-crl_check", "-CRLfile", "crl.pem"]
            arguments += ["-CAfile", "root.pem", "leaf.pem"]
            if not signs_crls:
                rows.append(_no_crl_sign())
                break
            status, said = _run(Path(openssl), arguments, folder)
            fits = ("error 23 " in said) if refused else status == 0
            wanted = "refused, as it must be: " if fits and refused else ""
            rows.append(_crl_row(fits, arguments, wanted + said))
    return tuple(rows)


def _crl_row(fits: bool, arguments: list[str], said: str) -> CheckRow:
    return CheckRow(
        status=CheckStatus.PASS if fits else CheckStatus.FAIL,
        code="openssl.crl",
        sentence=f"openssl {' '.join(arguments)}: {said}",
        hint="" if fits else "Do not export. Look at the CRL with `openssl crl -text`.",
    )


def _no_crl_sign() -> CheckRow:
    return CheckRow(
        status=CheckStatus.WARN,
        code="openssl.no_crl_sign",
        sentence="the root's keyUsage lacks cRLSign: openssl refuses every CRL of it, so the "
        "effect on the device CAs was not checked by OpenSSL",
        hint="Go on: the platform accepts CRLs of such a root.",
    )


def _arguments(role: str, strict: bool, with_cas: bool, partial: bool) -> list[str]:
    arguments = ["verify", *(["-partial_chain"] if partial else [])]
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
