"""The encoding of the off-chain configuration."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.offchain_config import MAX_ENCODED_LENGTH, OffchainConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from tests.chainlink.ocr.made import made_config

_word = st.binary(min_size=32, max_size=32)
_block = st.binary(min_size=16, max_size=16)
_duration = st.integers(-(2**63), 2**63 - 1)
_configs = st.builds(
    OffchainConfig,
    *[_duration] * 5,
    st.integers(0, 2**64 - 1),
    _duration,
    st.integers(0, 255),
    st.lists(st.integers(0, 255), max_size=40).map(tuple),
    st.lists(_word, max_size=31).map(tuple),
    st.lists(st.text("123456789ABCabc", min_size=1), max_size=31).map(tuple),
)
_secrets = st.builds(SharedSecretEncryptions, _word, _word, st.lists(_block, max_size=31).map(tuple))


def _sealed(n: int) -> SharedSecretEncryptions:
    return SharedSecretEncryptions(bytes(32), bytes(32), (bytes(16),) * n)


@given(_configs, _secrets)
@settings(deadline=None)
def test_round_trip(config: OffchainConfig, sealed: SharedSecretEncryptions) -> None:
    """Every configuration survives its encoding, and its encrypted secret with it."""
    assert (config, sealed) == OffchainConfig.decode(config.encode(sealed))


@given(st.binary(max_size=600))
@settings(deadline=None)
def test_any_bytes_decode_or_are_refused(encoded: bytes) -> None:
    """Bytes that are no configuration give InvalidOcrConfig and nothing else."""
    with pytest.raises(InvalidOcrConfig, match="encoded"):
        OffchainConfig.decode(encoded)


@pytest.mark.parametrize(("n", "length"), [(4, 1248), (31, 5280)])
def test_length_of_the_encoding(n: int, length: int) -> None:
    """With a stage an oracle the encoding is as long as those that are seen on real chains."""
    assert length == len(made_config(n).offchain.encode(_sealed(n)))


def test_too_long_both_ways() -> None:
    """What nodes would refuse for its length is neither written nor read."""
    config = replace(made_config().offchain, s=(1,) * 1000)
    with pytest.raises(InvalidOcrConfig, match="at most 20000 bytes"):
        config.encode(_sealed(4))

    fitting = made_config().offchain.encode(_sealed(4))
    padded = fitting + bytes(MAX_ENCODED_LENGTH - len(fitting))
    assert made_config().offchain == OffchainConfig.decode(padded)[0]
    with pytest.raises(InvalidOcrConfig, match="at most 20000 bytes"):
        OffchainConfig.decode(padded + b"\0")


@pytest.mark.parametrize(
    "changes", [{"r_max": 256}, {"delta_c_ns": 2**63}, {"alpha_ppb": -1}, {"offchain_public_keys": (bytes(33),)}]
)
def test_what_does_not_fit_is_not_written(changes: dict[str, object]) -> None:
    """A value that its type has no room for is refused."""
    config = replace(made_config().offchain, **changes)  # type: ignore[arg-type]

    with pytest.raises(InvalidOcrConfig, match="fit the ABI types"):
        config.encode(_sealed(4))
