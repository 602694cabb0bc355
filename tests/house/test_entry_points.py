"""What each program may import is checked where it counts: in a process of its own."""

import subprocess
import sys

import pytest

NETWORK = {"urllib3", "requests", "http.client", "urllib.request", "ftplib", "smtplib"}


def _loaded(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


ROOM = [
    "import ceremony.offline.cli",
    "import ceremony.offline.running, screens.run, screens.app, ceremony.offline.wiring",
    "import ceremony.offline.rehearsing, ceremony.offline.plain",
    "import ceremony.offline.verify, ceremony.offline.fingerprint, ceremony.offline.doctor",
    "import ceremony.offline.script, ceremony.offline.report, ceremony.offline.history",
    "import ceremony.keys.token, ceremony.keys.file, ceremony.keys.child",
]


@pytest.mark.parametrize("statement", ROOM)
def test_the_room_loads_no_network_client_and_no_practice(statement: str) -> None:
    loaded = _loaded(statement)
    assert not {
        name for name in loaded if name.startswith(("ceremony.online", "ceremony.practice"))
    }
    assert not loaded & (NETWORK - {"urllib.request", "http.client"})


def test_the_online_machine_loads_no_keys_no_flow_and_no_screens() -> None:
    loaded = _loaded("import ceremony.online.cli, ceremony.online.fetch, ceremony.online.upload")
    banned = (
        "ceremony.keys",
        "ceremony.flow",
        "ceremony.documents",
        "screens",
        "textual",
        "pkcs11",
    )
    assert not {name for name in loaded if name.startswith(banned)}


def test_the_command_line_starts_without_heavy_modules() -> None:
    loaded = _loaded("import ceremony.offline.cli")
    heavy = {"textual", "rich", "cryptography", "pkcs11", "pkilint", "qrcode", "fpdf", "PIL"}
    assert not loaded & heavy


def test_the_module_process_sees_no_certificates_and_no_screens() -> None:
    loaded = _loaded("import ceremony.keys.child")
    assert not loaded & {"cryptography", "textual", "rich", "click"}
