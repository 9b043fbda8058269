"""A configuration as its oracles go by it: checked, with one oracle's place in it and the keys made of its secret."""

from dataclasses import dataclass, field
from functools import lru_cache

from chainlink.keys.ocr1 import OracleKeys
from chainlink.ocr.config_rules import check
from chainlink.ocr.contract_config import ContractConfig
from chainlink.ocr.offchain_config import OffchainConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr.timing_minimums import check_minimums
from meshkit.ethereum.address import checksummed
from services.oracle.ocr import schedule
from services.oracle.ocr.errors import IdentityError


@dataclass(frozen=True, slots=True)
class OracleIdentity:
    """Hold the public identity of one oracle: addresses checksummed, key 32 bytes, peer id base58 without prefix."""

    signing_address: str
    offchain_public_key: bytes
    peer_id: str
    transmitter: str


@lru_cache(maxsize=1024)
def _identity(signing_address: str, offchain_public_key: bytes, peer_id: str, transmitter: str) -> OracleIdentity:
    """Return an identity; the same few oracles stand in hundreds of configurations, which share them."""
    return OracleIdentity(signing_address, offchain_public_key, peer_id, transmitter)


@dataclass(frozen=True, slots=True)
class PublicConfig:
    """Hold a checked configuration, as everybody can read it; enough for a bootstrap node."""

    config_digest: bytes
    f: int
    oracles: tuple[OracleIdentity, ...]
    offchain: OffchainConfig
    sealed: SharedSecretEncryptions

    @property
    def n(self) -> int:
        """Return the number of oracles."""
        return len(self.oracles)

    @classmethod
    def from_contract(cls, config: ContractConfig, chain_id: int | None) -> "PublicConfig":
        """
        Check a contract's configuration; `chain_id` None skips the chain's minimum timings, as a bootstrap node does.

        Raises:
            InvalidOcrConfig: naming the first field that no oracle may run with.
        """
        decoded, sealed = config.decode()
        check(decoded, sealed)
        offchain = decoded.offchain
        if chain_id is not None:
            check_minimums(offchain, chain_id)
        identities = zip(
            decoded.signers, offchain.offchain_public_keys, offchain.peer_ids, decoded.transmitters, strict=True
        )
        oracles = tuple(_identity(*identity) for identity in identities)
        return cls(config.digest(), config.f, oracles, offchain, sealed)


@dataclass(frozen=True, slots=True)
class SharedConfig:
    """Hold a configuration as one of its oracles sees it: own index and the keys made of the shared secret."""

    public: PublicConfig
    index: int
    leader_key: bytes = field(repr=False)
    tx_order_key: bytes = field(repr=False)

    @classmethod
    def join(cls, public: PublicConfig, keys: OracleKeys, peer_id: str, transmitter: str) -> "SharedConfig":
        """
        Find oneself in a configuration and decrypt the shared secret.

        Raises:
            IdentityError: when the signing address is absent, or stands beside another key, peer id or transmitter.
            InvalidOcrConfig: when the shared secret does not decrypt.
        """
        index = _own_index(public, keys, peer_id, checksummed(transmitter))
        secret = public.sealed.open(index, keys.config)
        return cls(public, index, schedule.leader_key(secret), schedule.tx_order_key(secret))

    @property
    def n(self) -> int:
        """Return the number of oracles."""
        return self.public.n

    @property
    def f(self) -> int:
        """Return the number of faulty oracles the configuration bears."""
        return self.public.f

    @property
    def config_digest(self) -> bytes:
        """Return the 16-byte digest."""
        return self.public.config_digest

    def leader(self, epoch: int) -> int:
        """Return the index of the epoch's leader."""
        return schedule.leader(epoch, self.leader_key, self.n)

    def transmit_delay_ns(self, epoch: int, round_number: int) -> int | None:
        """Return how long to wait before transmitting a round's report, in nanoseconds; None: never transmit it."""
        stage = self.transmit_stage(epoch, round_number)
        return None if stage is None else stage * self.public.offchain.delta_stage_ns

    def transmit_stage(self, epoch: int, round_number: int) -> int | None:
        """Return the own stage in the transmission of a round's report, from 0; None: never transmit it."""
        order = schedule.transmission_order(self.tx_order_key, self.config_digest, epoch, round_number, self.n)
        return schedule.stage(order[self.index], self.public.offchain.s)


def _own_index(public: PublicConfig, keys: OracleKeys, peer_id: str, transmitter: str) -> int:
    own = OracleIdentity(keys.signing_address, keys.offchain_public_key, peer_id, transmitter)
    signers = [oracle.signing_address for oracle in public.oracles]
    if own.signing_address not in signers:
        raise IdentityError("signers", ", ".join(signers), f"a list with the own address {own.signing_address}")
    index = signers.index(own.signing_address)
    there = public.oracles[index]
    for name, found, allowed in (
        ("offchainPublicKeys", there.offchain_public_key.hex(), own.offchain_public_key.hex()),
        ("peerIDs", there.peer_id, own.peer_id),
        ("transmitters", there.transmitter, own.transmitter),
    ):
        if found != allowed:
            raise IdentityError(f"{name}[{index}]", found, f"the own value {allowed}")
    return index
