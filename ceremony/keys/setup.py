"""Setting up a new token in the child process: C_InitToken, then the user PIN."""

from typing import Any

from pkcs11.constants import TokenFlag

from ceremony.keys import protocol as p
from ceremony.keys.cryptoki import Functions


def initialise(token: Any, path: str, request: p.InitToken) -> None:
    """Makes a blank token ready: label, SO PIN, user PIN.

    Args:
        token: python-pkcs11's; CKF_TOKEN_INITIALIZED is clear. It is looked at once more,
            right before, because C_InitToken erases a token without a question.
        path: of the module.

    Raises:
        PKCS11Error: the module refused.
        LookupError: the token in the slot is initialised meanwhile.
    """
    slot = token.slot
    if slot.get_token().flags & TokenFlag.TOKEN_INITIALIZED:
        raise LookupError("initialised")
    Functions(path).init_token(int(slot.slot_id), request.so_pin, request.label)
    session = slot.get_token().open(rw=True, so_pin=request.so_pin)
    try:
        session.init_pin(request.pin)
    finally:
        session.close()
