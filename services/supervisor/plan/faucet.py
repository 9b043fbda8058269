"""The faucet's address."""

from eth_keys.datatypes import PrivateKey


def address(private_key: str) -> str:
    """Return the account of a private key (64 hex digits, perhaps after 0x), with its checksum."""
    return PrivateKey(bytes.fromhex(private_key.removeprefix("0x"))).public_key.to_checksum_address()
