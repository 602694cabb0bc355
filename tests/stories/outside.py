"""The world of a real ceremony, in network and mount namespaces of its own.

    unshare -r -n -m python outside.py FOLDER FACTORY USER COMMAND [ARGUMENT...]

runs COMMAND where ``https://api.acme.example`` exists: a name in /etc/hosts, an address that
is not loopback, TLS under the CA in FOLDER, and no mark of a practice Factory. ``room
COMMAND ...`` runs COMMAND where no interface is up, ``linked COMMAND ...`` where one is.
"""

import http.server
import os
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import urllib3

from ceremony.practice.factory import PracticeFactory

NAME = "api.acme.example"
_ADDRESS = "203.0.113.7"  # RFC 5737 §3: for documentation, and nobody's
_MARK = "x-practice-factory"
_HOP = {"connection", "content-length", "transfer-encoding", "date", "server", _MARK}


def _call(*command: str) -> None:
    subprocess.run(command, check=True)


def _settle(folder: Path) -> None:
    _call("ip", "link", "set", "lo", "up")
    _call("ip", "address", "add", f"{_ADDRESS}/32", "dev", "lo")
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{_ADDRESS} {NAME}\n", encoding="ascii")
    _call("mount", "--bind", str(hosts), "/etc/hosts")


class _Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behind = ""

    def _forward(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        answer = urllib3.request(
            self.command,
            self.behind + self.path,
            body=self.rfile.read(size) if size else None,
            headers={k: v for k, v in self.headers.items() if k.lower() not in {*_HOP, "host"}},
            redirect=False,
            decode_content=False,
        )
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    do_GET = do_POST = do_PATCH = do_PUT = _forward  # noqa: N815 - names of the library

    def log_message(self, *_: object) -> None:
        """Says nothing: the command's words count."""


def outside(folder: Path, factory: str, user: str, command: list[str]) -> int:
    """Runs `command` beside the API; its exit status."""
    _settle(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "api.pem", folder / "api.key")
    with PracticeFactory(folder / "factory", factory=factory, users=[user]) as practice:
        _Front.behind = practice.url
        server = http.server.ThreadingHTTPServer((_ADDRESS, 443), _Front)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        status = subprocess.run(command, check=False).returncode
        server.shutdown()
    return status


def room(command: list[str]) -> None:
    """Becomes `command`, with a /sys that shows this namespace's interfaces: none is up."""
    _call("mount", "-t", "sysfs", "none", "/sys")
    os.execv(command[0], command)


def link() -> None:
    """Two interfaces joined by a cable, both up."""
    _call("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
    _call("ip", "link", "set", "cable0", "up")
    _call("ip", "link", "set", "cable1", "up")


if __name__ == "__main__":
    if sys.argv[1] == "linked":
        link()
    if sys.argv[1] in {"room", "linked"}:
        room(sys.argv[2:])
    sys.exit(outside(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]))
