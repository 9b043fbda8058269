"""What oracles agree on: the contract's configuration, its checks, its digest, and one oracle's place in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from eth_abi.abi import encode
from eth_utils.address import is_address
from eth_utils.crypto import keccak

from chainlink.keys.ocr1 import OracleKeys
from chainlink.ocr.timing_minimums import timing_minimums
from services.oracle.ocr import schedule
from services.oracle.ocr.crypto import checksummed, decrypt_shared_secret, shared_secret_hash
from services.oracle.ocr.errors import ConfigError, IdentityError
from services.oracle.ocr.offchain_config import ENCODED_VERSION, OffchainConfig
from services.oracle.ocr.report import MAX_ORACLES

_DIGEST_TYPES = ("address", "uint64", "address[]", "address[]", "uint8", "uint64", "bytes")
_DIGEST_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ContractConfig:
    """Hold what a ConfigSet event says; `contract` is the address that emitted it, `config_count` starts at 1."""

    contract: str
    config_count: int
    signers: tuple[str, ...]
    transmitters: tuple[str, ...]
    f: int
    encoded_version: int
    encoded: bytes

    def digest(self) -> bytes:
        """Compute the 16-byte config digest; the contract computes the same, without the chain id."""
        values = (
            self.contract,
            self.config_count,
            self.signers,
            self.transmitters,
            self.f,
            self.encoded_version,
            self.encoded,
        )
        return keccak(encode(_DIGEST_TYPES, values))[:_DIGEST_LENGTH]


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

    @property
    def n(self) -> int:
        """Return the number of oracles."""
        return len(self.oracles)

    @classmethod
    def from_contract(cls, config: ContractConfig, chain_id: int | None) -> "PublicConfig":
        """
        Check a contract's configuration; `chain_id` None skips the chain's minimum timings, as a bootstrap node does.

        Raises:
            ConfigError: naming the first field that no oracle may run with.
        """
        if config.encoded_version != ENCODED_VERSION:
            raise ConfigError("encodedConfigVersion", config.encoded_version, str(ENCODED_VERSION))
        offchain = OffchainConfig.decode(config.encoded)
        _check_sizes(config, offchain)
        _check_timings(offchain)
        if chain_id is not None:
            _check_minimums(offchain, chain_id)
        identities = zip(
            _addresses("signers", config.signers),
            offchain.offchain_public_keys,
            offchain.peer_ids,
            _addresses("transmitters", config.transmitters),
            strict=True,
        )
        return cls(config.digest(), config.f, tuple(_identity(*identity) for identity in identities), offchain)


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
            ConfigError: when the shared secret does not decrypt.
        """
        index = _own_index(public, keys, peer_id, checksummed(transmitter))
        sealed = public.offchain.encryptions
        try:
            secret = decrypt_shared_secret(keys.config, sealed.diffie_hellman_point, sealed.encryptions[index])
        except ValueError as error:
            raise ConfigError("diffieHellmanPoint", sealed.diffie_hellman_point.hex(), "an X25519 point") from error
        if shared_secret_hash(secret) != sealed.shared_secret_hash:
            raise ConfigError("sharedSecretEncryptions", "a block that decrypts to a wrong hash", "the shared secret")
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
        order = schedule.transmission_order(self.tx_order_key, self.config_digest, epoch, round_number, self.n)
        stage = schedule.stage(order[self.index], self.public.offchain.s)
        return None if stage is None else stage * self.public.offchain.delta_stage_ns


def _check_sizes(config: ContractConfig, offchain: OffchainConfig) -> None:
    n = len(config.signers)
    lists = {
        "transmitters": config.transmitters,
        "offchainPublicKeys": offchain.offchain_public_keys,
        "peerIDs": offchain.peer_ids,
        "encryptions": offchain.encryptions.encryptions,
    }
    for name, values in lists.items():
        if len(values) != n:
            raise ConfigError(name, f"{len(values)} entries", f"{n}, as many as signers")
    if n > MAX_ORACLES:
        raise ConfigError("signers", f"{n} entries", f"at most {MAX_ORACLES}")
    if not 0 <= 3 * config.f < n:
        raise ConfigError("threshold", config.f, f"0 <= f and 3f < n = {n}")


def _check_timings(offchain: OffchainConfig) -> None:
    durations = {
        "deltaC": offchain.delta_c_ns,
        "deltaStage": offchain.delta_stage_ns,
        "deltaRound": offchain.delta_round_ns,
        "deltaProgress": offchain.delta_progress_ns,
        "deltaResend": offchain.delta_resend_ns,
        "deltaGrace": offchain.delta_grace_ns,
    }
    for name, duration_ns in durations.items():
        if duration_ns < 0:
            raise ConfigError(name, f"{duration_ns} ns", "0 ns or more")
    for low, high in (("deltaGrace", "deltaRound"), ("deltaRound", "deltaProgress")):
        if durations[low] >= durations[high]:
            raise ConfigError(low, f"{durations[low]} ns", f"less than {high}, which is {durations[high]} ns")
    if not 0 < offchain.r_max < 255:
        raise ConfigError("rMax", offchain.r_max, "1 to 254")
    if len(offchain.s) >= 1000:
        raise ConfigError("s", f"{len(offchain.s)} stages", "fewer than 1000")
    for index, size in enumerate(offchain.s):
        if not 0 <= size <= MAX_ORACLES:
            raise ConfigError(f"s[{index}]", size, f"0 to {MAX_ORACLES}")


def _check_minimums(offchain: OffchainConfig, chain_id: int) -> None:
    least = timing_minimums(chain_id)
    pairs = (
        ("deltaC", offchain.delta_c_ns, least.delta_c_ns),
        ("deltaStage", offchain.delta_stage_ns, least.delta_stage_ns),
        ("deltaRound", offchain.delta_round_ns, least.delta_round_ns),
        ("deltaProgress", offchain.delta_progress_ns, least.delta_progress_ns),
        ("deltaResend", offchain.delta_resend_ns, least.delta_resend_ns),
    )
    for name, found_ns, least_ns in pairs:
        if found_ns < least_ns:
            allowed = f"at least {least_ns / 1e9:g} s on chain {chain_id} ({least.name})"
            raise ConfigError(name, f"{found_ns / 1e9:g} s", allowed)


def _addresses(name: str, values: Sequence[str]) -> list[str]:
    for index, value in enumerate(values):
        if not is_address(value):
            raise ConfigError(f"{name}[{index}]", value, "an address")
    return [checksummed(value) for value in values]


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
