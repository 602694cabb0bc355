"""What happened, in order: the lines of a record as sentences."""

from collections.abc import Callable, Mapping

from ceremony.core.text import show
from ceremony.documents.entries import Entries, Entry
from ceremony.documents.model import Block, Column, Heading, Paragraph, Table, Tone
from ceremony.documents.parts import numbered
from ceremony.record.chain import Line


def course(entries: Entries) -> tuple[Block, ...]:
    """The part of the report that tells the ceremony line by line."""
    rows = [
        (str(line.n + 1), line.at, numbered(show(line.step)), sentence(line))
        for line in entries.lines
    ]
    return (
        Heading(text="Course of the ceremony"),
        Paragraph(
            tone=Tone.SMALL,
            text="Each line of the record, in its order. Nothing is left out; the record itself "
            "has the details.",
        ),
        Table(
            columns=(
                Column(title="Line", share=7),
                Column(title="Time (UTC)", share=26),
                Column(title="Step", share=24),
                Column(title="What", share=70),
            ),
            rows=tuple(rows),
        ),
    )


def sentence(line: Line) -> str:
    """What a line of the record tells."""
    return _SENTENCES.get(line.type, _other)(Entry(line=line, data=line.data))


def _other(entry: Entry) -> str:
    return show(f"{entry.line.type} {entry.line.key}".strip())


def _type_back(entry: Entry) -> str:
    count = len(entry.places("positions").split())
    return (
        f"{entry.typed('officer')} typed back {count} words of the {entry.text('what')}: "
        f"{entry.text('verdict')}"
    )


def _officer(entry: Entry) -> str:
    seat = show(entry.line.key)
    who = "Witness" if seat == "witness" else f"Officer {seat}"
    return f"{who}: {entry.typed('name')}, {entry.typed('role')}"


def _preflight(entry: Entry) -> str:
    counts: dict[str, int] = {}
    for row in entry.items("rows"):
        status = row.text("status")
        counts[status] = counts.get(status, 0) + 1
    return "Checks of the laptop: " + ", ".join(f"{n} {status}" for status, n in counts.items())


def _verify(entry: Entry) -> str:
    bad = sum(row.text("status") != "PASS" for row in entry.items("rows"))
    return f"Everything issued was verified: {len(entry.items('rows'))} checks, {bad} not PASS"


def _token(entry: Entry) -> str:
    whose = show(entry.line.key)
    if entry.text("kind") == "file":
        return f"Key file opened for {whose}"
    return f"Token serial {entry.text('name')} opened for {whose}; PIN: {entry.text('pin_state')}"


def _intent(entry: Entry) -> str:
    what = show(entry.line.key)
    if what.startswith(("destroy/", "remains/")):
        by = f", by {entry.names()}" if entry.names() else ""
        return f"About to destroy: {what.split('/')[1]}{by}"
    return f"About to make: {what}"


def _done(entry: Entry) -> str:
    what = show(entry.line.key)
    if what.startswith("key/"):
        return f"Key made: {what.removeprefix('key/')}, {entry.text('spki_sha256')[:16]}..."
    if what.startswith("token/"):
        return f"Blank token initialised: serial {entry.text('serial')}"
    if what.startswith("custody/"):
        return f"Key {what.removeprefix('custody/')} written and read back: {entry.text('path')}"
    if what.startswith("remains/"):
        return f"Destroyed, what was left of the key {what.split('/')[1]}"
    if what.startswith("destroy/"):
        return f"Key destroyed: {what.removeprefix('destroy/')}"
    if what.startswith("csr/"):
        return f"CSR signed, checked, written: {entry.text('file')}"
    if what == "certificate/root" and "chain" in entry.data:
        return f"Certificate of the higher CA taken in, checked, written: {entry.text('file')}"
    if what.startswith("crl/"):
        return f"CRL signed, checked, written: {entry.text('file')}"
    if what.startswith("certificate/"):
        return f"Certificate signed, checked, written: {entry.text('file')}"
    return f"Written and read back: {entry.text('path') or what}"


def _exception(entry: Entry) -> str:
    return f"EXCEPTION {show(entry.line.key)}: {entry.typed('what')}"


def _pause(entry: Entry) -> str:
    stays = entry.typed("stays")
    return f"Paused: {entry.typed('why')}" + (f"; in the room: {stays}" if stays else "")


def _people(entry: Entry) -> str:
    named = [
        f"{title} {entry.typed(name)}"
        for name, title in (("administrator", "administrator"), ("custodian", "custodian"))
        if entry.typed(name)
    ]
    return "Also in the room: " + (", ".join(named) or "nobody with a role of their own")


def _stick(entry: Entry) -> str:
    name = show(entry.line.key)
    if entry.text("kind") != "stick":
        return f"{name} is the folder {entry.text('path')}"
    serial = entry.text("serial") or "not told"
    return (
        f"Stick {name}: {entry.text('model')}, serial {serial}, {entry.text('fstype')}, "
        f"{entry.text('mounted')}"
    )


def _findings(entry: Entry) -> str:
    where = entry.text("where") or show(entry.line.key)
    why = entry.typed("why")
    told = f"{len(entry.items('findings'))} finding(s) acknowledged for {where} by {entry.names()}"
    return told + (f": {why}" if why else "")


_SENTENCES: Mapping[str, Callable[[Entry], str]] = {
    "open": lambda e: f"Ceremony {e.text('ceremony_id')} opened",
    "place": lambda e: f"Place: {e.typed('place')}. Purpose: {e.typed('purpose')}",
    "officer": _officer,
    "draw": lambda e: f"Places drawn for type-back ({e.text('policy')})",
    "type-back": _type_back,
    "proof": lambda e: f"Copy on paper proven by {e.names()}",
    "preflight": _preflight,
    "note": lambda e: f"Note on {e.text('code')}: {e.typed('text')}",
    "clock": lambda e: f"Time {e.text('confirmed_at')} confirmed by {e.names()}",
    "request": lambda e: f"Request bundle accepted from {e.text('source')}",
    "findings": _findings,
    "backup": lambda e: f"Backup of the root key: {e.text('method')}, {e.names()}",
    "backup-check": lambda e: (
        f"Backup of the root key proven: {e.typed('where')} signed a challenge, before {e.names()}"
    ),
    "stick": _stick,
    "people": _people,
    "bags": lambda e: f"Bags {show(e.line.key)}: {len(e.items('items'))} things",
    "pulled": lambda e: (
        f"Stick {e.text('role')} " + ("stays in" if e.flag("left_in") else "pulled")
    ),
    "drill": lambda e: (
        f"Root certificate taken in: {e.text('subject')}, {e.text('sha256')[:16]}..."
    ),
    "fence": lambda e: f"FENCE {show(e.line.key)} passed by {e.names()}",
    "token": _token,
    "new-pin": lambda e: f"New PIN set on token {e.text('serial')}",
    "intent": _intent,
    "done": _done,
    "adopted": lambda e: f"Found as intended after an interruption: {show(e.line.key)}",
    "agreed": lambda e: f"Another try of the PIN agreed by {e.names()}",
    "review": lambda e: (
        f"Review of {e.text('what')}: {'accepted' if e.flag('accepted') else 'refused'}"
    ),
    "verify": _verify,
    "csr": lambda e: (
        f"CSR {show(e.line.key)} taken in from {e.text('source')}, to be signed as "
        f"{e.text('profile')}; {e.names()}"
    ),
    "wait": lambda e: f"Left as planned: the higher CA has the root CSR; {e.names()}",
    "root": lambda e: f"The Factory's root key was found: label {e.text('label')}",
    "key-file": lambda e: f"Key file of the root taken from {e.text('source')}",
    "chosen": lambda e: f"Device CAs chosen by {e.names()}: {e.names('serials')}",
    "typed": lambda e: f"{e.typed('officer')} typed back: {e.text('what')}",
    "effect": lambda e: f"What follows was told to {e.names()}: {e.names('sentences')}",
    "custody": lambda e: f"Key {show(e.line.key)} handed to {e.typed('receiver')}",
    "exception": _exception,
    "refused": lambda e: f"Refused: {e.text('message')} [{show(e.line.key)}]",
    "stop": lambda e: f"Stopped: {e.text('message')} [{show(e.line.key)}]",
    "pause": _pause,
    "resume": lambda e: f"Resumed by {e.names()}",
    "quit": lambda _: "Left; to be resumed",
    "destroyed": lambda e: f"Keys destroyed: {show(e.line.key)}",
    "paper": lambda e: (
        f"Head of the record {show(e.line.key)[:16]}... written on paper by {e.names()}"
    ),
    "head": lambda e: (
        f"Head of the record {show(e.line.key)[:16]}...: {e.text('outcome')}, {e.names()}"
    ),
    "back": lambda e: (
        f"Gone on: {e.names() or 'before the first fence'}"
        + (f"; head of the record: {e.text('head')}" if e.text("head") else "")
    ),
    "reopen": lambda _: "Resumed after the program had ended",
    "torn": lambda e: f"A line cut off while it was written: {e.number('bytes')} bytes, set aside",
    "close": lambda _: "Closed",
}
