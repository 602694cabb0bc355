"""Every stable code has its row in the table, and every row its code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import codes

ROWS = {
    f"{prefix}.{word}": row
    for prefix, rows in codes.table()[1].items()
    for word, row in rows.items()
    if word != "about"
}
EFFECTS = {"error", "warning", "note", "PASS", "WARN", "FAIL", "check", *codes.STATUSES.values()}


def _effects(text: str) -> set[str]:
    return set(text.replace(" or ", ", ").split(", "))


def test_every_code_of_the_sources_has_a_row() -> None:
    missing = [
        f"{code} ({', '.join(at)})" for code, at in codes.codes().items() if code not in ROWS
    ]
    told = "\n".join(["write a row for each into assets/codes.toml, then: make docs", *missing])
    assert missing == [], told


def test_every_row_has_a_code_in_the_sources() -> None:
    assert not set(ROWS) - set(codes.codes())


def test_a_row_says_what_it_means_and_what_to_do() -> None:
    wrong = []
    for code, (effect, meaning, action) in ROWS.items():
        effects = _effects(effect)
        told = action or effects <= {"PASS", "note", "check"}
        if not (effects <= EFFECTS and told and meaning.endswith(".") and "|" not in action):
            wrong.append(code)
    assert wrong == []


def test_exit_statuses_are_those_of_the_sources() -> None:
    wrong = {
        code: sorted(found)
        for code, found in codes.statuses().items()
        if code in ROWS and not found <= _effects(ROWS[code][0])
    }
    assert wrong == {}


def test_codes_are_found_however_they_are_made() -> None:
    found = codes.codes()
    for code in (
        "plan.value",  # given to an error
        "sums.digest",  # through a function
        "token.pin_locked",  # in a table
        "certificate.device_is_ca",  # yielded
        "token.module_sha256",  # composed from an argument
        "csr.key_point",  # composed from an exception's attribute
        "request.plan_sha256",  # composed from a loop
        "state.read",
    ):
        assert code in found
    for text in ("request.json", "open.place", "online.proxy", "socket.connect"):
        assert text not in found


def test_the_page_is_fresh() -> None:
    page = (codes.TOP / "assets" / "codes.md").read_text()
    assert page == codes.page(), "run: make docs"
