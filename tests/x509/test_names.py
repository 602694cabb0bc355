from hypothesis import given
from hypothesis import strategies as st

from ceremony.x509 import der, names


def _name(*attributes: tuple[str, str]) -> tuple[names.Rdn, ...]:
    return names.read_name(der.parse(names.encode_name(*attributes)))


def test_a_name_reads_last_part_first_as_rfc_4514_has_it() -> None:
    read = _name((names.CN, "Factory-CA"), (names.OU, "acme-fleet"))
    assert names.rfc4514(read) == "OU=acme-fleet,CN=Factory-CA"


def test_what_is_special_is_escaped() -> None:
    read = _name((names.CN, ' #a,b+c"d\\e<f>g;h= '), (names.OU, "#x"))
    assert names.rfc4514(read) == 'OU=\\#x,CN=\\ #a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h=\\ '


def test_what_is_not_ascii_stands_as_octets() -> None:
    read = _name((names.CN, "\x1b\u202e\u00e4"))
    assert names.rfc4514(read) == "CN=\\1B\\E2\\80\\AE\\C3\\A4"


def test_unknown_types_stand_as_hex() -> None:
    assert names.rfc4514(_name(("1.2.3", "x"))) == "1.2.3=#0c0178"


def test_a_very_long_name_is_cut_and_says_so() -> None:
    text = names.rfc4514(_name((names.CN, "x" * 60_000)))
    assert len(text) < 512
    assert text.endswith("... (60003 characters)")


def test_the_root_name_has_the_bytes_of_the_recipe() -> None:
    wanted = bytes.fromhex(
        "302a 3113 3011 0603550403 0c0a 466163746f72792d4341"
        "3113 3011 060355040b 0c0a 61636d652d666c656574"
    )
    assert names.encode_name((names.CN, "Factory-CA"), (names.OU, "acme-fleet")) == wanted


@given(st.text(max_size=30))
def test_any_text_is_shown_in_printable_ascii_and_told_apart(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    shown = names.rfc4514(_name((names.CN, text)))
    assert all(0x20 <= ord(char) < 0x7F for char in shown)
    assert shown != names.rfc4514(_name((names.CN, text + "x")))
