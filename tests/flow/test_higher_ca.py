"""A root under a higher CA, at the table: the pause, the answer, and answers that are none."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from ceremony.bundle.checking import check_upload_files, require
from ceremony.bundle.inspection import Subject, inspect
from ceremony.bundle.media import read_directory
from ceremony.bundle.request import read_request
from ceremony.core.fingerprints import Fingerprint
from ceremony.errors import VerificationError
from ceremony.flow.driver import Outcome, run
from ceremony.flow.prompts import (
    Answer,
    AnyPrompt,
    Chosen,
    Command,
    Decided,
    Entered,
    Frame,
    Picked,
    PickPath,
    Review,
)
from ceremony.practice.officers import ScriptedOfficers
from ceremony.record.chain import Line
from ceremony.x509.certificate import read_certificate
from tests.documents.acts import unscripted
from tests.flow.below import Below, below_table
from tests.higher import Higher, usage


@pytest.fixture
def below(tmp_path: Path) -> Below:
    return below_table(tmp_path)


class Bringing(ScriptedOfficers):
    """Officers with answers in their hands, one after the other; then they leave."""

    def __init__(self, below: Below, *answers: Path) -> None:
        super().__init__(below.table.papers, quiet=True)
        self._answers = list(answers)
        self.problems: list[str] = []
        self.accept = True

    def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
        if prompt.key == "root.answer" and isinstance(prompt, PickPath):
            self.problems += [prompt.problem] if prompt.problem else []
            if not self._answers:
                return Command.QUIT
            return Picked(path=str(self._answers.pop(0)))
        if isinstance(prompt, Review) and prompt.key == "review.root-answer" and not self.accept:
            self.accept = True
            return Decided(accepted=False)
        return super().ask(replace(prompt, problem=None), frame)


def sit(below: Below, officers: ScriptedOfficers) -> tuple[Outcome, tuple[Line, ...]]:
    room = below.table.sit_down()
    with room.record:
        outcome = run(room, officers)
        return outcome, room.record.lines


def test_the_plan_waits_and_goes_on_and_everything_was_on_the_script(below: Below) -> None:
    outcome, lines = sit(below, below.table.officers())
    assert outcome is Outcome.WAITS
    assert [line.type for line in lines[-2:]] == ["wait", "paper"]
    (bundle,) = below.stick.glob("*-root-csr-*/")
    found = inspect(bundle, expect=None, at=below.table.services.clock.now())
    assert found.subject is Subject.ROOT_CSR
    assert not any(check.outcome.value == "failed" for check in found.checks)
    assert not list((below.table.media / "usb-out").iterdir())

    below.answer()
    outcome, lines = sit(below, below.table.officers())
    assert outcome is Outcome.CLOSED
    assert unscripted(below.table.plan_file.plan, lines) == []
    files = read_directory(below.table.upload)
    require(check_upload_files(files, read_request(below.table.request)))
    root = read_certificate(files["factory_ca.pem"], "root")
    for name in ("tls.pem", "local_ca-line-1.pem"):
        one = read_certificate(files[name], name)
        assert root.not_before <= one.not_before
        assert one.not_after <= root.not_after


def test_wrong_answers_are_refused_by_name_and_the_right_one_still_goes_in(
    below: Below, tmp_path: Path
) -> None:
    assert sit(below, below.table.officers())[0] is Outcome.WAITS
    csr = below.csr
    wrong: dict[str, bytes] = {
        "answer.key_differs": below.higher.sign(
            csr, key=ec.generate_private_key(ec.SECP256R1()).public_key()
        ),
        "certificate.path_length": below.higher.sign(
            csr, more=[(x509.BasicConstraints(ca=True, path_length=0), True)]
        ),
        "answer.crl_sign_missing": below.higher.sign(csr, more=[(usage("key_cert_sign"), True)]),
        "pem.several": below.higher.chain,
        "pem.private_key": b"-----BEGIN EC PRIVATE KEY-----\n",
        "pem.label": csr,
    }
    folder = below.stick / "wrong"
    folder.mkdir()
    for code, data in wrong.items():
        (folder / f"{code}.pem").write_bytes(data)
    officers = Bringing(below, *(folder / f"{code}.pem" for code in wrong))
    outcome, lines = sit(below, officers)
    assert outcome is Outcome.QUIT
    assert [line.key for line in lines if line.type == "refused"] == list(wrong)
    assert len(officers.problems) == len(wrong)

    below.answer()
    outcome, lines = sit(below, Bringing(below, below.stick / "answer.pem"))
    assert outcome is Outcome.CLOSED
    assert [line.key for line in lines if line.type == "intent"].count("csr/root") == 1


def test_a_chain_of_others_is_refused_and_an_answer_goes_in_without_one(below: Below) -> None:
    sit(below, below.table.officers())
    below.answer(chain=Higher(below.higher.begin).chain)
    outcome, lines = sit(below, Bringing(below, below.stick / "answer.pem"))
    assert outcome is Outcome.QUIT
    assert next(line.key for line in lines if line.type == "refused").startswith("higher.")

    (below.stick / "chain.pem").unlink()
    outcome, lines = sit(below, Bringing(below, below.stick / "answer.pem"))
    assert outcome is Outcome.CLOSED
    assert not (below.table.upload / "root-chain.pem").exists()
    (evidence,) = (below.table.media / "evidence").iterdir()
    report = " ".join((evidence / "report.txt").read_text().split())
    assert "NO CHAIN WAS BROUGHT" in report


def test_wrong_words_of_the_answer_stop_and_another_answer_may_come(below: Below) -> None:
    """The stick was exchanged on its way: what is signed is right, the paper is of another."""
    sit(below, below.table.officers())
    below.answer()
    below.table.papers.words["root-answer.words"] = Fingerprint(bytes(range(32)))
    room = below.table.sit_down()
    with room.record, pytest.raises(VerificationError) as caught:
        run(room, below.table.officers())
    assert caught.value.code == "typeback.mismatch"
    assert not room.has("intent", "certificate/root")

    below.answer()  # the higher CA signs the same CSR again: another serial, other words
    outcome, lines = sit(below, below.table.officers())
    assert outcome is Outcome.CLOSED
    made = [line for line in lines if (line.type, line.key) == ("intent", "certificate/root")]
    assert len(made) == 1
    assert len(below.answered) == 2


def test_an_answer_that_officers_refuse_can_be_replaced(below: Below) -> None:
    sit(below, below.table.officers())
    below.answer()
    officers = Bringing(below, below.stick / "answer.pem", below.stick / "answer.pem")
    officers.accept = False
    outcome, lines = sit(below, officers)
    assert outcome is Outcome.CLOSED
    assert [line.key for line in lines if line.type == "refused"] == ["answer.refused"]


def test_a_root_that_was_exchanged_in_the_folder_is_found(below: Below) -> None:
    sit(below, below.table.officers())
    below.answer()

    class Leaving(ScriptedOfficers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            if prompt.key == "local_cas.done":
                return Command.QUIT
            return super().ask(prompt, frame)

    assert sit(below, Leaving(below.table.papers, quiet=True))[0] is Outcome.QUIT
    path = below.table.directory / "certificates" / "factory_ca.pem"
    path.write_bytes(below.higher.sign(below.csr))
    room = below.table.sit_down()
    officers = below.table.officers()
    with room.record, pytest.raises(Exception, match=r"state\.certificate"):
        run(room, officers)


def test_a_chosen_other_file_is_read_as_the_chain(below: Below) -> None:
    sit(below, below.table.officers())
    below.answer()
    elsewhere = below.stick / "cas.pem"
    (below.stick / "chain.pem").rename(elsewhere)
    answer = below.answered[0]
    elsewhere.write_bytes(answer + below.higher.chain)  # begins with the answer itself

    class Choosing(ScriptedOfficers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            if prompt.key == "root.answer.chain":
                return Chosen(value="-other")
            if prompt.key == "root.answer.chain.path":
                return Picked(path=str(elsewhere))
            return super().ask(prompt, frame)

    outcome, _ = sit(below, Choosing(below.table.papers, quiet=True))
    assert outcome is Outcome.CLOSED
    assert (below.table.upload / "root-chain.pem").read_bytes() == below.higher.chain


def test_a_bag_that_was_exchanged_while_the_ceremony_waited_is_an_exception(below: Below) -> None:
    _, lines = sit(below, below.table.officers())
    (waiting,) = (line for line in lines if (line.type, line.key) == ("bags", "waiting"))
    assert [row["item"] for row in waiting.data["items"]] == [
        "token M1",
        "laptop",
        "PINs and passphrases",
    ]
    below.answer()

    class Exchanged(ScriptedOfficers):
        def ask(self, prompt: AnyPrompt, frame: Frame) -> Answer | Command:
            answer = super().ask(prompt, frame) if prompt.key != "open.bags.differ" else None
            if prompt.key == "open.bags" and isinstance(answer, Entered):
                return Entered(values={**answer.values, "item0": "X-1"})
            return answer or Entered(values={"why": "torn in the safe", "by": "Ada"})

    outcome, lines = sit(below, Exchanged(below.table.papers, quiet=True))
    assert outcome is Outcome.CLOSED
    (exception,) = (line for line in lines if line.type == "exception")
    assert "token M1: bag X-1" in exception.data["what"]
