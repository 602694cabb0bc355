"""Passwords that cost nothing to check: the tests hold hundreds of ceremonies."""

import hashlib
from collections.abc import Iterator

import pytest

from ceremony.keys import pkcs8

SCRYPT = hashlib.scrypt


def cheap_scrypt(password: bytes, *, salt: bytes, n: int, r: int, p: int, dklen: int) -> bytes:
    """RFC 7914 with its smallest cost."""
    return SCRYPT(password, salt=salt, n=2, r=1, p=1, dklen=dklen)


@pytest.fixture(autouse=True, scope="module")
def cheap_passwords() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "scrypt", cheap_scrypt)
        patch.setattr(pkcs8, "ROUNDS", 1000)
        yield
