"""`rehearse --kind destroy-key`: a root that was made and never left the room, and its end."""

import json
from pathlib import Path

import pytest

from ceremony.config import load
from ceremony.core.secret import Secret
from ceremony.keys.token import open_token
from tests.flow.conftest import cheap_passwords
from tests.stories.conftest import rehearse, run

__all__ = ["cheap_passwords"]


def labels(directory: Path) -> list[str]:
    """Of the keys on the practice token."""
    token = load(directory / "plan.toml").plan.root.token
    assert token is not None
    pin = (directory / "paper" / "token-pin.txt").read_text().strip()
    with open_token(token, timeout_s=20, generate_timeout_s=20) as store:
        store.login(Secret(pin))
        held = store.keys()
    return sorted(key.label for key in held)


def key_files(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "state").glob("*/keys/*.key"))


@pytest.mark.parametrize("key_store", ["pkcs11", "file"])
def test_28_a_root_of_an_abandoned_ceremony_goes_and_the_next_ceremony_makes_another(
    tmp_path: Path, key_store: str
) -> None:
    kept = tmp_path / "kept"
    ours = ("--key-store", key_store, "--keep", kept)
    done = rehearse(*ours, "--kind", "destroy-key")
    assert done.status in {0, 8}, done.err
    assert list((kept / "usb-out").iterdir()) == []
    assert key_files(kept) == []
    if key_store == "pkcs11":
        assert labels(kept) == []
    (evidence,) = (kept / "evidence").iterdir()
    assert run("ceremony", "verify", evidence).status == 0
    (abandoned,) = (kept / "state").glob("create-*/record.jsonl")
    told = [json.loads(line) for line in abandoned.read_text().splitlines()]
    made = {line["key"] for line in told if line["type"] == "done" and "key/" in line["key"]}
    assert {line["key"] for line in told if line["type"] == "destroyed"} == made
    assert "key/root" in made
    report = run("ceremony", "report", abandoned.parent, "-o", tmp_path / "report.txt")
    assert report.status == 0, report.err
    again = rehearse(*ours, "--kind", "create")
    assert again.status in {0, 8}, again.err
    if key_store == "pkcs11":
        assert labels(kept) == ["root-ca"]
    later = rehearse(*ours, "--kind", "destroy-key")
    assert later.status in {0, 8}, later.err
    if key_store == "pkcs11":
        assert labels(kept) == ["root-ca"]
    drill = rehearse(*ours, "--kind", "check-backup")
    assert drill.status in {0, 8}, drill.err
