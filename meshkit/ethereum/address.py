"""Ethereum addresses with their EIP-55 checksum, the one spelling that a node takes."""

import re
from functools import lru_cache

_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})")
_FROM_EIGHT = frozenset("89abcdef")


@lru_cache(maxsize=4096)
def checksummed(address: str) -> str:
    """
    Return an address with its checksum, from any spelling of it.

    Raises:
        ValueError: when the text is no address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(f"{address!r} is no address of 40 hexadecimal digits")
    digits = found[1].lower()
    if digits.isdecimal():
        return f"0x{digits}"
    # Here, since many a configuration that is checked has no address with letters.
    from meshkit.ethereum.keccak import keccak256

    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if mark in _FROM_EIGHT else digit for digit, mark in zip(digits, marks, strict=False)
    )


def is_checksummed(text: str) -> bool:
    """Tell whether a text is an address and has its checksum."""
    return _ADDRESS.fullmatch(text) is not None and text == checksummed(text)
