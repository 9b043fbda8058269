"""A feed's configuration, as `setConfig` takes it and a ConfigSet event tells it, and its digest."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainlink.abi import encode
from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.offchain_config import OffchainConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from meshkit.ethereum.address import checksummed
from meshkit.ethereum.keccak import keccak256

_DIGEST_TYPES = ("address", "uint64", "address[]", "address[]", "uint8", "uint64", "bytes")
_DIGEST_LENGTH = 16


@dataclass(frozen=True, slots=True)
class OcrConfig:
    """
    Hold everything that makes two configurations the same for the oracles; the shared secret is not part of it.

    Addresses are checksummed; the position in each list is the oracle's index; of n oracles `f` may be faulty.
    """

    signers: tuple[str, ...]
    transmitters: tuple[str, ...]
    f: int
    version: int
    offchain: OffchainConfig

    @property
    def n(self) -> int:
        """Return the number of oracles."""
        return len(self.signers)


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
        return keccak256(encode(_DIGEST_TYPES, values))[:_DIGEST_LENGTH]

    def decode(self) -> tuple[OcrConfig, SharedSecretEncryptions]:
        """
        Return the configuration and its encrypted secret; checks the form only, not the values.

        Raises:
            InvalidOcrConfig: when an address is none, or the bytes are no off-chain configuration.
        """
        offchain, sealed = OffchainConfig.decode(self.encoded)
        signers, transmitters = addresses("signers", self.signers), addresses("transmitters", self.transmitters)
        return OcrConfig(signers, transmitters, self.f, self.encoded_version, offchain), sealed


def addresses(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """Return addresses checksummed; InvalidOcrConfig naming the place of one that is none."""
    addresses = []
    for index, value in enumerate(values):
        try:
            addresses.append(checksummed(value))
        except ValueError as error:
            raise InvalidOcrConfig(f"{name}[{index}]", value, "an address") from error
    return tuple(addresses)
