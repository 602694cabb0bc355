import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from ceremony import flow
from ceremony.documents import model
from ceremony.documents.course import _SENTENCES
from ceremony.documents.html import render_html
from ceremony.documents.parts import numbered
from ceremony.documents.pdf import render_pdf
from ceremony.documents.report import report
from ceremony.documents.text import render_text
from ceremony.errors import VerificationError
from ceremony.flow.prompts import Step
from ceremony.plan import Backup
from ceremony.record.chain import FIRST, SCHEMA, Line, format_line
from tests.documents.conftest import Held
from tests.documents.paper import codes, pages, words_outside

OPEN = {
    "schema": SCHEMA,
    "ceremony_id": "create-20260102-5a5a",
    "factory": "acme",
    "kind": "create",
    "rehearsal": False,
    "plan_sha256": "ab" * 32,
    "tool_version": "0.1.0",
    "tool_sha256": "cd" * 32,
    "python": "3.11",
    "previous_head": None,
}


def _lines(*told: tuple[str, str, Mapping[str, Any]]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for kind, key, data in (("open", "open", OPEN), *told):
        lines.append(
            format_line(
                n=len(lines),
                prev=lines[-1].fingerprint.hex if lines else FIRST,
                at=f"2026-01-02T03:04:{len(lines):02d}Z",
                step="Open",
                type_=kind,
                key=key,
                data=data,
            )
        )
    return tuple(lines)


def _flat(document: model.Document) -> str:
    return " ".join(render_text(document).decode().split())


def _report(lines: Sequence[Line]) -> model.Document:
    return report(lines, plan=None, certificates={})


def _of(held: Held, lines: Sequence[Line] | None = None) -> model.Document:
    return report(lines or held.lines, plan=held.plan, certificates=held.certificates)


def test_every_code_of_the_report_reads_from_the_printed_page(held: Held, tmp_path: Path) -> None:
    document = _of(held)
    wanted = [
        block.fingerprint.hex.upper()
        for block in document.blocks
        if isinstance(block, model.Print) and block.fingerprint is not None
    ]
    assert len(wanted) == 4 + len(held.certificates)
    assert sorted(codes(render_pdf(document), tmp_path)) == sorted(wanted)


def test_the_report_has_the_elements_of_a_key_generation_report(held: Held) -> None:
    told = _flat(_of(held))
    for line in held.lines:
        match line.type:
            case "officer":
                assert line.data["name"] in told
            case "place":
                assert line.data["approval"] in told
    for certificate in held.certificates.values():
        assert str(certificate.serial) in told
        assert certificate.serial_hex in told
        assert certificate.subject in told
        for _, digits, spoken in certificate.fingerprint.lines:
            assert f"{digits} {' '.join(spoken)}" in told
        for name in certificate.dns_names:
            assert name in told
    assert held.lines[0].data["tool_sha256"].encode() in render_html(_of(held))
    assert "Root key backup: none." in told
    assert "The online machine was honest when it fetched." in told
    assert "What was not checked" in told
    assert "UNFINISHED" not in told


def test_the_head_on_page_1_is_that_of_the_last_line(held: Held, tmp_path: Path) -> None:
    first = pages(render_pdf(_of(held)), tmp_path)[0]
    assert all(group in first for group in held.lines[-1].fingerprint.groups)


def test_nothing_of_a_report_lies_beyond_its_pages(held: Held, tmp_path: Path) -> None:
    assert words_outside(render_pdf(_of(held)), tmp_path) == []


def test_every_line_the_flow_writes_has_its_sentence(held: Held) -> None:
    assert {line.type for line in held.lines} <= set(_SENTENCES)


def test_a_report_can_be_made_of_a_record_cut_off_anywhere(held: Held) -> None:
    for end in range(1, len(held.lines)):
        told = render_text(_of(held, held.lines[:end])).decode()
        assert "*** UNFINISHED ***" in told
        assert "This ceremony is not finished." in told


def test_no_line_that_the_flow_can_write_is_without_its_sentence() -> None:
    sources = (Path(flow.__file__).parent).glob("*.py")
    calls = [node for path in sources for node in ast.walk(ast.parse(path.read_text()))]
    written = {
        call.args[1].value
        for call in calls
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "append"
        and len(call.args) > 2
        and isinstance(call.args[1], ast.Constant)
    }
    assert len(written) > 30
    assert written - set(_SENTENCES) == set()


def test_steps_of_the_course_bear_the_numbers_of_the_script() -> None:
    assert [numbered(step.value) for step in Step] == [f"{s.number}  {s.value}" for s in Step]
    assert "1 Open" in _flat(_report(_lines()))


def test_a_key_that_was_destroyed_is_told_with_its_store_and_who_saw_it() -> None:
    key = {"store": "token", "token_serial": "T1", "label": "local-ca-x", "spki_sha256": "ab" * 32}
    lines = _lines(
        ("fence", "destroy", {"by": ["Ada", "Ben"]}),
        ("intent", "destroy/x", key),
        ("done", "destroy/x", {"spki_sha256": "ab" * 32, "left": ["cd" * 32]}),
        ("destroyed", "create-20250102-1111", {"head": "ef" * 32}),
    )
    told = _flat(_report(lines))
    section = told[told.index("Keys destroyed") : told.index("No key was made")]
    for wanted in ("T1", "local-ca-x", "ab" * 32, "cd" * 32, "Ada, Ben", "create-20250102-1111"):
        assert wanted in section or wanted in section.replace(" ", "")
    assert "line 4 of the record" in section
    assert "by Ada" not in told[told.index("About to destroy") :][:30]
    assert "NOT FINISHED" in _flat(_report(lines[:3]))


def test_a_drill_tells_its_root_in_full(tmp_path: Path) -> None:
    root = {"subject": "CN=Factory-CA", "sha256": "12" * 32, "spki_sha256": "34" * 32}
    document = _report(_lines(("drill", "root", {**root, "not_after": "x", "source": "y"})))
    assert "34" * 32 in _flat(document).replace(" ", "")
    assert ("12" * 32).upper() in codes(render_pdf(document), tmp_path)


def test_the_plan_alone_does_not_show_that_there_is_a_backup(held: Held) -> None:
    plan = structs.replace(
        held.plan, root=structs.replace(held.plan.root, backup=Backup(method="file"))
    )
    told = _flat(report(_lines(), plan=plan, certificates={}))
    assert "file, says the plan; not looked at in this ceremony" in told
    made = _lines(("backup", "file", {"method": "file", "by": ["Ada", "Ben"]}))
    assert "file: not proven in this ceremony" in _flat(_report(made))
    proof = {"where": "x", "by": ["Ada", "Ben"], "spki_sha256": "34" * 32}
    proven = _lines(
        ("backup", "file", {"method": "file"}),
        ("backup-check", "root", proof),
        ("backup-check", "root_2", proof),
    )
    assert "file: proven in this ceremony, each medium signed a challenge (2)" in _flat(
        _report(proven)
    )


def test_each_sitting_tells_when_its_time_was_confirmed() -> None:
    first, second = "2026-01-02T03:04:05Z", "2026-02-03T04:05:06Z"
    told = _flat(
        _report(
            _lines(
                ("clock", "clock", {"confirmed_at": first, "by": ["Ada", "Ben"]}),
                ("reopen", "reopen", {}),
                ("clock", "clock", {"confirmed_at": second, "by": ["Ada", "Ben"]}),
            )
        )
    )
    told = told[: told.index("Fences")]
    assert f"{first}, by Ada, Ben" in told
    assert f"{second}, by Ada, Ben" in told


def test_what_was_done_to_a_token_before_it_held_a_key_is_told_beside_it() -> None:
    by = {"by": ["Ada", "Ben"]}
    lines = _lines(
        ("intent", "token/root", {"token_serial": "", "label": "x", **by}),
        ("done", "token/root", {"serial": "T1", "label": "x"}),
        ("new-pin", "root", {"serial": "T1", **by}),
        ("token", "root", {"kind": "token", "name": "T1"}),
        ("token", "line-1", {"kind": "token", "name": "T2"}),
    )
    told = _flat(_report(lines))
    told = told[told.index("Key store of root") : told.index("Preflight")]
    assert told.count("Initialised here, when it was blank: 2026-01-02T03:04:02Z, as Ada, Ben") == 1
    assert told.count("New PIN set here: 2026-01-02T03:04:03Z, before Ada, Ben") == 1


def test_each_receiver_of_keys_signs_for_them_once() -> None:
    given = [("custody", f"line-{n}", {"receiver": who}) for n, who in enumerate("XYX")]
    blocks = _report(_lines(*given)).blocks
    signed = [row for b in blocks if isinstance(b, model.Signatures) for row in b.rows]
    assert [name for part, name in signed if part == "Receiver"] == ["X", "Y"]
    blocks = _report(_lines()).blocks
    signed = [row for b in blocks if isinstance(b, model.Signatures) for row in b.rows]
    assert "Receiver" not in dict(signed)


@pytest.mark.parametrize(
    "line",
    [
        ("officer", "witness", {"name": "Cleo", "role": "witness"}),
        ("people", "others", {"administrator": "Dora", "custodian": ""}),
    ],
)
def test_people_who_type_nothing_are_not_said_to_be_proven(
    line: tuple[str, str, dict[str, Any]],
) -> None:
    wanted = "signatures on paper alone show that they were there"
    assert wanted in _flat(_report(_lines(line)))
    nobody = ("people", "others", {"administrator": "", "custodian": ""})
    assert wanted not in _flat(_report(_lines(nobody)))


def test_a_csr_that_people_brought_is_among_what_came_in(held: Held) -> None:
    asked = {"source": "/usb/x.csr", "profile": "tls", "sha256": "56" * 32, "by": ["Ada", "Ben"]}
    request = next(line for line in held.lines if line.type == "request")
    told = _flat(_report(_lines(("request", "request", request.data), ("csr", "x", asked))))
    came = told[told.index("What came in") : told.index("Keys")]
    assert "56" * 32 in came.replace(" ", "")
    assert "/usb/x.csr" in came


def test_an_unfinished_report_names_what_is_missing(held: Held) -> None:
    before_sign = next(line for line in held.lines if line.type == "fence" and line.key == "sign")
    told = _flat(_of(held, held.lines[: before_sign.n]))
    missing = told.split("not finished. Missing:")[1].split(".")[0]
    assert missing.split("; ")[0].strip().endswith("fence sign")
    assert "fence root" not in missing


def test_an_unfinished_key_is_said_to_be_unfinished(held: Held) -> None:
    intent = next(line for line in held.lines if line.key == "key/root" and line.type == "intent")
    told = _flat(_of(held, held.lines[: intent.n + 1]))
    assert "NOT FINISHED" in told


def test_exceptions_are_told_in_full_with_their_numbers() -> None:
    lines = _lines(
        ("exception", "E-1", {"what": "fire drill", "why": "alarm", "decision": "continue",
                              "by": ["Ada", "Ben"]}),
        ("exception", "E-2", {"what": "pen empty", "why": "old", "decision": "continue",
                              "by": ["Ada"]}),
    )  # fmt: skip
    told = _flat(_report(lines))
    assert "2 on record" in told
    assert "E-1, 2026-01-02T03:04:01Z" in told
    assert "Ada, Ben" in told
    assert "pen empty" in told


def test_9_what_people_typed_is_harmless_in_every_format(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>\x1b[2J\u202eEve|\u0430"
    lines = _lines(
        ("officer", "A", {"name": name, "role": name}),
        ("place", "place", {"place": name, "purpose": name, "approval": name}),
        ("exception", name, {"what": name, "why": name, "decision": name, "by": [name]}),
        (name, name, {name: name}),
        ("token", "root", {"kind": "token", "name": name, "label": name, "pin_state": name}),
        ("intent", f"key/{name}", {"store": name, "label": name, "inventory": []}),
        ("intent", f"certificate/{name}", {"subject": name, "serial": name}),
    )
    document = _report(lines)
    page = render_html(document)
    assert b"<script" not in page
    assert b"\x1b" not in page
    assert page.isascii()
    assert render_text(document).isascii()
    told = "".join(pages(render_pdf(document), tmp_path))
    assert "\\x1b[2J\\u202eEve" in told.replace("\n", "")


@pytest.mark.parametrize(
    ("kind", "key", "data"),
    [
        ("officer", "A", {"name": 5}),
        ("type-back", "plan/x/1/A", {"positions": [32]}),
        ("type-back", "plan/x/1/A", {"positions": [True]}),
        ("type-back", "plan/x/1/A", {"positions": "A1"}),
        ("fence", "root", {"by": [{}]}),
        ("preflight", "0", {"rows": ["PASS"]}),
        ("request", "request", {"fingerprint": "zz"}),
        ("token", "root", {"software": "no"}),
    ],
)
def test_a_line_with_a_wrong_type_is_refused(kind: str, key: str, data: dict[str, Any]) -> None:
    with pytest.raises(VerificationError) as refused:
        _report(_lines((kind, key, data)))
    assert refused.value.code == "record.line"
    assert "line 2" in refused.value.message


def test_a_certificate_that_is_not_the_one_on_record_is_refused(held: Held) -> None:
    swapped = {**held.certificates, "tls": held.certificates["est-tls"]}
    with pytest.raises(VerificationError) as refused:
        report(held.lines, plan=held.plan, certificates=swapped)
    assert refused.value.code == "report.certificate"


def test_certificates_and_plan_that_are_not_at_hand_are_said_to_be(held: Held) -> None:
    told = _flat(report(held.lines, plan=None, certificates={}))
    assert told.count("not at hand when this report was made") == len(held.certificates) + 1


def test_a_software_token_and_a_vendors_backup_are_among_what_was_not_checked() -> None:
    lines = _lines(
        ("backup", "vendor", {"method": "vendor", "by": ["Ada", "Ben"]}),
        ("token", "root", {"kind": "token", "name": "0123", "software": True}),
        ("request", "request", {"form": "csr-files"}),
    )
    told = _flat(_report(lines)).split("What was not checked")[1]
    assert "its key was not tried" in told
    assert "Software token" in told
    assert "came without a request bundle" in told


def test_the_same_record_gives_the_same_bytes(held: Held) -> None:
    for render in (render_html, render_text, render_pdf):
        assert render(_of(held)) == render(_of(held))
