"""Threat 41: whatever the API answers, time and memory are bounded and a lie is seen."""

import json
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ceremony.config import Online
from ceremony.errors import CeremonyError, ExitStatus
from ceremony.online.transport import MAX_ANSWER_BYTES, Bounds, Transport

PATIENT = Bounds(connect_s=20, read_s=20, total_s=40, attempts=1)
FAST = Bounds(connect_s=1, read_s=0.4, total_s=0.8, attempts=1)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(CeremonyError) as caught:
        call()
    return caught.value.code


@pytest.mark.parametrize(
    ("fault", "options", "code"),
    [
        ("html", {}, "api.not_json"),
        ("body", {"status": 200, "body": '{"a": 1, "a": 2}'}, "api.not_json"),
        ("body", {"status": 200, "body": '{"root-crt": NaN}'}, "api.not_json"),
        ("body", {"status": 200, "body": "[" * 100_000}, "api.not_json"),
        ("body", {"status": 200, "body": '{"polis-id": 7}'}, "api.unexpected"),
        ("body", {"status": 200, "body": "[]"}, "api.unexpected"),
        ("oversized", {"size": 8 * 1024 * 1024}, "api.too_large"),
        ("gzip-bomb", {"size": 64 * 1024 * 1024}, "api.too_large"),
        ("truncated", {}, "api.broken"),
        ("reset", {}, "api.broken"),
        ("delay", {"delay_s": 1.6}, "api.timeout"),
        ("drip", {"delay_s": 0.3}, "api.timeout"),
        ("status", {"status": 400}, "api.refused"),
        ("status", {"status": 401}, "api.unauthorized"),
        ("status", {"status": 403}, "api.forbidden"),
        ("status", {"status": 404}, "api.not_found"),
        ("status", {"status": 429}, "api.busy"),
        ("status", {"status": 500}, "api.failed"),
    ],
)
def test_41_a_bad_answer_stops_fetch_before_anything_is_posted(
    machine: Any, fault: str, options: dict[str, Any], code: str
) -> None:
    machine.factory.faults.add(fault, method="GET", times=-1, **options)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(bounds=FAST if code == "api.timeout" else PATIENT)
    assert caught.value.code == code
    assert caught.value.status is ExitStatus.NETWORK
    assert machine.factory.store.state["posted"] == {}
    assert list(machine.stick.iterdir()) == []
    assert machine.writes() == []


class RawServer:
    """Sends what it is told, byte by byte if need be, to every connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.online = Online(api=f"http://127.0.0.1:{self._listener.getsockname()[1]}")
        self.requests: list[bytes] = []
        self.pieces: list[bytes] = []
        self.pause_s = 0.0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            try:
                with peer:
                    self.requests.append(peer.recv(65536))
                    for piece in self.pieces:
                        peer.sendall(piece)
                        time.sleep(self.pause_s)
            except OSError:
                continue

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def raw() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


def test_41_headers_that_drip_for_ever_end_with_the_total_time(raw: RawServer) -> None:
    raw.pieces = [b"HTTP/1.1 200 OK\r\n", *([b"X: y\r\n"] * 900)]
    raw.pause_s = 0.1
    began = time.monotonic()
    assert code_of(lambda: Transport(raw.online, FAST).exchange("GET", "/", {})) == "api.timeout"
    assert time.monotonic() - began < 30


def test_41_a_proxy_whose_answer_drips_ends_with_the_total_time(raw: RawServer) -> None:
    raw.pieces = [b"HTTP/1.1 200 OK\r\n", *([b"X: y\r\n"] * 90)]
    raw.pause_s = 0.5
    online = Online(api="https://api.example.com", proxy=raw.online.api)
    began = time.monotonic()
    assert code_of(lambda: Transport(online, FAST).exchange("GET", "/", {})) == "api.timeout"
    assert time.monotonic() - began < 30
    assert raw.requests[0].startswith(b"CONNECT ")


def test_41_a_chunk_of_a_negative_length_is_a_broken_answer(raw: RawServer) -> None:
    raw.pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc"]
    assert code_of(lambda: Transport(raw.online, PATIENT).exchange("GET", "/", {})) == "api.broken"


def test_41_a_body_without_length_that_drips_is_not_taken_for_complete(raw: RawServer) -> None:
    raw.pieces = [b"HTTP/1.1 200 OK\r\n\r\n", *([b" "] * 60)]
    raw.pause_s = 0.1
    assert code_of(lambda: Transport(raw.online, FAST).exchange("GET", "/", {})) == "api.timeout"


def test_41_a_gzip_bomb_is_not_unpacked_into_memory(raw: RawServer) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(256)) + packer.flush()
    raw.pieces = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", bomb]
    tracemalloc.start()
    try:
        code = code_of(lambda: Transport(raw.online, PATIENT).exchange("GET", "/", {}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert code == "api.too_large"
    assert peak < 8 * MAX_ANSWER_BYTES


def test_41_gzip_that_is_broken_is_refused(raw: RawServer) -> None:
    raw.pieces = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip at all"]
    assert (
        code_of(lambda: Transport(raw.online, PATIENT).exchange("GET", "/", {})) == "api.encoding"
    )


def test_41_a_retry_after_of_a_year_or_of_nonsense_does_not_hang(raw: RawServer) -> None:
    bounds = Bounds(attempts=3, backoff_s=0.01, longest_wait_s=0)
    when_no_clock_shows = b"Wed, 01 Jan 99999999999 00:00:00 GMT"
    for told in (b"31536000", b"soon", when_no_clock_shows, b"9" * 5000):
        raw.requests.clear()
        raw.pieces = [
            b"HTTP/1.1 503 Later\r\nRetry-After: " + told + b"\r\nContent-Length: 0\r\n\r\n"
        ]
        began = time.monotonic()
        assert Transport(raw.online, bounds).exchange("GET", "/", {}).status == 503
        assert len(raw.requests) == 3
        assert time.monotonic() - began < 60


def test_41_escapes_in_an_error_are_harmless(machine: Any) -> None:
    body = json.dumps({"msg": "no \x1b]0;title\x07 \u202e", "errors": {"root\x1b[2J": "bad"}})
    machine.factory.faults.add("body", method="GET", status=400, body=body, times=-1)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    assert "root\\x1b[2J: bad" in caught.value.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"msg": "a", "errors": ["b", "c"]}', "a; b; c"),
        ('{"message": "a", "errors": {"f": "b"}}', "a; f: b"),
        ("free text", "free text"),
        ("<html>\n<h1>Oh</h1>", "<html> <h1>Oh</h1>"),
        ("", "nothing"),
    ],
)
def test_41_an_error_is_told_in_the_apis_own_words(machine: Any, body: str, words: str) -> None:
    machine.factory.faults.add("body", method="GET", status=422, body=body)
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    assert caught.value.message.endswith(f"the API answers 422: {words}")


def test_41_an_ok_that_is_a_lie_is_seen_by_asking_again(machine: Any) -> None:
    bundle = machine.answer()
    machine.factory.faults.add("lie", method="PATCH")
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert (caught.value.code, caught.value.status) == (
        "upload.not_as_sent",
        ExitStatus.VERIFICATION,
    )
    receipt = json.loads((machine.state / f"{bundle.name}.receipt.json").read_bytes())
    assert receipt["result"] == "not as sent"
    assert {row["verdict"] for row in receipt["certificates"]} == {"missing"}


def test_41_other_certificates_than_were_sent_are_seen(machine: Any) -> None:
    bundle = machine.answer()
    asked = machine.factory.faults.take

    def swap_after_patch(method: str, path: str) -> object:
        if method == "PATCH":
            machine.factory.faults.add("other-certificates", method="GET", path="/certs/")
        return asked(method, path)

    machine.factory.faults.take = swap_after_patch
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle)
    assert caught.value.code == "upload.not_as_sent"
    assert "tls-crt" in caught.value.message
    assert "different" in caught.value.message


def test_41_an_answer_that_lacks_a_csr_writes_no_bundle_but_keeps_the_answer(machine: Any) -> None:
    machine.factory.faults.add("body", method="POST", status=201, body='{"tls-csr": null}')
    with pytest.raises(CeremonyError) as caught:
        machine.fetch()
    assert caught.value.code == "fetch.answer"
    assert list(machine.stick.iterdir()) == []
    (kept,) = machine.writes()
    assert (machine.state / kept).read_bytes() == b'{"tls-csr": null}'


def test_41_an_answer_that_is_no_json_is_on_the_disk_before_it_is_read(machine: Any) -> None:
    machine.factory.faults.add("body", method="POST", status=201, body="<html>")
    assert code_of(machine.fetch) == "api.not_json"
    (kept,) = machine.writes()
    assert (machine.state / kept).read_bytes() == b"<html>"


def test_41_a_csr_that_policy_refuses_makes_no_bundle(machine: Any, make_plan: Any) -> None:
    from ceremony.config import parse

    raw = machine.plan_file.raw + b'\n[rules]\nhost_suffixes = ["elsewhere.example"]\n'
    with pytest.raises(CeremonyError) as caught:
        machine.fetch(plan_file=parse(raw))
    assert caught.value.code.startswith("csr.")
    assert list(machine.stick.iterdir()) == []
