"""Signatures of observations and reports, and the encryption of the shared secret."""

from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from chainlink.keys.secp256k1 import ORDER
from services.oracle.ocr.report import encode_value


def sign_observation(key: Ed25519PrivateKey, tag: bytes, value: int) -> bytes:
    """Sign the 56 bytes of context tag and value; return 64 bytes."""
    return key.sign(tag + encode_value(value))


def verify_observation(public_key: bytes, tag: bytes, value: int, signature: bytes) -> bool:
    """Tell whether a 64-byte signature over the context tag and value is the one of that 32-byte key."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, tag + encode_value(value))
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_report(key: bytes, report: bytes) -> bytes:
    """Sign keccak256(report) with a 32-byte secp256k1 key; return r, low s and v (0/1), 65 bytes, after RFC 6979."""
    return PrivateKey(key).sign_msg_hash(keccak(report)).to_bytes()


# A leader meets each signature twice: in the follower's Report and in its own Final. A recovery takes milliseconds.
@lru_cache(maxsize=256)
def recover_signer(report: bytes, signature: bytes) -> str | None:
    """Return the checksummed address that made a 65-byte signature over a report, None if there is no such address."""
    if len(signature) != 65 or signature[64] > 1:
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < ORDER and 0 < s < ORDER):
        return None
    try:
        return Signature(signature).recover_public_key_from_msg_hash(keccak(report)).to_checksum_address()
    except (BadSignature, ValidationError, ValueError):
        return None


def shared_secret_hash(secret: bytes) -> bytes:
    """Return keccak256 of the 16-byte secret, by which oracles check their decryption."""
    return keccak(secret)


def encrypt_shared_secret(secret: bytes, ephemeral: bytes, public_keys: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """
    Encrypt a 16-byte secret for the owners of X25519 public keys; return the Diffie-Hellman point and one block each.

    `ephemeral` is 32 random bytes, used once. There is no mode and no MAC: one AES block under a key that is used once.
    """
    key = X25519PrivateKey.from_private_bytes(ephemeral)
    blocks = []
    for public_key in public_keys:
        encryptor = _block_cipher(key, public_key).encryptor()
        blocks.append(encryptor.update(secret))
    return key.public_key().public_bytes_raw(), blocks


def decrypt_shared_secret(secret_key: bytes, point: bytes, block: bytes) -> bytes:
    """
    Decrypt one 16-byte block with a 32-byte X25519 secret key; return 16 bytes that the caller compares by hash.

    Raises:
        ValueError: when the point is one of the few that give no shared key.
    """
    decryptor = _block_cipher(X25519PrivateKey.from_private_bytes(secret_key), point).decryptor()
    return decryptor.update(block)


def _block_cipher(key: X25519PrivateKey, point: bytes) -> Cipher[modes.ECB]:
    shared = key.exchange(X25519PublicKey.from_public_bytes(point))
    # One block under a key used once: here ECB is AES itself, which is what the encoding asks for.
    return Cipher(algorithms.AES(keccak(shared)[:16]), modes.ECB())  # noqa: S305


@lru_cache(maxsize=4096)
def checksummed(address: str) -> str:
    """Return an address with its checksum; a network has few addresses, and all its feeds share these texts."""
    return to_checksum_address(address)
