"""Who does what: roles, secrets in two parts, and what an audit looks for in a script."""

import re
from pathlib import Path

import pytest

from ceremony.config import PlanFile, parse
from ceremony.documents import model
from ceremony.documents.roles import roles_of
from ceremony.documents.script import script
from ceremony.documents.text import render_text
from ceremony.kinds import Kind
from tests.documents.plans import plan_of

EXAMPLE = (Path(__file__).parents[2] / "ceremony.toml").read_bytes()
SPLIT = "[rules]\nsplit_pin = true\nwitness = true\n"
_IN_PARTS = re.compile("each the own part|(first|second) part")


def _rows(plan: PlanFile) -> list[model.Step]:
    blocks = script(plan, tool_version="0.1.0").blocks
    return [row for block in blocks if isinstance(block, model.Steps) for row in block.rows]


def _told(kind: Kind, store: str) -> str:
    document = script(parse(plan_of(kind, store).encode()), tool_version="0.1.0")
    return " ".join(render_text(document).decode().split())


@pytest.mark.parametrize("store", ["token", "file"])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_secret_in_two_parts_is_nobodys_alone_in_any_script(kind: Kind, store: str) -> None:
    for rules in (SPLIT, ""):
        rows = _rows(parse(plan_of(kind, store, rules).encode()))
        asked = [row for row in rows if re.search("PIN|passphrase", row.activity)]
        alone = {row.who for row in asked} & {"PIN holder", "Custodian"}
        assert asked
        assert bool(alone) is not bool(rules)
        for row in asked:
            assert bool(_IN_PARTS.search(row.activity)) is bool(rules), row


def test_a_blank_token_gets_its_pins_in_two_parts() -> None:
    raw = plan_of(Kind.CREATE, "token", SPLIT)
    raw = raw.replace('serial = "DENK0104068"', 'serial = "1"\ninitialize = true')
    (row,) = [row for row in _rows(parse(raw.encode())) if "token is blank" in row.activity]
    assert "a new SO PIN and a new PIN, each the own part." in row.activity
    assert "each part in an envelope of its own" in row.expected


def test_each_officer_copies_and_types_back_an_own_part_of_a_passphrase() -> None:
    rows = _rows(parse(plan_of(Kind.ADD_DEVICE_CA, "file", SPLIT).encode()))
    at = next(n for n, row in enumerate(rows) if "passphrase of the key of" in row.activity)
    assert [row.who for row in rows[at : at + 4]] == ["A", "A", "B", "B"]
    assert rows[at + 3].expected == "Match. The key is generated and stored under it."


@pytest.mark.parametrize("rules", [SPLIT, ""])
@pytest.mark.parametrize("kind", list(Kind))
def test_each_role_that_acts_has_its_task_its_steps_and_a_line_to_sign(
    kind: Kind, rules: str
) -> None:
    plan_file = parse(plan_of(kind, "file", rules).encode())
    tables = [
        block
        for block in script(plan_file, tool_version="0.1.0").blocks
        if isinstance(block, model.Table) and block.columns[0].title == "Role"
    ]
    people, roles = tables
    named = [row[0] for row in roles.rows]
    assert {row.who for row in _rows(plan_file)} - {"A", "B", "A and B", "A or B"} <= set(named)
    assert all(all(cells) for cells in roles.rows)
    assert [row[0] for row in people.rows if row[0]] == named


def test_the_steps_of_a_role_are_those_of_its_rows() -> None:
    steps = {role: numbers for role, _, numbers in roles_of(parse(EXAMPLE).plan)}
    assert steps["Custodian"] == "5.1 to 5.4, 8.7 to 8.8"
    assert steps["PIN holder"] == "4.4, 4.10, 6.8, 9.5"
    assert "Witness" not in steps


def test_the_script_has_a_place_for_what_an_audit_looks_for() -> None:
    told = _told(Kind.CREATE, "token")
    for wanted in (
        "Video: medium, held by",
        "Its start medium",
        "Held afterwards by, where",
        "Compare version and SHA-256 of the program",
        "Shut the laptop down",
        "Write the time of the end into 'The day'",
    ):
        assert wanted in told


def test_page_1_says_what_a_ceremony_without_certificates_is_about() -> None:
    def page(kind: Kind, store: str) -> str:
        return _told(kind, store).partition("How to use")[0]

    destroy = page(Kind.DESTROY_KEY, "token")
    assert re.search("Keys destroyed .*made in create-20260102-5a5a", destroy)
    assert "it leaves NOT encrypted" in page(Kind.EXPORT_ROOT_KEY, "file")
    drill = page(Kind.CHECK_BACKUP, "file")
    assert "Backup that is tried 1 encrypted file(s)" in drill
    assert "found again" not in drill


def test_a_ceremony_without_csrs_does_not_speak_of_them() -> None:
    told = _told(Kind.REVOKE_DEVICE_CA, "token")
    part = told[told.index("3 Import") : told.index("4 Root key")]
    assert "CSR" not in part.replace("CSR IN", "")


def test_a_drill_does_not_say_that_its_fence_cannot_be_undone() -> None:
    told = _told(Kind.CHECK_BACKUP, "file")
    assert "Nothing is done before the second phrase." in told
    assert "cannot be undone" not in told
