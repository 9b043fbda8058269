"""The encoding of OCR2's off-chain configuration."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr2.median_config import MedianConfig
from chainlink.ocr2.offchain_config import MAX_ENCODED_LENGTH, Ocr2OffchainConfig
from tests.chainlink.ocr2.made import made_ocr2_config

_word = st.binary(min_size=32, max_size=32)
_block = st.binary(min_size=16, max_size=16)
_uint64 = st.integers(0, 2**64 - 1)
_uint32 = st.integers(0, 2**32 - 1)
_configs = st.builds(
    Ocr2OffchainConfig,
    *[_uint64] * 5,
    _uint32,
    st.lists(_uint32, max_size=5).map(tuple),
    st.lists(_word, max_size=3).map(tuple),
    st.lists(st.text(max_size=4), max_size=3).map(tuple),
    st.builds(MedianConfig, st.booleans(), _uint64, st.booleans(), _uint64, _uint64),
    *[_uint64] * 5,
    st.none() | _uint64,
)
_secrets = st.builds(SharedSecretEncryptions, _word, _word, st.lists(_block, max_size=3).map(tuple))
_SEALED = SharedSecretEncryptions(bytes(32), bytes(32), (bytes(16),) * 4)
_MADE = made_ocr2_config().offchain


@given(_configs, _secrets)
@settings(deadline=None, max_examples=30)
def test_round_trip(config: Ocr2OffchainConfig, sealed: SharedSecretEncryptions) -> None:
    """Every configuration survives its encoding, and its encrypted secret with it."""
    assert (config, sealed) == Ocr2OffchainConfig.decode(config.encode(sealed))


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_decode_or_are_refused(encoded: bytes) -> None:
    """Bytes that are no configuration give InvalidOcrConfig and nothing else: none of these has a secret's point."""
    with pytest.raises(InvalidOcrConfig):
        Ocr2OffchainConfig.decode(encoded)


@given(st.integers(0, 2**16), st.binary(min_size=1, max_size=4))
@settings(deadline=None)
def test_damaged_bytes_decode_or_are_refused(place: int, damage: bytes) -> None:
    """A configuration in which bytes were changed is read, or is refused as such."""
    encoded = _MADE.encode(_SEALED)
    start = place % len(encoded)
    damaged = encoded[:start] + damage + encoded[start + len(damage) :]
    try:
        found, sealed = Ocr2OffchainConfig.decode(damaged)
    except InvalidOcrConfig:
        return
    assert (found, sealed) == Ocr2OffchainConfig.decode(found.encode(sealed))


def test_no_time_of_start_is_not_zero() -> None:
    """A time of the plugin's start that is not given is another thing than one of 0."""
    absent, zero = (replace(_MADE, max_duration_initialization_ns=value) for value in (None, 0))

    assert absent == Ocr2OffchainConfig.decode(absent.encode(_SEALED))[0]
    assert zero == Ocr2OffchainConfig.decode(zero.encode(_SEALED))[0]
    assert absent.encode(_SEALED) != zero.encode(_SEALED)


@pytest.mark.parametrize(
    ("config", "sealed", "field"),
    [
        (replace(_MADE, delta_round_ns=-1), _SEALED, "offchainConfig"),
        (replace(_MADE, r_max=2**32), _SEALED, "offchainConfig"),
        (replace(_MADE, s=(-1,)), _SEALED, "offchainConfig"),
        (replace(_MADE, offchain_public_keys=(bytes(31),)), _SEALED, "offchainPublicKeys[0]"),
        (replace(_MADE, peer_ids=("a" * MAX_ENCODED_LENGTH,)), _SEALED, "offchainConfig"),
        (_MADE, replace(_SEALED, encryptions=(bytes(16), bytes(17))), "encryptions[1]"),
        (_MADE, replace(_SEALED, diffie_hellman_point=b""), "diffieHellmanPoint"),
        (_MADE, replace(_SEALED, shared_secret_hash=bytes(33)), "sharedSecretHash"),
    ],
)
def test_what_does_not_fit_is_not_written(
    config: Ocr2OffchainConfig, sealed: SharedSecretEncryptions, field: str
) -> None:
    """What no node would read is not written, and is named."""
    with pytest.raises(InvalidOcrConfig) as caught:
        config.encode(sealed)

    assert field == caught.value.field


def test_what_is_too_long_is_not_read() -> None:
    """More bytes than nodes take are refused unread."""
    with pytest.raises(InvalidOcrConfig, match="at most 2000000 bytes"):
        Ocr2OffchainConfig.decode(bytes(MAX_ENCODED_LENGTH + 1))
