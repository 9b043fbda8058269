"""The encrypted secret of a configuration."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from tests.chainlink.ocr.made import digest

# Printed by another implementation.
_SECRET = bytes(range(16))
_EPHEMERAL = b"\x11" * 32
_CONFIG_KEY = bytes.fromhex("675500530eb4953c326cf19a91b284ec8a63038dff06b0de59d4cbcc9db7b72e")
_POINT = "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
_HASH = "01aec967ba5d2a807edd3fd8942c6f72c0c62961bfeb10c1f79c756f7294b0e3"
_BLOCK = "4ad24c27ad8af32cae113c16a2f452ca"


def _public(scalar: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()


def test_encrypted_as_by_another_implementation() -> None:
    """Point, hash and block are those that another implementation computes from the same randomness."""
    sealed = SharedSecretEncryptions.seal(_SECRET, _EPHEMERAL, [_CONFIG_KEY, _public(digest("config", 1))])

    assert (_POINT, _HASH) == (sealed.diffie_hellman_point.hex(), sealed.shared_secret_hash.hex())
    assert _BLOCK == sealed.encryptions[0].hex()
    assert keccak(_SECRET) == sealed.shared_secret_hash


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32), st.integers(1, 31))
@settings(deadline=None)
def test_each_oracle_opens_its_own(secret: bytes, ephemeral: bytes, n: int) -> None:
    """Every oracle gets the secret with its key at its place, and none at another's."""
    scalars = [digest("config", index) for index in range(n)]
    sealed = SharedSecretEncryptions.seal(secret, ephemeral, [_public(scalar) for scalar in scalars])

    assert [secret] * n == [sealed.open(index, scalar) for index, scalar in enumerate(scalars)]
    with pytest.raises(InvalidOcrConfig, match=r"sharedSecretEncryptions\[0\]: found .* wrong hash"):
        sealed.open(0, digest("stranger", 0))


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31), bytes(31)])
def test_a_key_on_a_small_subgroup_is_refused(key: bytes) -> None:
    """A config key that would make the shared secret public, or is none, is refused by its index."""
    with pytest.raises(InvalidOcrConfig, match=r"configPublicKeys\[1\]"):
        SharedSecretEncryptions.seal(_SECRET, _EPHEMERAL, [_CONFIG_KEY, key])


def test_a_useless_point_is_refused() -> None:
    """A point that gives no shared key is named."""
    sealed = SharedSecretEncryptions.seal(_SECRET, _EPHEMERAL, [_CONFIG_KEY])

    with pytest.raises(InvalidOcrConfig, match="diffieHellmanPoint"):
        replace(sealed, diffie_hellman_point=bytes(32)).open(0, digest("config", 0))
