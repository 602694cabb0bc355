"""Bundles of a root that a higher CA signed: the CSR on its way out, and the upload."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ceremony.bundle.checking import check_upload_files, failed
from ceremony.bundle.media import MAX_ENTRIES
from ceremony.bundle.root_csr import check_root_csr_files
from ceremony.bundle.upload import Issued, upload_files
from ceremony.bundle.writing import write_directory
from ceremony.config import MAX_LOCAL_CAS, PlanFile, parse
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import VerificationError
from ceremony.x509.certificate import Certificate, read_certificate
from ceremony.x509.profiles import Role
from tests.bundle.test_upload import edited, resummed
from tests.higher import Higher


class Below:
    """The certificates of a world, under its root key as a higher CA signed it."""

    def __init__(self, world: Any, make: Any) -> None:
        self.higher = Higher(make.begin)
        text = world.plan_file.raw.decode().replace("[root]", '[root]\nissuer = "external"')
        self.plan_file: PlanFile = parse(text.encode())
        answer = self.higher.sign(make.root_csr(world)["root.csr"])
        self.root = Issued(role=Role.ROOT, name="root", certificate=read_certificate(answer, "r"))
        self.others = tuple(one for one in world.issued if one.role is not Role.ROOT)
        self.above = tuple(
            read_certificate(one.der, "above") for one in (self.higher.issuing, self.higher.top)
        )
        self.request = Fingerprint.of(world.request["SHA256SUMS"])

    def write(
        self, above: tuple[Certificate, ...] = (), issued: tuple[Issued, ...] = ()
    ) -> Mapping[str, bytes]:
        return upload_files(
            plan=self.plan_file.plan,
            ceremony_id="20260102-acme",
            created_at=self.root.certificate.not_before,
            plan_sha256=self.plan_file.fingerprint.hex,
            request_sha256=self.request.hex,
            record_head="ab" * 32,
            issued=issued or (self.root, *self.others),
            root_chain=above,
        )


@pytest.fixture(scope="module")
def below(world: Any) -> Below:
    from tests.bundle.conftest import Making

    return Below(world, Making)


def codes(files: Mapping[str, bytes]) -> set[str]:
    return {check.code for check in failed(check_upload_files(files))}


def test_the_manifest_tells_of_the_higher_ca_and_the_chain_is_there(below: Below) -> None:
    files = below.write(below.above)
    assert codes(files) == set()
    told = json.loads(files["manifest.json"])
    assert told["certificates"][0]["issuer"] == "external"
    assert told["root_chain"] == {
        "file": "root-chain.pem",
        "sha256": [one.fingerprint.hex for one in below.above],
    }
    assert files["root-chain.pem"] == below.higher.chain
    assert codes(below.write()) == set(), "a chain is no duty"


def test_of_a_root_that_signed_itself_the_manifest_says_nothing_new(world: Any) -> None:
    told = json.loads(world.upload["manifest.json"])
    assert "root_chain" not in told
    assert all("issuer" not in entry for entry in told["certificates"])


def test_a_foreign_signature_without_a_word_in_the_manifest_is_refused(below: Below) -> None:
    def forget(tree: Any) -> None:
        del tree["certificates"][0]["issuer"], tree["root_chain"]

    files = {k: v for k, v in below.write(below.above).items() if k != "root-chain.pem"}
    assert "chain.root_signature" in codes(edited(files, forget, "manifest.json"))


def test_a_root_that_signed_itself_is_refused_where_a_higher_ca_is_told(world: Any) -> None:
    def claim(tree: Any) -> None:
        tree["certificates"][0]["issuer"] = "external"

    found = codes(edited(world.upload, claim, "manifest.json"))
    assert found == {"chain.root_self_signed", "certificate.root_self_signed"}


def test_a_plan_decides_and_not_the_certificate(below: Below, world: Any) -> None:
    with pytest.raises(VerificationError) as caught:
        below.write(issued=world.issued)
    assert caught.value.code == "chain.root_self_signed"
    with pytest.raises(VerificationError) as caught:
        world.write((below.root, *below.others))
    assert caught.value.code == "chain.root_signature"


def test_a_chain_that_is_exchanged_left_out_or_another_cas_is_found(below: Below) -> None:
    files = dict(below.write(below.above))
    reverse = below.higher.top.pem + below.higher.issuing.pem
    assert "upload.root_chain" in codes(resummed({**files, "root-chain.pem": reverse}))
    without = resummed({k: v for k, v in files.items() if k != "root-chain.pem"})
    assert "upload.file_missing" in codes(without)
    other = Higher(below.higher.begin)
    foreign = tuple(read_certificate(one.der, "x") for one in (other.issuing, other.top))
    with pytest.raises(VerificationError) as caught:
        below.write(foreign)
    assert caught.value.code in {"higher.issuer_wrong", "higher.signature_wrong"}


def test_a_chain_belongs_to_a_new_root_under_a_higher_ca(world: Any, below: Below) -> None:
    def add(tree: Any) -> None:
        tree["root_chain"] = {"file": "root-chain.pem", "sha256": ["0" * 64]}

    assert "json.value" in codes(edited(world.upload, add, "manifest.json"))

    def claim(tree: Any) -> None:
        tree["certificates"][1]["issuer"] = "external"

    assert "json.value" in codes(edited(below.write(), claim, "manifest.json"))


def test_as_many_local_cas_as_a_plan_may_have_fit_beside_a_chain(
    below: Below, world: Any, make: Any
) -> None:
    names = [f"line-{number}" for number in range(MAX_LOCAL_CAS)]
    servers = [one for one in below.others if one.role is not Role.LOCAL_CA]
    local = [make.local_ca(world, name) for name in names]
    files = below.write(below.above, (below.root, *servers, *local))
    assert len(files) == MAX_ENTRIES


def test_every_command_of_the_readme_passes_with_that_chain(below: Below, tmp_path: Path) -> None:
    folder = write_directory(tmp_path, "up", below.write(below.above))
    lines = (folder / "README.txt").read_text().splitlines()
    verify = [line.strip() for line in lines if line.strip().startswith("openssl verify")]
    assert len(verify) == 7
    assert sum("-partial_chain" in line for line in verify) == 6
    for command in verify:
        at = str(int(below.root.certificate.not_before.timestamp()) + 60)
        shell(command.replace("verify ", f"verify -attime {at} "), folder)


# --- the CSR -----------------------------------------------------------------------------


def shell(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def blocks(readme: str) -> list[str]:
    """The indented commands, those over several lines together."""
    told = readme.replace("\\\n", "").replace("|\n", "|").splitlines()
    return [line.strip() for line in told if line.startswith("    ")]


def test_the_higher_ca_signs_and_makes_the_words_with_stock_tools_alone(
    world: Any, make: Any, tmp_path: Path
) -> None:
    folder = write_directory(tmp_path, "csr", make.root_csr(world))
    curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout CA.key"
    shell(f"openssl req -x509 {curve} -out CA.pem -subj /CN=Higher -days 9000", folder)
    told = blocks((folder / "README.txt").read_text())
    ours = [one for one in told if one.startswith(("sha256sum", "openssl", "printf"))]
    assert len(ours) == 7
    said = [shell(command, folder) for command in ours]
    answer = read_certificate((folder / "answer.pem").read_bytes(), "answer.pem")
    assert said[-1].split() == list(answer.fingerprint.words)
    assert said[3].split()[0] in (folder / "README.txt").read_text()
    assert answer.spki == world.certificate("root").spki
    assert answer.subject_der == world.certificate("root").subject_der


def test_a_root_csr_that_was_tampered_with_is_found(world: Any, make: Any) -> None:
    files = dict(make.root_csr(world))
    assert not failed(check_root_csr_files(files))

    def found(changed: Mapping[str, bytes]) -> set[str]:
        return {check.code for check in failed(check_root_csr_files(changed))}

    other = make.root_csr(make.world())["root.csr"]
    assert found(resummed({**files, "root.csr": other})) == {"json.value"}
    short = b"\n".join(files["pgp-words.txt"].split(b"\n")[1:])
    assert found(resummed({**files, "pgp-words.txt": short})) == {"rootcsr.words"}
    assert found(resummed({**files, "root.key": b"x"})) == {"rootcsr.file_extra"}
    assert found({**files, "README.txt": b"?"}) == {"sums.digest"}
    for name in files:
        fewer = {k: v for k, v in files.items() if k != name}
        assert found(fewer if name == "SHA256SUMS" else resummed(fewer)), name

    def rename(tree: Any) -> None:
        tree["factory"] = "acme-feet"

    assert "rootcsr.content" in found(edited(files, rename, "root-csr.json"))
