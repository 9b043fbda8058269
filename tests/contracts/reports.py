"""OCR1 reports and signatures as the contract takes them, written apart from the product's own encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak


def context(digest: bytes, epoch: int, round_: int) -> bytes:
    """Return the 32-byte report context: 11 zero bytes, the 16-byte digest, epoch u32, round u8."""
    return bytes(11) + digest + epoch.to_bytes(4, "big") + round_.to_bytes(1, "big")


def encode_report(report_context: bytes, observers: Sequence[int], observations: Sequence[int]) -> bytes:
    """Return the ABI encoding of (bytes32 context, bytes32 observers, int192[] observations)."""
    return encode(
        ["bytes32", "bytes32", "int192[]"], [report_context, bytes(observers).ljust(32, b"\0"), list(observations)]
    )


@dataclass(frozen=True)
class Signatures:
    """Hold the signature arguments of `transmit`: one recovery byte (0 or 1) a signature in `raw_vs`."""

    rs: tuple[bytes, ...]
    ss: tuple[bytes, ...]
    raw_vs: bytes


def sign(report: bytes, keys: Sequence[PrivateKey]) -> Signatures:
    """Sign keccak256(report), without any message prefix, by every key."""
    made = [key.sign_msg_hash(keccak(report)) for key in keys]
    return Signatures(
        rs=tuple(s.r.to_bytes(32, "big") for s in made),
        ss=tuple(s.s.to_bytes(32, "big") for s in made),
        raw_vs=bytes(s.v for s in made)[:32].ljust(32, b"\0"),
    )
