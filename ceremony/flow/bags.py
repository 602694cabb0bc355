"""Tamper-evident bags: their numbers in and out, and who holds what afterwards.

What was sealed after the last ceremony of this Factory is on the first line of the record;
a bag that bears another number today is an exception. The number that is expected is not
shown before one was typed from the bag. What is not brought stays where it is, and on the
list: years later its bag is still compared.
"""

from collections.abc import Mapping
from dataclasses import replace

from ceremony.core.text import show
from ceremony.flow.asking import Flow, enter
from ceremony.flow.prompts import EnterText, Facts, Field, Step, Text, Tone
from ceremony.flow.room import Room
from ceremony.kinds import EXPORTS_NOTHING

NO_BAG, STAYS = "-", "not brought"


def open_bags(room: Room) -> Flow[None]:
    """The numbers of the bags that are opened, compared with the last record."""
    if not room.plan.rules.bags or room.has("bags", "opened"):
        return
    yield from _open(room, "opened", sealed_before(room), _brought(room))


def reopen_bags(room: Room) -> Flow[None]:
    """The same for what lay in bags while the ceremony waited for a higher CA."""
    sealed = room.find("bags", "waiting")
    if sealed is None or room.has("bags", "reopened"):
        return
    if not any(line.n > sealed.n for line in room.record.all("reopen")):
        return  # still the sitting that sealed them
    before = {str(row["item"]): str(row["bag"]) for row in sealed.data["items"]}
    in_bags = {item: bag for item, bag in before.items() if bag != NO_BAG}
    yield from _open(room, "reopened", in_bags, (*_tokens(room), "laptop"))


def _open(room: Room, key: str, before: Mapping[str, str], needed: tuple[str, ...]) -> Flow[None]:
    items = tuple(dict.fromkeys((*needed, *before)))
    values = yield from enter(_opened(items))
    found = {
        item: values[f"item{n}"] or (NO_BAG if item in needed else STAYS)
        for n, item in enumerate(items)
    }
    differ = {
        item: bag
        for item, bag in before.items()
        if found[item] != STAYS and _letters(found[item]) != _letters(bag)
    }
    if differ:
        yield from _differ(room, differ, found)
    rows = [
        {"item": item, "bag": bag, "before": before.get(item, "")} for item, bag in found.items()
    ]
    room.append(Step.OPEN, "bags", key, items=rows)


def close_bags(room: Room) -> Flow[None]:
    """The bag that each thing goes into, and who holds it from now on."""
    if not room.plan.rules.bags or room.record.closed or room.has("bags", "sealed"):
        return
    items = _left(room)
    rows = yield from _seal(_sealed(items), items)
    room.append(Step.CLOSE, "bags", "sealed", items=[*rows, *_stayed(room, items)])


def wait_in_bags(room: Room) -> Flow[None]:
    """The bags of what lies somewhere until a higher CA has answered."""
    if not room.plan.rules.bags or room.has("bags", "waiting"):
        return
    items = tuple(item for item in _left(room) if not item.startswith("stick "))
    prompt = replace(
        _sealed(items),
        step=Step.ROOT,
        help="Nobody is to have them in their hands until the answer is here. The next sitting "
        "compares the numbers, before anything is done.",
    )
    rows = yield from _seal(prompt, items)
    room.append(Step.ROOT, "bags", "waiting", items=rows)


def _seal(prompt: EnterText, items: tuple[str, ...]) -> Flow[list[dict[str, str]]]:
    values = yield from enter(prompt, _sealed_problem)
    rows = []
    for n, item in enumerate(items):
        bag, _, holder = values[f"item{n}"].partition(",")
        rows.append({"item": item, "bag": bag.strip() or NO_BAG, "holder": holder.strip()})
    return rows


def _stayed(room: Room, items: tuple[str, ...]) -> list[dict[str, str]]:
    """What nobody brought: in the bag and with the holder that the last record names."""
    opened = room.find("bags", "opened")
    absent = {str(r["item"]) for r in opened.data["items"] if r["bag"] == STAYS} if opened else ()
    rows = []
    for row in room.record.lines[0].data.get("bags_before") or ():
        item = str(row["item"])
        if item in absent:
            name = f"{item} from before {room.ceremony_id}" if item in items else item
            rows.append(
                {"item": name, "bag": str(row["bag"]), "holder": str(row.get("holder", ""))}
            )
    return rows


def sealed_before(room: Room) -> dict[str, str]:
    """Item and bag number at the end of the last ceremony; only what was in a bag."""
    held = room.record.lines[0].data.get("bags_before") or ()
    return {str(row["item"]): str(row["bag"]) for row in held if row["bag"] != NO_BAG}


def _tokens(room: Room) -> tuple[str, ...]:
    called = {True: "backup token", False: "token"}
    return tuple(
        f"{called[purpose == 'backup']} {show(token.serial or token.label or '')}"
        for purpose, token in room.plan.tokens
    )


def _brought(room: Room) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_tokens(room), "laptop", "stick CSR IN")))


def _left(room: Room) -> tuple[str, ...]:
    backup = [
        f"backup token {line.data['where']}"
        for line in room.record.all("backup-check")
        if line.key == "token"
    ]
    ends = ["laptop", "stick SIGNED OUT", "stick EVIDENCE", "PINs and passphrases"]
    if room.plan.root_below:
        ends.insert(1, "stick HIGHER CA")
    if room.plan.kind in EXPORTS_NOTHING:
        ends.remove("stick SIGNED OUT")
    return tuple(dict.fromkeys((*_tokens(room), *backup, *ends, *_out_of_bags(room))))


def _out_of_bags(room: Room) -> tuple[str, ...]:
    """What came in a bag that was cut today: it must go somewhere, needed or not."""
    opened = room.find("bags", "opened")
    rows = () if opened is None else opened.data["items"]
    return tuple(str(row["item"]) for row in rows if row["bag"] not in {NO_BAG, STAYS})


def _letters(bag: str) -> str:
    return "".join(char for char in bag.casefold() if char.isalnum())


def _opened(items: tuple[str, ...]) -> EnterText:
    return EnterText(
        key="open.bags",
        step=Step.OPEN,
        title="Bags that are opened",
        body=(
            Text(
                text="Look at each bag before it is cut: seal and number. Type the numbers; "
                "leave empty what came in no bag, or was not brought."
            ),
        ),
        fields=tuple(
            Field(name=f"item{n}", label=item, placeholder="bag number", required=False)
            for n, item in enumerate(items)
        ),
        help="They are compared with those that the last record of this Factory names. A bag "
        "that was opened or exchanged is an exception, and may be a reason to stop.",
    )


def _differ(room: Room, differ: Mapping[str, str], found: Mapping[str, str]) -> Flow[None]:
    rows = tuple(
        (item, f"bag {found[item]}; the last record says {bag}") for item, bag in differ.items()
    )
    values = yield from enter(
        EnterText(
            key="open.bags.differ",
            step=Step.OPEN,
            title="Not the bag of the last record",
            body=(
                Text(
                    text="Since the last ceremony somebody may have had this in their hands. Look "
                    "again; correct a slip with Esc.",
                    tone=Tone.DANGER,
                ),
                Facts(rows=rows),
                Text(text="To go on becomes an exception."),
            ),
            fields=(
                Field(name="why", label="Why it is acceptable"),
                Field(name="by", label="Who decided"),
            ),
        )
    )
    for item, told in rows:
        what = f"{item}: {told}"
        room.exception(Step.OPEN, what, values["why"], "go on", [values["by"]], about=what)


def _sealed(items: tuple[str, ...]) -> EnterText:
    return EnterText(
        key="close.bags",
        step=Step.CLOSE,
        title="Where everything goes",
        body=(
            Text(
                text="For each: the number of the bag that it goes into, a comma, and who holds "
                f"it from now on. Write {NO_BAG} for no bag: '{NO_BAG}, Ada'."
            ),
        ),
        fields=tuple(
            Field(name=f"item{n}", label=item, placeholder="bag number, holder")
            for n, item in enumerate(items)
        ),
        help="It is written now, as nothing can be added to the record after it is closed: take "
        "the numbers from the bags that lie ready. The next ceremony compares them.",
    )


def _sealed_problem(values: Mapping[str, str]) -> str | None:
    for value in values.values():
        bag, comma, holder = value.partition(",")
        if not (comma and bag.strip() and holder.strip()):
            return f"'{value}': a bag number (or {NO_BAG}), a comma, and a name."
    bags = [_letters(value.partition(",")[0]) for value in values.values()]
    used = [bag for bag in bags if bag]
    return None if len(set(used)) == len(used) else "Each bag has a number of its own."
