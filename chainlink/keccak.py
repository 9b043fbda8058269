"""Keccak-256 as eth_utils computes it, over a library that is loaded without cffi."""

import meshkit.keccak  # noqa: F401  # before eth_utils loads it with cffi

# isort: split
from eth_utils.crypto import keccak

__all__ = ["keccak"]
