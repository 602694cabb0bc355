import pytest
from asn1crypto.core import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from ceremony.x509 import der


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no data"),
        (b"\x30", "inside a header"),
        (b"\x30\x80\x00\x00", "indefinite"),
        (b"\x30\x81\x01\x00", "longer than it needs"),
        (b"\x30\x82\x00\x80" + b"\x05\x00" * 64, "longer than it needs"),
        (b"\x30\x85\x01\x00\x00\x00\x00", "beyond the data"),
        (b"\x30\x02\x05", "beyond the data"),
        (b"\x30\x00\x00", "1 bytes after the end"),
        (b"\x1f\x81\x00\x00", "tag number above 30"),
        (b"\x24\x03\x04\x01\x61", "constructed string"),
        (b"\x10\x00", "primitive element"),
        (b"\x01\x01\x01", "BOOLEAN"),
        (b"\x02\x00", "INTEGER without"),
        (b"\x02\x02\x00\x7f", "INTEGER longer"),
        (b"\x02\x02\xff\x80", "INTEGER longer"),
        (b"\x03\x02\x01\x01", "padding bits"),
        (b"\x03\x01\x01", "broken BIT STRING"),
        (b"\x05\x01\x00", "NULL"),
        (b"\x06\x02\x80\x01", "longer than it needs"),
        (b"\x06\x01\x80", "broken OBJECT"),
        (b"\x31\x06\x02\x01\x02\x02\x01\x01", "DER order"),
    ],
)
def test_whatever_is_not_der_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(der.DerError, match=why):
        der.parse(data)


def test_a_nest_of_sequences_is_refused_without_a_deep_stack() -> None:
    data = b""
    for _ in range(5000):
        data = der.encode(der.SEQUENCE, data)
    with pytest.raises(der.DerError, match="deeply"):
        der.parse(data)


@given(st.binary(max_size=80))
def test_any_bytes_are_parsed_or_refused_and_never_crash(data: bytes) -> None:
    try:
        element = der.parse(data)
    except der.DerError:
        return
    assert element.raw == data
    assert der.encode(element.tag, element.content) == data


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**70), max_size=4))
def test_object_identifiers_agree_with_asn1crypto(first: int, second: int, rest: list[int]) -> None:
    text = ".".join(str(arc) for arc in (first, second, *rest))
    encoded = der.encode_oid(text)
    assert encoded == ObjectIdentifier(text).dump()
    assert der.oid(der.parse(encoded), "it") == text
