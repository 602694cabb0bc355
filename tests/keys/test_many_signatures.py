"""Many signatures at once: requests that wait in the pipe, a slow token, one that fails."""

import hashlib
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ceremony.config import Curve
from ceremony.core.secret import Secret
from ceremony.errors import KeyStoreError

PIN = Secret("1234")
DIGESTS = [hashlib.sha256(bytes((i,))).digest() for i in range(100)]


@pytest.fixture
def opened(softhsm, spoiled, open_store):
    """A logged-in store behind the fake module, and its key, which was made without it."""

    def make(mode, timeout_s=20):
        with open_store(softhsm) as plain:
            plain.login(PIN)
            key = plain.generate("line-1", "01", Curve.P256)
        store = open_store(spoiled(mode), timeout_s=timeout_s)
        store.login(PIN)
        return store, key

    return make


def check(key, digests, signatures):
    public_key = load_der_public_key(key.spki)
    for digest, signature in zip(digests, signatures, strict=True):
        public_key.verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_after_a_refusal_among_many_no_answer_is_taken_for_another(opened):
    store, key = opened("device-error-once")
    with pytest.raises(KeyStoreError) as error:
        store.sign_digests(key, DIGESTS)
    assert error.value.code == "token.device"
    assert store.keys() == (key,)
    check(key, DIGESTS, store.sign_digests(key, DIGESTS))


def test_a_slow_token_is_asked_for_few_at_a_time_so_that_the_time_out_is_no_limit(opened):
    store, key = opened("slow-sign", timeout_s=1.5)
    began_s = time.monotonic()
    check(key, DIGESTS, store.sign_digests(key, DIGESTS))
    assert time.monotonic() - began_s > 3, "it was no slow token"


@pytest.mark.parametrize("mode", ["crash", "exit"])
def test_a_module_that_ends_among_many_is_an_error(opened, mode):
    store, key = opened(mode)
    with pytest.raises(KeyStoreError) as error:
        store.sign_digests(key, DIGESTS)
    assert error.value.code == "token.module_crashed"
    with pytest.raises(KeyStoreError) as error:
        store.sign_digests(key, DIGESTS)
    assert error.value.code == "token.not_logged_in"


def test_short_signatures_among_many_are_refused_before_they_are_encoded(opened):
    store, key = opened("short-signature")
    with pytest.raises(KeyStoreError) as error:
        store.sign_digests(key, DIGESTS)
    assert error.value.code == "token.signature_wrong"
    assert store.keys() == (key,)
