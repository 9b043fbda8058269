"""Ethereum addresses with their EIP-55 checksum, the one spelling that a node takes."""

from functools import lru_cache

from eth_utils.address import is_checksum_address, to_checksum_address
from eth_utils.exceptions import ValidationError


@lru_cache(maxsize=4096)
def checksummed(address: str) -> str:
    """
    Return an address in its one spelling; a network has few addresses, and all its feeds share these texts.

    Raises:
        ValueError: when the text is no address.
    """
    return to_checksum_address(address)


def is_checksummed(text: str) -> bool:
    """Tell whether a text is an address and has its checksum."""
    try:
        return is_checksum_address(text)
    except (ValueError, ValidationError):
        return False
