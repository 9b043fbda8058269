"""What the operator's page of metrics shows of what it is told."""

from meshkit.clock import ManualClock
from meshkit.errors import Unavailable
from services.operator.errors import NodeFailure
from services.operator.feed_phase import FeedPhase
from services.operator.funding.account_watch import Account, AccountState
from services.operator.metrics import OperatorMetrics
from services.operator.outcome import Outcome


def _shown(metrics: OperatorMetrics) -> dict[str, float]:
    lines = metrics.registry.render().decode().splitlines()
    samples = [line.rsplit(" ", 1) for line in lines if line.startswith(("feedmesh_", "background_"))]
    return {name.removeprefix("feedmesh_operator_"): float(value) for name, value in samples}


def test_passes_are_counted_by_how_they_end() -> None:
    """A good pass is the last success, one with errors says how many, one that died is no outcome."""
    clock = ManualClock(5_000)
    metrics = OperatorMetrics(clock)
    metrics.pass_ended("chain", Outcome(("a", "b")), 0.3)
    clock.advance(60)
    metrics.pass_ended("chain", Outcome(("c",), {"faucet": Unavailable("x"), "BTC / USD": Unavailable("y")}), 7)
    metrics.pass_ended("chain", None, 1)
    shown = _shown(metrics)

    assert [1, 1, 1] == [
        shown[f'reconcile_passes_total{{outcome="{word}",part="chain"}}'] for word in ("ok", "error", "died")
    ]
    assert (3, 2, 5) == (
        shown['reconcile_changes_total{part="chain"}'],
        shown['reconcile_errors{part="chain"}'],
        shown['reconcile_last_success_timestamp_seconds{part="chain"}'],
    )
    assert (1, 3, 8.3) == (
        shown['reconcile_seconds_bucket{le="0.5",part="chain"}'],
        shown['reconcile_seconds_count{part="chain"}'],
        shown['reconcile_seconds_sum{part="chain"}'],
    )


def test_nodes_top_ups_and_deaths_are_counted() -> None:
    """Each failure stands under its reason, a login is none."""
    metrics = OperatorMetrics(ManualClock())
    for failure in (NodeFailure.TIMEOUT, NodeFailure.TIMEOUT, NodeFailure.LIMIT, None):
        metrics.node_counted("chainlink-node-2", failure)
    metrics.topped_up("chainlink-node-2")
    metrics.task_died("rounds")
    shown = _shown(metrics)

    node = 'node="chainlink-node-2"'
    assert [2, 1, 1, 1, 1] == [
        shown[f'node_errors_total{{{node},reason="timeout"}}'],
        shown[f'node_errors_total{{{node},reason="limit"}}'],
        shown[f"node_logins_total{{{node}}}"],
        shown['top_ups_total{account="chainlink-node-2"}'],
        shown['background_task_deaths_total{task="rounds"}'],
    ]


def test_what_is_known_is_shown_as_it_is_now() -> None:
    """Phases, differences and accounts are asked for at each rendering; what nobody knows has no sample."""
    metrics = OperatorMetrics(ManualClock())
    accounts: list[AccountState] = []
    cost: list[int] = []
    metrics.show_feeds(lambda: [FeedPhase.RUNNING, FeedPhase.RUNNING, FeedPhase.DEPLOYED], lambda: {"BTC / USD": 3})
    metrics.show_nodes(lambda: {"chainlink-node-2": {"job": 2, "bridge": 0}})
    metrics.show_accounts(lambda: accounts)
    metrics.show_cost(lambda: cost[0] if cost else None, lambda: None)
    assert "transmission_cost_wei" not in _shown(metrics)
    accounts += [
        AccountState(Account("faucet", "0xF"), 10**19, 5, None, None),
        AccountState(Account("chainlink-node-2", "0x2"), 10**18, 7, 10**17, 10.0),
    ]
    cost.append(42)
    shown = _shown(metrics)

    assert (2, 1, 0, 0) == tuple(
        shown[f'feeds{{phase="{phase}"}}'] for phase in ("running", "deployed", "configured", "pending")
    )
    assert (3, 2, 0) == (
        shown['feed_differences{feed="BTC / USD"}'],
        shown['node_differences{kind="job",node="chainlink-node-2"}'],
        shown['node_differences{kind="bridge",node="chainlink-node-2"}'],
    )
    assert (10**19, 5) == (shown['balance_wei{account="faucet"}'], shown['spent_wei_total{account="faucet"}'])
    assert (10**17, 10.0) == (
        shown['spend_wei_per_day{account="chainlink-node-2"}'],
        shown['days_left{account="chainlink-node-2"}'],
    )
    assert 'days_left{account="faucet"}' not in shown
    assert (42, False) == (shown["transmission_cost_wei"], "balance_minimum_wei" in shown)
