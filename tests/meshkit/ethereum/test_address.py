"""Addresses and their spelling."""

import pytest

from meshkit.ethereum.address import checksummed, is_checksummed

_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # of EIP-55 itself


def test_every_spelling_becomes_the_one() -> None:
    """An address in any case becomes the spelling with the checksum, and only that has one."""
    spellings = [_ADDRESS, _ADDRESS.lower(), "0x" + _ADDRESS[2:].upper()]

    assert [_ADDRESS] * 3 == [checksummed(text) for text in spellings]
    assert [True, False, False] == [is_checksummed(text) for text in spellings]


@pytest.mark.parametrize("text", ["", "0x", "0x12", "nobody", _ADDRESS[:-1], _ADDRESS + "0", "0x" + "g" * 40, "é"])
def test_what_is_no_address(text: str) -> None:
    """What is no address has no spelling and no checksum."""
    assert not is_checksummed(text)
    with pytest.raises(ValueError):
        checksummed(text)
