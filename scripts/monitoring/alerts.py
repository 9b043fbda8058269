"""
Every alert in one table: the rule, the words of its runbook, and the fault that proves it.

`scripts/gen` makes deploy/alerts/feedmesh.yml and docs/operations.md of it; the tests have promtool play each fault.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from scripts.monitoring.calm_metrics import (
    AGGREGATOR,
    ANSWERED,
    DAMAGED,
    FEED,
    INCLUDED,
    JOB,
    MESH,
    NODE,
    OPERATOR,
    PUSHED,
    SENT,
    STARTED,
    STATE,
    UP,
    reports_of,
)
from scripts.monitoring.timeline import Line, absent, at, rising, stopped


@dataclass(frozen=True, slots=True)
class Alert:
    """
    One alert.

    Attributes:
        name: In camel case, as Prometheus' alerts are.
        expr: Is true while it is to fire.
        hold: How long that must last, in Prometheus' words.
        severity: critical where a feed has no right answer on chain, or soon; warning where it bears one more fault.
        summary: One line; labels of the expression in Prometheus' template.
        means: What has happened.
        look: Where one sees why.
        act: What to do.
        fault: The series that show it, each with how it goes then.
        also: Other alerts that the same fault sets off.
    """

    name: str
    expr: str
    hold: str
    severity: Literal["critical", "warning"]
    summary: str
    means: str
    look: str
    act: str
    fault: Mapping[str, Line] = field(repr=False)
    also: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """Return the name of its runbook in docs/operations.md."""
        return self.name.lower()


ALERTS: Final = (
    Alert(
        "FeedStale",
        "time() - feedmesh_feed_answer_timestamp_seconds > on (job, instance, feed) "
        "(feedmesh_feed_heartbeat_seconds + 90)",
        "1m",
        "critical",
        "{{ $labels.feed }} has had no answer for {{ $value | humanizeDuration }}",
        "The answer on chain is older than the heartbeat and 90 s. Consumers that check the age refuse it.",
        "`feedmesh explain FEED` says why. The alert FeedStuck names the state; the dashboard of the feed's rounds "
        "shows "
        "at which hop rounds end.",
        "Mend what the state names. If it is `late`, look for oracles without peers or transmitters without money.",
        {ANSWERED: stopped()},
    ),
    Alert(
        "FeedStuck",
        'feedmesh_feed_state{state!="fresh"} == 1',
        "3m",
        "warning",
        "{{ $labels.feed }} gets no new round: {{ $labels.state }}",
        "Something on the price's way keeps back a new round. The answer on chain may still be young enough.",
        "The label `state`: our clock is off, the chain gives no answer, too few oracles are up, the feed is not set "
        "up, "
        "it has no price, or its answer is late.",
        "`clock_off`: see ClockOff. `chain_away`: see the RPC endpoints. `too_few_oracles`: see QuorumAtEdge. "
        "`no_price`: "
        "`feedmesh sources` and `feedmesh quote FEED` say which sources are refused, and by which rule. `not_set_up`: "
        "`feedmesh feeds` and the operator's log.",
        {f'{STATE}"fresh"}}': at(0), f'{STATE}"no_price"}}': at(1)},
    ),
    Alert(
        "AnswerPinned",
        "max by (instance, job_name) (feedmesh_oracle_pinned) == 1",
        "1m",
        "critical",
        "{{ $labels.job_name }} is outside of what its contract takes",
        "The median is below the contract's minAnswer or above its maxAnswer. No report is sent, so that the answer on "
        "chain is not a bound that poses as a price.",
        "`feedmesh feeds` for the answer, `feedmesh quote FEED` for the market, the contract for its bounds.",
        "If the market is really there, the contract's owner has to deploy one with wider bounds. If not, find the "
        "source "
        "that is wrong.",
        {f"feedmesh_oracle_pinned{{{JOB},{NODE}}}": at(1)},
    ),
    Alert(
        "MarketDeviation",
        "abs(feedmesh_feed_gap_bps) > on (job, instance, feed) (2 * feedmesh_feed_deviation_bps + 10)",
        "3m",
        "critical",
        "{{ $labels.feed }} is {{ $value | humanize }} bps from the market",
        "The answer on chain is further from our own market price than twice the deviation that causes a new answer.",
        "`feedmesh explain FEED`: is there a round that was not transmitted, or no round at all? The dashboard of "
        "the price "
        "flow shows market and chain.",
        "If rounds go on, look at the transmitters: BalanceLow, gas price, RPC. If they do not, see FeedStuck.",
        {f"feedmesh_feed_gap_bps{{{FEED},{MESH}}}": at(-180)},
    ),
    Alert(
        "RoundsStopped",
        "sum by (instance, mesh_service, job_name) "
        '(increase(feedmesh_oracle_rounds_total{moment="round_started"}[3m])) '
        "== 0",
        "90s",
        "warning",
        "{{ $labels.mesh_service }} sees no new round of {{ $labels.job_name }}",
        "A node has seen no round begin for more than three minutes.",
        "`feedmesh nodes`: its peers. `feedmesh rounds FEED`. Its log for `p2p` and for the epoch's leader.",
        "If it is one node, restart it and check that its peers reach its port. If it is all, fewer than 2f+1 are up.",
        {STARTED: stopped()},
    ),
    Alert(
        "OracleNotObserving",
        "sum by (instance, mesh_service, job_name) (increase(feedmesh_oracle_sent_observations_total[3m])) == 0 and "
        "sum by (instance, mesh_service, job_name) "
        '(increase(feedmesh_oracle_rounds_total{moment="round_started"}[3m])) > 0',
        "1m",
        "warning",
        "{{ $labels.mesh_service }} sends no observation of {{ $labels.job_name }}",
        "Rounds begin, and this node has no value for them.",
        "`feedmesh jobs` for the job's last error; `pipeline_run_errors`; the aggregator's answer to the job's bridge.",
        "Mend the source or the bridge that the error names. The feed goes on while 2f+1 others observe.",
        {SENT: stopped()},
    ),
    Alert(
        "OracleNotIncluded",
        "sum by (instance, mesh_service) (increase(feedmesh_oracle_included_observations_total[15m])) < 0.8 * "
        'sum by (instance, mesh_service) (increase(feedmesh_oracle_rounds_total{moment="final"}[15m]))',
        "5m",
        "warning",
        "{{ $labels.mesh_service }} is in less than 80 % of the reports that it sees",
        "The node takes part, and its observations come too late, or not at all, into the reports.",
        "Its clock, its load, the latency to its peers; `deltaGrace` in the configuration.",
        "Give it processor time or a better place. If its observations are wrong, they are not left out for that: see "
        "`feedmesh rounds FEED`.",
        {INCLUDED: stopped()},
    ),
    Alert(
        "OracleMissing",
        "sum by (instance, oracle) (increase(feedmesh_oracle_final_reports_total[15m])) < on (instance) group_left "
        "() 0.2 * "
        "max by (instance) (sum by (instance, oracle) (increase(feedmesh_oracle_final_reports_total[15m])))",
        "5m",
        "warning",
        "Oracle {{ $labels.oracle }} is missing from the observer lists",
        "The reports of the others have no observation of this oracle any more.",
        "`feedmesh nodes` for its state and peers; the index is its place in the contract's configuration.",
        "Start it again, mend its network, or replace it in the configuration. One more that fails may end the rounds.",
        {reports_of(3): stopped()},
    ),
    Alert(
        "QuorumAtEdge",
        'sum without (part) (feedmesh_oracles{part="up"}) <= sum without (part) (feedmesh_oracles{part="needed"})',
        "2m",
        "critical",
        "{{ $value }} oracles are up, and a report needs all of them",
        "One more oracle that goes ends the rounds of all feeds; below the quorum they have ended.",
        "`feedmesh status` for the services that are not healthy.",
        "Bring back those that are down before anything else is restarted.",
        {f'feedmesh_oracles{{part="up",{MESH}}}': at(3)},
    ),
    Alert(
        "SourceDown",
        "source_availability == 0",
        "5m",
        "warning",
        "{{ $labels.source }} gives no prices",
        "The last fetches of this source failed.",
        "`feedmesh sources` for its last error; `source_errors_total` by reason.",
        "A refusal by key or by region needs a change of the configuration; all else is tried again by itself. Look "
        "whether "
        "feeds have enough other sources: `feed_sources`.",
        {f'source_availability{{source="kraken",{AGGREGATOR}}}': at(0)},
    ),
    Alert(
        "SourceShut",
        "source_circuit_state == 2",
        "5m",
        "warning",
        "{{ $labels.source }} is not called, as it failed too often",
        "The circuit breaker is open: the source is asked again only on trial.",
        "`feedmesh sources`, and its provider's status page.",
        "Nothing, if the provider is down. If we are limited, lower `rps` or give a key.",
        {f'source_circuit_state{{source="kraken",{AGGREGATOR}}}': at(2)},
    ),
    Alert(
        "ClockOff",
        "own_clock_off == 1",
        "1m",
        "critical",
        "The clock of {{ $labels.instance }} is off: no prices",
        "Most sources that tell their time say that our clock is wrong, and no price is believed until it is right.",
        "`own_clock_ahead_seconds`, `timedatectl`, the host's NTP.",
        "Set the host's clock right. Nothing needs a restart.",
        {f"own_clock_off{{{AGGREGATOR}}}": at(1)},
    ),
    Alert(
        "ServiceRestarted",
        "increase(chainlink_service_restarts_total[15m]) > 0",
        "0m",
        "warning",
        "{{ $labels.service }} crashed and was started again",
        "A process ended by itself, or was ended because it hung. After `maxRestarts` of them the whole mesh stops.",
        "`feedmesh logs SERVICE --since 1h` from before the restart.",
        "A crash is a defect, or a machine without memory: look at both before it happens again.",
        {f'chainlink_service_restarts_total{{service="chainlink-node-2",{MESH}}}': rising(1)},
    ),
    Alert(
        "BalanceLow",
        'feedmesh_operator_balance_wei{account!="faucet"} < on (job, instance, mesh_service) group_left () '
        "feedmesh_operator_balance_minimum_wei",
        "5m",
        "critical",
        "{{ $labels.account }} has {{ $value | humanize }} wei left",
        "A transmitter has less than the balance under which it is topped up, and no top-up came.",
        "`feedmesh balances`; the operator's log for `top_up`.",
        "Fund the faucet, or the transmitter itself. The others transmit in its place while they can.",
        {f'feedmesh_operator_balance_wei{{account="chainlink-node-2",{OPERATOR}}}': at(5e15)},
    ),
    Alert(
        "DaysLeft",
        "feedmesh_operator_days_left < 7",
        "15m",
        "warning",
        "{{ $labels.account }} lasts for {{ $value | humanize }} days",
        "At the rate of spending that was measured on chain the account is empty within a week.",
        "`feedmesh balances` for the rate; `feedmesh_operator_transmission_cost_wei` for the price of a transmission.",
        "Fund the account. If the rate has risen, see whether the gas price or the number of rounds has.",
        {f'feedmesh_operator_days_left{{account="faucet",{OPERATOR}}}': at(3)},
    ),
    Alert(
        "PushFailing",
        "time() - max by (job, instance) (last_over_time(feedmesh_metrics_push_timestamp_seconds[1h])) > 120",
        "1m",
        "warning",
        "No push of {{ $labels.job }} on {{ $labels.instance }} was taken for {{ $value | humanizeDuration }}",
        "Metrics do not arrive, or the process that pushes them is gone. All that is shown of it is old.",
        "The log of `process-metrics` or `price-aggregator` for `push_failed`, which says what the receiver answered.",
        "Mend credentials, certificate or receiver. Rounds do not depend on it.",
        {PUSHED: stopped()},
    ),
    Alert(
        "PushLosesSamples",
        "feedmesh_metrics_push_lost_samples > 0",
        "10m",
        "warning",
        "{{ $value }} samples of {{ $labels.job }} were taken and are not there",
        "The receiver answers that all is well and keeps less than it was sent.",
        "The log for `push_lost_samples`, which names metrics; the receiver's own log and limits (labels, "
        "cardinality).",
        "Raise the receiver's limits, or drop grouping labels.",
        {f"feedmesh_metrics_push_lost_samples{{{MESH}}}": at(12)},
    ),
    Alert(
        "MetricsSilent",
        "absent_over_time(feedmesh_supervisor_up[5m])",
        "5m",
        "critical",
        "Nothing comes from any mesh",
        "No mesh has pushed for ten minutes; the other alerts are silent for that reason alone.",
        "Is the container running? `feedmesh status` on its host, then PushFailing.",
        "Start the mesh, or mend the way to the receiver.",
        {UP: absent()},
    ),
    Alert(
        "SupervisorSilent",
        "feedmesh_supervisor_up == 0",
        "1m",
        "critical",
        "The supervisor of {{ $labels.instance }} gives no answer",
        "Nobody restarts what crashes, though all that runs goes on.",
        "The container's own log; the processor time and memory of the supervisor.",
        "Restart the container at a quiet moment.",
        {UP: at(0)},
    ),
    Alert(
        "TargetDown",
        "feedmesh_target_up == 0",
        "2m",
        "warning",
        "The metrics of {{ $labels.mesh_service }} cannot be read",
        "The process gives no page of metrics: it is down, hangs, or writes too much.",
        "`feedmesh_target_failures_total` by reason; `feedmesh status`.",
        "See the process's log. If it is healthy otherwise, its alerts are blind until this is mended.",
        {f'feedmesh_target_up{{mesh_service="operator",{MESH}}}': at(0)},
    ),
    Alert(
        "DiskLow",
        'feedmesh_disk_bytes{part="free"} / ignoring (part) feedmesh_disk_bytes{part="size"} < 0.1',
        "5m",
        "warning",
        "{{ $value | humanizePercentage }} of the disk of {{ $labels.instance }} is free",
        "When the disk of the data directory is full, PostgreSQL stops, and with it all nodes.",
        "`feedmesh_database_bytes` by node; the logs' directory.",
        "Free space or enlarge the disk.",
        {f'feedmesh_disk_bytes{{part="free",{MESH}}}': at(4e9)},
    ),
    Alert(
        "DatabaseDamaged",
        "feedmesh_database_checksum_failures_total > 0",
        "0m",
        "critical",
        "{{ $labels.database }} has damaged pages",
        "PostgreSQL read pages whose checksums are wrong: the disk or the memory is failing.",
        "`feedmesh db check`; the kernel's log.",
        "Stop the node of this database, move to another disk, restore or let the node begin anew: what it has "
        "signed is in "
        "its database, so never run it with an older copy.",
        {DAMAGED: at(2)},
    ),
)
