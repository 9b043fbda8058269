"""The curve of Ethereum's keys: signatures, and the addresses of who signed."""

import secrets
from functools import lru_cache

from coincurve import PrivateKey, PublicKey

from meshkit.ethereum.address import checksummed
from meshkit.ethereum.keccak import keccak256

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SIGNATURE_LENGTH = 65


def random_private_key() -> bytes:
    """Return a private key of 32 bytes, each with the same probability."""
    return (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big")


def is_private_key(value: bytes) -> bool:
    """Tell whether bytes are a private key: 32 of them, and a number from 1 to the curve's order, exclusive."""
    return len(value) == 32 and 0 < int.from_bytes(value, "big") < ORDER


def address_of(private_key: bytes) -> str:
    """Return the EIP-55 address of a private key of 32 bytes."""
    return _address(_key(private_key).public_key)


def public_key(private_key: bytes) -> bytes:
    """Return the public key of a private key of 32 bytes: both coordinates, 64 bytes."""
    return _coordinates(_key(private_key).public_key)


def sign(private_key: bytes, digest: bytes) -> bytes:
    """Sign a hash of 32 bytes; return r, low s and v (0/1), 65 bytes, after RFC 6979."""
    return _key(private_key).sign_recoverable(digest, hasher=None)


def recover(digest: bytes, signature: bytes) -> str | None:
    """Return the EIP-55 address that made a signature of 65 bytes over a hash, None if there is no such address."""
    if len(signature) != SIGNATURE_LENGTH or signature[64] > 1:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < ORDER and 0 < s < ORDER):
        return None
    try:
        return _address(PublicKey.from_signature_and_message(signature, digest, hasher=None))
    except ValueError:
        return None


# With a key its public ones are computed, which takes longer than to sign.
@lru_cache(maxsize=64)
def _key(private_key: bytes) -> PrivateKey:
    return PrivateKey(private_key)


def _address(key: PublicKey) -> str:
    return checksummed(keccak256(_coordinates(key))[12:].hex())


def _coordinates(key: PublicKey) -> bytes:
    return key.format(compressed=False)[1:]
