"""The ceremony as one straight line. Resume is to run it again over the same record."""

from ceremony.bundle.upload import Issued
from ceremony.flow.asking import Flow
from ceremony.flow.backup import clone_and_prove
from ceremony.flow.closing import close
from ceremony.flow.export import export
from ceremony.flow.intake import take_in
from ceremony.flow.local_cas import make_local_cas
from ceremony.flow.opening import open_ceremony
from ceremony.flow.preflight import preflight
from ceremony.flow.prompts import Step
from ceremony.flow.resuming import resume
from ceremony.flow.room import Room
from ceremony.flow.root import NAME as ROOT
from ceremony.flow.root import make_root
from ceremony.flow.signing import orders, sign_all
from ceremony.flow.verification import verify
from ceremony.x509.profiles import Role


def ceremony(room: Room) -> Flow[None]:
    """Kind `create`, from the first prompt to the last.

    Each step looks at the record first and does only what is not on it, so that the same
    program resumes a ceremony that was cut off anywhere.
    """
    if room.record.all("reopen") and not room.record.closed:
        yield from resume(room, current_step(room))
    yield from open_ceremony(room)
    if not room.record.closed:
        yield from preflight(room)
    intake = yield from take_in(room)
    root = yield from make_root(room)
    yield from clone_and_prove(room, root.spki)
    yield from make_local_cas(room)
    others = yield from sign_all(room, intake, root)
    roles = {order.name: order.role for order in orders(room, intake, root)}
    yield from verify(room, root, {name: (roles[name], cert) for name, cert in others.items()})
    issued = [
        Issued(role=Role.ROOT, name=ROOT, certificate=root),
        *(Issued(role=roles[n], name=n, certificate=c) for n, c in others.items()),
    ]
    upload = yield from export(room, issued)
    yield from close(room, issued, upload)


def current_step(room: Room) -> Step:
    """Where the record stands, for the frame around a question between steps."""
    last = room.record.lines[-1].step
    return next((step for step in Step if step.value == last), Step.OPEN)
