"""Keccak-256, the hash of Ethereum; its library is loaded without what it would like to have and does not need."""

from meshkit.optional_packages import without

# pycryptodome calls its C code through cffi where that is installed, else through ctypes. Both take as long, but cffi
# brings a parser of C: a megabyte in each process that hashes, and a tenth of its start.
with without("cffi"):
    from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """Return the hash of some bytes, 32 bytes long."""
    return keccak.new(data=data, digest_bits=256).digest()
