"""Signatures of observations and reports."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chainlink.keys import secp256k1
from meshkit.ethereum.keccak import keccak256
from services.oracle.ocr.report import encode_value


def sign_observation(key: Ed25519PrivateKey, tag: bytes, value: int) -> bytes:
    """Sign the 56 bytes of context tag and value; return 64 bytes."""
    return key.sign(tag + encode_value(value))


# A key is made of its bytes by a multiplication on its curve, which takes as long as half a signature.
@lru_cache(maxsize=16)
def observation_key(seed: bytes) -> Ed25519PrivateKey:
    """Return the key that signs observations of its seed of 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(seed)


@lru_cache(maxsize=256)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


# A leader meets each observation twice: as it comes, and in its own request for reports.
@lru_cache(maxsize=1024)
def verify_observation(public_key: bytes, tag: bytes, value: int, signature: bytes) -> bool:
    """Tell whether a 64-byte signature over the context tag and value is the one of that 32-byte key."""
    try:
        _public_key(public_key).verify(signature, tag + encode_value(value))
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_report(key: bytes, report: bytes) -> bytes:
    """Sign keccak256(report) with a 32-byte secp256k1 key; return r, low s and v (0/1), 65 bytes, after RFC 6979."""
    return secp256k1.sign(key, keccak256(report))


# A leader meets each signature twice: in the follower's Report and in its own Final. A recovery takes milliseconds.
@lru_cache(maxsize=256)
def recover_signer(report: bytes, signature: bytes) -> str | None:
    """Return the checksummed address that made a 65-byte signature over a report, None if there is no such address."""
    return secp256k1.recover(keccak256(report), signature)
