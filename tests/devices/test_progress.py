"""The progress of a batch on a terminal of any kind and width."""

import os
import re
import sys
import uuid
from pathlib import Path
from typing import Any

import pexpect
import pytest

ROWS = 9000  # three steps, so that the line is told more than once


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "uuids"
    path.write_text("".join(f"{uuid.UUID(int=i, version=4)}\n" for i in range(ROWS)))
    return path


@pytest.mark.parametrize(("term", "columns"), [("xterm", 30), ("dumb", 80)])
def test_a_line_is_rewritten_where_a_terminal_can_and_what_follows_has_a_line_of_its_own(
    floor: Any, rows: Path, term: str, columns: int
) -> None:
    words = ["devices", "issue", "--ca", "local_ca.pem", "--secret-file", "secret"]
    shown = pexpect.spawn(
        str(Path(sys.executable).with_name("ceremony")),
        [*words, "--out", "x.jsonl", "--uuids", str(rows)],
        cwd=str(floor.folder),
        env={**os.environ, "TERM": term},
        dimensions=(24, columns),
        timeout=300,
    )
    shown.expect(pexpect.EOF)
    shown.close()
    assert shown.exitstatus == 0
    told = shown.before.decode()
    assert re.search(rf"(^|\n){ROWS} issued in ", told), "not behind the progress"
    assert ("\x1b" in told) is (term != "dumb")
    for line in re.findall(r"issuing:[^\r\n]*", told):
        assert len(line) < columns
