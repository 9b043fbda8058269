"""A configuration that every oracle takes, of oracles that nobody has the keys of."""

from hashlib import sha256

from chainlink.keys.peer_id import encode_peer_id
from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr.offchain_config import OffchainConfig
from chainlink.units import NS_PER_MS, NS_PER_S
from meshkit.ethereum.address import checksummed


def digest(kind: str, index: int) -> bytes:
    """Return 32 bytes that look random."""
    return sha256(f"{kind} {index}".encode()).digest()


def made_config(n: int = 4) -> OcrConfig:
    """Make the configuration of n oracles with the timings of a fast demonstration network."""
    offchain = OffchainConfig(
        delta_progress_ns=5 * NS_PER_S,
        delta_resend_ns=1 * NS_PER_S,
        delta_round_ns=2 * NS_PER_S,
        delta_grace_ns=500 * NS_PER_MS,
        delta_c_ns=10 * NS_PER_S,
        alpha_ppb=1,
        delta_stage_ns=2 * NS_PER_S,
        r_max=4,
        s=(1,) * n,
        offchain_public_keys=tuple(digest("offchain", index) for index in range(n)),
        peer_ids=tuple(encode_peer_id(digest("peer", index)) for index in range(n)),
    )
    signers, transmitters = (
        tuple(checksummed("0x" + digest(kind, index)[:20].hex()) for index in range(n))
        for kind in ("signer", "transmitter")
    )
    return OcrConfig(signers, transmitters, (n - 1) // 3, 1, offchain)
