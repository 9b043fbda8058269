"""The aggregator's metrics; labels are names of sources, routes and reasons, never text of a caller."""

from meshkit.metrics import RPC_METRICS, Metric, Registry
from meshkit.process.background_tasks import TASK_METRICS
from meshkit.push.metrics import PUSH_METRICS

_SOURCE = ("source",)
SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

METRICS = (
    Metric("http_requests_total", "counter", "Answered HTTP requests.", ("route", "method", "status"), derived=True),
    Metric(
        "http_request_duration_seconds",
        "histogram",
        "Time to an HTTP answer, in seconds.",
        ("route", "method", "status"),
        SECONDS,
        derived=True,
    ),
    Metric("http_requests_in_flight", "gauge", "HTTP requests being answered, the one that reads this among them."),
    Metric("cache_hits_total", "counter", "Source prices found fresh in the cache.", _SOURCE, derived=True),
    Metric("cache_misses_total", "counter", "Source prices that had to be fetched.", _SOURCE, derived=True),
    Metric("cache_hit_ratio", "gauge", "Hits per look into the cache since the start; absent before one.", _SOURCE),
    # Fixed by the specification, so with the ending of a counter.
    Metric("cache_entries_total", "gauge", "Fresh source prices in the cache.", _SOURCE),
    Metric("cache_stale_entries", "gauge", "Registered pairs without a fresh price.", _SOURCE),
    Metric("source_requests_total", "counter", "Fetches of a source, by outcome.", ("source", "status")),
    Metric(
        "source_request_duration_seconds",
        "histogram",
        "Time of a fetch of a source, in seconds.",
        _SOURCE,
        SECONDS,
    ),
    Metric("source_errors_total", "counter", "Pairs a fetch brought no price for, by reason.", ("source", "reason")),
    Metric("source_availability", "gauge", "1 if the last fetch of the source succeeded, else 0.", _SOURCE),
    Metric(
        "source_score",
        "gauge",
        "Share of the configured feeds with a price in which the source counts, of those that it is mapped to; an "
        "outlier, another unit, an old price and none at all do not count. Absent without such a feed.",
        _SOURCE,
    ),
    Metric("source_retries_total", "counter", "Calls of a source that were repeated after a fault.", _SOURCE),
    Metric("source_circuit_state", "gauge", "0 if the source is called as usual, 1 on trial, 2 not.", _SOURCE),
    Metric("refused_prices_total", "counter", "Prices that failed validation, by rule.", ("source", "reason")),
    Metric(
        "source_verdicts_total",
        "counter",
        "Changes of what becomes of a source's price in its feeds: used, outlier, older, unit or apart.",
        ("source", "verdict"),
    ),
    Metric(
        "feed_refusals_total",
        "counter",
        "Times that a feed's price began not to be believed: disagree, first, jump, rate or unit.",
        ("reason",),
    ),
    Metric("own_clock_off", "gauge", "1 if most timed sources say that our own clock is off, else 0: no prices then."),
    Metric(
        "own_clock_ahead_seconds",
        "gauge",
        "By how much our own clock is ahead of the sources', negative if behind; absent before two say so.",
    ),
    Metric("websocket_connections", "gauge", "Stream connections that are up.", _SOURCE),
    Metric("websocket_reconnects_total", "counter", "New stream connections in place of others.", ("source", "reason")),
    # Fixed by the specification, so without the ending of a counter.
    Metric("websocket_messages_received", "gauge", "Messages of streams so far.", _SOURCE),
    Metric(
        "websocket_superseded_messages_total",
        "counter",
        "Messages of streams that were not read, as a newer price of the same market had come before their turn.",
        _SOURCE,
    ),
    Metric("websocket_odd_messages_total", "counter", "Messages of streams that could not be read.", _SOURCE),
    Metric("websocket_crashes_total", "counter", "Prices of streams that were lost by a defect of ours.", _SOURCE),
    Metric(
        "refetch_operations_total",
        "counter",
        "Fetches of a pair that nobody asked for, to renew its price before it expires, by outcome.",
        ("source", "status"),
    ),
    Metric("refetch_duration_seconds", "histogram", "Time of such a fetch, in seconds.", _SOURCE, SECONDS),
    Metric("prefetch_success_rate", "gauge", "Share of such fetches that brought a price; absent before one.", _SOURCE),
    Metric(
        "quote_age_seconds",
        "gauge",
        "Age of the oldest price that is served, by the source's own time where it tells one; absent without one.",
        _SOURCE,
    ),
    Metric("feed_age_seconds", "gauge", "The same of the prices behind a configured feed.", ("feed",)),
    Metric("feed_sources", "gauge", "Sources behind the price of a configured feed; 0 if it has none.", ("feed",)),
    Metric("market_data_age_seconds", "gauge", "Age of the value of all coins; absent without one.", _SOURCE),
    *PUSH_METRICS,
)


def open_registry() -> Registry:
    """Return the registry of this process: its own metrics, those of its tasks and of its gRPC server."""
    return Registry((*RPC_METRICS, *TASK_METRICS, *METRICS))
