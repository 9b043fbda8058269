"""The metrics of a mesh in which all is well, as the tests of alerts play them."""

from collections.abc import Mapping
from typing import Final

from scripts.monitoring.timeline import Line, at, now, rising

MESH: Final = 'job="process-metrics",instance="mesh"'
NODE: Final = f'{MESH},mesh_service="chainlink-node-2"'
OPERATOR: Final = f'{MESH},mesh_service="operator"'
AGGREGATOR: Final = 'job="price-aggregator",instance="mesh"'
FEED: Final = 'feed="BTC / USD"'
JOB: Final = 'job_name="BTC / USD"'
DAMAGED: Final = (
    f'feedmesh_database_checksum_failures_total{{database="chainlink_node_2",{MESH},mesh_service="dbinit"}}'
)
STATE: Final = f"feedmesh_feed_state{{{FEED},{MESH},state="
STARTED: Final = f'feedmesh_oracle_rounds_total{{{JOB},moment="round_started",{NODE}}}'
FINAL: Final = f'feedmesh_oracle_rounds_total{{{JOB},moment="final",{NODE}}}'
SENT: Final = f"feedmesh_oracle_sent_observations_total{{{JOB},{NODE}}}"
INCLUDED: Final = f"feedmesh_oracle_included_observations_total{{{JOB},{NODE}}}"
PUSHED: Final = f"feedmesh_metrics_push_timestamp_seconds{{{MESH}}}"
SCORE: Final = f'source_score{{source="kraken",{AGGREGATOR}}}'
DATABASE_UP: Final = f'feedmesh_database_up{{{MESH},mesh_service="dbinit"}}'
DRIFT: Final = f"feedmesh_operator_feed_differences{{{FEED},{OPERATOR}}}"
UP: Final = f"feedmesh_supervisor_up{{{MESH}}}"
ANSWERED: Final = f"feedmesh_feed_answer_timestamp_seconds{{{FEED},{MESH}}}"


def reports_of(oracle: int) -> str:
    """Return the series of an oracle's observations in final reports, as node 2 counts them."""
    return f'feedmesh_oracle_final_reports_total{{oracle="{oracle}",{NODE}}}'


# What comes while all is well: 1 feed with a heartbeat of ten minutes, 4 oracles of which a report needs 3.
CALM: Final[Mapping[str, Line]] = {
    ANSWERED: now(30),
    f"feedmesh_feed_heartbeat_seconds{{{FEED},{MESH}}}": at(600),
    f"feedmesh_feed_deviation_bps{{{FEED},{MESH}}}": at(50),
    f"feedmesh_feed_gap_bps{{{FEED},{MESH}}}": at(12),
    f'{STATE}"fresh"}}': at(1),
    f'{STATE}"no_price"}}': at(0),
    f"feedmesh_oracle_pinned{{{JOB},{NODE}}}": at(0),
    **{reports_of(oracle): rising(1) for oracle in range(4)},
    STARTED: rising(1),
    FINAL: rising(1),
    SENT: rising(1),
    INCLUDED: rising(1),
    f'feedmesh_oracles{{part="up",{MESH}}}': at(4),
    f'feedmesh_oracles{{part="needed",{MESH}}}': at(3),
    f'source_availability{{source="kraken",{AGGREGATOR}}}': at(1),
    SCORE: at(1),
    f'source_circuit_state{{source="kraken",{AGGREGATOR}}}': at(0),
    f"own_clock_off{{{AGGREGATOR}}}": at(0),
    f'chainlink_service_restarts_total{{service="chainlink-node-2",{MESH}}}': at(1),
    f'feedmesh_operator_balance_wei{{account="chainlink-node-2",{OPERATOR}}}': at(5e16),
    f'feedmesh_operator_balance_wei{{account="faucet",{OPERATOR}}}': at(5e15),
    f"feedmesh_operator_balance_minimum_wei{{{OPERATOR}}}": at(1e16),
    f'feedmesh_operator_days_left{{account="faucet",{OPERATOR}}}': at(90),
    PUSHED: now(5),
    f"feedmesh_metrics_push_lost_samples{{{MESH}}}": at(0),
    UP: at(1),
    f'feedmesh_target_up{{mesh_service="operator",{MESH}}}': at(1),
    f'feedmesh_disk_bytes{{part="free",{MESH}}}': at(6e10),
    f'feedmesh_disk_bytes{{part="size",{MESH}}}': at(1e11),
    DAMAGED: at(0),
    DATABASE_UP: at(1),
    DRIFT: at(0),
}
