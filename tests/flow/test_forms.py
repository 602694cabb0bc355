"""People also bring what the platform's curl recipe leaves: CSR files, or the raw answer."""

import json
import shutil
from pathlib import Path

import pytest

from ceremony.bundle.checking import check_upload_files, require
from ceremony.bundle.media import read_directory
from ceremony.bundle.request import read_request
from ceremony.config import Slot
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import Answer, AnyPrompt, Chosen, Command, Frame
from ceremony.practice.officers import ScriptedOfficers
from tests.flow.table import Table


def _csrs(table: Table) -> dict[Slot, bytes]:
    return {slot: (table.request / f"{slot.value}.csr").read_bytes() for slot in Slot}


def _raw_answer(table: Table, stick: Path) -> None:
    pems = _csrs(table)
    answer = {
        "tls-csr": pems[Slot.TLS].decode(),
        "ca-csr": pems[Slot.ONLINE_CA].decode(),
        "est-tls-csr": pems[Slot.EST_TLS].decode(),
    }
    (stick / "csrs.json").write_text(json.dumps(answer, indent=1))


def _recipe_names(table: Table, stick: Path) -> None:
    pems = _csrs(table)
    (stick / "tls.csr").write_bytes(pems[Slot.TLS])
    (stick / "ca.csr").write_bytes(pems[Slot.ONLINE_CA])
    (stick / "est_tls.csr").write_bytes(pems[Slot.EST_TLS])


def _other_names(table: Table, stick: Path) -> None:
    _recipe_names(table, stick)
    (stick / "est_tls.csr").rename(stick / "third.csr")


class Knowing(ScriptedOfficers):
    """Officers who know whose CSR the third one is."""

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key == "import.slot":
            return Chosen(value=Slot.EST_TLS.value)
        return super().ask(prompt, frame)


@pytest.mark.parametrize(
    ("write", "form"),
    [(_raw_answer, "api-json"), (_recipe_names, "csr-files"), (_other_names, "csr-files")],
)
def test_what_the_recipe_leaves_is_taken_in_and_what_it_lacks_is_noted(
    tmp_path: Path, write: object, form: str
) -> None:
    table = Table(tmp_path)
    stick = tmp_path / "usb-in"
    write(table, stick)  # type: ignore[operator]
    shutil.rmtree(table.request)
    table.papers.words["request.words"] = read_request(stick).fingerprint
    room = table.sit_down()
    with room.record:
        assert run(room, Knowing(table.papers, quiet=True)) is Outcome.CLOSED
        line = room.need("request", "request")
        assert line.data["form"] == form
        assert line.data["noted"]
    request = read_request(stick)
    if request.unnamed:
        assert line.data["slots"] == {"third.csr": "est-tls"}
    else:
        require(check_upload_files(read_directory(table.upload), request))
