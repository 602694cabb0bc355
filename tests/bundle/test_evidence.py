import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ceremony.bundle.checking import Outcome, failed
from ceremony.bundle.evidence import check_ceremony, check_evidence, check_record
from ceremony.bundle.inspection import Subject, fingerprint_of, inspect, role_seen
from ceremony.bundle.qr import qr_png, qr_svg
from ceremony.bundle.sums import format_sums
from ceremony.bundle.writing import write_directory
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import CeremonyError, MediaError
from ceremony.record.chain import FIRST, format_line
from ceremony.x509.certificate import tbs_of

Step = tuple[str, str, dict[str, Any]]


def write_record(steps: list[Step]) -> bytes:
    raw, prev = b"", FIRST
    for n, (type_, key, data) in enumerate(steps):
        data = {k: prev if v == "PREV" else v for k, v in data.items()}
        line = format_line(
            n=n, prev=prev, at="2026-01-02T03:04:05Z", step="Open", type_=type_, key=key, data=data
        )
        raw, prev = raw + line.raw, line.fingerprint.hex
    return raw


def _typed(what: str, value: str) -> list[Step]:
    return [("type-back", f"{what}/{value}/1/{seat}", {"verdict": "match"}) for seat in "AB"]


OPEN = {
    "schema": "ceremony-record/1",
    "ceremony_id": "create-20260102-0000",
    "factory": "acme",
    "kind": "create",
    "rehearsal": False,
}


def steps_of(world) -> list[Step]:
    upload = Fingerprint.of(world.upload["SHA256SUMS"]).hex
    tls = world.certificate("tls").fingerprint.hex
    tbs = Fingerprint.of(tbs_of(world.certificate("tls").der)).hex
    plan = world.plan_file.fingerprint.hex
    request = Fingerprint.of(world.request["SHA256SUMS"]).hex
    both = {"by": ["Ada", "Ben"]}
    return [
        ("open", "open", {**OPEN, "plan_sha256": plan}),
        ("officer", "A", {"name": "Ada"}),
        ("officer", "B", {"name": "Ben"}),
        *_typed("plan", plan),
        *_typed("request", request),
        ("request", "request", {"fingerprint": request}),
        ("fence", "sign", dict(both)),
        ("intent", "certificate/tls", {"tbs_sha256": tbs}),
        ("done", "certificate/tls", {"sha256": tls, "file": "tls.pem"}),
        ("fence", "export", dict(both)),
        ("intent", "export/upload", {"record_head": "PREV", "fingerprint": upload}),
        ("done", "export/upload", {"fingerprint": upload}),
        ("close", "close", {"record_head_before": "PREV", "upload_fingerprint": upload}),
    ]


def evidence_of(world, steps: list[Step] | None = None) -> dict[str, bytes]:
    upload = Fingerprint.of(world.upload["SHA256SUMS"]).hex
    files = {
        "record.jsonl": write_record(steps or steps_of(world)),
        "plan.toml": world.plan_file.raw,
        "tls.pem": world.upload["tls.pem"],
        "upload-fingerprint.txt": f"SHA-256 of its SHA256SUMS: {upload}\n".encode(),
        "report.html": b"<html>",
    }
    return files | {"SHA256SUMS": format_sums(files)}


def head_of(files: Mapping[str, bytes]) -> Fingerprint:
    return Fingerprint.of(files["record.jsonl"].splitlines(keepends=True)[-1])


def codes(checks) -> set[str]:
    return {check.code for check in failed(checks)}


def outcome(checks, code: str) -> Outcome:
    return next(check.outcome for check in checks if check.code == code)


def test_evidence_that_holds_together_passes(world) -> None:
    files = evidence_of(world)
    checks = check_evidence(files, head_of(files))
    left = {c.code for c in checks if c.outcome is not Outcome.OK}
    assert left == {"evidence.chain", "evidence.documents"}


def test_threat_29_without_the_head_completeness_is_not_checked(world) -> None:
    files = evidence_of(world)
    checks = check_evidence(files)
    assert codes(checks) == set()
    head = next(check for check in checks if check.code == "record.head")
    assert head.outcome is Outcome.NOT_CHECKED
    assert head.sentence.startswith("complete: not checked")


def test_threat_29_a_record_cut_short_is_found_against_the_head(world) -> None:
    files = evidence_of(world)
    short = b"".join(files["record.jsonl"].splitlines(keepends=True)[:-1])
    assert codes(check_record(short)) == set()
    assert codes(check_record(short, head_of(files))) == {"record.head"}


def test_threat_29_an_edited_record_is_found(world) -> None:
    raw = evidence_of(world)["record.jsonl"]
    lines = raw.splitlines(keepends=True)
    for other in (
        raw.replace(b"tls.pem", b"est.pem"),
        b"".join([*lines[:2], *lines[3:]]),
        b"".join([lines[1], lines[0], *lines[2:]]),
        raw[:-1],
        b"",
    ):
        assert len(codes(check_record(other))) == 1


def at(steps: list[Step], named: str) -> int:
    """Where the line `type key` stands; a type-back's key is told by its end."""
    return next(n for n, step in enumerate(steps) if re.fullmatch(named, f"{step[0]} {step[1]}"))


def without(named: str) -> Callable[[list[Step]], None]:
    return lambda steps: steps.__delitem__(at(steps, named))


def other_data(named: str, **data: object) -> Callable[[list[Step]], None]:
    return lambda steps: steps[at(steps, named)][2].update(data)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (without("intent certificate/tls"), "record.no_intent"),
        (without("done certificate/tls"), "record.open_intent"),
        (without("close close"), "record.not_closed"),
        (other_data("intent export/upload", record_head="00" * 32), "record.export"),
        (other_data("done export/upload", fingerprint="00" * 32), "record.export"),
        (other_data("close close", record_head_before="00" * 32), "record.close"),
        (other_data("close close", upload_fingerprint="00" * 32), "record.close"),
        (other_data("open open", plan_sha256="00" * 32), "evidence.plan"),
        (other_data("done certificate/tls", sha256="00" * 32), "evidence.certificate"),
        (other_data("done certificate/tls", file="est.pem"), "evidence.certificate"),
        (other_data("intent certificate/tls", tbs_sha256="00" * 32), "evidence.intent"),
        (without("fence sign"), "record.fence"),
        (without("fence export"), "record.fence"),
        (without("officer B"), "record.fence"),
        (other_data("officer B", name="ADA"), "record.fence"),
        (other_data("fence sign", by=["Ada"]), "record.fence"),
        (other_data("fence sign", by=["Ada", "Ada"]), "record.fence"),
        (other_data("fence export", by=["Ada", "Eve"]), "record.fence"),
        (without("type-back plan/.*/B"), "record.type_back"),
        (without("type-back request/.*/A"), "record.type_back"),
        (other_data("type-back request/.*/B", verdict="mismatch"), "record.type_back"),
        (other_data("request request", fingerprint="00" * 32), "record.type_back"),
    ],
)
def test_a_record_rewritten_whole_is_found_where_it_contradicts_itself(
    world, edit: Callable[[list[Step]], None], code: str
) -> None:
    steps = steps_of(world)
    edit(steps)
    assert code in codes(check_evidence(evidence_of(world, steps)))


def test_altered_evidence_around_a_good_record_is_found(world) -> None:
    files = evidence_of(world)
    for name in ("plan.toml", "tls.pem", "upload-fingerprint.txt"):
        altered = {**files, name: world.upload["factory_ca.pem"]}
        assert "sums.digest" in codes(check_evidence(altered))
        again = {**altered, "SHA256SUMS": format_sums(altered)}
        assert len(codes(check_evidence(again))) == 1
    keyed = {**files, "report.html": b"-----BEGIN PRIVATE KEY-----"}
    assert "media.private_key" in codes(check_evidence(keyed))


def test_an_unfinished_ceremony_fails_nothing_and_says_what_is_open(world) -> None:
    steps = steps_of(world)
    steps = steps[: at(steps, "done certificate/tls")]
    checks = check_ceremony({"record.jsonl": write_record(steps)}, {})
    assert codes(checks) == set()
    assert outcome(checks, "record.close") is Outcome.NOT_CHECKED
    assert "certificate/tls" in next(c.sentence for c in checks if c.code == "record.intents")


def test_a_ceremony_folder_is_compared_with_its_record(world, tmp_path: Path, make) -> None:
    folder = tmp_path / "20260102-acme"
    folder.mkdir()
    (folder / "record.jsonl").write_bytes(write_record(steps_of(world)))
    (folder / "keys").mkdir()
    write_directory(folder, "request", world.request)
    pems = {"tls.pem": world.upload["tls.pem"], "partial": b""}
    write_directory(folder, "certificates", pems)
    found = inspect(folder, expect=None, at=make.begin)
    assert (found.subject, codes(found.checks)) == (Subject.CEREMONY, set())
    assert found.fingerprint == head_of({"record.jsonl": (folder / "record.jsonl").read_bytes()})
    (folder / "certificates" / "tls.pem").write_bytes(world.upload["est-tls.pem"])
    assert codes(inspect(folder, expect=None, at=make.begin).checks) == {"evidence.certificate"}


@pytest.mark.parametrize("kind", list(Subject))
def test_every_kind_of_path_is_recognised(world, tmp_path: Path, make, kind: Subject) -> None:
    files: dict[Subject, Mapping[str, bytes]] = {
        Subject.REQUEST: world.request,
        Subject.ROOT_CSR: make.root_csr(world),
        Subject.UPLOAD: world.upload,
        Subject.EVIDENCE: evidence_of(world),
        Subject.CEREMONY: {"record.jsonl": evidence_of(world)["record.jsonl"]},
        Subject.STATE: {"record.jsonl": evidence_of(world)["record.jsonl"]},
        Subject.RECORD: {"record.jsonl": evidence_of(world)["record.jsonl"]},
        Subject.CERTIFICATE: {"x.pem": world.upload["tls.pem"]},
    }
    path = write_directory(tmp_path, "x", files[kind])
    if kind in {Subject.RECORD, Subject.CERTIFICATE}:
        (path,) = path.iterdir()
    path = tmp_path if kind is Subject.STATE else path
    found = inspect(path, expect=None, at=make.begin)
    assert (found.subject, codes(found.checks)) == (kind, set())
    again = inspect(path, expect=found.fingerprint, at=make.begin)
    assert again.checks[-1].outcome is not Outcome.FAILED
    assert Outcome.FAILED in {
        c.outcome for c in inspect(path, expect=Fingerprint.of(b"?"), at=make.begin).checks
    }


@pytest.mark.parametrize("damage", ["manifest.json", "SHA256SUMS", "payload.json"])
def test_a_damaged_bundle_is_still_an_upload_bundle(
    world, tmp_path: Path, make, damage: str
) -> None:
    files = {k: v for k, v in world.upload.items() if k != damage}
    found = inspect(write_directory(tmp_path, "x", files), expect=None, at=make.begin)
    assert found.subject is Subject.UPLOAD
    assert failed(found.checks)


def test_csr_files_and_the_answer_are_requests(world, tmp_path: Path, make) -> None:
    csr = world.request["tls.csr"]
    path = write_directory(tmp_path, "x", {"tls.csr": csr})
    for one in (path, path / "tls.csr"):
        found = inspect(one, expect=None, at=make.begin)
        assert (found.subject, codes(found.checks)) == (Subject.REQUEST, set())


def test_what_cannot_be_checked_is_refused(tmp_path: Path, make) -> None:
    (tmp_path / "notes.txt").write_bytes(b"hello")
    with pytest.raises(MediaError) as caught:
        inspect(tmp_path / "notes.txt", expect=None, at=make.begin)
    assert caught.value.code == "media.unknown"
    with pytest.raises(CeremonyError):
        inspect(tmp_path / "nowhere", expect=None, at=make.begin)


def test_a_single_certificate_is_weighed_in_the_role_it_seems_made_for(world, make) -> None:
    roles = {name: role_seen(world.certificate(name)).value for name in ("root", "tls", "line-1")}
    assert roles == {"root": "root", "tls": "tls", "line-1": "local-ca"}
    assert role_seen(world.certificate("online-ca")).value == "online-ca"


def test_a_certificate_out_of_its_dates_fails(world, tmp_path: Path, make) -> None:
    path = tmp_path / "tls.pem"
    path.write_bytes(world.upload["tls.pem"])
    late = make.begin.replace(year=2050)
    assert codes(inspect(path, expect=None, at=late).checks) == {"certificate.dates"}


def test_fingerprints_are_those_that_people_compare(world, tmp_path: Path) -> None:
    up = write_directory(tmp_path, "up", world.upload)
    assert fingerprint_of(up)[1] == Fingerprint.of(world.upload["SHA256SUMS"])
    assert fingerprint_of(up / "tls.pem")[1] == world.certificate("tls").fingerprint
    assert fingerprint_of(up / "README.txt")[1] == Fingerprint.of(world.upload["README.txt"])
    (tmp_path / "tls.der").write_bytes(world.certificate("tls").der)
    assert fingerprint_of(tmp_path / "tls.der")[1] == world.certificate("tls").fingerprint
    bare = write_directory(tmp_path, "bare", {"tls.csr": world.request["tls.csr"]})
    wanted = Fingerprint.of(format_sums({"tls.csr": world.request["tls.csr"]}))
    assert fingerprint_of(bare)[1] == wanted
    answer = write_directory(tmp_path, "answer", {"a.json": b"{}"})
    assert fingerprint_of(answer)[1] == Fingerprint.of(b"{}")


def test_certificates_of_another_root_are_found_in_evidence_that_is_else_complete(world) -> None:
    steps = steps_of(world)
    own = Fingerprint.of(tbs_of(world.certificate("root").der)).hex
    root = world.certificate("root").fingerprint.hex
    done = at(steps, "done certificate/tls") + 1
    steps[done:done] = [
        ("fence", "root", {"by": ["Ada", "Ben"]}),
        ("intent", "key/root", {}),
        ("done", "key/root", {"spki_sha256": world.certificate("root").spki_sha256.hex}),
        ("intent", "certificate/root", {"tbs_sha256": own}),
        ("done", "certificate/root", {"sha256": root, "file": "factory_ca.pem"}),
    ]

    def check(changed: list[Step]) -> set[str]:
        files = evidence_of(world, changed) | {"factory_ca.pem": world.upload["factory_ca.pem"]}
        return codes(check_evidence(files | {"SHA256SUMS": format_sums(files_of(files))}))

    assert check(steps) == set()
    other_data("done key/root", spki_sha256="00" * 32)(steps)
    assert check(steps) == {"evidence.root_key"}


def test_29_a_certificate_for_another_key_than_was_made_is_found_in_evidence(world) -> None:
    steps = steps_of(world)
    names = {"root": "factory_ca.pem", "line-1": "local_ca-line-1.pem"}
    made: list[Step] = [("fence", "root", {"by": ["Ada", "Ben"]})]
    for name, file in names.items():
        one = world.certificate(name)
        made += [
            ("intent", f"key/{name}", {}),
            ("done", f"key/{name}", {"spki_sha256": one.spki_sha256.hex}),
            ("intent", f"certificate/{name}", {"tbs_sha256": Fingerprint.of(tbs_of(one.der)).hex}),
            ("done", f"certificate/{name}", {"sha256": one.fingerprint.hex, "file": file}),
        ]
    done = at(steps, "done certificate/tls") + 1
    steps[done:done] = made

    def check() -> set[str]:
        files = evidence_of(world, steps)
        files |= {file: world.upload[file] for file in names.values()}
        return codes(check_evidence(files | {"SHA256SUMS": format_sums(files_of(files))}))

    assert check() == set()
    other_data("done key/line-1", spki_sha256="00" * 32)(steps)
    assert check() == {"evidence.local_key"}


def files_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name != "SHA256SUMS"}


def test_threat_9_a_file_name_in_a_ceremonys_folder_cannot_steer_the_terminal(
    world, tmp_path: Path, make
) -> None:
    folder = tmp_path / "20260102-acme"
    (folder / "certificates").mkdir(parents=True)
    (folder / "record.jsonl").write_bytes(write_record(steps_of(world)))
    for name in ("x\x1b]0;y\x07.pem", "\u202e.pem"):
        (folder / "certificates" / name).write_bytes(world.upload["tls.pem"])
    told = [check.sentence for check in inspect(folder, expect=None, at=make.begin).checks]
    assert all(text.isascii() and text.isprintable() for text in told)
    odd = tmp_path / "c\x1b[31m.json"
    odd.write_bytes(b'{"x":1}')
    told = [check.sentence for check in inspect(odd, expect=None, at=make.begin).checks]
    assert all(text.isascii() and text.isprintable() for text in told)


@pytest.mark.parametrize(("name", "draw"), [("svg", qr_svg), ("png", qr_png)])
def test_a_qr_code_of_another_upload_bundle_is_found_in_the_evidence(
    world, name: str, draw: Callable[[str], bytes]
) -> None:
    upload = Fingerprint.of(world.upload["SHA256SUMS"]).hex.upper()
    for text, found in ((upload, set()), ("0" * 64, {"evidence.upload"})):
        files = files_of(evidence_of(world)) | {f"upload-fingerprint.{name}": draw(text)}
        assert codes(check_evidence(files | {"SHA256SUMS": format_sums(files)})) == found
