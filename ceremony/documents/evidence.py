"""The documents in the evidence: a function of record, plan and certificates alone.

Written when a ceremony is closed, and made again when somebody verifies what lies in a safe.
"""

import json
from collections.abc import Mapping, Sequence

from ceremony.bundle.qr import qr_png, qr_svg
from ceremony.bundle.upload import upload_name
from ceremony.config import PlanFile, parse
from ceremony.core.fingerprints import Fingerprint
from ceremony.documents.entries import Entries
from ceremony.documents.html import render_html
from ceremony.documents.pdf import render_pdf
from ceremony.documents.report import report
from ceremony.documents.script import script
from ceremony.documents.text import render_text
from ceremony.record.chain import Line
from ceremony.x509.certificate import Certificate, read_certificate


def evidence_documents(
    lines: Sequence[Line], plan_file: PlanFile, files: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Report, script, key inventory, and the upload bundle's words, by file name.

    Args:
        lines: of a closed record whose chain was verified.
        plan_file: the plan that the record names.
        files: certificates among them, by the names that the record gives them.

    Raises:
        VerificationError: `record.line`, `report.certificate`: they do not belong together.
    """
    told = report(lines, plan=plan_file.plan, certificates=certificates_on_record(lines, files))
    paper = script(plan_file, tool_version=_version(lines))
    return {
        "report.html": render_html(told),
        "report.pdf": render_pdf(told),
        "report.txt": render_text(told),
        "script.html": render_html(paper),
        "script.pdf": render_pdf(paper),
        "script.txt": render_text(paper),
        "key-inventory.json": _inventory(lines),
        **_upload_words(lines),
    }


def remake(files: Mapping[str, bytes], lines: Sequence[Line]) -> dict[str, bytes]:
    """The documents that these files of an evidence folder make; it holds its plan.

    Raises:
        PlanError: the plan cannot be read.
        VerificationError: `record.line`, `report.certificate`: they do not belong together.
    """
    return evidence_documents(lines, parse(files["plan.toml"]), files)


def certificates_on_record(
    lines: Sequence[Line], files: Mapping[str, bytes]
) -> dict[str, Certificate]:
    """Certificates among `files` that the record says were made, by their names there."""
    prefix = "certificate/"
    told = {
        line.key.removeprefix(prefix): str(line.data.get("file"))
        for line in lines
        if line.type == "done" and line.key.startswith(prefix)
    }
    return {
        name: read_certificate(files[file], file) for name, file in told.items() if file in files
    }


def _version(lines: Sequence[Line]) -> str:
    """Of the program that closed the ceremony."""
    opened = [line for line in lines if line.type in {"open", "reopen"}]
    return str(opened[-1].data.get("tool_version", "")) if opened else ""


def _inventory(lines: Sequence[Line]) -> bytes:
    entries = Entries(lines)
    keys = []
    for done in entries.all("done"):
        intent = entries.find("intent", done.line.key)
        if intent is None or not done.line.key.startswith("key/"):
            continue
        keys.append(
            {
                "name": done.line.key.removeprefix("key/"),
                "store": intent.text("store"),
                "token_serial": intent.text("token_serial"),
                "label": intent.text("label"),
                "key_id": intent.text("key_id"),
                "spki_sha256": done.text("spki_sha256"),
                "attributes": dict(done.flags("attributes")),
            }
        )
    document = {
        "schema": "ceremony-key-inventory/1",
        "ceremony_id": str(lines[0].data.get("ceremony_id", "")),
        "keys": keys,
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _upload_words(lines: Sequence[Line]) -> dict[str, bytes]:
    close = Entries(lines).find("close")
    upload = None if close is None else close.fingerprint("upload_fingerprint")
    if upload is None:
        return {}
    opened = lines[0].data
    name = upload_name(str(opened.get("factory", "")), str(opened.get("ceremony_id", "")))
    return {
        "upload-fingerprint.txt": _words(name, upload),
        "upload-fingerprint.svg": qr_svg(upload.hex.upper()),
        "upload-fingerprint.png": qr_png(upload.hex.upper()),
    }


def _words(name: str, upload: Fingerprint) -> bytes:
    lines = [name, f"SHA-256 of its SHA256SUMS: {upload.hex}", ""]
    lines += [f"{letter}  {group}  {' '.join(words)}" for letter, group, words in upload.lines]
    return ("\n".join(lines) + "\n").encode()
