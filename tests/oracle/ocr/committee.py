"""A committee of oracles with keys made of their index, and a configuration of it."""

import dataclasses
from dataclasses import dataclass
from hashlib import sha256

from chainlink.keys.ocr1 import OracleKeys
from chainlink.keys.secp256k1 import address_of
from chainlink.ocr.contract_config import ContractConfig
from chainlink.ocr.offchain_config import OffchainConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from services.oracle.ocr.config import PublicConfig, SharedConfig
from services.oracle.p2p.identity import PeerKey

CHAIN_ID = 1337
CONTRACT = "0x00000000000000000000000000000000000000C0"
MS = 1_000_000
S = 1_000 * MS


def secret_of(label: str, index: int) -> bytes:
    """Return 32 bytes that look random."""
    return sha256(f"{label} {index}".encode()).digest()


@dataclass(frozen=True)
class Committee:
    """Hold n oracles of one configuration; element i of each list belongs to oracle i."""

    keys: list[OracleKeys]
    peers: list[PeerKey]
    transmitters: list[str]
    contract_config: ContractConfig
    public: PublicConfig
    shared: list[SharedConfig]


def demo_timings(n: int) -> OffchainConfig:
    """Return the timings of a fast demonstration network, without keys."""
    return OffchainConfig(
        delta_progress_ns=5 * S,
        delta_resend_ns=1 * S,
        delta_round_ns=2 * S,
        delta_grace_ns=500 * MS,
        delta_c_ns=10 * S,
        alpha_ppb=1,
        delta_stage_ns=2 * S,
        r_max=4,
        s=(1, 1, n - 2),
        offchain_public_keys=(),
        peer_ids=(),
    )


def make_committee(n: int = 4, f: int = 1, secret: bytes = bytes(range(16)), **changes: object) -> Committee:
    """Make a committee; `changes` replace fields of the off-chain configuration."""
    keys = [OracleKeys(secret_of("signing", i), secret_of("offchain", i), secret_of("config", i)) for i in range(n)]
    peers = [PeerKey.from_bytes(secret_of("peer", i)) for i in range(n)]
    transmitters = [address_of(secret_of("transmitter", i)) for i in range(n)]
    offchain = dataclasses.replace(
        demo_timings(n),
        offchain_public_keys=tuple(k.offchain_public_key for k in keys),
        peer_ids=tuple(p.peer_id for p in peers),
    )
    offchain = dataclasses.replace(offchain, **changes)  # type: ignore[arg-type]
    sealed = SharedSecretEncryptions.seal(secret, b"\x11" * 32, [k.config_public_key for k in keys])
    contract_config = ContractConfig(
        CONTRACT, 1, tuple(k.signing_address for k in keys), tuple(transmitters), f, 1, offchain.encode(sealed)
    )
    public = PublicConfig.from_contract(contract_config, CHAIN_ID)
    shared = [SharedConfig.join(public, keys[i], peers[i].peer_id, transmitters[i]) for i in range(n)]
    return Committee(keys, peers, transmitters, contract_config, public, shared)
