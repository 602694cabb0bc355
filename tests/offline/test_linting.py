"""pkilint itself, in its real child process; and children that misbehave."""

import sys
import time
from collections.abc import Iterator

import pytest

from ceremony.core.findings import Finding, Severity
from ceremony.offline.linting import PkilintLinter

METHOD_1 = ("note", "pkilint.pkix.subject_key_identifier_method_1_identified")
NO_SKI = ("note", "pkilint.pkix.certificate_skid_end_entity_missing")


@pytest.fixture(scope="module")
def linter() -> Iterator[PkilintLinter]:
    linter = PkilintLinter()
    yield linter
    linter.close()


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.code) for finding in findings]


@pytest.mark.parametrize(
    ("name", "issuer", "expected"),
    [
        ("root", None, [METHOD_1]),
        ("local", "root", [METHOD_1]),
        ("tls", "root", [NO_SKI]),
        ("device", "local", [NO_SKI]),
        (
            "twin",
            None,
            [("note", "pkilint.pkix.authority_key_identifier_extension_absent"), METHOD_1],
        ),
        (
            "recipe",
            None,
            [
                ("error", "pkilint.pkix.certificate_skid_ca_missing"),
                ("error", "pkilint.pkix.basic_constraints_extension_not_critical"),
                ("warning", "pkilint.pkix.key_usage_extension_not_critical"),
            ],
        ),
        (
            "tls",
            "local",
            [
                ("error", "pkilint.pkix.issuer_and_subject_key_identifier_not_equal"),
                NO_SKI,
                ("note", "pkilint.pkix.issuer_and_subject_dn_not_binary_equal"),
            ],
        ),
    ],
)
def test_every_finding_of_pkilint_is_told(
    linter: PkilintLinter,
    name: str,
    issuer: str | None,
    expected: list[tuple[str, str]],
    certificates: dict[str, bytes],
) -> None:
    assert (
        told(linter.lint(certificates[name], certificates[issuer] if issuer else None)) == expected
    )


def test_a_twin_of_a_leaf_lints_like_the_real_one(
    linter: PkilintLinter, certificates: dict[str, bytes]
) -> None:
    assert told(linter.lint(certificates["forged"], certificates["root"])) == [NO_SKI]


def test_a_finding_that_is_only_noted_says_so_and_why(
    linter: PkilintLinter, certificates: dict[str, bytes]
) -> None:
    (finding,) = linter.lint(certificates["tls"], None)
    assert "warning of pkilint, noted only: RFC 5280 4.2.1.2" in finding.message


def test_a_recipe_root_that_the_plan_asks_for_does_not_stop(certificates: dict[str, bytes]) -> None:
    linter = PkilintLinter(recipe=True)
    assert {f.severity for f in linter.lint(certificates["recipe"], None)} == {Severity.NOTE}
    linter.close()


@pytest.mark.parametrize("junk", [b"", b"\x30\x03abc", b"\x30\x00", b"-----BEGIN", b"\x30" * 999])
def test_bytes_that_are_no_certificate_are_an_error_and_the_child_lives_on(
    linter: PkilintLinter, junk: bytes, certificates: dict[str, bytes]
) -> None:
    assert linter.lint(junk, None)[0].severity is Severity.ERROR
    assert told(linter.lint(certificates["root"], None)) == [METHOD_1]


def child(code: str, timeout_s: float = 5) -> PkilintLinter:
    return PkilintLinter(timeout_s=timeout_s, command=(sys.executable, "-I", "-c", code))


ANSWER = "import sys; sys.stdin.buffer.read(4); o = sys.stdout.buffer; o.write({}); o.flush()"


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit",
        ANSWER.format(r"b'\xff\xff\xff\xff'"),
        ANSWER.format(r"b'\0\0\0\x02{}'"),
        ANSWER.format(r"b'\0\0\0\x09half'"),
        ANSWER.format("""b'\\0\\0\\0\\x21{"self_issued":1,"findings":[]}    '"""),
    ],
)
def test_a_child_that_dies_or_talks_nonsense_is_told_as_not_checked(
    code: str, certificates: dict[str, bytes]
) -> None:
    linter = child(code)
    (finding,) = linter.lint(certificates["root"], None)
    assert (finding.severity, finding.code) == (Severity.WARNING, "pkilint.not_checked")
    linter.close()


def test_a_child_that_hangs_is_given_up(certificates: dict[str, bytes]) -> None:
    linter = child("import time; time.sleep(60)", timeout_s=0.3)
    start = time.monotonic()
    assert told(linter.lint(certificates["root"], None)) == [("warning", "pkilint.not_checked")]
    assert time.monotonic() - start < 30
    linter.close()


def test_a_child_that_was_killed_is_replaced(
    linter: PkilintLinter, certificates: dict[str, bytes]
) -> None:
    process = linter._child
    assert process is not None
    process.kill()
    process.wait()
    assert told(linter.lint(certificates["root"], None)) == [METHOD_1]


def test_closing_ends_the_child() -> None:
    linter = PkilintLinter()
    process = linter._child
    linter.close()
    linter.close()
    assert process is not None
    assert process.poll() is not None
