from dataclasses import dataclass
from pathlib import Path

import pytest

from ceremony.config import Plan
from ceremony.flow.driver import run
from ceremony.record.chain import Line, verify_chain
from ceremony.x509.certificate import Certificate, read_certificate
from tests.flow.table import Table


@dataclass(frozen=True)
class Held:
    """A ceremony that was held to its end."""

    directory: Path
    evidence: Path
    plan: Plan
    lines: tuple[Line, ...]
    certificates: dict[str, Certificate]


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    media = tmp_path_factory.mktemp("held")
    table = Table(media)
    room = table.sit_down()
    with room.record:
        run(room, table.officers())
    lines = verify_chain((table.directory / "record.jsonl").read_bytes())
    certificates = {
        line.key.removeprefix("certificate/"): read_certificate(
            (table.directory / "certificates" / line.data["file"]).read_bytes(), line.key
        )
        for line in lines
        if line.type == "done" and line.key.startswith("certificate/")
    }
    (evidence,) = (media / "evidence").iterdir()
    return Held(table.directory, evidence, table.plan_file.plan, lines, certificates)
