"""The checks of a request, in any of its three forms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ceremony.bundle.media import SUMS, no_private_key
from ceremony.bundle.request import RequestBundle, parse_request
from ceremony.bundle.sums import verify_sums
from ceremony.bundle.verdicts import (
    Check,
    UncheckedError,
    check_expected,
    refuse_findings,
    run,
)
from ceremony.core.fingerprints import Fingerprint
from ceremony.x509.checks import check_chain
from ceremony.x509.csr import check_keys


@dataclass(kw_only=True)
class _RequestCase:
    files: Mapping[str, bytes]
    expect: Fingerprint | None
    bundle: RequestBundle | None = None

    def need(self) -> RequestBundle:
        if self.bundle is None:
            raise UncheckedError("the request could not be read")
        return self.bundle


def check_request_files(
    files: Mapping[str, bytes], expect: Fingerprint | None = None
) -> tuple[Check, ...]:
    """The checks of a request in any of its three forms. The plan's rules are not among them."""
    return run(_RequestCase(files=files, expect=expect), _REQUEST_CHECKS)


def _request_sums(case: _RequestCase) -> str:
    if SUMS not in case.files:
        raise UncheckedError(f"there is no {SUMS}: these are bare CSRs or the API's answer")
    verify_sums(case.files)
    return f"all {len(case.files) - 1} files are listed and have their SHA-256"


def _request_contents(case: _RequestCase) -> str:
    case.bundle = parse_request(case.files)
    found = ", ".join(slot.value for slot in case.bundle.csrs)
    unnamed = f"; slot not told by the name: {len(case.bundle.unnamed)}"
    return (
        f"document, files and CSRs agree, each CSR is signed by its own key: {found or 'none'}"
        + (unnamed if case.bundle.unnamed else "")
    )


def _request_keys(case: _RequestCase) -> str:
    bundle = case.need()
    refuse_findings(check_keys({slot.value: csr.spki for slot, csr in bundle.csrs.items()}))
    return "each CSR has a key of its own"


def _request_current(case: _RequestCase) -> str:
    bundle = case.need()
    if bundle.document is None:
        raise UncheckedError("what the Factory has today is not told")
    if bundle.current_root is None:
        return "the Factory has no PKI yet"
    named = {f"device CA {i}": one for i, one in enumerate(bundle.current_device_cas)}
    refuse_findings(check_chain(bundle.current_root, named))
    return f"the Factory's root, and {len(named)} device CAs that it signed"


def _request_policy(_: _RequestCase) -> str:
    raise UncheckedError("the plan's rules for CSRs: `ceremony run` applies them at the import")


_REQUEST_CHECKS: Final[tuple[tuple[str, Callable[[_RequestCase], str]], ...]] = (
    ("media.private_key", lambda case: no_private_key(case.files)),
    ("sums", _request_sums),
    ("request.contents", _request_contents),
    ("request.keys", _request_keys),
    ("request.current", _request_current),
    ("request.policy", _request_policy),
    (
        "fingerprint",
        lambda case: check_expected(
            case.need().fingerprint, case.expect, "the fingerprint of the request"
        ),
    ),
)
