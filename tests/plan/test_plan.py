"""The plan's door: what is absurd is refused with its key path, and nothing crashes it."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.config import parse
from ceremony.errors import PlanError

EXAMPLE = (Path(__file__).parents[2] / "ceremony.toml").read_text(encoding="utf-8")


def _refusal(raw: str | bytes) -> PlanError:
    with pytest.raises(PlanError) as caught:
        parse(raw.encode() if isinstance(raw, str) else raw)
    return caught.value


def _with(old: str, new: str) -> str:
    assert EXAMPLE.count(old) == 1
    return EXAMPLE.replace(old, new)


def test_the_example_is_a_plan() -> None:
    assert parse(EXAMPLE.encode()).plan.factory == "acme-fleet"


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("days      = 7300", "days = 36500", "root.days"),
        ("days      = 7300", "days = 3000", "local_ca[0].days"),
        ("tls_days           = 3650", "tls_days = 36500", "limits.tls_days"),
        ("tls_days           = 3650", "tls_days = 0", "limits.tls_days"),
        ("online_ca_days     = 3650", "online_ca_days = 9000", "limits.online_ca_days"),
        ("request_age_days   = 30", "request_age_days = 4000", "limits.request_age_days"),
        ("token_timeout_s    = 60", "token_timeout_s = -1", "limits.token_timeout_s"),
        ("token_timeout_s    = 60", "token_timeout_s = 1e9", "limits.token_timeout_s"),
        ("officers      = 2", "officers = 1", "rules.officers"),
        ('name      = "line-2"\n', 'name = "line-2"\ndays = 7301\n', "local_ca[1].days"),
        ('name      = "line-2"\n', 'name = "line-2"\npathlen = 3\n', "local_ca[1]"),
        ('name      = "line-2"', 'name = "line-1"', "local_ca"),
        ('name      = "line-2"', 'name = "root"', "local_ca"),
        ('name      = "line-2"', 'name = "../x"', "local_ca[1].name"),
        ('curve     = "P-256"', 'curve = "P-192"', "root.curve"),
        ('"tls", "online-ca", "est-tls"', '"online-ca"', "requests"),
        ('"tls", "online-ca", "est-tls"', '"tls", "tls"', "requests"),
        ('"https://api.foundries.io"', '"http://api.foundries.io"', "online.api"),
        ('"https://api.foundries.io"', '"https://u:p@api.foundries.io"', "online.api"),
        ('"https://api.foundries.io"', '"https://[::1"', "online.api"),
        ('"https://api.foundries.io"', '"https://api.foundries.io:99999"', "online.api"),
        ('"5e8a2f04c1d7"', '"a/b"', "user_id"),
        ('"acme-fleet"', '"rehearsal-acme"', "factory"),
        ('"acme-fleet"', '"acm\u0435"', "factory"),
        ('["foundries.io"]', '["."]', "rules.host_suffixes[0]"),
        ('method = "vendor"', 'method = "file"', "root.backup.method"),
        ('serial = "DENK0104068"', 'serial = "DENK\\u202e104068"', "root.token.serial"),
        ("[rules]\n", "[rules]\nrandom = 1\n", "random"),
    ],
)
def test_19_an_absurd_value_is_refused_with_its_key_path(old: str, new: str, key: str) -> None:
    error = _refusal(_with(old, new))
    assert error.code in {"plan.value", "plan.absurd"}
    assert f"plan key {key}: " in error.message or f"`{key}`" in error.message
    assert "regex" not in error.message


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"a = [" * 20_000,
        b"a = " + b"[" * 100_000,
        b"a = " + b"{b=" * 50_000,
        b"[" + b"a." * 60_000 + b"a]",
        b"a = " + b"9" * 100_000,
        b"a = 1e999999999",
        b"kind = []",
        b"kind = {}\nrules = 1",
        b'kind = "create"\nrules = 1',
        b"a = 9999-99-99",
        b"\xef\xbb\xbf" + EXAMPLE.encode(),
        EXAMPLE.encode() + b"\0",
        EXAMPLE.encode() + b"#" * 300_000,
    ],
    ids=range(15),
)
def test_whatever_is_no_plan_is_refused_and_never_crashes(raw: bytes) -> None:
    assert _refusal(raw).code.startswith("plan.")


@settings(max_examples=300, deadline=None)
@given(
    at=st.integers(0, len(EXAMPLE) - 1),
    text=st.text(max_size=4),
    cut=st.integers(0, 12),
)
def test_any_change_of_the_example_is_a_plan_or_refused(at: int, text: str, cut: int) -> None:
    changed = EXAMPLE[:at] + text + EXAMPLE[at + cut :]
    with suppress(PlanError):
        parse(changed.encode("utf-8", "surrogatepass"))
