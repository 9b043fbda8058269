"""The aggregator's metrics; labels are names of sources, routes and reasons, never text of a caller."""

from meshkit.metrics import RPC_METRICS, Metric, Registry

_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

METRICS = (
    Metric("http_requests_total", "counter", "Answered HTTP requests.", ("route", "method", "status")),
    Metric(
        "http_request_duration_seconds",
        "histogram",
        "Time to an HTTP answer, in seconds.",
        ("route", "method"),
        _SECONDS,
    ),
    Metric("cache_hits_total", "counter", "Source prices found fresh in the cache.", ("source",)),
    Metric("cache_misses_total", "counter", "Source prices that had to be fetched.", ("source",)),
    Metric("source_requests_total", "counter", "Fetches of a source, by outcome.", ("source", "status")),
    Metric(
        "source_request_duration_seconds",
        "histogram",
        "Time of a fetch of a source, in seconds.",
        ("source",),
        _SECONDS,
    ),
    Metric("source_errors_total", "counter", "Pairs a fetch brought no price for, by reason.", ("source", "reason")),
    Metric("source_availability", "gauge", "1 if the last fetch of the source succeeded, else 0.", ("source",)),
    Metric("source_retries_total", "counter", "Calls of a source that were repeated after a fault.", ("source",)),
    Metric("source_circuit_state", "gauge", "0 if the source is called as usual, 1 on trial, 2 not.", ("source",)),
    Metric("refused_prices_total", "counter", "Prices that failed validation, by rule.", ("source", "reason")),
    Metric("websocket_connections", "gauge", "Stream connections that are up.", ("source",)),
    Metric("websocket_reconnects_total", "counter", "New stream connections in place of others.", ("source", "reason")),
    # Fixed by the specification, so without the ending of a counter.
    Metric("websocket_messages_received", "gauge", "Messages of streams so far.", ("source",)),
    Metric("websocket_odd_messages_total", "counter", "Messages of streams that could not be read.", ("source",)),
    Metric("refetch_operations_total", "counter", "Pairs refreshed before their price expired.", ("source",)),
)


def open_registry() -> Registry:
    """Return the registry of this process: its own metrics and those of its gRPC server."""
    return Registry((*RPC_METRICS, *METRICS))
