"""Keccak-256 of bytes or of a text, as Solidity's signatures are hashed."""

from meshkit.ethereum.keccak import keccak256


def keccak(data: bytes = b"", *, text: str | None = None) -> bytes:
    """Return the 32-byte hash of bytes, or of a text in UTF-8."""
    return keccak256(data if text is None else text.encode())
