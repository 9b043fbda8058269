"""What config.toml says about a chain: its endpoints, what a transaction pays, and how it is followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from services.oracle.settings_types import Duration, Natural, Positive, Table, Wei, matching, whole

SIMULATED_CHAINS = frozenset({1337, 31337})
_SIMULATED_BY_DEFAULT = "1337"
# No chain takes back more of its newest blocks than these, but in a failure that people would have to look at.
_DEEPEST_BURIAL = 64
_SIMULATED_GAS = {"Mode": "FixedPrice", "PriceDefault": "1 gwei", "FeeCapDefault": "1 gwei", "BumpThreshold": 0}


@dataclass(frozen=True, kw_only=True)
class GasLimitSettings(Table):
    """Hold gas limits by job type."""

    ocr: Positive | None = None


@dataclass(frozen=True, kw_only=True)
class BlockHistorySettings(Table):
    """Hold how many blocks an estimate looks at, and which percentile of what they paid it takes."""

    block_history_size: Annotated[int, whole(1, 1024)] = 8
    transaction_percentile: Annotated[int, whole(0, 100)] = 60


@dataclass(frozen=True, kw_only=True)
class GasEstimatorSettings(Table):
    """Hold what a transaction pays, and by how much more it is sent again when no block takes it."""

    mode: Literal["FixedPrice", "BlockHistory", "FeeHistory", "SuggestedPrice", "L2Suggested", "Arbitrum"] = (
        "BlockHistory"
    )
    price_default_wei: Wei = 20 * 10**9
    price_min_wei: Wei = 10**9
    price_max_wei: Wei = 2**256 - 1
    limit_default: Positive = 500_000
    limit_job_type: GasLimitSettings = GasLimitSettings()
    # A pool takes a replacement only for a tenth more.
    bump_percent: Annotated[int, whole(10)] = 20
    bump_min_wei: Wei = 5 * 10**9
    bump_threshold: Natural = 3
    eip1559_dynamic_fees: bool = False
    tip_cap_default_wei: Wei = 1
    tip_cap_min_wei: Wei = 1
    fee_cap_default_wei: Wei = 100 * 10**9
    block_history: BlockHistorySettings = BlockHistorySettings()

    def check(self) -> None:
        """Raise ValueError when a bound is on the wrong side of what it bounds."""
        if not self.price_min_wei <= self.price_max_wei:
            raise ValueError("PriceMin must not be above PriceMax")
        if self.mode == "FixedPrice" and not self.price_default_wei <= self.price_max_wei:
            raise ValueError("PriceDefault must not be above PriceMax")
        if self.eip1559_dynamic_fees and self.tip_cap_default_wei < self.tip_cap_min_wei:
            raise ValueError("TipCapDefault must not be under TipCapMin")
        if self.eip1559_dynamic_fees and self.fee_cap_default_wei < self.tip_cap_default_wei:
            raise ValueError("FeeCapDefault must not be under TipCapDefault")


@dataclass(frozen=True, kw_only=True)
class TransactionsSettings(Table):
    """Hold how many transactions of an account may be under way (0: any number), and when one is sent once more."""

    max_in_flight: Natural = 16
    resend_after_threshold_s: Duration = 60.0


@dataclass(frozen=True, kw_only=True)
class NodePoolSettings(Table):
    """Hold how RPC endpoints are watched; one that is more than `sync_threshold` blocks behind the best is left."""

    poll_interval_s: Duration = 10.0
    sync_threshold: Natural = 5


@dataclass(frozen=True, kw_only=True)
class EvmOcrSettings(Table):
    """Hold the chain's part in OCR1."""

    contract_confirmations: Annotated[int, whole(1, 100)] | None = None
    contract_transmitter_transmit_timeout_s: Duration = 10.0
    database_timeout_s: Duration = 10.0
    observation_grace_period_s: Duration = 1.0


@dataclass(frozen=True, kw_only=True)
class EvmNodeSettings(Table):
    """Hold one RPC endpoint."""

    name: str
    http_url: Annotated[str, matching("https?://.+", "http://… or https://…")]
    ws_url: Annotated[str, matching("wss?://.+", "ws://… or wss://…")] | None = None
    send_only: bool = False
    order: Annotated[int, whole(1, 100)] = 100


@dataclass(frozen=True, kw_only=True)
class EvmSettings(Table):
    """Hold one chain."""

    chain_id: Annotated[str, matching("[0-9]{1,20}", "a text of up to 20 digits")]
    enabled: bool = True
    log_poll_interval_s: Duration = 15.0
    finality_depth: Positive = 50
    gas_estimator: GasEstimatorSettings = GasEstimatorSettings()
    transactions: TransactionsSettings = TransactionsSettings()
    node_pool: NodePoolSettings = NodePoolSettings()
    ocr: EvmOcrSettings = EvmOcrSettings()
    nodes: tuple[EvmNodeSettings, ...]

    @classmethod
    def completed(cls, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put the real node's own defaults for its simulated chain under what the file says."""
        if document.get("ChainID") == _SIMULATED_BY_DEFAULT:
            gas = document.get("GasEstimator", {})
            if isinstance(gas, Mapping):
                document = {"FinalityDepth": 10, **document, "GasEstimator": {**_SIMULATED_GAS, **gas}}
        return document

    @property
    def number(self) -> int:
        """Return the chain id as a number."""
        return int(self.chain_id)

    @property
    def simulated(self) -> bool:
        """Tell whether it is a local chain, where everything is polled each second."""
        return self.number in SIMULATED_CHAINS

    @property
    def burial_depth(self) -> int:
        """Return how many blocks over a transaction are waited for, lest a reorganisation takes it away."""
        return min(self.finality_depth, _DEEPEST_BURIAL)

    @property
    def resend_s(self) -> float:
        """Return after how many seconds a transaction that no block took is sent once more."""
        return 1.0 if self.simulated else self.transactions.resend_after_threshold_s

    @property
    def pool_interval_s(self) -> float:
        """Return how often every RPC endpoint is looked at."""
        return 1.0 if self.simulated else self.node_pool.poll_interval_s or 10.0

    @property
    def contract_confirmations(self) -> int:
        """Return how many blocks bury a configuration before it counts."""
        return self.ocr.contract_confirmations or (1 if self.simulated else 4)

    @property
    def head_interval_s(self) -> float:
        """Return how often to ask for the newest block."""
        return 1.0 if self.simulated else min(self.log_poll_interval_s, 15.0) or 1.0

    @property
    def transmit_gas_limit(self) -> int:
        """Return the gas limit of a transmission whose job names none."""
        return self.gas_estimator.limit_job_type.ocr or self.gas_estimator.limit_default
