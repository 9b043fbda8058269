"""Alerts of feeds, rounds, oracles and sources."""

from typing import Final

from scripts.monitoring.alert import Alert
from scripts.monitoring.calm_metrics import (
    AGGREGATOR,
    ANSWERED,
    FEED,
    INCLUDED,
    JOB,
    MESH,
    NODE,
    SCORE,
    SENT,
    STARTED,
    STATE,
    reports_of,
)
from scripts.monitoring.timeline import at, stopped

PRICE_ALERTS: Final = (
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
        "SourceScoredDown",
        "avg_over_time(source_score[15m]) < 0.5 and on (job, instance, source) source_availability == 1",
        "5m",
        "warning",
        "{{ $labels.source }} counted in {{ $value | humanizePercentage }} of its feeds",
        "A source answers, and for a quarter of an hour most prices of the feeds that it is mapped to were made "
        "without it: it was far from the others, in another unit, too old, or broke a rule.",
        "`feedmesh sources` and `feedmesh quote FEED` for its verdicts; `source_verdicts_total` and "
        "`refused_prices_total` by source; `feedmesh explain FEED`.",
        "Compare its prices with those that it shows elsewhere. Take a pair that it has wrong out of `feeds`, or "
        "switch the source off. Where the others are wrong and it is right, the feed has too few sources.",
        {SCORE: at(0.2)},
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
)
