"""Officers' phrases: what is on disk is bound to the record."""

import json
import shutil
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.flow.driver import run
from ceremony.flow.officers import _hash
from ceremony.flow.prompts import Answer, AnyPrompt, Command, EnterSecret, Frame, SecretEntered
from tests.flow.sittings import Patient
from tests.flow.table import PHRASES, Table


class Insider(Patient):
    """Replaces `officers.json` when the first fence is reached, and types phrases of their own."""

    def __init__(self, table: Table, replace_file: bool) -> None:
        super().__init__(table, again=False)
        self._table, self._replace = table, replace_file

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if isinstance(prompt, EnterSecret) and prompt.key.startswith("root.phrase"):
            phrase = PHRASES["A"]  # known to the insider, who now is both officers
            if self._replace:
                salt = bytes(16)
                entry = {"salt": salt.hex(), "scrypt": _hash(phrase, salt).hex()}
                path = self._table.directory / "officers.json"
                path.write_text(json.dumps({"A": entry, "B": entry}), encoding="ascii")
            return SecretEntered(secret=phrase)
        return super().ask(prompt, frame)


def test_replaced_phrases_open_no_fence(tmp_path: Path) -> None:
    table = Table(tmp_path)
    room = table.sit_down()
    with room.record, pytest.raises(CeremonyError) as caught:
        run(room, Insider(table, replace_file=True))
    assert caught.value.code == "state.officers_changed"
    assert not room.record.all("fence")
    assert not (table.directory / "keys").exists()


def test_the_record_does_not_help_to_guess_a_phrase(tmp_path: Path) -> None:
    table = Table(tmp_path)
    room = table.sit_down()
    with room.record, pytest.raises(CeremonyError):
        run(room, Insider(table, replace_file=False))
    kept = json.loads((table.directory / "officers.json").read_bytes())
    raw = (table.directory / "record.jsonl").read_text(encoding="ascii")
    for entry in kept.values():
        assert entry["salt"] not in raw
        assert entry["scrypt"] not in raw
    shutil.rmtree(table.directory)
