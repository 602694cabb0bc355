"""Parts 1 to 3 of the script: open, preflight, import."""

from ceremony.config import Plan
from ceremony.core.text import show
from ceremony.documents.later import later_import_rows
from ceremony.documents.model import Print
from ceremony.documents.parts import BOTH, EITHER, Part, Row, type_back
from ceremony.kinds import facts_of


def open_part(plan: Plan) -> Part:
    """People, place, and the words of the plan."""
    rows: list[Row] = [
        (
            BOTH,
            (
                "Check the room: only the people named in this script; no phone or camera that the "
                "plan does not allow; door closed."
            ),
            "As stated",
        ),
        (
            EITHER,
            "Start the laptop from its approved medium. Run: ceremony run ceremony.toml",
            f"Screen '{facts_of(plan.kind).title}'"
            + (", marked REHEARSAL" if plan.rehearsal else "")
            + f"; factory {plan.factory}",
        ),
        (EITHER, "Enter place, purpose and approval reference.", "As on page 1 and in 'The day'"),
    ]
    rows += [
        (
            seat,
            (
                f"Enrol as officer {seat}: name as on the identity document, role, the kind of "
                "document that was looked at, and a personal phrase typed twice, unseen by "
                "everybody else."
            ),
            "Accepted" if seat == "A" else "Accepted; another person than officer A",
        )
        for seat in "AB"
    ]
    if plan.rules.witness:
        rows.append(("Witness", "Have name and role entered.", "Accepted"))
    rows.append(
        (
            EITHER,
            (
                "Enter administrator and custodian, where there are any, with the kind of document "
                "that was looked at."
            ),
            "Accepted",
        )
    )
    if plan.rules.bags:
        rows.append(
            (
                BOTH,
                "Look at each bag: seal and number. Enter the numbers, then cut the bags.",
                "As in the last record; another number is an exception",
            )
        )
    rows += type_back(plan, "the plan's fingerprint in this script")
    return Part(
        title="Open",
        aim="Who is here, where, and on whose approval; and that the plan in the laptop is the "
        "plan that was approved.",
        rows=tuple(rows),
    )


def preflight_part(plan: Plan) -> Part:
    """The laptop, its surroundings, the clock."""
    interfaces = ", ".join(show(name) for name in plan.rules.interfaces)
    off = f"All down but {interfaces}" if interfaces else "All down"
    rows: list[Row] = [
        (BOTH, "Check with your own eyes: no network cable, no radio, no foreign device.", off),
        (
            BOTH,
            (
                "Compare version and SHA-256 of the program (line tool.version) with those that "
                "were approved. Its first eight digits: ________"
            ),
            "The same",
        ),
        (
            EITHER,
            "Read the list of checks aloud: PASS, WARN or FAIL.",
            "No FAIL. FAIL stops until it is mended."
            if not plan.rehearsal
            else "True status on each line; in a rehearsal none stops.",
        ),
        (
            BOTH,
            "For each WARN: decide, and enter why it is acceptable and who decided.",
            "One exception on record for each WARN; an exception sheet for each",
        ),
    ]
    rows += [
        (seat, "Compare the time (UTC) on the screen with your own watch.", "Right within minutes")
        for seat in "AB"
    ]
    return Part(
        title="Preflight",
        aim="That this laptop, its clock and the token are fit for the ceremony.",
        rows=tuple(rows),
    )


def import_part(plan: Plan) -> Part:
    """The CSRs from the stick, and the words of their bundle."""
    later = not facts_of(plan.kind).makes_root
    files = ", ".join(f"{slot.value}.csr" for slot in plan.requests)
    files = ", ".join(filter(None, (files, "what the Factory has" if later else "")))
    sheet = "the sheet of words printed at the online machine"
    hosts = ", ".join(plan.rules.host_suffixes)
    what = "The CSRs of the platform" if plan.requests else "What the Factory has today"
    return Part(
        title="Import",
        aim=f"{what}, from the stick CSR IN; and that it is what the online machine fetched.",
        rows=(
            (
                EITHER,
                "Plug in the stick CSR IN. Choose the request bundle on it.",
                f"Read once and checked: {files}",
            ),
            *type_back(plan, sheet),
            *(
                [
                    (
                        BOTH,
                        "Read aloud what the Factory has: its root, each device CA and serial.",
                        "As both officers expect; nothing is missing and nothing is foreign",
                    )
                ]
                if later
                else ()
            ),
            *(
                [
                    (
                        BOTH,
                        (
                            "Read subject, key and every DNS name of each CSR aloud. Compare key "
                            "fingerprints by other means where you can."
                        ),
                        f"DNS names end in: {hosts}",
                    )
                ]
                if plan.requests
                else ()
            ),
            (BOTH, "Accept what came in, or refuse it. Acknowledge each warning.", "Accepted"),
            *(later_import_rows(plan) if later else ()),
            (EITHER, "Pull the stick CSR IN.", "Stick in its bag"),
        ),
        after=(
            Print(caption="Request bundle: copy lines A to H here, or staple its sheet of words"),
        ),
    )
