"""`solution.priceAggregatorConfig`: the price aggregator's settings, with the keys deployments already have."""

from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, SecretStr, StringConstraints

from meshkit.configuration.addresses import HttpUrl, WebSocketUrl
from meshkit.configuration.faults.wording import Words
from meshkit.configuration.model import Section, without_effect

SourceName = Literal[
    "alphavantage",
    "binance",
    "bybit",
    "coinbase",
    "coingecko",
    "cryptocompare",
    "exchangeratehost",
    "finnhub",
    "frankfurter",
    "kraken",
    "kucoin",
    "okx",
    "yahoofinance",
]
SOURCES: Final[tuple[SourceName, ...]] = get_args(SourceName)


class LoggerSection(Section):
    """How the aggregator logs."""

    level: Literal["error", "warn", "info", "debug", "verbose"] = Field("info", description="Lowest level written.")
    is_pretty_enabled: bool = without_effect(False, "logs are JSON, one object a line.")


class BasicAuth(Section):
    """A user name and a password."""

    username: str = Field(description="User name.")
    password: SecretStr = Field(description="Password.")


ReceiverKind = Literal["pushgateway", "victoriaMetrics", "remoteWrite", "text"]


MetricName = Annotated[
    str, StringConstraints(pattern=r"^(\*|[a-zA-Z_:][a-zA-Z0-9_:]*\*?)$"), Words("the name of a metric, or `ocr_*`")
]
# What of a Chainlink node's page an operator needs; docs/metrics.md says which alerts and panels they are for.
NODE_METRICS: Final = (
    "feedmesh_*",
    "grpc_server_*",
    "background_task_deaths_total",
    "process_*",
    "health",
    "uptime_seconds",
    "version",
    "log_critical_count",
    "log_error_count",
    "log_fatal_count",
    "log_panic_count",
    "ocr_median_values",
    "ocr2_*",
    "bridge_errors_total",
    "pipeline_run_errors",
    "pipeline_runs_queued",
    "head_tracker_*",
    "multi_node_states",
    "pool_rpc_node_highest_*",
    "pool_rpc_node_num_transitions_*",
    "pool_rpc_node_polls_*",
    "eth_balance",
    "unconfirmed_transactions",
    "max_unconfirmed_*",
    "tx_manager_*",
    "db_conns_*",
    "db_wait_*",
    "ragedisco_*",
    "ragep2p_host_inbound_dials_total",
    "ragep2p_peer_conn_established_total",
    "go_goroutines",
    "go_memstats_heap_inuse_bytes",
)


class MetricsPush(Section):
    """Where metrics are pushed to."""

    enabled: bool = Field(False, description="Push at all.")
    url: HttpUrl | None = Field(
        None,
        description="Address of the receiver; required when enabled. A Pushgateway's own, or that of a group with the "
        "labels in the path; an import endpoint; one for remote write.",
    )
    receiver: ReceiverKind | None = Field(
        None,
        description="What it is: a Pushgateway, whose group each push replaces; an import endpoint of VictoriaMetrics; "
        "one for Prometheus' remote write; or any that takes the text format, with all labels in each line. Absent to "
        "tell by the address: `/metrics/job/…`, `…/api/v1/import/prometheus`, `…/api/v1/write`, `/push` or `/receive` "
        "there, text elsewhere.",
    )
    gzip: bool | None = Field(
        None, description="Compress what is sent; absent for where the receiver is known to read it: VictoriaMetrics."
    )
    ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that the receiver's certificate may be signed by; absent for the "
        "system's.",
    )
    interval_ms: int = Field(15_000, ge=1000, description="Time between pushes.")
    job_name: str = Field("price-aggregator", min_length=1, description="Value of the job label.")
    grouping_labels: dict[str, str] = Field({}, description="Labels added to every sample.")
    basic_auth: BasicAuth | None = Field(None, description="HTTP basic authentication.")
    headers: dict[str, SecretStr] = Field({}, description="Further request headers.")
    timeout_ms: int = Field(5000, ge=100, description="Longest time for one push.")
    batch_size: int = Field(
        100,
        ge=1,
        description="Samples in one request; the requests of one push are sent one after another. A Pushgateway gets "
        "all at once, and remote write has requests of a size of its own.",
    )


class ProcessMetricsPush(MetricsPush):
    """Where the process metrics are pushed to."""

    interval_ms: int = Field(5000, ge=1000, description="Time between pushes.")
    gather_interval_ms: int = Field(
        15_000,
        ge=1000,
        description="Time between two readings of the other processes' metrics, which are pushed with the next push: "
        "of nodes, operator, database, supervisor, and of an aggregator that does not push its own.",
    )
    node_metrics: list[MetricName] = Field(
        list(NODE_METRICS),
        description="Metrics of nodes that are pushed, by name; one that ends in `*` stands for all that begin so. The "
        "default has all of our nodes, and of Chainlink's what an operator needs: they tell of each task of each job "
        "too, which makes thousands of series.",
    )
    node_samples: int = Field(
        50_000,
        ge=1,
        description="Samples of one node that are pushed at most; what more it has is left out and counted.",
    )
    job_name: str = Field("process-metrics", min_length=1, description="Value of the job label.")
    ttl_seconds: int = Field(3_600, ge=1, description="How long a receiver that knows the `ttl` label keeps series.")
    batch_size: int = without_effect(
        100, "a receiver that replaces a group at each push would keep only the last part of several.", ge=1
    )


class FailedPairsRetry(Section):
    """Retry of pairs whose refresh failed; those of configured and of followed feeds are always tried again."""

    enabled: bool = Field(True, description="Try a failed pair again by ourselves, not only when it is asked for.")
    max_attempts: int = Field(
        50, ge=1, le=1000, description="Failures in a row after which a pair waits until it is asked for."
    )
    retry_delay: int = Field(
        5_000,
        ge=1000,
        le=3_600_000,
        description="Longest time between two tries, in milliseconds; the first comes after 250 ms, and each takes "
        "twice as long as the one before. Whoever asks for the pair waits for at most 5 s of it.",
    )
    check_interval: int = without_effect(
        30_000, "one schedule knows when each pair is due; nothing looks for due pairs.", ge=5000, le=300_000
    )


class Refetch(Section):
    """Refresh before expiry."""

    enabled: bool = Field(True, description="Refresh registered pairs before they expire.")
    stale_trigger_before_expiry: int = Field(
        5000,
        ge=100,
        le=60_000,
        description="Milliseconds before expiry at which a refresh starts at the earliest; later if answers are fast.",
    )
    batch_interval: int = without_effect(
        1000,
        "refreshes need not be held back to share a call, since each call is filled up with the pairs that were "
        "fetched longest ago.",
        ge=100,
        le=10_000,
    )
    min_time_between_refreshes: int = without_effect(
        2000,
        "a price is refreshed once in its time to live, never in the first half of it; a refresh that is put off or "
        "left out would let the price expire.",
        ge=100,
        le=60_000,
    )
    failed_pairs_retry: FailedPairsRetry = Field(FailedPairsRetry(), description="Retry of failed pairs.")


class Quotes(Section):
    """Answering a request."""

    request_timeout_ms: int = Field(10_000, ge=1000, le=60_000, description="Longest wait of a caller for a quote.")


class PairCleanup(Section):
    """Removal of pairs nobody asks for."""

    enabled: bool = Field(True, description="Remove inactive pairs.")
    inactive_timeout_ms: int = Field(600_000, ge=10_000, le=86_400_000, description="Time without a request.")
    cleanup_interval_ms: int = Field(20_000, ge=1000, le=3_600_000, description="Time between clean-ups.")


class PairTtl(Section):
    """A time to live for one pair."""

    pair: tuple[str, str] = Field(description="Base and quote.")
    source: SourceName | None = Field(None, description="The source it holds for; absent for all.")
    ttl: int = Field(ge=1000, description="Milliseconds a price is served.")


class Stream(Section):
    """A source's WebSocket."""

    auto_reconnect: bool = Field(True, description="Reconnect after a disconnect.")
    reconnect_interval: int = Field(5000, ge=1000, description="Milliseconds before the first reconnect.")
    max_reconnect_attempts: int = without_effect(10, "a stream is made again for ever.", ge=0, le=100)
    heartbeat_interval: int = Field(30_000, ge=5000, description="Milliseconds between heartbeats.")
    ws_url: WebSocketUrl | None = Field(None, description="Address of the stream; absent for the source's own.")
    batch_size: int | None = Field(None, ge=1, le=500, description="Pairs in one subscribe message.")
    rate_limit: int | None = Field(None, ge=10, le=10_000, description="Milliseconds between two messages.")


class Source(Section):
    """One source of prices."""

    enabled: bool = Field(True, description="Use the source.")
    api_key: SecretStr | None = Field(None, description="The source's key.")
    ttl: int = Field(5000, ge=1000, description="Milliseconds a price is served.")
    timeout_ms: int = Field(10_000, ge=1000, description="Longest time for one call.")
    rps: float | None = Field(
        None, ge=0.0001, le=1000, description="Calls a second; absent for the source's default, null for no bound."
    )
    max_concurrent: int = Field(10, ge=1, description="Calls under way at once.")
    max_retries: int = Field(3, ge=0, le=10, description="Repeats of a failed call.")
    use_proxy: bool | HttpUrl = Field(False, description="Use the global proxy, or the one given.")
    refetch: bool = Field(False, description="Refresh this source's pairs before they expire.")
    stale_trigger_before_expiry: int | None = Field(
        None, ge=100, le=60_000, description="Overrides refetch.staleTriggerBeforeExpiry."
    )
    max_batch_size: int | None = Field(None, ge=1, le=1000, description="Pairs in one call.")
    base_url: HttpUrl | None = Field(None, description="Address of the REST API; absent for the source's own.")
    stream: Stream = Field(Stream(), description="The source's WebSocket.")


class CoingeckoGlobal(Section):
    """The total market capitalisation."""

    enabled: bool = Field(True, description="Fetch it.")
    refresh_interval_ms: int = Field(60_000, ge=10_000, description="Time between fetches.")
    use_proxy: bool = Field(False, description="Use the global proxy.")


class MarketData(Section):
    """Figures of the whole market."""

    coingecko_global: CoingeckoGlobal = Field(CoingeckoGlobal(), description="CoinGecko's global figures.")


class PriceAggregatorConfig(Section):
    """The price aggregator."""

    port: int = Field(3000, ge=1, le=65_535, description="HTTP port on 127.0.0.1.")
    environment: Literal["development", "production", "test"] = without_effect(
        "development", "nothing differs between environments."
    )
    pairs_file_path: str | None = Field(
        None, description='JSON file of pairs to register at start: `{"source": ["BASE/QUOTE"]}`.'
    )
    logger: LoggerSection = Field(LoggerSection(), description="Logging.")
    proxy: HttpUrl | None = Field(None, description="Proxy for sources with useProxy.")
    metrics_push: MetricsPush = Field(MetricsPush(), description="Push of the aggregator's metrics.")
    refetch: Refetch = Field(Refetch(), description="Refresh before expiry.")
    quotes: Quotes = Field(Quotes(), description="Answering a request.")
    pair_cleanup: PairCleanup = Field(PairCleanup(), description="Removal of inactive pairs.")
    pairs_ttl: tuple[PairTtl, ...] = Field((), description="Times to live for single pairs; the first match decides.")
    sources: dict[SourceName, Source] = Field({}, description="The sources; one that is not named is off.")
    market_data: MarketData = Field(MarketData(), description="Figures of the whole market.")
