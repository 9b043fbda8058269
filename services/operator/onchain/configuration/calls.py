"""The transactions that configure a contract, for each shape of it, in the order in which they have to be sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainlink.contract import aggregator, aggregator_ocr2, split_config
from chainlink.contract.shape import ContractShape
from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr2.contract_config import Ocr2Config
from services.operator.config import FeedTarget
from services.operator.nodes.identity import OracleIdentity
from services.operator.onchain import ocr_config
from services.operator.onchain.configuration import ocr2_config
from services.operator.onchain.contract_changes import ConfigPart
from services.operator.onchain.transactions import Transaction

# About twice what n oracles take; gas that is not used is not paid for.
_PAYEES_GAS = (100_000, 60_000)
_CONFIG_GAS = (700_000, 200_000)


@dataclass(frozen=True, slots=True)
class ConfigCall:
    """Hold a transaction that configures a contract; with `by_admin` the admin has to send it, else the owner."""

    transaction: Transaction
    by_admin: bool = False


def calls(
    feed: FeedTarget,
    shape: ContractShape,
    address: str,
    config: OcrConfig | Ocr2Config,
    oracles: Sequence[OracleIdentity],
    payee: str,
    parts: frozenset[ConfigPart],
) -> tuple[ConfigCall, ...]:
    """
    Return what configures a contract, with a new shared secret where the oracles are set.

    Raises:
        InvalidOcrConfig: when an oracle lacks keys, or a value does not fit.
    """
    if isinstance(config, Ocr2Config):
        return (ConfigCall(_of_ocr2(feed, address, config, oracles)),)
    if shape is ContractShape.SPLIT:
        return tuple(_of_parts(feed, address, config, oracles, parts))
    return tuple(map(ConfigCall, of_ocr1(feed, address, config, oracles, payee)))


def of_ocr1(
    feed: FeedTarget, address: str, config: OcrConfig, oracles: Sequence[OracleIdentity], payee: str
) -> tuple[Transaction, Transaction]:
    """Return the transactions for a contract of OCR1, in the order it demands: payees first, then oracles."""
    encoded = ocr_config.encode(config.offchain, _config_keys(oracles))
    payees = aggregator.SET_PAYEES.call_data(config.transmitters, [payee] * config.n)
    oracle_set = aggregator.SET_CONFIG.call_data(config.signers, config.transmitters, config.f, config.version, encoded)
    # The gas of the second cannot be estimated while the first waits.
    return (
        Transaction(f"setPayees of {feed.name}", address, payees, gas=_gas(_PAYEES_GAS, config.n)),
        Transaction(f"setConfig of {feed.name}", address, oracle_set, gas=_gas(_CONFIG_GAS, config.n)),
    )


def _of_parts(
    feed: FeedTarget,
    address: str,
    config: OcrConfig,
    oracles: Sequence[OracleIdentity],
    parts: frozenset[ConfigPart],
) -> list[ConfigCall]:
    found = []
    if ConfigPart.CONSENSUS in parts:
        data = split_config.consensus_call(config)
        found.append(ConfigCall(Transaction(f"setConsensusConfig of {feed.name}", address, data)))
    if ConfigPart.ORACLES in parts:
        data = split_config.oracles_call(config, ocr_config.seal(_config_keys(oracles)))
        found.append(ConfigCall(Transaction(f"setConfig of {feed.name}", address, data), by_admin=True))
    return found


def _of_ocr2(feed: FeedTarget, address: str, config: Ocr2Config, oracles: Sequence[OracleIdentity]) -> Transaction:
    data = aggregator_ocr2.SET_CONFIG.call_data(
        config.signers,
        config.transmitters,
        config.f,
        config.answers.encode(),
        config.version,
        ocr2_config.encode(config, oracles),
    )
    return Transaction(f"setConfig of {feed.name}", address, data)


def _config_keys(oracles: Sequence[OracleIdentity]) -> list[bytes]:
    return [oracle.ocr.config_public_key for oracle in oracles]


def _gas(rule: tuple[int, int], oracles: int) -> int:
    fixed, each = rule
    return fixed + each * oracles
