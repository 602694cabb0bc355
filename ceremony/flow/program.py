"""The ceremony as one straight line. Resume is to run it again over the same record."""

from collections.abc import Callable, Mapping
from typing import Final

from ceremony.flow.asking import Flow
from ceremony.flow.backup import clone_and_prove
from ceremony.flow.chosen import choose_cas
from ceremony.flow.closing import close
from ceremony.flow.destroying import destroy_keys
from ceremony.flow.drill import check_backup
from ceremony.flow.existing_root import use_root
from ceremony.flow.export import export
from ceremony.flow.foreign_csrs import take_csrs
from ceremony.flow.higher_ca import make_root_below
from ceremony.flow.intake import take_in
from ceremony.flow.local_cas import make_local_cas
from ceremony.flow.opening import open_ceremony
from ceremony.flow.preflight import preflight
from ceremony.flow.prompts import Step
from ceremony.flow.resuming import resume
from ceremony.flow.room import Room
from ceremony.flow.root import make_root
from ceremony.flow.root_export import export_root_key
from ceremony.flow.signing import sign_all
from ceremony.flow.verification import verify
from ceremony.flow.work import Work
from ceremony.kinds import EXPORTS_NOTHING, Kind

Part = Callable[[Room, Work], Flow[None]]


def _open(room: Room, _: Work) -> Flow[None]:
    yield from open_ceremony(room)
    if not room.record.closed:
        yield from preflight(room)


def _take_in(room: Room, work: Work) -> Flow[None]:
    work.intake = yield from take_in(room)


def _choose(room: Room, work: Work) -> Flow[None]:
    work.chosen = yield from choose_cas(room, work.intake)


def _make_root(room: Room, work: Work) -> Flow[None]:
    if room.plan.root_below:
        work.root, work.above = yield from make_root_below(room)
    else:
        work.root = yield from make_root(room)
    yield from clone_and_prove(room, work.root.spki)


def _use_root(room: Room, work: Work) -> Flow[None]:
    work.root = yield from use_root(room, work.intake)


def _local_cas(room: Room, _: Work) -> Flow[None]:
    yield from make_local_cas(room)


def _foreign_csrs(room: Room, _: Work) -> Flow[None]:
    yield from take_csrs(room)


def _destroy(room: Room, _: Work) -> Flow[None]:
    yield from destroy_keys(room)


def _check_backup(room: Room, _: Work) -> Flow[None]:
    yield from check_backup(room)


def _export_root_key(room: Room, _: Work) -> Flow[None]:
    yield from export_root_key(room)


_END: Final[tuple[Part, ...]] = (sign_all, verify, export, close)
_SERVER: Final[tuple[Part, ...]] = (_open, _take_in, _use_root, *_END)
_CRL: Final[tuple[Part, ...]] = (_open, _take_in, _choose, _use_root, *_END)

PARTS: Final[Mapping[Kind, tuple[Part, ...]]] = {
    Kind.CREATE: (_open, _take_in, _make_root, _local_cas, *_END),
    Kind.ADD_DEVICE_CA: (_open, _take_in, _use_root, _local_cas, *_END),
    Kind.ROTATE_TLS: _SERVER,
    Kind.AUTHORIZE_EST: _SERVER,
    Kind.DISABLE_DEVICE_CA: _CRL,
    Kind.ENABLE_DEVICE_CA: _CRL,
    Kind.REVOKE_DEVICE_CA: _CRL,
    Kind.SIGN_CSR: (_open, _take_in, _use_root, _foreign_csrs, *_END),
    Kind.DESTROY_KEY: (_open, _destroy, close),
    Kind.CHECK_BACKUP: (_open, _check_backup, close),
    Kind.EXPORT_ROOT_KEY: (_open, _export_root_key, close),
}


def ceremony(room: Room) -> Flow[None]:
    """The plan's kind, from the first prompt to the last.

    Each part looks at the record first and does only what is not on it, so that the same
    program resumes a ceremony that was cut off anywhere.
    """
    if room.record.all("reopen") and not room.record.closed:
        yield from resume(room, current_step(room))
    work = Work(exports=room.plan.kind not in EXPORTS_NOTHING)
    for part in PARTS[room.plan.kind]:
        yield from part(room, work)


def current_step(room: Room) -> Step:
    """Where the record stands, for the frame around a question between steps."""
    last = room.record.lines[-1].step
    return next((step for step in Step if step.value == last), Step.OPEN)
