"""Which of the session's calls answers which request."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ceremony.keys import protocol as p
from ceremony.keys.session import Session

_CALLS: Final[Mapping[type, Callable[[Session, Any], p.Answer | None]]] = {
    p.ListTokens: lambda session, _: session.tokens(),
    p.Login: Session.login,
    p.ListKeys: lambda session, _: session.keys(),
    p.ListObjects: Session.objects,
    p.Discard: Session.discard,
    p.Generate: Session.generate,
    p.Sign: Session.sign,
    p.SignAll: Session.sign_all,
    p.Destroy: Session.destroy,
    p.InitToken: Session.initialise,
    p.SetPin: Session.set_pin,
    p.Finish: lambda session, _: session.close(),
}


def dispatch(session: Session, request: p.Request) -> p.Answer:
    """One request, one answer."""
    return _CALLS[type(request)](session, request) or p.Done()
