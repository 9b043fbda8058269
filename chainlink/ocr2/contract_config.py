"""The configuration of an OCR2 feed, as `setConfig` takes it and a ConfigSet event tells it, and its digest."""

from dataclasses import dataclass

from chainlink.abi import encode
from chainlink.ocr.contract_config import addresses
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from chainlink.ocr2.median_config import AnswerRange
from chainlink.ocr2.offchain_config import Ocr2OffchainConfig
from meshkit.ethereum.keccak import keccak256

_DIGEST_TYPES = (
    *("uint256", "address", "uint64", "address[]", "address[]"),
    *("uint8", "bytes", "uint64", "bytes"),
)
# Contracts of EVM chains, whose chain id is part of the digest.
_DIGEST_PREFIX = b"\x00\x01"


@dataclass(frozen=True, slots=True)
class Ocr2Config:
    """
    Hold everything that makes two configurations the same for the oracles; the shared secret is not part of it.

    Signers are the addresses of the keys that sign on chain. Addresses are checksummed; the position in each list is
    the oracle's index; of n oracles `f` may be faulty. `version` is that of the off-chain configuration.
    """

    signers: tuple[str, ...]
    transmitters: tuple[str, ...]
    f: int
    answers: AnswerRange
    version: int
    offchain: Ocr2OffchainConfig

    @property
    def n(self) -> int:
        """Return the number of oracles."""
        return len(self.signers)


@dataclass(frozen=True, slots=True)
class Ocr2ContractConfig:
    """Hold what a ConfigSet event says; `contract` is the address that emitted it, `config_count` starts at 1."""

    contract: str
    config_count: int
    signers: tuple[str, ...]
    transmitters: tuple[str, ...]
    f: int
    onchain: bytes
    offchain_version: int
    offchain: bytes

    def digest(self, chain_id: int) -> bytes:
        """Compute the 32-byte config digest; the contract computes the same."""
        values = (
            chain_id,
            self.contract,
            self.config_count,
            self.signers,
            self.transmitters,
            self.f,
            self.onchain,
            self.offchain_version,
            self.offchain,
        )
        return _DIGEST_PREFIX + keccak256(encode(_DIGEST_TYPES, values))[len(_DIGEST_PREFIX) :]

    def decode(self) -> tuple[Ocr2Config, SharedSecretEncryptions]:
        """
        Return the configuration and its encrypted secret; checks the form only, not the values.

        Raises:
            InvalidOcrConfig: when an address is none, or the bytes are no configuration of the median plugin.
        """
        offchain, sealed = Ocr2OffchainConfig.decode(self.offchain)
        signers, transmitters = addresses("signers", self.signers), addresses("transmitters", self.transmitters)
        answers = AnswerRange.decode(self.onchain)
        return Ocr2Config(signers, transmitters, self.f, answers, self.offchain_version, offchain), sealed
