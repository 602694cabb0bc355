"""Whole rehearsals of plans other than the example."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.conftest import cheap_passwords
from tests.stories.conftest import TOP, Kept, rehearse, run

__all__ = ["cheap_passwords"]


def _set(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def _sealed(text: str) -> str:
    return _set('requests = ["tls", "online-ca", "est-tls"]', 'requests = ["tls"]')(text)


def _online_only(text: str) -> str:
    head, _, rest = text.partition("[[local_ca]]")
    return head + "[rules]" + rest.partition("[rules]")[2]


def _on_token(text: str) -> str:
    there = 'name      = "line-1"\nkey_store = "file"'
    return _set(there, 'name = "line-1"\nkey_store = "token"\non_root_token = true')(text)


PLANS = {
    "a P-384 root": _set('curve     = "P-256"', 'curve = "P-384"'),
    "a root as the recipe makes it": _set('profile   = "strict"', 'profile = "openssl-recipe"'),
    "a local CA on the root's token": _on_token,
    "fully sealed, local CAs only": _sealed,
    "the online CA only": _online_only,
    "words sampled": _set('type_back     = "full"', 'type_back = "sample"'),
    "a witness": _set("witness       = false", "witness = true"),
    "no backup": _set('method = "vendor"', 'method = "none"'),
}


@pytest.mark.parametrize("change", PLANS.values(), ids=PLANS.keys())
def test_the_plan_reaches_its_end_and_what_it_made_verifies(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(change((TOP / "ceremony.toml").read_text()))
    keep = tmp_path / "keep"
    done = rehearse("--keep", keep, plan=plan)
    assert done.status == 0, done.err
    kept = Kept(keep)
    for path in (kept.upload, kept.evidence):
        told = run("ceremony", "verify", path)
        assert told.status == 0, told.out
    strict = [] if "openssl-recipe" in plan.read_text() else ["-x509_strict"]
    for pem in sorted(kept.upload.glob("*.pem")):
        if pem.name != "device_ca_list.pem":
            command = ["openssl", "verify", *strict, "-CAfile", "factory_ca.pem", pem.name]
            subprocess.run(command, cwd=kept.upload, check=True, capture_output=True)
