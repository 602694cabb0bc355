"""Why a gateway and a device did not come together: one cause, one code, one hint."""

import socket
import ssl
from datetime import datetime
from typing import Final

from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.errors import CeremonyError, NetworkError, VerificationError
from ceremony.x509.certificate import Certificate, read_certificate

_LISTEN_S: Final = 1.5
# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_HOST_NAME: Final = 62
_UNTRUSTED: Final = frozenset({2, 7, 18, 19, 20, 21, 24, 30, 79})


def clock_behind(at: datetime, begin: datetime) -> VerificationError:
    """The clock stands before something that is already in our hands."""
    return VerificationError(
        "gateway.clock",
        f"this machine's clock says {format_time(at)}, and a certificate that is here"
        f" begins {format_time(begin)}: the clock is behind",
        hint="Set the clock (UTC), then check again.",
    )


def presented(address: tuple[str, int], name: str, timeout_s: float) -> Certificate | None:
    """The certificate that the gateway shows, whoever made it; nothing is trusted or sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(address, timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            return read_certificate(tls.getpeercert(binary_form=True) or b"", "gateway")
    except (OSError, VerificationError):
        return None


def of_verification(
    exc: ssl.SSLCertVerificationError,
    shown: Certificate | None,
    root: Certificate,
    name: str,
    at: datetime,
) -> CeremonyError:
    """The device does not accept the gateway.

    Args:
        exc: of the handshake.
        shown: what the gateway shows; None when it could not be had.
        root: the device's.
        name: that the gateway must prove.
        at: this machine's time.
    """
    dates = "" if shown is None else _dates(shown)
    match exc.verify_code:
        case code if code == _NOT_YET_VALID:
            return VerificationError(
                "gateway.clock",
                f"the gateway's certificate is not valid yet{dates}, and this machine's clock"
                f" says {format_time(at)}: the clock is behind",
                hint="Set the clock (UTC), then check again.",
            )
        case code if code == _EXPIRED:
            return _expired(dates, root, at)
        case code if code == _HOST_NAME:
            names = ", ".join(shown.dns_names) if shown is not None else "other names"
            return NetworkError(
                "gateway.host_name",
                f"the gateway's certificate is for {names or 'no name'}, not for {show(name, 255)}",
                hint="Name the gateway as the Factory's tls.pem has it: first in its SAN.",
            )
        case code if code in _UNTRUSTED:
            issuer = "" if shown is None else f" (issued by {shown.issuer})"
            return NetworkError(
                "gateway.wrong_root",
                f"the gateway's certificate{issuer} was not issued under the root in root.crt"
                f" ({root.subject}, SHA-256 {root.fingerprint.hex[:16]}...)",
                hint="Check that root.crt is this Factory's root, and no proxy is in between.",
            )
    return NetworkError(
        "gateway.certificate",
        f"the gateway's certificate is not accepted: {show(exc.verify_message)}",
        hint="Look at it: openssl s_client -connect HOST:8443 -showcerts.",
    )


def _expired(dates: str, root: Certificate, at: datetime) -> CeremonyError:
    if at > root.not_after:
        return VerificationError(
            "gateway.clock",
            f"this machine's clock says {format_time(at)}, past the end of the root itself"
            f" ({format_time(root.not_after)}): the clock is ahead, or the PKI is over",
            hint="Set the clock (UTC), then check again.",
        )
    return NetworkError(
        "gateway.expired",
        f"the gateway's certificate has expired{dates}; this machine's clock says"
        f" {format_time(at)}",
        hint="Check the clock; if it is right, rotate the TLS certificate (kind rotate-tls).",
    )


def _dates(shown: Certificate) -> str:
    return f" ({format_time(shown.not_before)} to {format_time(shown.not_after)})"


_ALERTS: Final = {
    "UNKNOWN_CA": (
        "gateway.ca_not_trusted",
        "the gateway does not trust the CA that issued this device's certificate",
        "Upload the local CA with a ceremony's bundle; it may also have been revoked.",
    ),
    "CERTIFICATE_EXPIRED": (
        "gateway.device_rejected_expired",
        "the gateway holds the device's certificate for expired",
        "Check the dates of client.pem and of its CA, and the clocks on both sides.",
    ),
    "CERTIFICATE_REVOKED": (
        "gateway.device_revoked",
        "the gateway holds the device's certificate or its CA for revoked",
        "Find out who revoked it; issue a certificate from another local CA.",
    ),
    "DECRYPT_ERROR": (
        "gateway.key_mismatch",
        "the gateway cannot verify the device's signature with its certificate's key",
        "Find the pkey.pem that belongs to client.pem.",
    ),
    "PROTOCOL_VERSION": (
        "gateway.protocol",
        "the gateway and this machine have no TLS version in common",
        "Check the address: something else may be listening there.",
    ),
    "WRONG_VERSION_NUMBER": (
        "gateway.no_tls",
        "what listens there does not speak TLS",
        "Check host and port; the platform's gateways listen on 8443.",
    ),
}
_REFUSALS: Final = ("BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "UNSUPPORTED_CERTIFICATE")


def of_alert(exc: ssl.SSLError) -> CeremonyError:
    """The gateway ended the handshake with an alert (RFC 8446 §6.2)."""
    if isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return of_silence(exc)
    reason = (exc.reason or "").upper()
    for part, (code, sentence, hint) in _ALERTS.items():
        if part in reason:
            return NetworkError(code, f"{sentence} ({show(reason)})", hint=hint)
    if any(part in reason for part in (*_REFUSALS, "ACCESS_DENIED", "HANDSHAKE_FAILURE")):
        return NetworkError(
            "gateway.device_rejected",
            f"the gateway refuses the device's certificate ({show(reason)})",
            hint="Check with `ceremony verify client.pem`, and whether its CA is uploaded.",
        )
    return NetworkError(
        "gateway.tls",
        f"the TLS handshake failed: {show(reason or str(exc))}",
        hint="Check the address: something else may be listening there.",
    )


def of_silence(exc: Exception) -> NetworkError:
    """The gateway, or what stands there, went away without a word."""
    what = getattr(exc, "strerror", None) or type(exc).__name__
    return NetworkError(
        "gateway.closed",
        f"the gateway ended the connection without a reason ({show(str(what))})",
        hint="Check that the Factory's certificates are uploaded, and the address.",
    )


def await_refusal(tls: ssl.SSLSocket) -> None:
    """Listens for an alert for a moment; a gateway that accepts says nothing.

    Raises:
        NetworkError: `gateway.*`: it does not accept the device.
    """
    tls.settimeout(_LISTEN_S)
    try:
        said = tls.recv(1)
    except TimeoutError:
        return
    except ssl.SSLError as exc:
        raise of_alert(exc) from exc
    except OSError as exc:
        raise of_silence(exc) from exc
    if not said:
        raise of_silence(ConnectionResetError())
