"""What a ceremony used and made: machines, tokens, keys, certificates, bundles."""

from collections.abc import Mapping

from ceremony.core.text import show
from ceremony.core.times import format_time
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.model import Block, Column, Facts, Heading, Paragraph, Print, Table
from ceremony.documents.possession import medium_row
from ceremony.errors import VerificationError
from ceremony.x509.certificate import Certificate

_STATES = {True: "yes", False: "no", None: "not reported"}
FILE_COLUMNS = (Column(title="File", share=32), Column(title="SHA-256", share=68, mono=True))


def hardware(entries: Entries) -> tuple[Block, ...]:
    """The program, and each key store as it described itself."""
    blocks: list[Block] = [Heading(text="Hardware and software")]
    opened = entries.lines[0]
    seen = tuple(
        (entry.line.at, entry.text("tool_version"), entry.text("tool_sha256"))
        for entry in (*entries.all("open"), *entries.all("reopen"))
    )
    blocks.append(Facts(rows=(("Python", Entry(line=opened, data=opened.data).text("python")),)))
    blocks.append(
        Table(
            caption="Program",
            columns=(
                Column(title="Since (UTC)", share=24),
                Column(title="Version", share=11),
                Column(title="SHA-256 over its installed files", share=65, mono=True),
            ),
            rows=seen,
        )
    )
    blocks += [_store(entry) for entry in _last_tokens(entries)]
    return tuple(blocks)


def _last_tokens(entries: Entries) -> tuple[Entry, ...]:
    return tuple({entry.line.key: entry for entry in entries.all("token")}.values())


def _store(entry: Entry) -> Facts:
    whose = f"Key store of {show(entry.line.key)}"
    if entry.text("kind") == "file":
        rows: tuple[tuple[str, str], ...] = (("Encrypted file", entry.text("name")),)
        return Facts(caption=whose, rows=rows)
    software = "yes: SOFTWARE TOKEN" if entry.flag("software") else "not known to be one"
    return Facts(
        caption=whose,
        rows=(
            ("Token serial number", entry.text("name") or _NOT_REPORTED),
            ("Label", entry.text("label") or _NOT_REPORTED),
            ("Manufacturer, model", f"{entry.text('manufacturer')} {entry.text('model')}".strip()),
            ("Firmware", entry.text("firmware") or _NOT_REPORTED),
            ("Software token", software),
            ("PIN state before login", entry.text("pin_state")),
            ("PKCS#11 module", entry.text("module")),
            ("SHA-256 of the module", entry.text("module_sha256")),
        ),
    )


_NOT_REPORTED = "not reported"


def keys(entries: Entries) -> tuple[Block, ...]:
    """Each key: where it is, and its attributes as read back."""
    blocks: list[Block] = [Heading(text="Keys")]
    names = entries.keys("intent", "key/")
    if not names:
        blocks.append(Paragraph(text="No key was made."))
    for name in names:
        intent = entries.find("intent", f"key/{name}")
        if intent is not None:
            blocks.append(_key(name, intent, entries))
    return tuple(blocks)


def _key(name: str, intent: Entry, entries: Entries) -> Facts:
    done = entries.find("done", f"key/{name}")
    store = intent.text("store")
    rows = [("Key store", _where(store, intent))]
    if store != "csr":
        count = len(intent.items("inventory"))
        rows += [
            ("Label, id", f"{intent.text('label')}, {intent.text('key_id') or '-'}"),
            ("Curve", intent.text("curve")),
            ("Keys in the store before", str(count)),
        ]
    if done is None:
        return Facts(caption=f"Key {show(name)}", rows=(*rows, ("State", "NOT FINISHED")))
    rows += [
        ("Made", f"{done.line.at}, line {done.line.n + 1} of the record"),
        ("SHA-256 of the public key", done.text("spki_sha256")),
    ]
    if entries.find("adopted", f"key/{name}") is not None:
        rows.append(("Interruption", "found after it, and exactly as intended"))
    rows += [(attribute, _STATES[state]) for attribute, state in done.flags("attributes")]
    return Facts(caption=f"Key {show(name)}", rows=tuple(rows))


def _where(store: str, intent: Entry) -> str:
    match store:
        case "token":
            return f"token, serial {intent.text('token_serial')}"
        case "csr":
            return f"made elsewhere; CSR {intent.text('source')}"
        case _:
            return "encrypted file"


def certificates(entries: Entries, found: Mapping[str, Certificate]) -> tuple[Block, ...]:
    """Each certificate, with its fingerprint as words and QR code.

    Raises:
        VerificationError: `report.certificate`: a certificate is not the one on record.
    """
    blocks: list[Block] = [Heading(text="Certificates")]
    names = entries.keys("intent", "certificate/")
    if not names:
        blocks.append(Paragraph(text="No certificate was issued."))
    for name in names:
        intent = entries.find("intent", f"certificate/{name}")
        if intent is not None:
            blocks += _certificate(name, intent, entries, found.get(name))
    return tuple(blocks)


def _certificate(
    name: str, intent: Entry, entries: Entries, certificate: Certificate | None
) -> tuple[Block, ...]:
    done = entries.find("done", f"certificate/{name}")
    serial = intent.text("serial")
    rows = [
        ("Role", intent.text("role")),
        ("Subject", intent.text("subject")),
        ("Serial (decimal)", serial),
        ("Serial (hex)", _hex(serial)),
    ]
    if done is None:
        rows += [*_intended_dates(intent), ("State", "NOT SIGNED")]
        return (Heading(text=show(name), level=2), Facts(rows=tuple(rows)))
    if certificate is None:
        rows += _intended_dates(intent)
        rows.append(("Certificate file", "not at hand when this report was made"))
    else:
        rows += _details(name, done, certificate)
    rows.append(("Signed", f"{done.line.at}, line {done.line.n + 1} of the record"))
    caption = f"{done.text('file')}: SHA-256 of the certificate (DER)"
    return (
        Heading(text=done.text("file") or show(name), level=2),
        Facts(rows=tuple(rows)),
        Print(caption=caption, fingerprint=done.fingerprint("sha256")),
    )


def _hex(serial: str) -> str:
    if not (serial.isascii() and serial.isdecimal()):
        return ""
    digits = f"{int(serial):x}"
    return digits if len(digits) % 2 == 0 else "0" + digits


def _intended_dates(intent: Entry) -> list[tuple[str, str]]:
    return [("notBefore", intent.text("not_before")), ("notAfter", intent.text("not_after"))]


def _details(name: str, done: Entry, certificate: Certificate) -> list[tuple[str, str]]:
    if certificate.fingerprint != done.fingerprint("sha256"):
        raise VerificationError(
            "report.certificate",
            f"the certificate {show(name)} at hand is not the one on record",
            hint="Take the certificates from the evidence, or from the upload bundle.",
        )
    rows = [
        ("Issuer", certificate.issuer),
        ("notBefore", format_time(certificate.not_before)),
        ("notAfter", format_time(certificate.not_after)),
        ("Key", f"{certificate.key}, SHA-256 {certificate.spki_sha256.hex}"),
    ]
    names = (show(dns) for dns in certificate.dns_names)
    return rows + [(f"DNS name {at}", dns) for at, dns in enumerate(names, 1)]


def request(entries: Entries) -> tuple[Block, ...]:
    """The request bundle, as it came in."""
    blocks: list[Block] = [Heading(text="What came in")]
    entry = entries.find("request")
    if entry is None:
        return (*blocks, Paragraph(text="No request bundle was accepted."))
    blocks.append(
        Facts(
            rows=(
                ("Accepted", entry.line.at),
                ("From", entry.text("source")),
                ("Form", _FORMS.get(entry.text("form"), entry.text("form"))),
                *(("Noted", item) for item in entry.texts("noted")),
            )
        )
    )
    fingerprint = entry.fingerprint("fingerprint")
    if fingerprint is not None:
        blocks.append(Print(caption="Request bundle", fingerprint=fingerprint))
    blocks.append(Table(columns=FILE_COLUMNS, rows=_files(entry)))
    return tuple(blocks)


_FORMS = {
    "bundle": "request bundle of the online program",
    "csr-files": "CSR files only: the rest comes from the plan",
    "api-json": "the API's raw JSON answer: the rest comes from the plan",
}


def _files(entry: Entry) -> tuple[tuple[str, ...], ...]:
    return tuple((item.text("name"), item.text("sha256")) for item in entry.items("files"))


def _begun_elsewhere(entries: Entries, done: Entry) -> tuple[tuple[str, str], ...]:
    """Bundles that were announced for another stick and given up: they may be there, whole."""
    begun = (entry for entry in entries.all("intent") if entry.line.key == done.line.key)
    return tuple(
        (
            "Begun before, given up",
            (
                f"{intent.text('path')}, {intent.text('fingerprint')[:16]}...: if it is there, "
                "destroy it"
            ),
        )
        for intent in begun
        if intent.text("fingerprint") != done.text("fingerprint")
    )


def outgoing(entries: Entries) -> tuple[Block, ...]:
    """The upload bundle, and keys handed over in files."""
    blocks: list[Block] = [Heading(text="What went out")]
    done = entries.find("done", "export/upload")
    if done is None:
        blocks.append(Paragraph(text="No upload bundle was written."))
    else:
        facts = (
            ("Written", done.line.at),
            ("To", done.text("path")),
            ("Read back", done.text("read_back")),
            *_begun_elsewhere(entries, done),
        )
        blocks.append(Facts(rows=facts))
        fingerprint = done.fingerprint("fingerprint")
        if fingerprint is not None:
            caption = "Upload bundle: SHA-256 of its SHA256SUMS"
            blocks.append(Print(caption=caption, fingerprint=fingerprint))
    for entry in entries.all("custody"):
        blocks.append(
            Facts(
                caption=f"Custody of the key {show(entry.line.key)}",
                rows=(
                    ("Received by", entry.typed("receiver")),
                    ("Stick", entry.typed("medium")),
                    *medium_row(entry),
                    ("Written", f"{entry.line.at}, {entry.text('path')}"),
                ),
            )
        )
        blocks.append(Table(columns=FILE_COLUMNS, rows=_files(entry)))
    return tuple(blocks)
