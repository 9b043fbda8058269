"""The configuration that stands in a feed's contract, read from the event by which nodes go."""

from collections.abc import Iterator
from dataclasses import dataclass

from chainlink.contract import aggregator, aggregator_ocr2
from chainlink.contract.abi_codec import Function
from chainlink.contract.shape import ContractShape
from chainlink.errors import InvalidOcrConfig
from chainlink.ocr import config_rules
from chainlink.ocr.contract_config import ContractConfig, OcrConfig
from chainlink.ocr2 import config_rules as ocr2_rules
from chainlink.ocr2.contract_config import Ocr2Config, Ocr2ContractConfig
from services.operator.errors import ChainUnavailable
from services.operator.onchain.chain import Chain


@dataclass(frozen=True, slots=True)
class ConfigFound:
    """
    Hold a configuration of a contract; without flaws oracles run by it.

    `config` is None if it cannot be read at all; `oracles` are the addresses of all signers and transmitters.
    """

    config: OcrConfig | Ocr2Config | None
    oracles: tuple[str, ...]
    flaws: tuple[str, ...] = ()


def details_call(shape: ContractShape) -> Function:
    """Return the function that tells number, block and digest of a contract's configuration."""
    ocr2 = shape is ContractShape.OCR2
    return aggregator_ocr2.LATEST_CONFIG_DETAILS if ocr2 else aggregator.LATEST_CONFIG_DETAILS


async def read(chain: Chain, shape: ContractShape, address: str, block: int, digest: bytes) -> ConfigFound:
    """
    Return the last configuration set in a block.

    There is no getter of all of it. The event is believed only if its digest is the contract's.

    Raises:
        ChainUnavailable: when the endpoint has not that event.
    """
    found = await _event(chain, shape, address, block)
    found_digest = found.digest(chain.chain_id) if isinstance(found, Ocr2ContractConfig) else found.digest()
    if found_digest != digest:
        raise ChainUnavailable("eth_getLogs", f"the ConfigSet of {address} in block {block} has another digest")
    oracles = (*found.signers, *found.transmitters)
    try:
        config, flaws = _decoded(found)
    except InvalidOcrConfig as error:
        return ConfigFound(None, oracles, (str(error),))
    return ConfigFound(config, oracles, tuple(map(str, flaws)))


async def _event(chain: Chain, shape: ContractShape, address: str, block: int) -> ContractConfig | Ocr2ContractConfig:
    form = aggregator_ocr2.CONFIG_SET if shape is ContractShape.OCR2 else "ConfigSet"
    events = await chain.logs([address], form, block, block)
    if not events:
        raise ChainUnavailable("eth_getLogs", f"block {block} has no ConfigSet of {address}, but the contract says so")
    config_of = aggregator_ocr2.config_of if shape is ContractShape.OCR2 else aggregator.config_of
    return config_of(address, events[-1].fields)


def _decoded(
    found: ContractConfig | Ocr2ContractConfig,
) -> tuple[OcrConfig | Ocr2Config, Iterator[InvalidOcrConfig]]:
    if isinstance(found, Ocr2ContractConfig):
        ocr2, ocr2_sealed = found.decode()
        return ocr2, ocr2_rules.flaws(ocr2, ocr2_sealed)
    config, sealed = found.decode()
    return config, config_rules.flaws(config, sealed)
