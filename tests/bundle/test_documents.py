import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceremony.bundle.documents import decode, encode, read_tree
from ceremony.bundle.schema import RequestDocument
from ceremony.errors import VerificationError

H = "ab" * 32
TREE: dict[str, Any] = {
    "schema": "ceremony-request/1",
    "factory": "acme",
    "user_id": "u1",
    "api": "https://api.example.com",
    "kind": "create",
    "fetched_at": "2026-01-01T00:00:00Z",
    "plan_sha256": H,
    "posted": {"first-time-init": True, "tls-csr": True, "ca-csr": False, "est-tls-csr": False},
    "requests": [{"slot": "tls", "file": "tls.csr", "spki_sha256": H}],
    "current": None,
    "rehearsal": False,
}
TEXT = json.dumps(TREE)


def code_of(raw: bytes) -> tuple[str, str]:
    with pytest.raises(VerificationError) as caught:
        decode(raw, RequestDocument, "request.json")
    assert caught.value.message.startswith("request.json: ")
    assert caught.value.message.isascii()
    return caught.value.code, caught.value.message


def test_a_document_survives_writing_and_reading() -> None:
    document = decode(TEXT.encode(), RequestDocument, "request.json")
    raw = encode(document)
    assert decode(raw, RequestDocument, "request.json") == document
    assert raw.startswith(b'{\n  "schema": "ceremony-request/1",\n  "factory"')
    assert raw.endswith(b"\n}\n")
    assert json.loads(raw) == TREE


def test_threat_7_a_duplicate_key_is_refused_with_its_path() -> None:
    double = '"slot": "tls", "slot": "est-tls"'
    code, message = code_of(TEXT.replace('"slot": "tls"', double).encode())
    assert (code, "$.requests[0].slot" in message) == ("json.duplicate_key", True)


def test_threat_7_a_duplicate_key_hidden_by_an_escape_is_refused() -> None:
    double = '"slot": "tls", "sl\\u006ft": "est-tls"'
    assert code_of(TEXT.replace('"slot": "tls"', double).encode())[0] == "json.duplicate_key"


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        ("NaN", "json.number", "$.rehearsal"),
        ("-Infinity", "json.number", "$.rehearsal"),
        ("1e999", "json.number", "$.rehearsal"),
        ("1" * 5000, "json.number", "$.rehearsal"),
        ("0", "json.value", "$.rehearsal"),
        ('"false"', "json.value", "$.rehearsal"),
        ("null", "json.value", "$.rehearsal"),
        ("[" * 40 + "]" * 40, "json.nesting", "$.rehearsal[0][0]"),
        ('"\\ud800"', "json.encoding", "$.rehearsal"),
    ],
)
def test_threat_7_a_wrong_value_is_refused_with_its_path(value: str, code: str, path: str) -> None:
    raw = TEXT.replace('"rehearsal": false', f'"rehearsal": {value}').encode()
    found, message = code_of(raw)
    assert found == code
    assert path in message


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xef\xbb\xbf" + TEXT.encode(), "json.encoding"),
        (TEXT.encode("utf-16"), "json.encoding"),
        (TEXT.replace("acme", "\xff").encode("latin-1"), "json.encoding"),
        (TEXT.encode() + b"{}", "json.syntax"),
        (TEXT.encode() + b"\x00", "json.syntax"),
        (b"", "json.syntax"),
        (b"null", "json.value"),
        (b"[" * 100_000, "json.nesting"),
        (b" " * (1024 * 1024 + 1), "json.too_large"),
        (TEXT.replace("{", "{// x\n", 1).encode(), "json.syntax"),
        (TEXT.replace("request/1", "request/2").encode(), "json.schema_newer"),
        (TEXT.replace("request/1", "request/0").encode(), "json.schema"),
        (TEXT.replace("ceremony-request/1", "ceremony-upload/1").encode(), "json.schema"),
        (json.dumps(dict(reversed(TREE.items()))).encode(), "json.schema"),
        (json.dumps({k: v for k, v in TREE.items() if k != "schema"}).encode(), "json.schema"),
    ],
)
def test_threat_7_what_is_not_exactly_the_document_is_refused(raw: bytes, code: str) -> None:
    assert code_of(raw)[0] == code


@pytest.mark.parametrize("key", sorted(set(TREE) - {"schema"}))
def test_every_field_is_needed(key: str) -> None:
    raw = json.dumps({k: v for k, v in TREE.items() if k != key}).encode()
    code, message = code_of(raw)
    assert code == "json.value"
    assert key in message


@pytest.mark.parametrize("path", ["", "posted", "requests"])
def test_threat_7_an_unknown_field_is_refused_at_any_depth(path: str) -> None:
    tree = json.loads(TEXT)
    target = tree if not path else tree[path]
    target = target[0] if isinstance(target, list) else target
    target["surprise"] = 1
    code, message = code_of(json.dumps(tree).encode())
    assert code == "json.unknown_field"
    assert "surprise" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fetched_at", "2026-01-01T00:00:00Z\n"),
        ("fetched_at", "\u0662026-01-01T00:00:00Z"),
        ("fetched_at", "2026-13-01T00:00:00Z"),
        ("plan_sha256", H + "\n"),
        ("plan_sha256", H.upper()),
    ],
)
def test_a_pattern_means_the_whole_text_and_ascii(key: str, value: str) -> None:
    assert code_of(json.dumps({**TREE, key: value}).encode())[0] == "json.value"


@pytest.mark.parametrize("name", ["../tls.csr", "/etc/passwd", "a\\b", "c:x", ".tls", "tls.csr\0"])
def test_threat_1_a_path_in_a_file_field_is_refused(name: str) -> None:
    tree = json.loads(TEXT)
    tree["requests"][0]["file"] = name
    code, message = code_of(json.dumps(tree).encode())
    assert (code, "$.requests[0].file" in message) == ("json.value", True)


def test_hostile_text_is_read_or_refused_quickly() -> None:
    begin = time.process_time()
    for raw in (b'"' + b'\\"' * 500_000, b"[" * 1_000_000, b'{"a":' * 150_000, b"9" * 1_000_000):
        with pytest.raises(VerificationError):
            decode(raw, RequestDocument, "x")
    assert time.process_time() - begin < 10


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_ordinary_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    assert read_tree(json.dumps(value).encode(), "x") == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_our_own_words(raw: bytes) -> None:
    with suppress(VerificationError):
        read_tree(raw, "x")
