"""`manifest.json`, read strictly: what no schema can say of it is checked here."""

from collections.abc import Mapping
from typing import Final

from ceremony.bundle import contents
from ceremony.bundle.documents import decode, refuse_field
from ceremony.bundle.marks import check_time
from ceremony.bundle.schema import CertificateEntry, Manifest
from ceremony.config import Kind
from ceremony.errors import VerificationError
from ceremony.kinds import facts_of


def read_manifest(files: Mapping[str, bytes]) -> Manifest:
    """The manifest among the files of an upload bundle.

    Raises:
        VerificationError: `upload.file_missing`, `json.*`.
    """
    name = contents.MANIFEST
    if name not in files:
        raise VerificationError(
            "upload.file_missing",
            f"there is no {name}",
            hint="Do not use this bundle; export it again, to another medium.",
        )
    found = decode(files[name], Manifest, name)
    check_time(name, "created_at", found.created_at)  # it is compared with the clock
    names: set[str] = set()
    for index, entry in enumerate(found.certificates):
        _check_entry(found.kind, entry, f"$.certificates[{index}]", names)
        names.add(entry.name)
    if "root" not in names:
        refuse_field(name, "$.certificates", "there is no root")
    _check_chain(found)
    _check_kind(found)
    return found


def _check_entry(kind: Kind, entry: CertificateEntry, path: str, names: set[str]) -> None:
    name = contents.MANIFEST
    if entry.name in names:
        refuse_field(name, f"{path}.name", "stands there twice")
    if not _is_named(kind, entry):
        refuse_field(name, f"{path}.name", "expected the role, or a local CA's own name")
    if entry.file != contents.file_of(entry.role, entry.name):
        refuse_field(name, f"{path}.file", f"expected {contents.file_of(entry.role, entry.name)}")
    if entry.issuer is not None and entry.role != "root":
        refuse_field(name, f"{path}.issuer", "is told of a root alone")


def _check_chain(found: Manifest) -> None:
    chain, name = found.root_chain, contents.MANIFEST
    if chain is None:
        return
    external = any(entry.issuer == "external" for entry in found.certificates)
    if not external or not facts_of(found.kind).makes_root:
        refuse_field(name, "$.root_chain", "belongs to a new root that a higher CA signed")
    if chain.file != contents.ROOT_CHAIN:
        refuse_field(name, "$.root_chain.file", f"expected {contents.ROOT_CHAIN}")


def _is_named(kind: Kind, entry: CertificateEntry) -> bool:
    """By its role; a local CA, and what answers a CSR of the plan, by a name of its own."""
    own = entry.role == "local-ca" or (kind is Kind.SIGN_CSR and entry.role != "root")
    return contents.is_local_name(entry.name) if own else entry.name == entry.role


_ROLES: Final = {
    "tls": "tls-crt",
    "est-tls": "est-tls-crt",
    "online-ca": "ca-crt",
    "local-ca": "ca-crt",
}


def _check_kind(found: Manifest) -> None:
    name, kind, facts = contents.MANIFEST, found.kind, facts_of(found.kind)
    for index, entry in enumerate(found.certificates):
        field = _ROLES.get(entry.role)
        if field is not None and field not in facts.fields and kind is not Kind.SIGN_CSR:
            path = f"$.certificates[{index}].role"
            refuse_field(name, path, f"does not belong to the kind {kind.value}")
    if (found.crl is None) is not (facts.reason is None):
        what = "has none" if facts.reason is None else "needs one"
        refuse_field(name, "$.crl", f"the kind {kind.value} {what}")
    if found.crl is None or facts.reason is None:
        return
    if found.crl.file != contents.CRL:
        refuse_field(name, "$.crl.file", f"expected {contents.CRL}")
    if {entry.reason for entry in found.crl.entries} != {facts.reason.value}:
        refuse_field(name, "$.crl.entries", f"expected the reason {facts.reason.value} alone")
