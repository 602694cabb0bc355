"""Hardening runs in processes of its own: an audit hook cannot be removed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ceremony.errors import MediaError
from ceremony.offline import cli
from ceremony.offline.environment import acted, default_state, held_state, state_folder


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


HARDEN = "import os; from ceremony.offline.environment import harden; r = harden(os.environ);"


def test_variables_that_steer_libraries_are_removed_and_named() -> None:
    steering = {
        "TEXTUAL_LOG": "/tmp/keys",
        "TEXTUAL_DRIVER": "evil:Driver",
        "PYTHONWARNINGS": "default",
        "LD_BIND_NOW": "1",
        "SSLKEYLOGFILE": "/tmp/k",
        "OPENSSL_CONF": "/tmp/o",
        "SOFTHSM2_CONF": "/tmp/s",
        "https_proxy": "http://x",
        "ALL_PROXY": "http://x",
    }
    done = run(f"{HARDEN} print(*r); print(*sorted(os.environ))", NO_COLOR="1", **steering)
    assert done.returncode == 0, done.stderr
    removed, left = done.stdout.splitlines()
    assert removed.split() == sorted(steering)
    assert {"HOME", "NO_COLOR", "PATH"} <= set(left.split())
    assert not set(left.split()) & set(steering)


def test_a_child_does_not_get_them_either() -> None:
    code = f"{HARDEN} import subprocess; print(subprocess.check_output(['env'], text=True))"
    assert "TEXTUAL" not in run(code, TEXTUAL_LOG="/tmp/keys").stdout


def test_only_variables_that_acted_before_us_count_as_late() -> None:
    assert acted("LD_PRELOAD")
    assert acted("PYTHONPATH")
    assert not acted("TEXTUAL_LOG")
    assert not acted("PYTHONUNBUFFERED")


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket().connect(('127.0.0.1', 9))",
        "socket.socket().connect_ex(('127.0.0.1', 9))",
        "socket.socket().bind(('127.0.0.1', 0))",
        "socket.socket(socket.AF_INET6).connect(('::1', 9))",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', 9))",
        "socket.getaddrinfo('localhost', 80)",
        "socket.gethostbyname('localhost')",
        "__import__('urllib.request').request.urlopen('http://127.0.0.1:9')",
    ],
)
def test_the_room_cannot_reach_the_network(attempt: str) -> None:
    done = run(f"{HARDEN} import socket; {attempt}")
    assert done.returncode == 1
    assert "the room never opens it [room.network_refused]" in done.stderr


def test_asyncio_and_unix_sockets_work_all_the_same(tmp_path: Path) -> None:
    code = f"""{HARDEN}
import asyncio, socket
server = socket.socket(socket.AF_UNIX)
server.bind({str(tmp_path / "s")!r})
asyncio.run(asyncio.sleep(0))
"""
    assert run(code).stderr == ""


def test_files_made_afterwards_are_private(tmp_path: Path) -> None:
    run(f"{HARDEN} open({str(tmp_path / 'x')!r}, 'w')")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_a_crash_leaves_no_core_neither_of_us_nor_of_a_child(tmp_path: Path) -> None:
    code = f"""{HARDEN}
import subprocess, sys, resource
from ceremony.offline.environment import dumpable
print(dumpable(), resource.getrlimit(resource.RLIMIT_CORE))
child = subprocess.Popen([sys.executable, '-c', 'import os; os.abort()'], cwd={str(tmp_path)!r})
print(os.WCOREDUMP(os.waitpid(child.pid, 0)[1]))
sys.stdout.flush(); os.chdir({str(tmp_path)!r}); os.abort()
"""
    before = "import resource as r; r.setrlimit(r.RLIMIT_CORE, r.getrlimit(r.RLIMIT_CORE)[1:] * 2);"
    done = run(before + code)
    assert done.returncode == -signal.SIGABRT
    assert done.stdout.splitlines() in (["False (1, 1)", "False"], ["False (0, 0)", "False"])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_state_folder_is_made_private(tmp_path: Path) -> None:
    path = state_folder(None, {"XDG_STATE_HOME": str(tmp_path / "a")})
    assert path == tmp_path / "a/ceremony"
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_relative_xdg_folder_is_ignored_as_its_specification_says() -> None:
    assert default_state({"XDG_STATE_HOME": "x", "HOME": "/h"}) == Path("/h/.local/state/ceremony")


@pytest.mark.parametrize("mode", [0o770, 0o701, 0o755])
def test_a_state_folder_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s").chmod(mode)
    with pytest.raises(MediaError, match=r"open to other users") as caught:
        state_folder(tmp_path / "s")
    assert caught.value.code == "state.open"
    assert (tmp_path / "s").stat().st_mode & 0o777 == mode


def test_a_state_folder_whose_parent_anybody_may_change_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(MediaError) as caught:
        state_folder(tmp_path / "open/s")
    assert caught.value.code == "state.parent_open"
    (tmp_path / "open").chmod(0o1777)
    assert state_folder(tmp_path / "open/s")


def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    path = Path("/usr")
    if os.geteuid() == 0:
        path = tmp_path / "s"
        path.mkdir(mode=0o700)
        os.chown(path, 65534, 65534)
    with pytest.raises(MediaError) as caught:
        state_folder(path)
    assert caught.value.code == "state.foreign"


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(MediaError) as caught:
        state_folder(tmp_path / "f")
    assert caught.value.code == "state.unusable"


def test_a_link_to_an_open_folder_does_not_help(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s").chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path / "s")
    with pytest.raises(MediaError) as caught:
        state_folder(tmp_path / "link")
    assert caught.value.code == "state.open"


def test_who_only_looks_makes_no_state_folder_and_a_mistyped_one_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held_state(None, {"XDG_STATE_HOME": str(tmp_path)}) is None
    assert cli._run(["history", "--dir", str(tmp_path / "mistyped")]) == 5
    assert "[state.unusable]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_history_shows_a_folders_name_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = tmp_path / "state" / "evil\x1b]0;owned\x07"
    hostile.mkdir(parents=True)
    hostile.parent.chmod(0o700)
    (hostile / "record.jsonl").write_text("no record\n")
    for form in ([], ["--json"]):
        assert cli._run(["history", "--dir", str(hostile.parent), *form]) == 0
        told = capsys.readouterr().out
        assert "owned" in told
        assert "\x1b" not in told
        assert "\\u001b" not in told
