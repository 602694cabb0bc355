"""The checks of bundles, under one name: numbered, each made, failed, or not made."""

from ceremony.bundle.request_checks import check_request_files
from ceremony.bundle.upload_checks import check_upload_files
from ceremony.bundle.verdicts import Check, Outcome, failed, require

__all__ = [
    "Check",
    "Outcome",
    "check_request_files",
    "check_upload_files",
    "failed",
    "require",
]
