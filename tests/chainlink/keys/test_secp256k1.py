"""Signatures of Ethereum's keys, against the field's common library."""

import pytest
from eth_keys.datatypes import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.keys import secp256k1

_KEYS = st.integers(1, secp256k1.ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
_DIGESTS = st.binary(min_size=32, max_size=32)


@settings(max_examples=30, deadline=None)
@given(_KEYS, _DIGESTS)
def test_a_signature_is_that_of_others(key: bytes, digest: bytes) -> None:
    """Address and signature are those of the common library, and the signature gives the address."""
    theirs = PrivateKey(key)
    signature = secp256k1.sign(key, digest)

    assert theirs.public_key.to_checksum_address() == secp256k1.address_of(key)
    assert theirs.sign_msg_hash(digest).to_bytes() == signature
    assert secp256k1.address_of(key) == secp256k1.recover(digest, signature)


@settings(max_examples=50, deadline=None)
@given(_DIGESTS, st.binary(min_size=64, max_size=66))
def test_any_bytes_are_a_signature_or_none(digest: bytes, signature: bytes) -> None:
    """Whatever is given for a signature leads to an address or to none."""
    found = secp256k1.recover(digest, signature)

    assert found is None or len(found) == 42


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(65),
        b"\1" * 64 + b"\2",
        b"\1" * 64 + b"\x1b",
        secp256k1.ORDER.to_bytes(32, "big") + b"\1" * 32 + b"\0",
        b"\1" * 32 + secp256k1.ORDER.to_bytes(32, "big") + b"\0",
    ],
)
def test_what_no_key_can_have_made(signature: bytes) -> None:
    """Numbers out of the curve's order, and other recovery ids than 0 and 1, lead to no address."""
    assert secp256k1.recover(b"\1" * 32, signature) is None
