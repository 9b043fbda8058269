"""The feeds' contracts: how to make one, how to configure one, and what one says of itself."""

from dataclasses import dataclass
from decimal import Decimal

from chainlink.contract import aggregator
from chainlink.errors import InvalidOcrConfig
from chainlink.ocr import config_rules
from chainlink.ocr.contract_config import ContractConfig, OcrConfig
from services.operator.config import FeedTarget
from services.operator.errors import ChainUnavailable
from services.operator.nodes.identity import OracleIdentity
from services.operator.onchain import ocr_config
from services.operator.onchain.chain import CallReverted, Chain
from services.operator.onchain.contract_changes import ContractState
from services.operator.onchain.transactions import Transaction

_NO_ADDRESS = "0x" + "00" * 20
_MIN_ANSWER = 1
# Room for every price the aggregator accepts, and for the value of all coins, which is in trillions.
_MOST_WHOLE_DIGITS = 15
# About twice what n oracles take; gas that is not used is not paid for.
_PAYEES_GAS = (100_000, 60_000)
_CONFIG_GAS = (700_000, 200_000)


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold a contract's last answer as a price, and its block's time in seconds since the Unix epoch."""

    round_id: int
    price: Decimal
    updated_s: int


def price(answer: int, decimals: int) -> Decimal:
    """Return an on-chain answer as a price, exactly."""
    return Decimal(answer).scaleb(-decimals)


def deployment(chain: Chain, feed: FeedTarget) -> Transaction:
    """Return the transaction that makes a feed's contract: no billing, no LINK token, no access controllers."""
    billing = (0, 0, 0, 0, 0)
    highest = 10 ** (feed.decimals + _MOST_WHOLE_DIGITS)
    data = chain.deployment(
        *billing, _NO_ADDRESS, _MIN_ANSWER, highest, _NO_ADDRESS, _NO_ADDRESS, feed.decimals, feed.name
    )
    return Transaction(f"deployment of {feed.name}", None, data)


def configuration(
    chain: Chain, feed: FeedTarget, address: str, config: OcrConfig, oracles: tuple[OracleIdentity, ...], payee: str
) -> tuple[Transaction, Transaction]:
    """Return the transactions that configure a contract, in the order it demands: payees first, then oracles."""
    encoded = ocr_config.encode(config.offchain, [oracle.ocr.config_public_key for oracle in oracles])
    payees = chain.call_data("setPayees", config.transmitters, [payee] * config.n)
    oracle_set = chain.call_data("setConfig", config.signers, config.transmitters, config.f, config.version, encoded)
    # The gas of the second cannot be estimated while the first waits.
    return (
        Transaction(f"setPayees of {feed.name}", address, payees, gas=_gas(_PAYEES_GAS, config.n)),
        Transaction(f"setConfig of {feed.name}", address, oracle_set, gas=_gas(_CONFIG_GAS, config.n)),
    )


async def state(chain: Chain, address: str) -> ContractState | None:
    """
    Return what the contract at an address says, or None if there is no contract of ours.

    Raises:
        ChainUnavailable: when the chain does not answer, or not all of it.
    """
    if not await chain.has_code(address):
        return None
    try:
        description = await chain.read(address, "description")
        decimals = await chain.read(address, "decimals")
        owner = await chain.read(address, "owner")
        count, block, digest = await chain.read(address, "latestConfigDetails")
    except CallReverted:
        return None
    if not count:
        return ContractState(address, description, decimals, owner, 0, "", None)
    found = await _config_set(chain, address, block, digest)
    config, flaws = _usable(found)
    return ContractState(
        *(address, description, decimals, owner, count, bytes(digest).hex()),
        config=config,
        oracles=(*found.signers, *found.transmitters),
        flaws=flaws,
    )


async def latest_answer(chain: Chain, address: str, decimals: int) -> Answer | None:
    """Return a contract's last answer, or None before the first."""
    try:
        round_id, answer, _, updated_s, _ = await chain.read(address, "latestRoundData")
    except CallReverted as error:
        raise ChainUnavailable("latestRoundData()", str(error)) from error
    return Answer(round_id, price(answer, decimals), updated_s) if round_id else None


async def _config_set(chain: Chain, address: str, block: int, digest: bytes) -> ContractConfig:
    """
    Return the last configuration set in a block.

    Nodes go by that event, since there is no getter, and believe it only if its digest is the contract's.
    """
    events = await chain.logs([address], "ConfigSet", block, block)
    if not events:
        raise ChainUnavailable("eth_getLogs", f"block {block} has no ConfigSet of {address}, but the contract says so")
    found = aggregator.config_of(address, events[-1].fields)
    if found.digest() != digest:
        raise ChainUnavailable("eth_getLogs", f"the ConfigSet of {address} in block {block} has another digest")
    return found


def _usable(found: ContractConfig) -> tuple[OcrConfig | None, tuple[str, ...]]:
    """Return what a configuration says, or None and all reasons if no oracle would run with it."""
    try:
        config, sealed = found.decode()
    except InvalidOcrConfig as error:
        return None, (str(error),)
    flaws = tuple(str(flaw) for flaw in config_rules.flaws(config, sealed))
    return (None, flaws) if flaws else (config, ())


def _gas(rule: tuple[int, int], oracles: int) -> int:
    fixed, each = rule
    return fixed + each * oracles
