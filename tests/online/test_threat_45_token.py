"""Threat 45: the token belongs to one Factory, is read from safe places, and is never shown."""

import io
import logging
import os
import traceback
from pathlib import Path
from typing import Any

import pytest

from ceremony.config import Online
from ceremony.core.secret import Secret
from ceremony.errors import CeremonyError, ExitStatus
from ceremony.online.fioctl import read_fioctl
from ceremony.online.login import Login, read_login

TOKEN = "sk-T0pSecretToken"


def code_of(call: Any) -> str:
    with pytest.raises(CeremonyError) as caught:
        call()
    assert TOKEN not in str(caught.value) + caught.value.hint
    return caught.value.code


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


# --- where it comes from -------------------------------------------------------------


def test_45_a_token_file_of_ours_is_read(tmp_path: Path) -> None:
    login = read_login(private(tmp_path / "token", f"{TOKEN}\n"))
    assert login.headers() == {"OSF-TOKEN": TOKEN}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_45_a_token_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "token", TOKEN, mode)
    assert code_of(lambda: read_login(path)) == "login.permissions"


def test_45_a_link_to_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    private(tmp_path / "open", TOKEN, 0o644)
    (tmp_path / "token").symlink_to(tmp_path / "open")
    assert code_of(lambda: read_login(tmp_path / "token")) == "login.permissions"


def test_45_a_fifo_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    assert code_of(lambda: read_login(tmp_path / "token")) == "login.unreadable"


@pytest.mark.parametrize(
    "text", ["", "\n", f"{TOKEN} x", f"{TOKEN}\nX-Evil: 1", f"{TOKEN}\r\n\r\n", "tök", "x" * 9000]
)
def test_45_what_is_no_token_is_refused_before_it_is_a_header(tmp_path: Path, text: str) -> None:
    path = private(tmp_path / "token", text)
    assert code_of(lambda: read_login(path)) == "login.malformed"


def test_45_standard_input_gives_a_token() -> None:
    login = read_login("-", stdin=io.BytesIO(f"{TOKEN}\n".encode()))
    assert login.headers() == {"OSF-TOKEN": TOKEN}


FIOCTL = """\
clientcredentials:
  access_token: sk-T0pSecretToken
  client_id: "abc"
  client_secret: 'x y'
  created: "2099-01-01T00:00:00Z"
  expires_in: 3600
  scopes:
    - devices:read
  teams:
  - one
  url: https://app.foundries.io/oauth
factory: acme-fleet
server:
  url: https://api.foundries.io
verbose: false
"""


def test_45_fioctls_access_token_becomes_a_bearer_token(tmp_path: Path) -> None:
    path = private(tmp_path / "fioctl.yaml", FIOCTL)
    login = read_login(None, environment={"FIOCTL_CONFIG": str(path)})
    # base64 of the access token, as fioctl sends it
    assert login.headers() == {"Authorization": "Bearer c2stVDBwU2VjcmV0VG9rZW4="}


def test_45_fioctls_api_token_comes_first_and_is_found_under_home(tmp_path: Path) -> None:
    folder = tmp_path / ".config"
    folder.mkdir()
    private(folder / "fioctl.yaml", f"token: {TOKEN}\n{FIOCTL}")
    login = read_login(None, environment={"HOME": str(tmp_path)})
    assert login.headers() == {"OSF-TOKEN": TOKEN}


def test_45_fioctls_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "fioctl.yaml", FIOCTL, 0o644)
    read = lambda: read_login(None, environment={"FIOCTL_CONFIG": str(path)})  # noqa: E731
    assert code_of(read) == "login.permissions"


def test_45_no_token_anywhere_says_what_to_give(tmp_path: Path) -> None:
    assert code_of(lambda: read_login(None, environment={"HOME": str(tmp_path)})) == "login.none"
    endless = {"FIOCTL_CONFIG": "x" * 5000}
    assert code_of(lambda: read_login(None, environment=endless)) == "login.none"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "fioctl.no_login"),
        ("token:\nfactory: x\n", "fioctl.no_login"),
        ("other:\n  token: abc\n", "fioctl.no_login"),
        ("token: |\n  abc\n", "fioctl.syntax"),
        ("token: !!str abc\n", "fioctl.syntax"),
        ("token: &a abc\n", "fioctl.syntax"),
        ("token: *a\n", "fioctl.syntax"),
        ("token: {a: b}\n", "fioctl.syntax"),
        ('token: "a\\x41"\n', "fioctl.syntax"),
        ("token: abc # comment\n", "fioctl.syntax"),
        ("token: abc\ntoken: def\n", "fioctl.syntax"),
        ("clientcredentials: {access_token: abc}\n", "fioctl.syntax"),
        ("clientcredentials:\n  access_token: abc\n def: x\n", "fioctl.syntax"),
        ("clientcredentials:\n  a:\n    access_token: abc\n", "fioctl.no_login"),
        ("clientcredentials:\n  access_token: abc\n    def\n", "fioctl.syntax"),
        ("clientcredentials:\n  access_token:\n    abc\n", "fioctl.no_login"),
        ("token: abc\n  def\n", "fioctl.syntax"),
    ],
)
def test_45_yaml_beyond_the_plain_form_is_refused_and_never_guessed(text: str, code: str) -> None:
    assert code_of(lambda: read_fioctl(text.encode(), "fioctl.yaml")) == code


def test_45_quoted_values_are_read_as_they_are() -> None:
    assert read_fioctl(b"token: 'a b'\n", "x").token == "a b"
    assert read_fioctl(b'token: "abc"\n', "x").token == "abc"


# --- where it goes --------------------------------------------------------------------


def test_45_a_login_for_another_server_is_not_sent(machine: Any) -> None:
    login = Login(kind="token", secret=Secret(TOKEN), server="https://api.foundries.io")
    machine.factory.faults.add("reset", times=-1)
    assert code_of(lambda: machine.fetch(login=login)) == "login.other_server"
    for odd in ("https://api.foundries.io:abc", "https://[::1"):
        login = Login(kind="token", secret=Secret(TOKEN), server=odd)
        assert code_of(lambda: machine.fetch(login=login)) == "login.other_server"  # noqa: B023


def test_45_a_port_that_goes_without_saying_is_the_same_server() -> None:
    login = Login(kind="token", secret=Secret(TOKEN), server="https://api.foundries.io:443/")
    login.reach(Online(api="https://api.foundries.io"))


def test_45_a_token_of_another_factory_stops_before_anything(machine: Any, make_plan: Any) -> None:
    other = make_plan(machine.factory.url, factory="rehearsal-other")
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(plan_file=other)
    assert caught.value.code == "api.not_found"
    assert caught.value.status is ExitStatus.NETWORK


def test_45_a_wrong_token_is_refused_in_words_that_do_not_hold_it(machine: Any) -> None:
    login = Login(kind="token", secret=Secret(TOKEN))
    assert code_of(lambda: machine.fetch(login=login)) == "api.unauthorized"


def test_45_a_server_that_repeats_the_token_does_not_get_it_shown(
    machine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echoed = f'{{"msg": "bad token {machine.factory.token}"}}'
    machine.factory.faults.add("body", method="GET", status=400, body=echoed)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + machine.words
    assert machine.factory.token not in shown
    assert caught.value.message.endswith("400: bad token ***")


@pytest.mark.parametrize(
    "echoed", ["a\\u002Bb\\/c=0123456789", "\\u0061+b/c=0123456789", "a%2bb%2Fc%3d0123456789"]
)
def test_45_nor_in_a_form_that_json_or_a_url_gives_it(machine: Any, echoed: str) -> None:
    login = Login(kind="token", secret=Secret("a+b/c=0123456789"))
    body = f'{{"msg": "bad token {echoed}"}}'
    machine.factory.faults.add("body", method="GET", status=400, body=body)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(login=login)
    assert caught.value.message.endswith("400: bad token ***")


def test_45_the_token_is_in_no_log_file_or_repr(
    machine: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bundle = machine.answer()
    machine.upload(bundle)
    token = machine.factory.token
    assert token not in caplog.text
    assert token not in machine.words
    assert token not in repr(machine.login)
    kept = [path for path in machine.folder.rglob("*") if path.is_file()]
    outside = [path for path in kept if machine.factory.folder not in path.parents]
    assert outside
    assert not [path for path in outside if token.encode() in path.read_bytes()]


# --- rehearsals hurt nobody --------------------------------------------------------------


def test_45_a_rehearsal_goes_to_loopback_only(machine: Any, make_plan: Any) -> None:
    plan = make_plan("https://api.foundries.io")
    assert code_of(lambda: machine.fetch(plan_file=plan)) == "practice.not_loopback"


def test_45_a_rehearsal_needs_the_practice_marker(machine: Any) -> None:
    machine.factory.faults.add("unmarked", times=-1)
    assert code_of(machine.fetch) == "practice.unmarked"
    assert machine.factory.store.state["posted"] == {}


def test_45_a_rehearsal_bundle_is_not_sent_where_the_marker_is_missing(machine: Any) -> None:
    bundle = machine.answer()
    machine.factory.faults.add("unmarked", times=-1)
    assert code_of(lambda: machine.upload(bundle)) == "practice.unmarked"
    assert machine.factory.store.certs is None


def test_45_what_is_real_never_goes_to_a_practice_factory(
    machine: Any, make_plan: Any, tmp_path: Path
) -> None:
    from ceremony.practice.factory import PracticeFactory

    with PracticeFactory(tmp_path / "real", factory="acme", users=("5e8a2f04c1d7",)) as real:
        login = Login(kind="token", secret=Secret(real.token))
        plan = make_plan(real.url, factory="acme")
        fetched = lambda: machine.fetch(plan_file=plan, login=login)  # noqa: E731
        assert code_of(fetched) == "practice.marked"
        assert real.store.state["posted"] == {}
