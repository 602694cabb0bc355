"""Threat 39: an upload bundle that was altered on its way is refused before anything is sent."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.bundle.request import read_request
from ceremony.bundle.sums import format_sums
from ceremony.config import PlanFile
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import CeremonyError, ExitStatus
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.issuing import Content
from ceremony.x509.pem import CERTIFICATE_REQUEST, write_pem
from ceremony.x509.profiles import Role
from ceremony.x509.root_csr import assemble_csr, root_csr_info
from tests.higher import Higher
from tests.online.conftest import Room

pytestmark = pytest.mark.usefixtures("machine")


def refused(machine: Any, bundle: Path, **other: Any) -> CeremonyError:
    """Uploads; a request to the Factory would be seen as an unexpected fault taken."""
    machine.factory.faults.add("reset", times=-1)
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle, **other)
    assert caught.value.status is ExitStatus.VERIFICATION or caught.value.status is ExitStatus.MEDIA
    assert not caught.value.code.startswith("api.")
    assert machine.factory.store.certs is None
    return caught.value


def reseal(bundle: Path) -> None:
    """What an attacker can do: make SHA256SUMS agree again."""
    files = {path.name: path.read_bytes() for path in bundle.iterdir()}
    (bundle / "SHA256SUMS").write_bytes(format_sums(files))


def test_39_a_changed_byte_is_refused(machine: Any) -> None:
    bundle = machine.answer()
    readme = bundle / "README.txt"
    readme.write_bytes(readme.read_bytes() + b" ")
    assert refused(machine, bundle).code == "sums.digest"


def test_39_an_added_file_is_refused_even_when_it_is_listed(machine: Any) -> None:
    bundle = machine.answer()
    (bundle / "extra.pem").write_bytes(b"x")
    reseal(bundle)
    assert refused(machine, bundle).code == "upload.file_extra"


def test_39_a_payload_that_is_not_the_pem_files_is_refused(machine: Any) -> None:
    bundle = machine.answer()
    payload = json.loads((bundle / "payload.json").read_bytes())
    payload["tls-crt"] = payload["est-tls-crt"]
    (bundle / "payload.json").write_text(json.dumps(payload))
    reseal(bundle)
    assert refused(machine, bundle).code == "upload.payload"


def test_39_a_bundle_for_other_csrs_is_refused(machine: Any) -> None:
    first = machine.fetch()
    machine.clock.at = machine.clock.at.replace(year=machine.clock.at.year + 1)
    second = machine.fetch()
    answered = Fingerprint.of((first / "SHA256SUMS").read_bytes()).hex
    bundle = machine.answer(second, request_sha256=answered)
    assert refused(machine, bundle).code == "upload.key_differs"


def test_39_a_resealed_bundle_is_caught_by_the_words_on_paper(machine: Any) -> None:
    bundle = machine.answer()
    paper = Fingerprint.of((bundle / "SHA256SUMS").read_bytes())
    for path in bundle.iterdir():
        path.unlink()
    bundle.rmdir()
    other = machine.answer(next(machine.stick.iterdir()))
    assert refused(machine, other, expect=paper).code == "upload.words_differ"


def typist(words: tuple[str, ...], wrong: int = 0) -> Callable[[str], str]:
    """Reads words from paper; the first `wrong` of them come from another sheet."""
    left = [wrong]

    def ask(prompt: str) -> str:
        place = prompt.split()[-1]
        position = 4 * "ABCDEFGH".index(place[0]) + int(place[1]) - 1
        if left[0] > 0:
            left[0] -= 1
            others = {words[at] for at in range(position % 2, 32, 2)} - {words[position]}
            return min(others)
        return words[position]

    return ask


def test_39_eight_words_from_paper_let_the_upload_begin(machine: Any) -> None:
    bundle = machine.answer()
    words = Fingerprint.of((bundle / "SHA256SUMS").read_bytes()).words
    asked: list[str] = []
    ask = typist(words)
    machine.upload(bundle, expect=None, ask=lambda p: asked.append(p) or ask(p))
    assert len(asked) == len(set(asked)) == 8


def test_39_a_wrong_word_draws_other_places_once_and_then_stops(machine: Any) -> None:
    bundle = machine.answer()
    words = Fingerprint.of((bundle / "SHA256SUMS").read_bytes()).words
    machine.upload(bundle, expect=None, ask=typist(words, wrong=1), dry_run=True)
    assert "Other places are drawn" in machine.words
    assert refused(machine, bundle, expect=None, ask=typist(words, wrong=9)).code == (
        "upload.words_differ"
    )


def test_39_no_word_of_the_bundle_is_shown_before_the_match(machine: Any) -> None:
    bundle = machine.answer()
    value = Fingerprint.of((bundle / "SHA256SUMS").read_bytes())
    machine.said.clear()
    refused(machine, bundle, expect=None, ask=typist(value.words, wrong=16))
    assert value.hex not in machine.words
    assert not [word for word in value.words if f" {word} " in f" {machine.words} "]


def test_39_nobody_to_type_words_is_no_reason_to_go_on(machine: Any) -> None:
    bundle = machine.answer()
    with pytest.raises(CeremonyError) as caught:
        machine.upload(bundle, expect=None)
    assert caught.value.code == "upload.no_words"
    assert machine.factory.store.certs is None


class Foreign(Room):
    """A room whose root a CA of the attacker's own signed."""

    def _issue(self, content: Content) -> Certificate:
        if content.role is not Role.ROOT:
            return super()._issue(content)
        info = root_csr_info(factory=_factory(content), spki=content.spki)
        csr = assemble_csr(info, self.root.sign(info, ec.ECDSA(hashes.SHA256())))
        higher = Higher(content.not_before)
        return read_certificate(higher.sign(write_pem(csr, CERTIFICATE_REQUEST)), "root")


def _factory(content: Content) -> str:
    return content.subject_der.rpartition(b"\x0c")[2][1:].decode()


def test_39_a_higher_ca_that_the_reviewed_plan_does_not_know_is_refused(machine: Any) -> None:
    """Everything in the bundle agrees, the manifest too; the plan says that the root is our own."""
    plan = machine.plan_file.plan
    root = msgspec.structs.replace(plan.root, issuer="external")
    claimed = PlanFile(plan=msgspec.structs.replace(plan, root=root), raw=machine.plan_file.raw)
    request = read_request(machine.fetch())
    to = machine.folder / "foreign"
    to.mkdir()
    bundle = Foreign().answer(claimed, request, to)
    assert refused(machine, bundle).code == "upload.root_issuer"
