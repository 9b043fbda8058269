"""The operator's metrics; labels are names of accounts, feeds, nodes, parts and reasons, never text of a node."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from meshkit.clock import Clock
from meshkit.metrics import RPC_METRICS, Metric, Registry, Sample
from meshkit.process.background_tasks import DEATHS, TASK_METRICS
from services.operator.feed_phase import FeedPhase

if TYPE_CHECKING:
    from services.operator.errors import NodeFailure
    from services.operator.funding.account_watch import AccountState
    from services.operator.outcome import Outcome

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
        "Things of a node that were not as wanted when it was last looked at: account, bundle, bridge or job.",
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


class OperatorMetrics:
    """Count what happens, and show what is, in a registry of this table."""

    def __init__(self, clock: Clock, registry: Registry | None = None) -> None:
        self.registry = registry or open_registry()
        self._clock = clock

    def pass_ended(self, part: str, outcome: "Outcome | None", seconds: float) -> None:
        """Count a pass over a part; without an outcome it died of a defect of ours."""
        registry = self.registry
        word = "died" if outcome is None else "error" if outcome.errors else "ok"
        registry.counter(PASSES).labels(part, word).inc()
        registry.histogram(RECONCILE_SECONDS).labels(part).observe(seconds)
        if outcome is None:
            return
        registry.counter(CHANGES).labels(part).inc(len(outcome.changes))
        registry.gauge(RECONCILE_ERRORS).labels(part).set(len(outcome.errors))
        if not outcome.errors:
            registry.gauge(LAST_SUCCESS).labels(part).set(self._clock.time_ms() / 1000)

    def node_counted(self, node: str, failure: "NodeFailure | None") -> None:
        """Count a failed request to a node, or without a failure a login."""
        if failure is None:
            self.registry.counter(NODE_LOGINS).labels(node).inc()
        else:
            self.registry.counter(NODE_ERRORS).labels(node, failure.value).inc()

    def topped_up(self, account: str) -> None:
        """Count a top-up."""
        self.registry.counter(TOP_UPS).labels(account).inc()

    def task_died(self, task: str) -> None:
        """Count the death of a task that was to run for ever."""
        self.registry.counter(DEATHS).labels(task).inc()

    def show_feeds(self, phases: Callable[[], Iterable[FeedPhase]], differing: Callable[[], Mapping[str, int]]) -> None:
        """Show the feeds' phases, and by feed in how much its contract is not as wanted."""
        names = {phase: phase.name.lower() for phase in FeedPhase}

        def counted() -> Iterable[Sample]:
            found = Counter(phases())
            return [((name,), found[phase]) for phase, name in names.items()]

        self.registry.derive(FEEDS, counted)
        self.registry.derive(FEED_DIFFERENCES, lambda: [((feed,), count) for feed, count in differing().items()])

    def show_nodes(self, differing: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        """Show by node and kind how many things were not as wanted."""
        self.registry.derive(
            NODE_DIFFERENCES,
            lambda: [((node, kind), count) for node, kinds in differing().items() for kind, count in kinds.items()],
        )

    def show_accounts(self, seen: Callable[[], Iterable["AccountState"]]) -> None:
        """Show the accounts' money; what is not known has no sample."""

        def samples(value: Callable[["AccountState"], float | None]) -> Callable[[], Iterable[Sample]]:
            return lambda: [((each.account.name,), known) for each in seen() if (known := value(each)) is not None]

        registry = self.registry
        registry.derive(BALANCE, samples(lambda each: each.balance_wei))
        registry.derive(SPENT, samples(lambda each: each.spent_wei))
        registry.derive(SPEND_RATE, samples(lambda each: each.a_day_wei))
        registry.derive(DAYS_LEFT, samples(lambda each: each.days_left))

    def show_cost(self, cost_wei: Callable[[], int | None], minimum_wei: Callable[[], int | None]) -> None:
        """Show what a transmission costs, and when a transmitter is topped up, once it is known."""
        for name, value in ((TRANSMISSION_COST, cost_wei), (MINIMUM, minimum_wei)):
            self.registry.derive(name, _single(value))


def _single(value: Callable[[], int | None]) -> Callable[[], Iterable[Sample]]:
    return lambda: [] if (known := value()) is None else [((), known)]


def open_registry() -> Registry:
    """Return an empty registry of this table."""
    return Registry(METRICS)
