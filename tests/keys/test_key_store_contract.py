"""One contract for every key store: SoftHSM2, NSS softokn, encrypted file."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from ceremony.config import Curve
from ceremony.core.secret import Secret
from ceremony.errors import ExitStatus, KeyStoreError

DATA = b"to be signed"


def check(spki: bytes, signature: bytes, curve: Curve) -> None:
    key = load_der_public_key(spki)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    digest = hashes.SHA256() if curve is Curve.P256 else hashes.SHA384()
    assert key.curve.name == ("secp256r1" if curve is Curve.P256 else "secp384r1")
    key.verify(signature, DATA, ec.ECDSA(digest))


def strangers_spki() -> bytes:
    """Of a key that is in no store."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("curve", list(Curve))
def test_a_new_key_signs_and_is_found_again_by_another_opening(place, curve):
    with place.open() as store:
        store.login(place.secret)
        assert store.keys() == ()
        made = store.generate("root-ca", "01", curve)
        assert made.label == "root-ca"
        assert made.curve is curve
        assert made.key_id == ("01" if place.has_ids else "")
        assert store.keys() == (made,)
        check(made.spki, store.sign(made, DATA), curve)
    with place.open() as store:
        store.login(place.secret)
        assert store.keys() == (made,)
        check(made.spki, store.sign(made, DATA), curve)


def test_28_the_objects_of_a_key_are_told_by_its_label_or_id_and_no_others(place):
    with place.open() as store:
        store.login(place.secret)
        assert store.objects("root-ca", "01") == ()
        store.generate("root-ca", "01", Curve.P256)
        found = store.objects("root-ca", "01")
        assert {each.label for each in found} == {"root-ca"}
        assert sorted(each.kind for each in found)[0] == "private"
        assert len(found) == (2 if place.has_ids else 1)
        assert store.objects("root-ca", "") == found
        assert store.objects("another", "02") == ()


def test_28_half_a_key_goes_and_what_is_not_there_as_told_is_left_alone(place):
    if not place.has_ids:
        return
    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
        private, public = sorted(store.objects("root-ca", "01"), key=lambda each: each.kind)
        for wrong in ((private, private), (replace(public, label="root-cb"),)):
            with pytest.raises(KeyStoreError) as refused:
                store.discard(wrong)
            assert refused.value.code == "token.key_ambiguous"
        assert store.keys() == (made,)
        store.discard((private,))
        assert store.keys() == ()
        assert store.objects("root-ca", "01") == (public,)
        store.discard((public,))
        again = store.generate("root-ca", "01", Curve.P256)
        check(again.spki, store.sign(again, DATA), Curve.P256)


def test_a_second_key_of_the_same_label_is_refused_and_the_first_stays(place):
    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
        with pytest.raises(KeyStoreError) as refused:
            store.generate("root-ca", "02", Curve.P256)
        assert refused.value.code in {"token.label_taken", "file.exists"}
        assert refused.value.status is ExitStatus.KEY_STORE
        assert store.keys() == (made,)
        check(made.spki, store.sign(made, DATA), Curve.P256)


def test_a_wrong_secret_is_refused_and_the_right_one_then_works(place):
    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
    with place.open() as store:
        with pytest.raises(KeyStoreError) as refused:
            store.login(Secret("not-the-one"))
        assert refused.value.code in {"token.pin_wrong", "file.passphrase_wrong"}
        assert "not-the-one" not in str(refused.value)
        with pytest.raises(KeyStoreError) as closed:
            store.sign(made, DATA)
        assert closed.value.code in {"token.not_logged_in", "file.not_logged_in"}
        store.login(place.secret)
        assert store.keys() == (made,)


@pytest.mark.parametrize("use", ["keys", "generate", "sign"])
def test_nothing_works_before_a_login(place, use):
    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
    uses = {
        "keys": lambda s: s.keys(),
        "generate": lambda s: s.generate("root-ca", "02", Curve.P256),
        "sign": lambda s: s.sign(made, DATA),
    }
    with place.open() as store, pytest.raises(KeyStoreError) as refused:
        uses[use](store)
    assert refused.value.code in {"token.not_logged_in", "file.not_logged_in"}


def test_an_empty_secret_is_refused(place):
    with place.open() as store, pytest.raises(KeyStoreError) as refused:
        store.login(Secret(""))
    assert refused.value.code in {"token.pin_form", "file.passphrase_missing"}


def test_a_key_that_is_not_in_the_store_does_not_sign(place):
    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
        with pytest.raises(KeyStoreError) as refused:
            store.sign(replace(made, spki=strangers_spki()), DATA)
        assert refused.value.code in {"token.signature_wrong", "file.key_missing"}


def test_closing_twice_is_harmless_and_ends_the_login(place):
    store = place.open()
    store.login(place.secret)
    store.close()
    store.close()
    with pytest.raises(KeyStoreError):
        store.keys()


def test_the_store_describes_itself_without_a_login(place):
    with place.open() as store:
        info = store.info()
        assert info.name
        assert info.kind == ("token" if place.has_ids else "file")
        assert info.software is place.has_ids


def test_many_digests_are_signed_in_order_each_with_a_signature_of_its_own(place):
    import hashlib

    from cryptography.exceptions import InvalidSignature

    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
        data = [f"{DATA!r} {i}".encode() for i in range(430)]
        signatures = store.sign_digests(made, [hashlib.sha256(one).digest() for one in data])
        assert store.sign_digests(made, []) == ()
        check(made.spki, store.sign(made, DATA), Curve.P256)
    key = load_der_public_key(made.spki)
    for one, signature in zip(data, signatures, strict=True):
        key.verify(signature, one, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(signatures[0], data[1], ec.ECDSA(hashes.SHA256()))
    assert len(set(signatures)) == 430


def test_a_destroyed_key_is_gone_and_its_name_is_free_again(place):
    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
        other = place.has_ids and store.generate("other", "02", Curve.P256)
        store.destroy(made)
        assert store.keys() == ((other,) if other else ())
        with pytest.raises(KeyStoreError) as refused:
            store.destroy(made)
        assert refused.value.code in {"token.key_missing", "file.key_missing"}
    with place.open() as store:
        store.login(place.secret)
        assert store.keys() == ((other,) if other else ())
        again = store.generate("root-ca", "01", Curve.P256)
        assert again.spki != made.spki


def test_only_the_key_with_that_public_half_is_destroyed(place):
    with place.open() as store:
        store.login(place.secret)
        made = store.generate("root-ca", "01", Curve.P256)
        with pytest.raises(KeyStoreError) as refused:
            store.destroy(replace(made, spki=strangers_spki()))
        assert refused.value.code in {"token.key_missing", "file.key_missing"}
        assert store.keys() == (made,)
