"""The configuration of the median plugin, both halves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr2.median_config import AnswerRange, MedianConfig

_uint64 = st.integers(0, 2**64 - 1)
_int192 = st.integers(-(2**191), 2**191 - 1)
_medians = st.builds(MedianConfig, st.booleans(), _uint64, st.booleans(), _uint64, _uint64)


@given(_medians)
@settings(deadline=None)
def test_round_trip(config: MedianConfig) -> None:
    """Every configuration of the plugin survives its encoding."""
    assert config == MedianConfig.decode(config.encode())


@given(_int192, _int192)
@settings(deadline=None)
def test_round_trip_of_a_range(one: int, other: int) -> None:
    """Every range of answers survives its encoding of 49 bytes."""
    answers = AnswerRange(min(one, other), max(one, other))

    assert 49 == len(answers.encode())
    assert answers == AnswerRange.decode(answers.encode())


def test_a_known_range() -> None:
    """The version stands first, then both answers in two's complement."""
    assert "01" + "ff" * 24 + "00" * 23 + "0a" == AnswerRange(-1, 10).encode().hex()


@pytest.mark.parametrize(
    "encoded", [b"", b"\1", b"\2" + bytes(48), b"\1" + bytes(49), b"\1" + b"\0" * 23 + b"\1" + bytes(24)]
)
def test_what_is_no_range(encoded: bytes) -> None:
    """Another length or version, and a range that is empty, are refused."""
    with pytest.raises(InvalidOcrConfig, match="onchainConfig"):
        AnswerRange.decode(encoded)


@pytest.mark.parametrize(("answers", "field"), [((-(2**191) - 1, 0), "minAnswer"), ((0, 2**191), "maxAnswer")])
def test_an_answer_that_does_not_fit(answers: tuple[int, int], field: str) -> None:
    """An answer of more than 192 bits is refused by name."""
    with pytest.raises(InvalidOcrConfig) as caught:
        AnswerRange(*answers).encode()

    assert field == caught.value.field


@pytest.mark.parametrize("config", [MedianConfig(False, -1, False, 0, 0), MedianConfig(False, 0, False, 0, 2**64)])
def test_what_does_not_fit_is_not_written(config: MedianConfig) -> None:
    """A number that its type has no room for is refused."""
    with pytest.raises(InvalidOcrConfig, match="reportingPluginConfig"):
        config.encode()


def test_what_is_no_message() -> None:
    """Bytes that are no such message are refused."""
    with pytest.raises(InvalidOcrConfig, match="reportingPluginConfig"):
        MedianConfig.decode(b"\xff")
