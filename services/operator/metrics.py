"""The operator's metrics; labels are names of accounts, feeds, nodes, parts and reasons, never text of a node."""

from typing import Literal

from meshkit.metrics import RPC_METRICS, Metric, Registry
from meshkit.process.background_tasks import TASK_METRICS

PASSES = "feedmesh_operator_reconcile_passes_total"
RECONCILE_SECONDS = "feedmesh_operator_reconcile_seconds"
LAST_SUCCESS = "feedmesh_operator_reconcile_last_success_timestamp_seconds"
RECONCILE_ERRORS = "feedmesh_operator_reconcile_errors"
CHANGES = "feedmesh_operator_reconcile_changes_total"
FEEDS = "feedmesh_operator_feeds"
FEED_DIFFERENCES = "feedmesh_operator_feed_differences"
NODE_DIFFERENCES = "feedmesh_operator_node_differences"
NODE_ERRORS = "feedmesh_operator_node_errors_total"
NODE_LOGINS = "feedmesh_operator_node_logins_total"
BALANCE = "feedmesh_operator_balance_wei"
SPENT = "feedmesh_operator_spent_wei_total"
SPEND_RATE = "feedmesh_operator_spend_wei_per_day"
DAYS_LEFT = "feedmesh_operator_days_left"
TRANSMISSION_COST = "feedmesh_operator_transmission_cost_wei"
MINIMUM = "feedmesh_operator_balance_minimum_wei"
TOP_UPS = "feedmesh_operator_top_ups_total"

_PASS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45, 90, 180)
_ACCOUNT = ("account",)


def _derived(name: str, kind: Literal["counter", "gauge"], text: str, *labels: str) -> Metric:
    return Metric(name, kind, text, labels, derived=True)


METRICS = (
    *RPC_METRICS,
    *TASK_METRICS,
    Metric(PASSES, "counter", "Passes over a part, the chain or a node: ok, error or died.", ("part", "outcome")),
    Metric(RECONCILE_SECONDS, "histogram", "Time of a pass, in seconds.", ("part",), _PASS_BUCKETS),
    Metric(LAST_SUCCESS, "gauge", "Unix time of the last pass without an error; absent before the first.", ("part",)),
    Metric(
        RECONCILE_ERRORS, "gauge", "Things that the last pass could not do: feeds, the faucet or a node.", ("part",)
    ),
    Metric(CHANGES, "counter", "Things that passes made or changed.", ("part",)),
    _derived(FEEDS, "gauge", "Feeds by how far their set-up is: pending, deployed, configured, running.", "phase"),
    _derived(
        FEED_DIFFERENCES,
        "gauge",
        "Fields in which a feed's contract is not configured as wanted, as last seen.",
        "feed",
    ),
    _derived(
        NODE_DIFFERENCES,
        "gauge",
        "Things of a node that were not as wanted when it was last looked at: bundle, bridge or job.",
        "node",
        "kind",
    ),
    Metric(
        NODE_ERRORS,
        "counter",
        "Requests to a node's API that failed: timeout, connection, answer (no JSON, or another form), limit (429), "
        "server (5xx), refused (4xx) or login.",
        ("node", "reason"),
    ),
    Metric(NODE_LOGINS, "counter", "Logins to a node's API.", ("node",)),
    _derived(BALANCE, "gauge", "Balance of the faucet or a node's transmitter, as last read.", "account"),
    _derived(SPENT, "counter", "Fees that an account was seen to pay since the operator's first start.", "account"),
    _derived(
        SPEND_RATE, "gauge", "What an account spends a day, as measured on chain; absent before it is known.", "account"
    ),
    _derived(
        DAYS_LEFT,
        "gauge",
        "Days until an account is empty if it spends on as measured; absent without a rate.",
        "account",
    ),
    _derived(TRANSMISSION_COST, "gauge", "What a transmission costs at most now, with its fee on the chain below."),
    _derived(MINIMUM, "gauge", "Balance under which a transmitter is topped up."),
    Metric(TOP_UPS, "counter", "Top-ups that the faucet paid, by whom they went to.", _ACCOUNT),
)


def open_registry() -> Registry:
    """Return an empty registry of this table."""
    return Registry(METRICS)
