"""Hashes of Ethereum."""

import pytest

from meshkit.ethereum.keccak import keccak256


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"transfer(address,uint256)", "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b"),
    ],
)
def test_known_hashes(data: bytes, expected: str) -> None:
    """The hash is that of Ethereum, not the later SHA-3."""
    assert expected == keccak256(data).hex()
