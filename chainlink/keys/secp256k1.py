"""The curve of Ethereum's keys."""

import secrets

from eth_keys.datatypes import PrivateKey

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def random_private_key() -> bytes:
    """Return a private key of 32 bytes, each with the same probability."""
    return (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big")


def is_private_key(value: bytes) -> bool:
    """Tell whether bytes are a private key: 32 of them, and a number from 1 to the curve's order, exclusive."""
    return len(value) == 32 and 0 < int.from_bytes(value, "big") < ORDER


def address_of(private_key: bytes) -> str:
    """Return the EIP-55 address of a private key of 32 bytes."""
    return PrivateKey(private_key).public_key.to_checksum_address()
